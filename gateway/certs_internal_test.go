package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/config"
	"sallyport/internal/seal"
)

// certClock is a clock that tests move.
type certClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *certClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *certClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func testKeys(t testing.TB, fill byte) *seal.Keyring {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{fill}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// testLog sends the log of the code under test to the test's, until that ends:
// workers of the ACME library may have a last word to say.
func testLog(t testing.TB) *slog.Logger {
	w := &lateWriter{to: t.Output()}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.to = io.Discard
	})
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type lateWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lateWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

func internalOptions(t testing.TB, dir string) certOptions {
	t.Helper()
	return certOptions{Dir: dir, Keys: testKeys(t, 1), Log: testLog(t), Now: time.Now}
}

// handshake runs a handshake over loopback and returns what the client saw. roots
// may be nil to look without checking.
func handshake(t testing.TB, server *tls.Config, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		s := tls.Server(c, server)
		if s.Handshake() == nil {
			_, _ = io.Copy(io.Discard, s)
		}
	}()
	defer func() { <-done }()
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := tls.Client(raw, client)
	err = c.Handshake()
	return c.ConnectionState(), err
}

// look returns the certificate that a client gets for a name, nil with the error
// if none.
func look(t testing.TB, c certs, name string) (*x509.Certificate, error) {
	t.Helper()
	state, err := handshake(t, c.TLSConfig(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	return state.PeerCertificates[0], nil
}

func rootPool(t testing.TB, c certs) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.Root()) {
		t.Fatalf("the root is no PEM certificate: %q", c.Root())
	}
	return pool
}

// unrecognized reports whether the server sent the alert of RFC 6066, section 3;
// crypto/tls has no type for it.
func unrecognized(err error) bool {
	return err != nil && strings.HasSuffix(err.Error(), "remote error: tls: unrecognized name")
}

func TestInternalCertsServeOurNamesOnly(t *testing.T) {
	c, err := newCerts(config.TLS{Internal: true},
		[]string{"login.example.com", "app.example.com", "*.apps.example.com", "127.0.0.1"}, internalOptions(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	roots := rootPool(t, c)
	for _, name := range []string{"login.example.com", "app.example.com", "APP.example.com", "one.apps.example.com", "127.0.0.1"} {
		// For an address the client sends no name, and gets the one it dialled.
		if _, err := handshake(t, c.TLSConfig(), &tls.Config{ServerName: name, RootCAs: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"evil.example", "apps.example.com", "a.b.apps.example.com", "example.com", "xapp.example.com"} {
		if _, err := look(t, c, name); !unrecognized(err) {
			t.Errorf("%s: %v, want the alert unrecognized_name", name, err)
		}
	}
	c.SetHosts([]string{"login.example.com", "new.example.com"})
	if _, err := look(t, c, "new.example.com"); err != nil {
		t.Errorf("a host that a reload added: %v", err)
	}
	if _, err := look(t, c, "app.example.com"); !unrecognized(err) {
		t.Errorf("a host that a reload removed: %v", err)
	}
	if cert, err := look(t, c, ""); err != nil || cert.DNSNames[0] != "login.example.com" {
		t.Errorf("without a name: %v, %v; want the portal's", cert, err)
	}
	exp := c.Expiry()
	if len(exp) != 2 || exp["new.example.com"].IsZero() {
		t.Errorf("expiry: %v", exp)
	}
}

func TestInternalCertsAreRenewedInTime(t *testing.T) {
	clock := &certClock{now: time.Now()}
	o := internalOptions(t, t.TempDir())
	o.Now = clock.Now
	c, err := newCerts(config.TLS{Internal: true}, []string{"login.example.com"}, o)
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		cert, err := look(t, c, "login.example.com")
		if err != nil {
			t.Fatal(err)
		}
		return cert.SerialNumber.String()
	}
	first := serial()
	clock.add(59 * 24 * time.Hour)
	if serial() != first {
		t.Error("renewed before two thirds of its life")
	}
	clock.add(24 * time.Hour)
	if serial() == first {
		t.Error("not renewed after two thirds of its life")
	}
}

func TestInternalCAIsKeptAndSealed(t *testing.T) {
	dir := t.TempDir()
	hosts := []string{"login.example.com"}
	c, err := newCerts(config.TLS{Internal: true}, hosts, internalOptions(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	again, err := newCerts(config.TLS{Internal: true}, hosts, internalOptions(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.Root(), again.Root()) {
		t.Error("a restart made another root")
	}
	file := filepath.Join(dir, "ca", "ca.pem")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key: %v", info.Mode())
	}
	if bytes.Contains(data, []byte("BEGIN PRIVATE KEY")) || bytes.Contains(data, []byte("BEGIN EC PRIVATE KEY")) {
		t.Error("the key is not sealed")
	}
	pub, err := os.ReadFile(filepath.Join(dir, "ca", "root.pem"))
	if err != nil || !bytes.Equal(pub, c.Root()) {
		t.Errorf("root.pem: %v", err)
	}
	// C7: nothing that is there but unusable is quietly replaced.
	other := internalOptions(t, dir)
	other.Keys = testKeys(t, 2)
	if _, err := newCerts(config.TLS{Internal: true}, hosts, other); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("another master key: %v", err)
	}
	if err := os.WriteFile(file, data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newCerts(config.TLS{Internal: true}, hosts, internalOptions(t, dir)); err == nil {
		t.Error("a damaged CA did not refuse the start")
	}
}

// Strangers can name any number of hosts under a wildcard.
func TestInternalCertsAreBounded(t *testing.T) {
	o := internalOptions(t, t.TempDir())
	c, err := newInternalCerts([]string{"login.example.com", "*.example.com"}, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxLeaves + 100 {
		if _, err := c.leaf(fmt.Sprintf("host%d.example.com", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.leaves); n > maxLeaves {
		t.Errorf("%d certificates kept", n)
	}
}

func TestTLSVersions(t *testing.T) {
	c, err := newCerts(config.TLS{Internal: true}, []string{"login.example.com"}, internalOptions(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	client := func(change func(*tls.Config)) error {
		cfg := &tls.Config{ServerName: "login.example.com", RootCAs: rootPool(t, c), NextProtos: []string{"h2"}}
		change(cfg)
		_, err := handshake(t, c.TLSConfig(), cfg)
		return err
	}
	if err := client(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }); err != nil {
		t.Errorf("TLS 1.2: %v", err)
	}
	err = client(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
	if err == nil || !strings.Contains(err.Error(), "protocol version not supported") {
		t.Errorf("TLS 1.1: %v", err)
	}
	old := []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	if err := client(func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, old }); err == nil {
		t.Error("a suite without forward secrecy or authenticated encryption is accepted")
	}
}

// runCerts runs c until the test ends.
func runCerts(t testing.TB, c certs) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("certs.Run: %v", err)
		}
	})
}

// eventually polls until ok, at most for limit.
func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	end := time.NewTimer(limit)
	defer end.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-end.C:
			t.Fatalf("not within %s: %s", limit, what)
		case <-tick.C:
		}
	}
}
