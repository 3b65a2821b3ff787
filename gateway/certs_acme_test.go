package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"sallyport"
	"sallyport/config"
	"sallyport/internal/parts"
)

// TestACMEObtainsAndRenews has a real ACME server check and certify a host through
// our listeners, by each kind of challenge, and again before the certificate ends.
func TestACMEObtainsAndRenews(t *testing.T) {
	for _, challenge := range []string{challengeHTTP, challengeALPN} {
		t.Run(challenge, func(t *testing.T) { acmeScenario(t, challenge) })
	}
}

func acmeScenario(t *testing.T, challenge string) {
	const host, added = "login.example.com", "app.example.com"
	httpPort, tlsPort := parts.FreePort(t), parts.FreePort(t)
	server := parts.Pebble(t, httpPort, tlsPort, parts.WithValidity(6*time.Second))
	dir := filepath.Join(t.TempDir(), "acme")
	c, err := newCerts(config.TLS{ACME: &config.ACME{
		Email: "ops@example.com", Directory: server.DirectoryURL, CAFile: server.CAFile,
		StorageDir: dir, Challenges: []string{challenge}, RenewalWindow: 60,
	}}, []string{host}, certOptions{Log: testLog(t), CheckEvery: 100 * time.Millisecond, noARI: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServers(config.Server{
		HTTPS: config.Listen{fmt.Sprintf("127.0.0.1:%d", tlsPort)}, HTTP: config.Listen{fmt.Sprintf("127.0.0.1:%d", httpPort)},
		Portal: host,
	}, c, handlers{Main: http.NotFoundHandler(), Known: func(h string) bool { return h == host }}, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	runServers(t, s)
	runCerts(t, c)
	roots := server.IssuerRoot()
	get := func(name string) *x509.Certificate {
		conn, err := tls.Dial("tcp", s.Addr(kindHTTPS).String(), &tls.Config{ServerName: name, RootCAs: roots})
		if err != nil {
			return nil
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0]
	}
	var first *x509.Certificate
	eventually(t, 30*time.Second, "a certificate is obtained", func() bool { first = get(host); return first != nil })
	if c.Expiry()[host].IsZero() {
		t.Error("expiry is not known")
	}
	eventually(t, 30*time.Second, "the certificate is renewed", func() bool {
		cert := get(host)
		return cert != nil && cert.SerialNumber.Cmp(first.SerialNumber) != 0
	})
	c.SetHosts([]string{host, added})
	eventually(t, 30*time.Second, "a host that a reload added gets one", func() bool { return get(added) != nil })
	c.SetHosts([]string{host})
	_, err = tls.Dial("tcp", s.Addr(kindHTTPS).String(), &tls.Config{ServerName: added, RootCAs: roots})
	if !unrecognized(err) {
		t.Errorf("a host that a reload removed: %v", err)
	}
}

// A stranger who names hosts must not make us order certificates for them.
func TestACMEAsksForConfiguredHostsOnly(t *testing.T) {
	orders := make(chan string, 10)
	directory := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case orders <- r.URL.Path:
		default:
		}
		http.Error(w, "closed", http.StatusServiceUnavailable)
	}))
	defer directory.Close()
	c, err := newCerts(config.TLS{ACME: &config.ACME{Directory: directory.URL}}, nil,
		certOptions{Dir: t.TempDir(), Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	c.Listening(&net.TCPAddr{Port: 80}, &net.TCPAddr{Port: 443})
	runCerts(t, c)
	for i := range 20 {
		if _, err := look(t, c, fmt.Sprintf("host%d.evil.example", i)); !unrecognized(err) {
			t.Errorf("a stranger's name: %v", err)
		}
	}
	// Nor do they make the library search its files, where a host that was ours
	// once may have left something.
	a := c.(*acmeCerts)
	eventually(t, 5*time.Second, "the library runs", func() bool { return a.running.Load() != nil })
	key := "acme/" + certmagic.StorageKeys.Safe(a.running.Load().issuer.IssuerKey()) + "/challenge_tokens/evil.example.json"
	left := `{"type":"http-01","token":"x","keyAuthorization":"x.y","identifier":{"type":"dns","value":"evil.example"}}`
	if err := a.store.Store(t.Context(), key, []byte(left)); err != nil {
		t.Fatal(err)
	}
	h := c.ACMEHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://evil.example/.well-known/acme-challenge/x", http.NoBody))
	if w.Code != http.StatusTeapot {
		t.Errorf("a stranger's challenge is answered %d %s", w.Code, w.Body)
	}
	select {
	case path := <-orders:
		t.Errorf("the ACME server was asked: %s", path)
	default:
	}
}

// C7: what ACME can never certify, and a missing trust file, refuse the start.
func TestACMERefusesTheStart(t *testing.T) {
	start := func(cfg config.ACME, hosts ...string) error {
		_, err := newCerts(config.TLS{ACME: &cfg}, hosts, certOptions{Dir: t.TempDir(), Log: testLog(t)})
		return err
	}
	var faults sallyport.FieldErrors
	if err := start(config.ACME{}, "login.example.com", "*.example.com", "192.0.2.1"); !errors.As(err, &faults) || len(faults) != 2 {
		t.Errorf("a wildcard and an address: %v", err)
	}
	if err := start(config.ACME{CAFile: "gone.pem"}, "login.example.com"); err == nil {
		t.Error("a missing ca_file did not refuse the start")
	}
	if err := start(config.ACME{CAFile: "certs_acme_test.go"}, "login.example.com"); err == nil {
		t.Error("a ca_file without certificates did not refuse the start")
	}
}
