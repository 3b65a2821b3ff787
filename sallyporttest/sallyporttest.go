// Package sallyporttest runs an assembled gateway for tests: real listener, real
// store in a temporary folder, a clock that can be put forward, and browsers with
// cookie jars that follow links and fill in forms.
package sallyporttest

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport"
	"sallyport/admin"
	"sallyport/config"
	"sallyport/gateway"
	"sallyport/identity/local"
	"sallyport/internal/seal"
)

// Options say how a test's gateway differs from the usual one.
type Options struct {
	// Upstream is the protected app. nil: Echo.
	Upstream http.Handler
	// UpstreamURL is a protected app that runs elsewhere, in place of Upstream.
	UpstreamURL string
	// Server, MFA, Identity, Routes and Extra are pieces of YAML, put into the
	// routing file in place of the usual ones: without their key, indented by two.
	// "{upstream}" in Routes is the app's address.
	Server, MFA, Identity, Routes string
	// Extra is YAML at the top level of the file.
	Extra string
	// Dir keeps the files; "": a temporary folder.
	Dir string
	// Log gets the gateway's log, besides Gateway.Logged.
	Log io.Writer
}

// Gateway is a running gateway.
type Gateway struct {
	*gateway.Gateway
	t      testing.TB
	Dir    string
	File   string // the routing file
	Port   string
	Clock  *Clock
	Roots  *x509.CertPool
	logged *syncBuffer
	stop   func()
}

// The usual gateway has two routes for one app, on hosts of their own.
const (
	App    = "app.localhost"
	Other  = "other.localhost"
	Portal = "login.localhost"
)

const usualRoutes = `
  - name: app
    hosts: [app.localhost]
    upstream: "{upstream}"
    preserve_host: true
    public: [/favicon.ico, /public/]
  - name: other
    hosts: [other.localhost]
    upstream: "{upstream}"
`

// New starts a gateway, which stops when the test ends. Its upstream is reached
// on loopback; so are all its hosts.
func New(t testing.TB, o Options) *Gateway {
	t.Helper()
	var last error
	for range 3 { // the free port may be taken before we bind it
		g, err := start(t, o)
		if err == nil {
			return g
		}
		last = err
	}
	t.Fatalf("starting a gateway: %v", last)
	return nil
}

func start(t testing.TB, o Options) (*Gateway, error) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	g := &Gateway{t: t, Dir: o.Dir, File: filepath.Join(o.Dir, "sallyport.yaml"), Port: FreePort(t),
		Clock: &Clock{}, logged: &syncBuffer{}}
	if err := g.writeFiles(o); err != nil {
		return nil, err
	}
	cfg, err := config.Load(g.File, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	var out io.Writer = g.logged
	if o.Log != nil {
		out = io.MultiWriter(out, o.Log)
	}
	log := slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithCancel(context.Background())
	gw, err := gateway.New(ctx, gateway.Options{Config: cfg, Load: gateway.LoadFile(g.File), CreateStore: true,
		Log: log, Now: g.Clock.Now, Node: "test", Version: "test"})
	if err != nil {
		cancel()
		return nil, err
	}
	g.Gateway = gw
	if root := gw.RootCA(); root != nil {
		g.Roots = x509.NewCertPool()
		g.Roots.AppendCertsFromPEM(root)
	}
	done := make(chan error, 1)
	go func() { done <- gw.Run(ctx) }()
	g.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the gateway stopped: %v", err)
		}
	})
	t.Cleanup(g.stop)
	return g, nil
}

// Stop stops the gateway before the test ends.
func (g *Gateway) Stop() { g.stop() }

func (g *Gateway) writeFiles(o Options) error {
	upstream := o.UpstreamURL
	if upstream == "" {
		h := o.Upstream
		if h == nil {
			h = Echo()
		}
		srv := httptest.NewServer(h)
		g.t.Cleanup(srv.Close)
		upstream = srv.URL
	}
	or := func(s, usual string) string {
		if s == "" {
			return usual
		}
		return "\n" + strings.Trim(s, "\n") + "\n"
	}
	text := "version: 1\nserver:\n  https: [\"127.0.0.1:" + g.Port + "\"]\n  http: \"\"\n  admin: \"127.0.0.1:0\"\n" +
		"  portal: " + Portal + ":" + g.Port + "\n" + strings.TrimPrefix(or(o.Server, ""), "\n") +
		"tls:\n  internal: true\nstore:\n  sqlite: sallyport.db\nsecrets:\n  master_key_file: master.key\n" +
		"identity:" + or(o.Identity, "\n  - name: local\n    type: local\n    hash: {time: 1, memory_mib: 8}\n") +
		"mfa:" + or(o.MFA, "\n  default_state: disabled\n  issuer: Test Corp\n  remember_device: {days: 14}\n  throttle: {per_address: 100000, per_person: 100000}\n") +
		"routes:" + strings.ReplaceAll(or(o.Routes, usualRoutes), "{upstream}", upstream) + o.Extra
	if err := os.WriteFile(g.File, []byte(text), 0o600); err != nil {
		return err
	}
	key := filepath.Join(g.Dir, "master.key")
	if _, err := os.Stat(key); err == nil {
		return nil
	}
	return os.WriteFile(key, seal.Generate(), 0o600)
}

// URL returns the address of a path on one of the hosts.
func (g *Gateway) URL(host, path string) string { return "https://" + host + ":" + g.Port + path }

// Logged returns what the gateway has logged so far.
func (g *Gateway) Logged() string { return g.logged.String() }

// Users are the operations on users, as an admin performs them.
func (g *Gateway) Users() *admin.Users {
	return admin.NewUsers(g.Store(), g.Clock.Now, "admin:test", "test")
}

// AddUser adds a local user.
func (g *Gateway) AddUser(name, password string, state sallyport.State) sallyport.User {
	g.t.Helper()
	h, err := local.NewHasher(local.HashCost{Time: 1, MemoryMiB: 8})
	if err != nil {
		g.t.Fatal(err)
	}
	hash, err := h.Hash(g.t.Context(), password)
	if err != nil {
		g.t.Fatal(err)
	}
	u, err := g.Users().Add(g.t.Context(), admin.NewUser{Name: name, Email: name + "@example.com",
		DisplayName: strings.ToUpper(name[:1]) + name[1:], State: state,
		Password: &admin.Password{Provider: "local", Hash: hash}})
	if err != nil {
		g.t.Fatal(err)
	}
	return u
}

// Clock is the gateway's clock: the real one, put forward.
type Clock struct{ ahead atomic.Int64 }

// Now returns the time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Advance puts the clock forward.
func (c *Clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// FreePort returns a port of 127.0.0.1 that was free a moment ago.
func FreePort(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

// Echoed is what Echo saw of a request.
type Echoed struct {
	Method, Host, URI string
	Header            http.Header
	Trailer           http.Header
	Body              string
}

// Echo is an app that answers with what it received, as JSON.
func Echo() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(Echoed{Method: r.Method, Host: r.Host, URI: r.RequestURI,
			Header: r.Header, Trailer: r.Trailer, Body: string(body)})
	})
}

// Eventually waits until ok, at most d, and fails the test otherwise.
func Eventually(t testing.TB, d time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("after %v still not: %s", d, what)
		}
	}
}

// syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
