package gateway

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"sallyport/config"
)

// G3: proxies fell to clients that hold on to something and do nothing: a
// handshake, a header, a body, a stream, a connection (CVE-2026-26999 and its
// kind). Each is mounted here against real listeners with short time-outs, while
// somebody else is served.

// short is below a second so that the tests are fast; long is what must not be
// the reason for a test to pass.
const (
	short = 300 * time.Millisecond
	long  = time.Minute
)

// served fails the test when an honest client is not served in time.
func served(t testing.TB, s *servers) {
	t.Helper()
	for _, http2 := range []bool{true, false} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+testHost+"/ok", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := testClient(t, s, http2).Do(req)
		cancel()
		if err != nil {
			t.Errorf("others are not served: %v", err)
			continue
		}
		_ = res.Body.Close()
	}
}

func TestStalledHandshakes(t *testing.T) {
	s := newTestServers(t, testServer{timeouts: config.Timeouts{Handshake: short, ReadHeader: long, BodyIdle: long, Idle: long}})
	runServers(t, s)
	var conns []net.Conn
	for range 100 {
		c := dialTCP(t, s, kindHTTPS)
		send(t, c, "\x16\x03\x01\x02\x00\x01") // the beginning of a ClientHello
		conns = append(conns, c)
	}
	served(t, s)
	for _, c := range conns {
		if d := closedBy(t, c); d > 10*time.Second {
			t.Fatalf("a handshake may take %s", d)
		}
	}
}

// A handshake that is fed byte by byte is not given more time.
func TestTrickledHandshake(t *testing.T) {
	s := newTestServers(t, testServer{timeouts: config.Timeouts{Handshake: short, ReadHeader: long, BodyIdle: long, Idle: long}})
	runServers(t, s)
	c := dialTCP(t, s, kindHTTPS)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	for _, err := io.WriteString(c, "\x16\x03\x01\x02\x00"); err == nil; _, err = c.Write([]byte{1}) {
		<-tick.C
		if time.Since(start) > 5*time.Second {
			t.Fatal("a handshake goes on for ever")
		}
	}
}

func TestSlowHeaders(t *testing.T) {
	s := newTestServers(t, testServer{timeouts: config.Timeouts{ReadHeader: short, Handshake: long, BodyIdle: long, Idle: long}})
	runServers(t, s)
	for _, begin := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\nX-A:"} {
		c := dialTLS(t, s)
		send(t, c, "%s", begin)
		served(t, s)
		if d := closedBy(t, c); d > 10*time.Second {
			t.Errorf("after %q a header may take %s", begin, d)
		}
	}
}

func TestHeaderSize(t *testing.T) {
	s := newTestServers(t, testServer{limits: config.Limits{HeaderBytes: 8192}})
	runServers(t, s)
	for _, size := range []int{4000, 20000} {
		c := dialTLS(t, s)
		send(t, c, "GET / HTTP/1.1\r\nHost: %s\r\nX-A: %s\r\n\r\n", testHost, strings.Repeat("a", size))
		want := http.StatusOK
		if size > 8192 {
			want = http.StatusRequestHeaderFieldsTooLarge
		}
		if res := answer(t, c); res.StatusCode != want {
			t.Errorf("a header of %d bytes: %s", size, res.Status)
		}
	}
}

// A body that stands still ends the request, both when the handler reads it and
// when it does not: the server then reads it itself, before it answers.
func TestSlowBodies(t *testing.T) {
	read := make(chan error, 10)
	s := newTestServers(t, testServer{timeouts: config.Timeouts{BodyIdle: short, ReadHeader: long, Idle: long},
		main: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/read" {
				_, err := io.Copy(io.Discard, r.Body)
				read <- err
			}
			w.WriteHeader(http.StatusNoContent)
		})})
	runServers(t, s)
	for _, path := range []string{"/read", "/leave"} {
		c := dialTLS(t, s)
		send(t, c, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\nabc", path, testHost)
		served(t, s)
		if d := closedBy(t, c); d > 10*time.Second {
			t.Errorf("%s: a body may stand still for %s", path, d)
		}
	}
	if err := <-read; err == nil {
		t.Error("a body that stood still ended well")
	}
	// A slow but steady one gets through.
	c := dialTLS(t, s)
	send(t, c, "POST /read HTTP/1.1\r\nHost: %s\r\nContent-Length: 20\r\n\r\n", testHost)
	tick := time.NewTicker(short / 5)
	defer tick.Stop()
	for range 20 {
		<-tick.C
		send(t, c, "x")
	}
	if res := answer(t, c); res.StatusCode != http.StatusNoContent {
		t.Errorf("a slow but steady upload: %s", res.Status)
	}
	if err := <-read; err != nil {
		t.Errorf("a slow but steady upload: %v", err)
	}
}

// Once the body is there, the app may think for as long as it likes, and pauses
// that are not the client's are not held against it, in both versions of HTTP.
func TestBodyLimitEndsWithTheBody(t *testing.T) {
	s := newTestServers(t, testServer{timeouts: config.Timeouts{BodyIdle: short, ReadHeader: long, Idle: long},
		main: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pause := func() {
				timer := time.NewTimer(3 * short)
				defer timer.Stop()
				select {
				case <-timer.C:
				case <-r.Context().Done():
					t.Errorf("%s: the client is thought to be gone: %v", r.Proto, r.Context().Err())
				}
			}
			half := make([]byte, 1<<20)
			if _, err := io.ReadFull(r.Body, half); err != nil {
				t.Errorf("%s: first half: %v", r.Proto, err)
			}
			pause()
			if n, err := io.Copy(io.Discard, r.Body); err != nil || n != 1<<20 {
				t.Errorf("%s: second half: %d, %v", r.Proto, n, err)
			}
			pause()
			if _, err := r.Body.Read(half); err != io.EOF {
				t.Errorf("%s: after the end: %v", r.Proto, err)
			}
			pause()
			_, _ = io.WriteString(w, "a")
			_ = http.NewResponseController(w).Flush()
			pause()
			_, _ = io.WriteString(w, "b")
		})})
	runServers(t, s)
	for _, http2 := range []bool{false, true} {
		res, err := testClient(t, s, http2).Post("https://"+testHost+"/", "text/plain", bytes.NewReader(make([]byte, 2<<20)))
		if err != nil {
			t.Errorf("http2=%v: %v", http2, err)
			continue
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || string(body) != "ab" {
			t.Errorf("http2=%v: %q, %v", http2, body, err)
		}
		_ = res.Body.Close()
	}
}

// A client that asks for much and reads nothing is cut off.
func TestStalledReader(t *testing.T) {
	ended := make(chan error, 1)
	s := newTestServers(t, testServer{timeouts: config.Timeouts{BodyIdle: short, ReadHeader: long, Idle: long},
		main: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/ok" {
				return
			}
			chunk := make([]byte, 1<<16)
			for {
				if _, err := w.Write(chunk); err != nil {
					ended <- err
					return
				}
			}
		})})
	runServers(t, s)
	c := dialTLS(t, s)
	send(t, c, "GET /much HTTP/1.1\r\nHost: %s\r\n\r\n", testHost)
	served(t, s)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("a client that reads nothing holds its handler for ever")
	}
}

// h2conn speaks HTTP/2 frame by frame, as an attacker does.
type h2conn struct {
	t testing.TB
	*http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder
}

func dialH2(t testing.TB, s *servers, settings ...http2.Setting) *h2conn {
	t.Helper()
	c := dialTLS(t, s, "h2")
	if p := c.ConnectionState().NegotiatedProtocol; p != "h2" {
		t.Fatalf("negotiated %q", p)
	}
	send(t, c, http2.ClientPreface)
	h := &h2conn{t: t, Framer: http2.NewFramer(c, c)}
	h.enc = hpack.NewEncoder(&h.block)
	if err := h.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *h2conn) request(id uint32, method, path string, end bool) error {
	h.block.Reset()
	for _, f := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", testHost}, {":path", path}} {
		if err := h.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			h.t.Fatal(err)
		}
	}
	return h.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: h.block.Bytes(), EndStream: end, EndHeaders: true})
}

// until reads frames until one fits or the connection ends.
func (h *h2conn) until(fits func(http2.Frame) bool) error {
	for {
		f, err := h.ReadFrame()
		if err != nil {
			return err
		}
		if s, ok := f.(*http2.SettingsFrame); ok && !s.IsAck() {
			if err := h.WriteSettingsAck(); err != nil {
				return err
			}
		}
		if fits(f) {
			return nil
		}
	}
}

func resets(id uint32) func(http2.Frame) bool {
	return func(f http2.Frame) bool {
		r, ok := f.(*http2.RSTStreamFrame)
		return ok && r.StreamID == id
	}
}

// A client may open no window for an answer: long ones stall in a write, short
// ones after the handler has returned.
func TestHTTP2StalledWindow(t *testing.T) {
	s := newTestServers(t, testServer{timeouts: config.Timeouts{BodyIdle: short, ReadHeader: long, Idle: long},
		main: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			size := 100
			if r.URL.Path == "/long" {
				size = 1 << 20
			}
			_, _ = w.Write(make([]byte, size))
		})})
	runServers(t, s)
	for _, path := range []string{"/long", "/brief"} {
		h := dialH2(t, s, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		if err := h.request(1, http.MethodGet, path, true); err != nil {
			t.Fatal(err)
		}
		served(t, s)
		if err := h.until(resets(1)); err != nil {
			t.Errorf("%s: the stream is not reset: %v", path, err)
		}
	}
}

func TestHTTP2SlowBody(t *testing.T) {
	read := make(chan error, 1)
	s := newTestServers(t, testServer{timeouts: config.Timeouts{BodyIdle: short, ReadHeader: long, Idle: long},
		main: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				_, err := io.Copy(io.Discard, r.Body)
				read <- err
			}
		})})
	runServers(t, s)
	h := dialH2(t, s)
	if err := h.request(1, http.MethodPost, "/", false); err != nil {
		t.Fatal(err)
	}
	served(t, s)
	select {
	case err := <-read:
		if err == nil {
			t.Error("a body that stood still ended well")
		}
	case <-time.After(10 * time.Second):
		t.Error("a body may stand still for ever")
	}
}

// Rapid reset: requests that are taken back at once must not pile up handlers.
func TestHTTP2RapidReset(t *testing.T) {
	const streams = 20
	var now, most atomic.Int64
	release := make(chan struct{})
	s := newTestServers(t, testServer{limits: config.Limits{Streams: streams},
		main: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/ok" {
				return
			}
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-release // as if the app did not notice
		})})
	runServers(t, s)
	defer close(release)
	h := dialH2(t, s)
	ended := make(chan error, 1)
	go func() {
		for { // h.until writes, too, and this goroutine must not
			if _, err := h.ReadFrame(); err != nil {
				ended <- err
				return
			}
		}
	}()
	sent := 0
	for ; sent < 5000; sent++ {
		id := uint32(2*sent + 1)
		if h.request(id, http.MethodGet, "/attack", true) != nil || h.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
			break
		}
	}
	select {
	case <-ended: // the server ends such a connection
	case <-time.After(10 * time.Second):
		t.Errorf("%d requests were taken back, and the connection goes on", sent)
	}
	served(t, s)
	if m := most.Load(); m > streams {
		t.Errorf("%d handlers at once, the limit is %d", m, streams)
	}
}

// Idle connections cost little, and others are served beside them.
func TestIdleConnections(t *testing.T) {
	const n, most = 2000, 64 << 10
	s := newTestServers(t, testServer{timeouts: config.Timeouts{Idle: long}, log: quiet()})
	runServers(t, s)
	served(t, s)
	before := heap()
	conns := make([]net.Conn, 0, n)
	for range n {
		// The handshake alone is enough: the client's half must not count much.
		c := dialTLS(t, s, "http/1.1")
		send(t, c, "GET /ok HTTP/1.1\r\nHost: %s\r\n\r\n", testHost)
		res, err := c.Read(make([]byte, 512))
		if err != nil || res == 0 {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	served(t, s)
	each := (heap() - before) / n
	t.Logf("%d bytes for each idle connection, both ends and goroutines counted", each)
	if each > most {
		t.Errorf("each idle connection costs %d bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(conns)
}

// heap is what this process holds in memory after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

func TestIdleConnectionsEnd(t *testing.T) {
	s := newTestServers(t, testServer{timeouts: config.Timeouts{Idle: short, ReadHeader: long, BodyIdle: long}})
	runServers(t, s)
	c := dialTLS(t, s)
	send(t, c, "GET /ok HTTP/1.1\r\nHost: %s\r\n\r\n", testHost)
	if d := closedBy(t, c); d > 10*time.Second {
		t.Errorf("an idle connection stays for %s", d)
	}
	h := dialH2(t, s)
	if err := h.until(func(http2.Frame) bool { return false }); err == nil {
		t.Error("an idle HTTP/2 connection stays")
	}
}

// With a limit of connections, those without a request make room, whatever they
// wait for; those with one do not; and the admin listener has no limit.
func TestConnectionLimit(t *testing.T) {
	const limit = 10
	hold := make(chan struct{})
	begun := make(chan struct{}, limit)
	s := newTestServers(t, testServer{limits: config.Limits{Connections: limit},
		timeouts: config.Timeouts{Handshake: long, ReadHeader: long, Idle: long},
		main: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hold" {
				begun <- struct{}{}
				<-hold
			}
			w.WriteHeader(http.StatusNoContent)
		})})
	runServers(t, s)
	var busy []net.Conn
	for range limit - 3 {
		c := dialTLS(t, s)
		send(t, c, "GET /hold HTTP/1.1\r\nHost: %s\r\n\r\n", testHost)
		<-begun
		busy = append(busy, c)
	}
	for i := range 3 * limit { // stalled in the handshake, with the header, idle
		switch i % 3 {
		case 0:
			dialTCP(t, s, kindHTTPS)
		case 1:
			send(t, dialTLS(t, s), "GET / HTTP/1.1\r\n")
		case 2:
			c := dialTLS(t, s)
			send(t, c, "GET /ok HTTP/1.1\r\nHost: %s\r\n\r\n", testHost)
			if res := answer(t, c); res.StatusCode != http.StatusNoContent {
				t.Errorf("beside %d stalled connections: %s", i, res.Status)
			}
		}
	}
	served(t, s)
	if n := len(s.list[0].conn.slots); n > limit {
		t.Errorf("%d connections, the limit is %d", n, limit)
	}
	close(hold)
	for _, c := range busy {
		if res := answer(t, c); res.StatusCode != http.StatusNoContent {
			t.Errorf("a request in flight was cut off: %s", res.Status)
		}
	}
}

// A full listener waits for a connection that does something to end.
func TestConnectionLimitWaits(t *testing.T) {
	hold := make(chan struct{})
	begun := make(chan struct{}, 2)
	s := newTestServers(t, testServer{limits: config.Limits{Connections: 2},
		main: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hold" {
				begun <- struct{}{}
				<-hold
			}
			w.WriteHeader(http.StatusNoContent)
		})})
	stop := runServers(t, s)
	for range 2 {
		send(t, dialTLS(t, s), "GET /hold HTTP/1.1\r\nHost: %s\r\n\r\n", testHost)
		<-begun
	}
	c := dialTCP(t, s, kindHTTPS)
	waiting := func() bool {
		l := s.list[0].conn
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.waiting > 0
	}
	eventually(t, 5*time.Second, "a third connection waits", waiting)
	var admins []net.Conn
	for range 3 {
		admins = append(admins, dialTCP(t, s, kindAdmin))
	}
	for i := range 2 * len(admins) { // none of them was closed for another
		c := admins[i%len(admins)]
		send(t, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		res := answer(t, c)
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("admin: %s, %v", res.Status, err)
		}
	}
	close(hold)
	eventually(t, 5*time.Second, "the third connection is taken", func() bool { return !waiting() })
	_ = c.Close()
	served(t, s)
	stop()
	if n := len(s.list[0].conn.slots); n != 0 {
		t.Errorf("%d slots are taken after the stop", n)
	}
}
