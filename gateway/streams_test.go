package gateway_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport"
	"sallyport/sallyporttest"
)

// streaming is an app that talks in every way that a proxy can get wrong.
type streaming struct {
	next    chan struct{} // lets /events send one more
	started atomic.Int64  // requests that /upload has seen
}

func (s *streaming) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		for n := 1; ; n++ {
			fmt.Fprintf(w, "data: %d\n\n", n)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-s.next:
			case <-r.Context().Done():
				return
			}
		}
	case "/ws":
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello %s\n", r.Header.Get("X-Sallyport-User"))
		_ = rw.Flush()
		for { // whatever comes goes back
			line, err := rw.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = rw.WriteString(line)
			_ = rw.Flush()
		}
	case "/refuse": // before any of the body was read
		s.started.Add(1)
		w.WriteHeader(http.StatusConflict)
	case "/upload":
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	case "/download":
		n, _ := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
		_, _ = io.CopyN(w, zeros{}, n)
	default:
		sallyporttest.Echo().ServeHTTP(w, r)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// Streams through the whole gateway, with a session: events one by one, a
// WebSocket both ways, bodies of any size, over HTTP/1.1 and HTTP/2; over HTTP/1.1
// also an upload that is refused before it is sent, and never asked for.
func TestStreamsThroughTheGateway(t *testing.T) {
	app := &streaming{next: make(chan struct{})}
	g := sallyporttest.New(t, sallyporttest.Options{Upstream: app})
	g.AddUser("alice", password, sallyport.StateDisabled)
	b := g.Browser()
	b.SignIn(g.URL(sallyporttest.App, "/"), "alice", password).Echoed()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			tr := g.Transport()
			if !http2 {
				tr.ForceAttemptHTTP2 = false
				tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
			}
			t.Cleanup(tr.CloseIdleConnections)
			s := &stream{t: t, g: g, b: b, client: &http.Client{Transport: tr}}
			s.events(app)
			s.bodies()
			if !http2 { // over HTTP/2 the server of the Go library keeps the question to itself
				s.refused(app)
				s.webSocket()
			}
		})
	}
}

// stream makes requests with alice's cookies.
type stream struct {
	t      *testing.T
	g      *sallyporttest.Gateway
	b      *sallyporttest.Browser
	client *http.Client
}

func (s *stream) do(ctx context.Context, method, path string, body io.Reader, header ...string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, s.g.URL(sallyporttest.App, path), body)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.client.Do(addCookies(s.b, req))
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func (s *stream) events(app *streaming) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	lines := bufio.NewScanner(s.do(ctx, http.MethodGet, "/events", nil).Body)
	for n := 1; n <= 3; n++ {
		for lines.Scan() && lines.Text() == "" {
		}
		if lines.Text() != fmt.Sprintf("data: %d", n) {
			s.t.Fatalf("event %d is %q, %v: events are held back", n, lines.Text(), lines.Err())
		}
		app.next <- struct{}{}
	}
}

func (s *stream) bodies() {
	const size = 40 << 20
	if got, err := io.ReadAll(s.do(s.t.Context(), http.MethodPost, "/upload", io.LimitReader(zeros{}, size)).Body); err != nil || string(got) != fmt.Sprint(size, nil) {
		s.t.Errorf("an upload of %d bytes: %s, %v", size, got, err)
	}
	if n, err := io.Copy(io.Discard, s.do(s.t.Context(), http.MethodGet, "/download?n="+strconv.Itoa(size), nil).Body); err != nil || n != size {
		s.t.Errorf("a download of %d bytes: %d, %v", size, n, err)
	}
}

// refused sends a body that must not be asked for: the app says no at once.
func (s *stream) refused(app *streaming) {
	before := app.started.Load()
	asked := false
	ctx := httptrace.WithClientTrace(s.t.Context(), &httptrace.ClientTrace{Got100Continue: func() { asked = true }})
	s.client.Transport.(*http.Transport).ExpectContinueTimeout = 20 * time.Second
	sent := &counted{Reader: io.LimitReader(zeros{}, 10<<20)}
	resp := s.do(ctx, http.MethodPost, "/refuse", sent, "Expect", "100-continue")
	if resp.StatusCode != http.StatusConflict || asked || sent.n.Load() > 0 || !resp.Close || app.started.Load() != before+1 {
		s.t.Errorf("%s, asked to go on %v, %d bytes sent, connection closed %v, seen by the app %d times",
			resp.Status, asked, sent.n.Load(), resp.Close, app.started.Load()-before)
	}
}

type counted struct {
	io.Reader
	n atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func (s *stream) webSocket() {
	resp := s.do(s.t.Context(), http.MethodGet, "/ws", nil, "Connection", "Upgrade", "Upgrade", "websocket",
		"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Origin", strings.TrimSuffix(s.g.URL(sallyporttest.App, ""), "/"))
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		s.t.Fatalf("upgrade: %s", resp.Status)
	}
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); err != nil || line != "hello alice\n" {
		s.t.Fatalf("%q, %v", line, err)
	}
	for _, say := range []string{"one\n", "two\n", strings.Repeat("x", 1<<16) + "\n"} {
		if _, err := io.WriteString(conn, say); err != nil {
			s.t.Fatal(err)
		}
		if line, err := r.ReadString('\n'); err != nil || line != say {
			s.t.Fatalf("%.20q, %v", line, err)
		}
	}
	if err := conn.Close(); err != nil && !errors.Is(err, io.EOF) {
		s.t.Error(err)
	}
}
