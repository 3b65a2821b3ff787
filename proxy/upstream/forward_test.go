package upstream

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/internal/httperr"
)

// front serves u, and turns its errors into "STATUS CODE".
func front(t *testing.T, u *Upstream) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := u.Forward(w, &Request{HTTP: r, Start: time.Now(), Client: "192.0.2.1", Proto: "https", Host: "app.test"})
		var e *httperr.Error
		if errors.As(err, &e) && e.Status != StatusClientGone {
			w.WriteHeader(e.Status)
			_, _ = io.WriteString(w, string(e.Code))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func newUpstream(t *testing.T, c Config) *Upstream {
	t.Helper()
	u, err := New(c, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// closedPort is an address where nobody listens, nor can while the test runs: it is
// the near end of a connection.
func closedPort(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); _ = ln.Close() })
	return "http://" + conn.LocalAddr().String()
}

// scripted answers every connection with the same bytes and closes it; "" never
// answers.
func scripted(t *testing.T, answer string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
					return
				}
				if answer == "" {
					_, _ = io.Copy(io.Discard, conn)
				}
				_, _ = io.WriteString(conn, answer)
			}()
		}
	}()
	return "http://" + ln.Addr().String()
}

// Every way in which an upstream fails has its own code.
func TestFailures(t *testing.T) {
	tlsApp := httptest.NewTLSServer(http.NotFoundHandler())
	defer tlsApp.Close()
	tlsApp.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	for _, c := range []struct {
		name string
		conf Config
		want string
	}{
		{"refused", Config{Upstream: Addresses{closedPort(t)}}, "502 SP-7001"},
		{"all refused", Config{Upstream: Addresses{closedPort(t), closedPort(t)}}, "502 SP-7001"},
		{"silent", Config{Upstream: Addresses{scripted(t, "")}, Timeouts: Timeouts{ResponseHeader: 50 * time.Millisecond}}, "504 SP-7002"},
		{"unknown CA", Config{Upstream: Addresses{tlsApp.URL}}, "502 SP-7003"},
		{"plain instead of TLS", Config{Upstream: Addresses{strings.Replace(scripted(t, "HTTP/1.1 200 OK\r\n\r\n"), "http:", "https:", 1)}, UpstreamTLS: TLS{InsecureSkipVerify: true}}, "502 SP-7003"},
		{"not HTTP", Config{Upstream: Addresses{scripted(t, "SSH-2.0-OpenSSH_9\r\n")}}, "502 SP-7006"},
		{"hangs up", Config{Upstream: Addresses{scripted(t, "\r\n")}}, "502 SP-7006"},
		{"huge header", Config{Upstream: Addresses{scripted(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2*maxHeaderBytes)+"\r\n\r\n")}}, "502 SP-7006"},
		{"interim answers without end", Config{Upstream: Addresses{scripted(t, strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", maxHeaderBytes/20))}}, "502 SP-7006"},
		{"no such status", Config{Upstream: Addresses{scripted(t, "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n")}}, "502 SP-7006"},
		{"two lengths", Config{Upstream: Addresses{scripted(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")}}, "502 SP-7006"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := get(t, front(t, newUpstream(t, c.conf)).URL)
			if got := fmt.Sprint(status, " ", body); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestTLSWithItsOwnCA(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
		app.EnableHTTP2 = h2
		app.StartTLS()
		defer app.Close()
		file := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: app.Certificate().Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[h2]
		u := newUpstream(t, Config{Upstream: Addresses{app.URL}, UpstreamTLS: TLS{CAFile: file, ServerName: "example.com", MinVersion: "1.3"}})
		if status, body := get(t, front(t, u).URL); status != 200 || body != want {
			t.Errorf("%d %s, want %s", status, body, want)
		}
		u = newUpstream(t, Config{Upstream: Addresses{app.URL}, UpstreamTLS: TLS{CAFile: file, ServerName: "other.test"}})
		if status, body := get(t, front(t, u).URL); status != 502 || body != "SP-7003" {
			t.Errorf("a certificate of another name: %d %s", status, body)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	var fault *sallyport.FieldError
	if _, err := New(Config{Upstream: Addresses{"https://x"}, UpstreamTLS: TLS{CAFile: empty}}, Options{}); !errors.As(err, &fault) || fault.Path != "upstream_tls.ca_file" {
		t.Errorf("a CA file without certificate: %v", err)
	}
}

func named(t *testing.T, name string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s%s", name, b)
	}))
	t.Cleanup(s.Close)
	return s
}

// Upstreams take turns; one that cannot be reached is skipped, and the request
// that found out goes whole to the next.
func TestRoundRobinAndPassiveHealth(t *testing.T) {
	now := time.Unix(1000, 0)
	a, b := named(t, "a"), named(t, "b")
	u, err := New(Config{Upstream: Addresses{a.URL, b.URL}, Health: Health{FailFor: time.Minute}}, Options{Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := front(t, u)
	post := func() string {
		res, err := http.Post(s.URL, "text/plain", strings.NewReader("-body"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		got, _ := io.ReadAll(res.Body)
		return fmt.Sprint(res.StatusCode, " ", string(got))
	}
	seen := map[string]int{}
	for range 10 {
		seen[post()]++
	}
	if seen["200 a-body"] != 5 || seen["200 b-body"] != 5 {
		t.Errorf("turns: %v", seen)
	}
	addr := a.Listener.Addr().String()
	a.Close()
	u.Close() // no connection to a is left
	for range 10 {
		if got := post(); got != "200 b-body" {
			t.Errorf("after a went away: %s", got)
		}
	}
	if u.pool.targets[0].downUntil.Load() != now.Add(time.Minute).UnixNano() {
		t.Error("a is not marked")
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	back := &http.Server{Handler: named(t, "a").Config.Handler}
	go func() { _ = back.Serve(ln) }()
	defer func() { _ = back.Close() }()
	if got := post() + post(); strings.Contains(got, "a-body") {
		t.Error("a was asked before its pause was over")
	}
	now = now.Add(2 * time.Minute)
	if got := post() + post(); !strings.Contains(got, "a-body") {
		t.Errorf("a is never asked again: %s", got)
	}
}

// A request of which anything was sent goes to no second upstream.
func TestNoRetryAfterSending(t *testing.T) {
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer other.Close()
	u := newUpstream(t, Config{Upstream: Addresses{scripted(t, "\r\n"), other.URL}})
	u.pool.next.Store(1) // the broken one is next
	s := front(t, u)
	res, err := http.Post(s.URL, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 502 || asked != 0 {
		t.Errorf("status %d, the other was asked %d times", res.StatusCode, asked)
	}
}

func TestActiveHealth(t *testing.T) {
	healthy := true
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" && !healthy {
			w.WriteHeader(500)
		}
		if r.URL.Path == "/health" && r.Host != "app.test" {
			w.WriteHeader(404)
		}
	}))
	defer app.Close()
	u, err := New(Config{Upstream: Addresses{app.URL}, PreserveHost: true, Health: Health{Path: "/health"}}, Options{Host: "app.test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := front(t, u)
	for _, want := range []string{"200 ", "503 SP-7004", "200 "} {
		healthy = want == "200 "
		u.judge(context.Background(), u.pool.targets[0])
		status, body := get(t, s.URL)
		if got := fmt.Sprint(status, " ", body); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := u.Run(ctx); err != nil || !u.Checked() {
		t.Errorf("Run: %v", err)
	}
}

// Bodies of any size pass without being held, and whole.
func TestLargeBodiesAreStreamed(t *testing.T) {
	const size = 64 << 20
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil || r.ContentLength != size {
			t.Errorf("the app read %d of %d bytes: %v", n, r.ContentLength, err)
		}
		w.Header().Set("X-Sum", fmt.Sprintf("%x", sum.Sum(nil)))
		_, _ = io.CopyN(w, zeros{}, size)
	}))
	defer app.Close()
	s := front(t, newUpstream(t, Config{Upstream: Addresses{app.URL}}))
	want := sha256.New()
	_, _ = io.CopyN(want, zeros{}, size)
	req, _ := http.NewRequest("POST", s.URL, io.LimitReader(zeros{}, size))
	req.ContentLength = size
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	n, err := io.Copy(io.Discard, res.Body)
	if err != nil || n != size || res.Header.Get("X-Sum") != fmt.Sprintf("%x", want.Sum(nil)) {
		t.Errorf("%d bytes came back, %v", n, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Events arrive one by one, not when a buffer is full.
func TestEventStream(t *testing.T) {
	next := make(chan struct{})
	for _, length := range []string{"", "18"} {
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			for i := range 2 {
				_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
				_ = http.NewResponseController(w).Flush()
				<-next
			}
		}))
		defer app.Close()
		res, err := http.Get(front(t, newUpstream(t, Config{Upstream: Addresses{app.URL}})).URL)
		if err != nil {
			t.Fatal(err)
		}
		if res.Header.Get("Content-Type") != "text/event-stream" || len(res.Header["Content-Type"]) != 1 {
			t.Errorf("type %q", res.Header["Content-Type"])
		}
		buf := make([]byte, 9)
		for i := range 2 {
			// The app waits for us, so this hangs if anything holds the event back.
			if _, err := io.ReadFull(res.Body, buf); err != nil || string(buf) != fmt.Sprintf("data: %d\n\n", i) {
				t.Fatalf("event %d: %q, %v", i, buf, err)
			}
			next <- struct{}{}
		}
		_ = res.Body.Close()
	}
}

// An app may answer while it still reads: the answer comes through at once, and
// what is left of the upload is not swallowed on the way.
func TestAnswerDuringUpload(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		buf := make([]byte, 5)
		for {
			n, err := io.ReadFull(r.Body, buf)
			if err != nil {
				return
			}
			_, _ = w.Write(bytes.ToUpper(buf[:n]))
			_ = rc.Flush()
		}
	}))
	defer app.Close()
	s := front(t, newUpstream(t, Config{Upstream: Addresses{app.URL}}))
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 15\r\n\r\nhello")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	for _, next := range []string{"again", "still", ""} {
		if _, err := io.ReadFull(res.Body, buf); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, next)
	}
	if string(buf) != "STILL" {
		t.Errorf("last answer %q", buf)
	}
}

// A refusal reaches the client although the app reads no more of the upload.
func TestRefusedUpload(t *testing.T) {
	u := newUpstream(t, Config{Upstream: Addresses{scripted(t, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\nConnection: close\r\n\r\ntoo big")}})
	s := front(t, u)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000000\r\n\r\nbegin")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 413 {
		t.Fatalf("%v %v", res, err)
	}
}

// Expect: 100-continue goes end to end: a client asks before it sends, and the
// app's refusal saves it the upload.
func TestExpectContinue(t *testing.T) {
	for _, accept := range []bool{true, false} {
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Expect") != "100-continue" {
				t.Error("the app was not asked")
			}
			if !accept {
				w.WriteHeader(http.StatusExpectationFailed)
				return
			}
			b, _ := io.ReadAll(r.Body)
			_, _ = w.Write(b)
		}))
		defer app.Close()
		s := front(t, newUpstream(t, Config{Upstream: Addresses{app.URL}}))
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: app.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")
		br := bufio.NewReader(conn)
		line, err := br.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if accept != strings.HasPrefix(line, "HTTP/1.1 100") {
			t.Errorf("accept %v: first line %q", accept, line)
		}
		if accept {
			_, _ = io.WriteString(conn, "hello")
			if rest, _ := io.ReadAll(br); !strings.HasSuffix(string(rest), "hello") {
				t.Errorf("got %q", rest)
			}
		} else if !strings.HasPrefix(line, "HTTP/1.1 417") {
			t.Errorf("first line %q", line)
		}
	}
}

// The client's own faults are not blamed on the app.
func TestBrokenUpload(t *testing.T) {
	app := named(t, "app")
	s := front(t, newUpstream(t, Config{Upstream: Addresses{app.URL}}))
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(res.Body); res.StatusCode != 400 || string(b) != "SP-9003" {
		t.Errorf("%d %s", res.StatusCode, b)
	}
	limited := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 10)
		var e *httperr.Error
		if err := newUpstream(t, Config{Upstream: Addresses{app.URL}}).Forward(w, &Request{HTTP: r}); errors.As(err, &e) {
			w.WriteHeader(e.Status)
		}
	}))
	defer limited.Close()
	req, _ := http.NewRequest("POST", limited.URL, io.LimitReader(zeros{}, 1<<20))
	res, err = http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _ = res.Body.Close(); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", res.StatusCode)
	}
}

// A quiet WebSocket or stream ends when it is configured to.
func TestIdleLimit(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			_, _ = io.WriteString(w, "hi")
			_ = http.NewResponseController(w).Flush()
			<-hold
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi")
		_ = rw.Flush()
		_, _ = io.Copy(io.Discard, rw) // never says anything
	}))
	s := front(t, newUpstream(t, Config{Upstream: Addresses{app.URL}, Timeouts: Timeouts{Idle: 100 * time.Millisecond}}))
	for _, upgrade := range []string{"", "Connection: Upgrade\r\nUpgrade: websocket\r\n"} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: app.test\r\n%s\r\n", upgrade)
		b, err := io.ReadAll(conn)
		if err != nil || !strings.Contains(string(b), "hi") {
			t.Errorf("upgrade %q: %q, %v", upgrade, b, err)
		}
	}
}

// Requests in flight finish after Close.
func TestCloseLetsRequestsFinish(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		_, _ = io.WriteString(w, "done")
	}))
	defer app.Close()
	u := newUpstream(t, Config{Upstream: Addresses{app.URL}})
	s := front(t, u)
	got := make(chan string)
	go func() {
		_, body := get(t, s.URL)
		got <- body
	}()
	<-begun
	u.Close()
	close(finish)
	if body := <-got; body != "done" {
		t.Errorf("got %q", body)
	}
	if n := len(u.pool.targets[0].idle.list); n != 0 {
		t.Errorf("%d connections are kept after Close", n)
	}
}

// The host that the app is told.
func TestPreserveHost(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.Host, " ", r.Header.Get("X-Forwarded-Host"), " ", r.Header.Get("X-Forwarded-For"), " ", r.Header["User-Agent"] == nil)
	}))
	defer app.Close()
	for preserve, want := range map[bool]string{true: "app.test", false: strings.TrimPrefix(app.URL, "http://")} {
		s := front(t, newUpstream(t, Config{Upstream: Addresses{app.URL}, PreserveHost: preserve}))
		req, _ := http.NewRequest("GET", s.URL, nil)
		req.Header.Set("User-Agent", "")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if string(b) != want+" app.test 192.0.2.1 true" {
			t.Errorf("preserve %v: %s", preserve, b)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		conf Config
		want string
	}{
		{Config{}, "upstream"},
		{Config{Upstream: Addresses{"10.0.0.5:8080"}}, "upstream"},
		{Config{Upstream: Addresses{"http://"}}, "upstream"},
		{Config{Upstream: Addresses{"http://u:p@h"}}, "upstream"},
		{Config{Upstream: Addresses{"http://h/app"}}, "upstream"},
		{Config{Upstream: Addresses{"http://h?x"}}, "upstream"},
		{Config{Upstream: Addresses{"http://h", "http://h:99999"}}, "upstream[1]"},
		{Config{Upstream: Addresses{"http://h", "HTTP://h"}}, "upstream[1]"},
		{Config{Upstream: Addresses{"http://h:"}}, "upstream"},
		{Config{Upstream: Addresses{"http://*.h"}}, "upstream"},
		{Config{Upstream: Addresses{"http://h"}, UpstreamTLS: TLS{MinVersion: "3"}}, "upstream_tls.min_version"},
		{Config{Upstream: Addresses{"http://h"}, Health: Health{Path: "health"}}, "health.path"},
		{Config{Upstream: Addresses{"http://h"}, Health: Health{Interval: time.Millisecond}}, "health.interval"},
		{Config{Upstream: Addresses{"http://h"}, Timeouts: Timeouts{Connect: -1}}, "timeouts.connect"},
	} {
		if faults := Validate(c.conf); len(faults) != 1 || faults[0].Path != c.want || faults[0].Hint == "" {
			t.Errorf("%+v: %v, want one at %s", c.conf, faults, c.want)
		}
	}
	if faults := Validate(Config{Upstream: Addresses{"http://my_app:8080", "https://[::1]:8443/"}, Health: Health{Path: "/h", Interval: time.Second}}); len(faults) > 0 {
		t.Errorf("%v", faults)
	}
}
