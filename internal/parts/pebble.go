package parts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// ACME is a running Pebble, Let's Encrypt's ACME server for tests. Every name
// resolves to 127.0.0.1 for it, it validates without delay and anew for every
// order, and it rejects no good nonce.
type ACME struct {
	DirectoryURL string
	CAFile       string // the authority of the directory's own HTTPS, as PEM

	t      testing.TB
	roots  string // address of the root that signs what is issued
	client *http.Client
}

// ACMEOption changes how Pebble starts.
type ACMEOption func(*pebbleConfig)

// WithValidity sets how long issued certificates are valid, in whole seconds;
// unless told, 90 days.
func WithValidity(d time.Duration) ACMEOption {
	return func(c *pebbleConfig) {
		c.Profiles["default"] = pebbleProfile{"as long as the test says", int64(d / time.Second)}
	}
}

type pebbleConfig struct {
	ListenAddress           string                   `json:"listenAddress"`
	ManagementListenAddress string                   `json:"managementListenAddress"`
	Certificate             string                   `json:"certificate"`
	PrivateKey              string                   `json:"privateKey"`
	HTTPPort                int                      `json:"httpPort"`
	TLSPort                 int                      `json:"tlsPort"`
	KeyAlgorithm            string                   `json:"keyAlgorithm"`
	Profiles                map[string]pebbleProfile `json:"profiles"`
}

type pebbleProfile struct {
	Description    string `json:"description"`
	ValidityPeriod int64  `json:"validityPeriod"`
}

// Pebble starts an ACME server that expects HTTP-01 answers on httpPort and
// TLS-ALPN-01 answers on tlsPort of 127.0.0.1. See FreePort for a port that the
// server under test can be told in advance.
func Pebble(t testing.TB, httpPort, tlsPort int, opts ...ACMEOption) *ACME {
	t.Helper()
	pebble := needBuilt(t, "pebble")
	dns := startDNS(t)
	ca := NewCA(t)
	config := pebbleConfig{
		HTTPPort: httpPort, TLSPort: tlsPort, KeyAlgorithm: "ecdsa",
		Profiles: map[string]pebbleProfile{"default": {"as usual", 90 * 24 * 3600}},
	}
	config.Certificate, config.PrivateKey = ca.Issue(t, "127.0.0.1", "localhost")
	for _, opt := range opts {
		opt(&config)
	}
	a := &ACME{t: t, CAFile: ca.CAFile, client: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: ca.Pool, MinVersion: tls.VersionTLS12},
	}}}
	file := filepath.Join(t.TempDir(), "pebble.json")
	_, ports := server{
		name:  "pebble",
		ports: 2,
		command: func(ports []int) (*exec.Cmd, error) {
			config.ListenAddress, config.ManagementListenAddress = loopback(ports[0]), loopback(ports[1])
			data, err := json.Marshal(map[string]pebbleConfig{"pebble": config})
			if err != nil {
				return nil, err
			}
			if err := os.WriteFile(file, data, 0o600); err != nil {
				return nil, err
			}
			cmd := exec.Command(pebble, "-config", file, "-dnsserver", dns)
			cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0")
			return cmd, nil
		},
		ready: func(ctx context.Context, ports []int) error {
			if err := getOK(ctx, a.client, "https://"+loopback(ports[1])+"/roots/0"); err != nil {
				return err
			}
			return getOK(ctx, a.client, "https://"+loopback(ports[0])+"/dir")
		},
	}.start(t)
	a.DirectoryURL = "https://" + loopback(ports[0]) + "/dir"
	a.roots = "https://" + loopback(ports[1]) + "/roots/0"
	return a
}

// IssuerRoot fetches the root of the certificates that this server issues. It
// is made anew at every start.
func (a *ACME) IssuerRoot() *x509.CertPool {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.roots, nil)
	if err != nil {
		a.t.Fatalf("ask pebble for its root: %v", err)
	}
	res, err := a.client.Do(req)
	if err != nil {
		a.t.Fatalf("ask pebble for its root: %v", err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatalf("read pebble's root: %v", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		a.t.Fatalf("pebble gives no root but %s: %s", res.Status, data)
	}
	return pool
}

// startDNS runs a name server that answers 127.0.0.1 for every name and returns
// its address.
func startDNS(t testing.TB) string {
	t.Helper()
	program := needBuilt(t, "pebble-challtestsrv")
	_, ports := server{
		name:  "pebble-challtestsrv",
		ports: 2,
		command: func(ports []int) (*exec.Cmd, error) {
			return exec.Command(program,
				"-dnsserver", loopback(ports[0]), "-management", loopback(ports[1]),
				"-defaultIPv4", "127.0.0.1", "-defaultIPv6", "",
				"-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""), nil
		},
		ready: func(ctx context.Context, ports []int) error {
			resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, network, loopback(ports[0]))
			}}
			if _, err := resolver.LookupNetIP(ctx, "ip4", "ready.example."); err != nil {
				return err
			}
			return dialTCP(ctx, ports[0])
		},
	}.start(t)
	return loopback(ports[0])
}

// FreePort returns a loopback port that nobody listens on at this moment, for
// servers that must be told their port before they start. Prefer port 0.
func FreePort(t testing.TB) int {
	t.Helper()
	ports, err := freePorts(1)
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	return ports[0]
}

// needBuilt returns the path of a program that scripts/install-test-parts.sh
// builds from Go modules, or of an installed one.
func needBuilt(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(filepath.Join(Root(t), ".parts", "bin", name)); err == nil {
		return path
	}
	return needProgram(t, installHint+" (built from tools/pebble)", name)
}
