package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport"
	"sallyport/config"
)

// testServer says what a test's servers differ in.
type testServer struct {
	main     http.Handler
	timeouts config.Timeouts
	limits   config.Limits
	trusted  []string
	plain    bool
	log      *slog.Logger
}

const testHost = "login.example.com"

func newTestServers(t testing.TB, o testServer) *servers {
	t.Helper()
	c, err := newCerts(config.TLS{Internal: true}, []string{testHost}, internalOptions(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if o.main == nil {
		o.main = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	}
	if o.log == nil {
		o.log = testLog(t)
	}
	free := config.Listen{"127.0.0.1:0"}
	cfg := config.Server{HTTPS: free, HTTP: free, Admin: free, Portal: testHost, TrustedProxies: o.trusted,
		Timeouts: o.timeouts, Limits: o.limits}
	if o.plain {
		cfg.Plain = free
	}
	s, err := newServers(cfg, c, handlers{Main: o.main,
		Admin: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "admin") }),
		Known: func(h string) bool { return h == testHost }}, o.log)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// runServers runs s until stop is called, or the test ends.
func runServers(t testing.TB, s *servers) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Logf("servers.Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// dialTLS opens a connection to the https listener. Only the other end's answers
// matter to these tests, not its certificate.
func dialTLS(t testing.TB, s *servers, protos ...string) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", s.Addr(kindHTTPS).String(), &tls.Config{ServerName: testHost, InsecureSkipVerify: true, NextProtos: protos})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	deadline(t, c)
	return c
}

func dialTCP(t testing.TB, s *servers, kind string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr(kind).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	deadline(t, c)
	return c
}

// deadline turns a test that would hang into one that fails.
func deadline(t testing.TB, c net.Conn) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
}

func send(t testing.TB, c io.Writer, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		t.Fatal(err)
	}
}

func answer(t testing.TB, c io.Reader) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// closedBy waits until the server closes c and says how long that took.
func closedBy(t testing.TB, c io.Reader) time.Duration {
	t.Helper()
	start := time.Now()
	_, err := io.Copy(io.Discard, c)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal("the server does not close the connection")
	}
	return time.Since(start)
}

func testClient(t testing.TB, s *servers, http2 bool) *http.Client {
	t.Helper()
	tr := &http.Transport{
		ForceAttemptHTTP2: http2, DisableCompression: true,
		TLSClientConfig: &tls.Config{ServerName: testHost, InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", s.Addr(kindHTTPS).String())
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

func mustGet(t testing.TB, c *http.Client) *http.Response {
	t.Helper()
	res, err := c.Get("https://" + testHost + "/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

func TestListenersServe(t *testing.T) {
	s := newTestServers(t, testServer{})
	runServers(t, s)
	for http2, want := range map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"} {
		if res := mustGet(t, testClient(t, s, http2)); res.Proto != want || res.StatusCode != 200 {
			t.Errorf("%s %s, want %s", res.Proto, res.Status, want)
		}
	}
	c := dialTCP(t, s, kindAdmin)
	send(t, c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	if res := answer(t, c); res.StatusCode != 200 {
		t.Errorf("admin: %s", res.Status)
	}
	if s.Addr(kindPlain) != nil {
		t.Error("plain is on without being configured")
	}
}

func TestListenersBindAllOrNone(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	_, err = newServers(config.Server{HTTPS: config.Listen{addr}, Admin: config.Listen{taken.Addr().String()}}, noCerts{}, handlers{}, testLog(t))
	var fault *sallyport.FieldError
	if !errors.As(err, &fault) || fault.Path != "server.admin" || !strings.Contains(fault.Msg, taken.Addr().String()) {
		t.Errorf("an address that is taken: %v", err)
	}
	again, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("a listener was left open: %v", err)
	}
	_ = again.Close()
}

func TestServersCloseWithoutRun(t *testing.T) {
	s := newTestServers(t, testServer{})
	addr := s.Addr(kindHTTPS).String()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the address is still taken: %v", err)
	}
	_ = ln.Close()
}

// A stop lets requests finish and takes no new ones; WebSockets, which never
// finish, are closed at the end.
func TestStopDrains(t *testing.T) {
	begun, finish, upgraded := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	s := newTestServers(t, testServer{main: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			_ = rw.Flush()
			_, err = rw.ReadByte()
			upgraded <- err
			return
		}
		close(begun)
		<-finish
		_, _ = io.WriteString(w, "finished")
	})})
	stop := runServers(t, s)
	ws := dialTLS(t, s)
	send(t, ws, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", testHost)
	if res := answer(t, ws); res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %s", res.Status)
	}
	c := dialTLS(t, s)
	send(t, c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", testHost)
	<-begun
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	eventually(t, 10*time.Second, "no new connections", func() bool {
		n, err := net.Dial("tcp", s.Addr(kindHTTPS).String())
		if err == nil {
			_ = n.Close()
		}
		return err != nil
	})
	select {
	case <-stopped:
		t.Fatal("stopped before the request ended")
	case err := <-upgraded:
		t.Fatalf("the WebSocket was closed before the drain: %v", err)
	default:
	}
	close(finish)
	res := answer(t, c)
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "finished" {
		t.Errorf("the request in flight got %q, %v", body, err)
	}
	if err := <-upgraded; err == nil {
		t.Error("the WebSocket brought a byte")
	}
	<-stopped
}

// What does not end within the time is cut off, and said.
func TestStopCutsOff(t *testing.T) {
	begun := make(chan struct{})
	s := newTestServers(t, testServer{timeouts: config.Timeouts{Shutdown: 100 * time.Millisecond},
		main: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
		})})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	c := dialTLS(t, s)
	send(t, c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", testHost)
	<-begun
	cancel()
	if err := <-done; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "listener https") {
		t.Errorf("Run: %v", err)
	}
	closedBy(t, c)
}

// The plain listener believes its clients about who they forward for, so that
// strangers must not reach it at all.
func TestPlainServesTrustedProxiesOnly(t *testing.T) {
	scheme := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-Proto"))
	})
	s := newTestServers(t, testServer{main: scheme, plain: true, trusted: []string{"192.0.2.0/24"}})
	runServers(t, s)
	c := dialTCP(t, s, kindPlain)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+testHost+"\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
	if data, err := io.ReadAll(c); len(data) > 0 || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a stranger gets %q, %v", data, err)
	}
	s = newTestServers(t, testServer{main: scheme, plain: true, trusted: []string{"127.0.0.0/8"}})
	runServers(t, s)
	c = dialTCP(t, s, kindPlain)
	send(t, c, "GET / HTTP/1.1\r\nHost: %s\r\nX-Forwarded-Proto: http\r\n\r\n", testHost)
	body, err := io.ReadAll(answer(t, c).Body)
	if err != nil || string(body) != "https" {
		t.Errorf("a trusted proxy gets %q, %v", body, err)
	}
}

// G5: no listener changes to HTTP/2 in clear.
func TestNoHTTP2InClear(t *testing.T) {
	s := newTestServers(t, testServer{plain: true, trusted: []string{"127.0.0.1"}})
	runServers(t, s)
	for _, kind := range []string{kindPlain, kindHTTP, kindAdmin} {
		c := dialTCP(t, s, kind)
		send(t, c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		data, _ := io.ReadAll(c)
		if !bytes.HasPrefix(data, []byte("HTTP/1.1 ")) || bytes.HasPrefix(data, []byte("HTTP/1.1 2")) {
			t.Errorf("%s answers HTTP/2 in clear: %q", kind, data)
		}
	}
}

func TestServerLogLevels(t *testing.T) {
	var out bytes.Buffer
	log := serverLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), kindHTTPS)
	for msg, level := range map[string]string{
		"http: TLS handshake error from 192.0.2.1:1: EOF":   "DEBUG",
		"http2: server: error reading preface from client":  "DEBUG",
		"http: panic serving 192.0.2.1:1: boom":             "ERROR",
		"http: Accept error: too many open files; retrying": "ERROR",
		"http: superfluous response.WriteHeader call":       "WARN",
	} {
		out.Reset()
		log.Print(msg)
		if !strings.Contains(out.String(), "level="+level) || !strings.Contains(out.String(), "listener=https") {
			t.Errorf("%s: %s", msg, out.String())
		}
	}
}

// quiet is for tests that make many connections fail.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
