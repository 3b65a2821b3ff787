package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// quiet drops what the standard transport logs about odd upstreams.
func quiet(tb testing.TB) {
	before := log.Writer()
	log.SetOutput(io.Discard)
	tb.Cleanup(func() { log.SetOutput(before) })
}

// talker is an upstream whose every connection is served by talk, which reads
// requests and writes bytes as it likes.
func talker(t *testing.T, talk func(n int, conn net.Conn, in *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for n := 1; ; n++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				talk(n, conn, bufio.NewReader(conn))
			}()
		}
	}()
	return "http://" + ln.Addr().String()
}

func ok(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// general makes u send everything the general way.
func general(u *Upstream) *Upstream {
	u.plain = false
	return u
}

// The two ways tell the app the same and the client the same, whatever the client
// sends and the app answers.
func TestBothWaysAreTheSame(t *testing.T) {
	quiet(t)
	requests := []string{
		"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n",
		"HEAD /a%2Fb?x=1&y=%20 HTTP/1.1\r\nHost: app.test\r\n\r\n",
		"GET /?q=a+b HTTP/1.1\r\nHost: app.test\r\nUser-Agent: x\r\nAccept-Encoding: gzip\r\nX-Two: a\r\nX-Two: b\r\n\r\n",
		"GET /%E3%81%82 HTTP/1.1\r\nHost: app.test\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\n\r\n",
		"GET /x? HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\nCookie: theirs=1\r\n\r\n",
		"GET /x HTTP/1.1\r\nHost: app.test\r\nConnection: X-Set, X-Own, Cookie, X-Forwarded-For\r\nX-Set: mallory\r\nX-Own: mallory\r\n\r\n",
		"GET /x HTTP/1.1\r\nHost: app.test\r\nX-Set: mallory\r\nX-Own: mallory\r\nRange: bytes=0-1\r\nIf-None-Match: \"a\"\r\n\r\n",
		"GET /x HTTP/1.0\r\nHost: app.test\r\n\r\n",
		"GET /empty HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n",
		"GET /body HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello",
		"GET /body HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"GET /te HTTP/1.1\r\nHost: app.test\r\nTE: trailers\r\n\r\n",
		"GET /latin HTTP/1.1\r\nHost: app.test\r\nX-Latin: caf\xe9\r\n\r\n",
	}
	answers := []string{
		ok("hello"),
		ok(strings.Repeat("x", 100_000)),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\n\r\nuntil the end",
		"HTTP/1.0 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 10\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: /y\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + ok("hinted"),
		"HTTP/1.1 100 Continue\r\n\r\n" + ok("continued"),
		strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 100) + ok("late"),
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nbytes",
		"HTTP/1.1 200 OK\r\nX-Bad name: 1\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nX-Fold: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 500 Broken\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nbroken",
		"garbage\r\n\r\n",
		"",
	}
	for _, answer := range answers {
		for _, request := range requests {
			told, said := exchangeBoth(t, request, answer)
			if told[0] != told[1] {
				t.Errorf("%q: the app was told\n%s\nthe general way\n%s", request, told[0], told[1])
			}
			if said[0] != said[1] {
				t.Errorf("%q answered %.200q: the client was told\n%.300q\nthe general way\n%.300q", request, answer, said[0], said[1])
			}
			if strings.Contains(request, "hello") != strings.HasSuffix(told[0], "hello") {
				t.Errorf("%q: the app was told\n%s", request, told[0])
			}
			if strings.Contains(told[0], "mallory") || strings.Contains(told[0], "6.6.6.6") {
				t.Errorf("%q: the app was told\n%s", request, told[0])
			}
		}
	}
}

// exchangeBoth sends a request through both ways to an app that gives one answer
// and hangs up, and returns what the app and the client were told: sorted headers,
// then the body.
func exchangeBoth(t *testing.T, request, answer string) (told, said [2]string) {
	for i := range 2 {
		got := make(chan string, 4)
		app := talker(t, func(_ int, conn net.Conn, in *bufio.Reader) {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			host := strings.ReplaceAll(req.Host, conn.LocalAddr().String(), "APP")
			if req.Header.Get("Connection") == "close" {
				req.Header.Del("Connection") // each way keeps its connections by rules of its own
			}
			body, _ := io.ReadAll(req.Body)
			got <- fmt.Sprint(req.Method, " ", req.RequestURI, " ", req.Proto, " ", host, "\n", sorted(req.Header), req.TransferEncoding, " ", string(body))
			_, _ = io.WriteString(conn, answer)
		})
		u := newUpstream(t, Config{Upstream: Addresses{app}})
		if i == 1 {
			general(u)
		}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			out := &Request{HTTP: r, Start: time.Now(), Client: "192.0.2.1", Proto: "https", Host: "app.test", Cookies: []string{"app=1"},
				Fields: []Field{{"X-Set", []string{"ours"}}}, Own: [2]Field{{"X-Own", []string{"ours"}}}}
			if err := u.Forward(w, out); err != nil {
				w.WriteHeader(http.StatusBadGateway)
			}
		}))
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(conn, strings.Replace(request, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
		said[i] = readAll(conn, strings.HasPrefix(request, "HEAD"))
		_ = conn.Close()
		s.Close()
		select {
		case told[i] = <-got:
		default:
		}
	}
	return told, said
}

// readAll is every answer on conn: what must not differ between the two ways. How
// a body is cut into chunks may.
func readAll(conn net.Conn, head bool) string {
	req := &http.Request{Method: http.MethodGet}
	if head {
		req.Method = http.MethodHead
	}
	var b strings.Builder
	in := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(in, req)
		if err != nil {
			fmt.Fprint(&b, err)
			return b.String()
		}
		if res.StatusCode == http.StatusContinue {
			continue // nobody asked for it; it may be passed on or not
		}
		body, err := io.ReadAll(res.Body)
		res.Header.Del("Date")
		res.Header.Del("Content-Length")
		res.Header.Del("Trailer")
		fmt.Fprint(&b, res.Status, "\n", sorted(res.Header), sorted(res.Trailer), len(body), " ", string(body), "\n", err, "\n")
		if res.StatusCode >= 200 {
			return b.String()
		}
	}
}

func sorted(h http.Header) string {
	var lines []string
	for name, values := range h {
		for _, v := range values {
			lines = append(lines, name+": "+v+"\n")
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// An upstream that sends two answers to one request does not answer the next
// person's request with the second (G1), whether both come at once or the second
// comes late.
func TestG1UnrequestedAnswer(t *testing.T) {
	sent := make(chan struct{})
	app := talker(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		for {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if req.URL.Path == "/at-once" {
				_, _ = io.WriteString(conn, ok("mine")+ok("poison"))
				continue
			}
			_, _ = io.WriteString(conn, ok("mine"))
			if req.URL.Path == "/late" {
				<-sent // the answer has been read
				_, _ = io.WriteString(conn, ok("poison"))
				sent <- struct{}{}
			}
		}
	})
	s := front(t, newUpstream(t, Config{Upstream: Addresses{app}}))
	for range 3 {
		if _, body := get(t, s.URL+"/at-once"); body != "mine" {
			t.Fatalf("got %q", body)
		}
		if _, body := get(t, s.URL+"/late"); body != "mine" {
			t.Fatalf("after two answers at once: got %q", body)
		}
		sent <- struct{}{}
		<-sent
		if _, body := get(t, s.URL+"/"); body != "mine" {
			t.Fatalf("after a late second answer: got %q", body)
		}
	}
}

// A body where none may be (G1) is not taken for the next answer.
func TestG1BodyOfAnAnswerWithoutOne(t *testing.T) {
	app := talker(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		for {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			switch req.URL.Path {
			case "/304":
				_, _ = io.WriteString(conn, "HTTP/1.1 304 Not Modified\r\n\r\n"+ok("poison"))
			default:
				_, _ = io.WriteString(conn, ok(ok("poison"))) // a HEAD is answered like a GET
			}
		}
	})
	s := front(t, newUpstream(t, Config{Upstream: Addresses{app}}))
	for range 3 {
		for _, path := range []string{"/304", "/head"} {
			res, err := http.Head(s.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if _, body := get(t, s.URL+"/"); body != ok("poison") {
				t.Fatalf("after %s: got %q", path, body)
			}
		}
	}
}

// The body of a GET that the app does not read (CL.0), and a body after the answer to
// a HEAD, late: neither becomes part of somebody else's exchange (G1), on either way.
func TestG1BodiesThatNobodyReads(t *testing.T) {
	for _, way := range []string{"direct", "general"} {
		t.Run(way, func(t *testing.T) {
			again := make(chan struct{})
			app := talker(t, func(_ int, conn net.Conn, in *bufio.Reader) {
				for {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					req.Body = http.NoBody // what follows is the next request, for this app
					_, _ = io.WriteString(conn, ok(req.URL.Path)[:len(ok(req.URL.Path))-len(req.URL.Path)])
					if req.Method == http.MethodHead {
						<-again // the client has its answer
						_, _ = io.WriteString(conn, ok("poison"))
						again <- struct{}{}
						continue
					}
					_, _ = io.WriteString(conn, req.URL.Path)
				}
			})
			u := newUpstream(t, Config{Upstream: Addresses{app}})
			if way == "general" {
				general(u)
			}
			s := front(t, u)
			for range 3 {
				res, err := http.Head(s.URL + "/head")
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				again <- struct{}{}
				<-again
				if _, body := get(t, s.URL+"/mine"); body != "/mine" {
					t.Fatalf("after HEAD: got %q", body)
				}
				req, _ := http.NewRequest(http.MethodGet, s.URL+"/body", strings.NewReader("GET /poison HTTP/1.1\r\nHost: app.test\r\n\r\n"))
				if res, err = http.DefaultClient.Do(req); err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				for range 3 {
					if _, body := get(t, s.URL+"/mine"); body != "/mine" {
						t.Fatalf("after a GET with a body: got %q", body)
					}
				}
			}
		})
	}
}

// A Connection header that names thousands of headers, of which thousands are there,
// takes time in proportion; it once took minutes.
func TestConnectionHeaderWithoutEnd(t *testing.T) {
	h := http.Header{}
	var tokens []string
	for i := range 60_000 {
		name := fmt.Sprint("X", i)
		tokens = append(tokens, name)
		h[name] = []string{"1"}
	}
	h["Connection"] = []string{strings.Join(tokens, ",")}
	out := &Request{HTTP: &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Header: h}, Host: "app.test"}
	start := time.Now()
	head, err := appendHead(nil, out, "app.test")
	if err != nil || strings.Contains(string(head), "X1") {
		t.Errorf("%v, %.200s", err, head)
	}
	if kept := forwardHeader(nil, out); len(kept) != 0 {
		t.Errorf("%d headers kept", len(kept))
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A GET is sent twice at most, however many connections wait.
func TestRepeatedOnce(t *testing.T) {
	var asked atomic.Int32
	var gather sync.WaitGroup
	const conns = 10
	gather.Add(conns)
	app := talker(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		for {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if req.URL.Path == "/die" {
				asked.Add(1)
				return
			}
			gather.Done()
			gather.Wait() // so that each has a connection of its own
			_, _ = io.WriteString(conn, ok("ok"))
		}
	})
	s := front(t, newUpstream(t, Config{Upstream: Addresses{app}}))
	var wg sync.WaitGroup
	for range conns {
		wg.Go(func() { get(t, s.URL) })
	}
	wg.Wait()
	if status, body := get(t, s.URL+"/die"); status != 502 || body != "SP-7006" || asked.Load() != 2 {
		t.Errorf("%d %s after %d requests", status, body, asked.Load())
	}
}

// The time of timeouts.idle is that of a stream, not of a connection that waits.
func TestIdleTimeIsNotThatOfThePool(t *testing.T) {
	var conns atomic.Int32
	app := talker(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		conns.Add(1)
		for {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			_, _ = io.WriteString(conn, ok("ok"))
		}
	})
	s := front(t, newUpstream(t, Config{Upstream: Addresses{app}, Timeouts: Timeouts{Idle: 50 * time.Millisecond}}))
	for range 3 {
		get(t, s.URL)
		<-time.After(100 * time.Millisecond)
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// Names that have to be translated for a look-up, and addresses with a zone, go the
// general way, which does that.
func TestDirectNeedsPlainNames(t *testing.T) {
	for address, want := range map[string]bool{
		"http://app.test": canProbe, "http://10.0.0.5:8080": canProbe, "http://[::1]:80": canProbe,
		"https://app.test": false, "http://b\u00fccher.test": false, "http://[fe80::1%25eth0]:80": false,
	} {
		if u := newUpstream(t, Config{Upstream: Addresses{address}}); u.plain != want {
			t.Errorf("%s: direct %v", address, u.plain)
		}
	}
}

// A connection that the app has closed while it was idle costs nobody a request.
func TestIdleConnectionClosedByTheApp(t *testing.T) {
	closed := make(chan struct{})
	app := talker(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err == nil {
			_, _ = io.WriteString(conn, ok("once"))
		}
		_ = conn.Close()
		closed <- struct{}{}
	})
	s := front(t, newUpstream(t, Config{Upstream: Addresses{app}}))
	for i := range 5 {
		if status, body := get(t, s.URL); status != 200 || body != "once" {
			t.Fatalf("request %d: %d %s", i, status, body)
		}
		<-closed
	}
}

// A request whose used connection breaks before any answer is sent again, once for
// each such connection; one that has been answered in part, or whose time is up,
// is not.
func TestRepeatOnAUsedConnection(t *testing.T) {
	for name, c := range map[string]struct {
		method    string
		then      string // what a used connection answers before it breaks
		wait      bool   // and whether it waits for us to hang up
		want      string
		wantAsked int32
	}{
		"closed":         {"GET", "", false, "200 ok", 3},
		"closed, no GET": {"POST", "", false, "502 SP-7006", 2},
		"half a line":    {"GET", "HTTP/1.", false, "502 SP-7006", 2},
		"never speaks":   {"GET", "", true, "504 SP-7002", 2},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			app := talker(t, func(n int, conn net.Conn, in *bufio.Reader) {
				for i := 0; ; i++ {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					asked.Add(1)
					if i > 0 && n == 1 {
						_, _ = io.WriteString(conn, c.then)
						if c.wait {
							_, _ = io.Copy(io.Discard, in)
						}
						return
					}
					_, _ = io.WriteString(conn, ok("ok"))
				}
			})
			s := front(t, newUpstream(t, Config{Upstream: Addresses{app}, Timeouts: Timeouts{ResponseHeader: 200 * time.Millisecond}}))
			ask := func() string {
				req, _ := http.NewRequest(c.method, s.URL, nil)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = res.Body.Close() }()
				body, _ := io.ReadAll(res.Body)
				return fmt.Sprint(res.StatusCode, " ", string(body))
			}
			ask()
			if got := ask(); got != c.want || asked.Load() != c.wantAsked {
				t.Errorf("got %s after %d requests, want %s after %d", got, asked.Load(), c.want, c.wantAsked)
			}
		})
	}
}

// One connection serves one request after another.
func TestConnectionsAreReused(t *testing.T) {
	var conns atomic.Int32
	app := talker(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		conns.Add(1)
		for {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if req.URL.Path == "/chunked" {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
				continue
			}
			_, _ = io.WriteString(conn, ok(strings.Repeat("x", 20_000)))
		}
	})
	u := newUpstream(t, Config{Upstream: Addresses{app}, Timeouts: Timeouts{ResponseHeader: 100 * time.Millisecond}})
	s := front(t, u)
	for i := range 20 {
		if status, body := get(t, s.URL+[]string{"/", "/chunked"}[i%2]); status != 200 || len(body) != []int{20_000, 5}[i%2] {
			t.Fatalf("%d, %d bytes", status, len(body))
		}
	}
	// An armed deadline that passes while the connection waits means nothing.
	c := u.pool.targets[0].idle.list[0]
	c.deadline = time.Now().Add(-time.Second)
	_ = c.SetDeadline(c.deadline)
	get(t, s.URL)
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for requests one after another", n)
	}
}

// A client that goes away frees the app's connection at once, before the answer
// and in the middle of a stream.
func TestClientGoesAway(t *testing.T) {
	for _, first := range []string{"", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"} {
		asked, left := make(chan struct{}), make(chan struct{})
		app := talker(t, func(_ int, conn net.Conn, in *bufio.Reader) {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			_, _ = io.WriteString(conn, first)
			close(asked)
			_, _ = io.Copy(io.Discard, in) // until the other side closes
			close(left)
		})
		s := front(t, newUpstream(t, Config{Upstream: Addresses{app}}))
		ctx, cancel := context.WithCancel(context.Background())
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
		var wg sync.WaitGroup
		wg.Go(func() {
			if res, err := http.DefaultClient.Do(req); err == nil {
				_, _ = io.ReadAll(res.Body)
				_ = res.Body.Close()
			}
		})
		<-asked
		cancel()
		wg.Wait()
		select {
		case <-left:
		case <-time.After(5 * time.Second):
			t.Errorf("after %q: the app still waits", first)
		}
	}
}

// The header of a stream arrives before its first event.
func TestHeaderOfAStream(t *testing.T) {
	send := make(chan struct{})
	app := talker(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		<-send
		_, _ = io.WriteString(conn, "5\r\nhello\r\n0\r\n\r\n")
	})
	res, err := http.Get(front(t, newUpstream(t, Config{Upstream: Addresses{app}})).URL) // hangs if the header waits
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	close(send)
	if body, err := io.ReadAll(res.Body); string(body) != "hello" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
}

// A body may take longer than the time that its header has.
func TestSlowBody(t *testing.T) {
	app := talker(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
		<-time.After(300 * time.Millisecond)
		_, _ = io.WriteString(conn, "world")
	})
	s := front(t, newUpstream(t, Config{Upstream: Addresses{app}, Timeouts: Timeouts{ResponseHeader: 100 * time.Millisecond}}))
	if status, body := get(t, s.URL); status != 200 || body != "helloworld" {
		t.Errorf("%d %q", status, body)
	}
}

// What HTTP cannot carry is sent nowhere: a header that a directory or a setting
// made, and an address.
func TestUnsendable(t *testing.T) {
	asked := make(chan struct{}, 9)
	app := talker(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		asked <- struct{}{}
		_, _ = io.WriteString(conn, ok("?"))
	})
	for name, change := range map[string]func(*Request){
		"line break":     func(r *Request) { r.Fields = []Field{{"X-A", []string{"b\r\nX-Evil: 1"}}} },
		"NUL":            func(r *Request) { r.Own[0] = Field{"X-A", []string{"a\x00"}} },
		"name":           func(r *Request) { r.Fields = []Field{{"X-A: b\r\nX", []string{"c"}}} },
		"cookie":         func(r *Request) { r.Cookies = []string{"a\nb"} },
		"host":           func(r *Request) { r.Host = "a b" },
		"client":         func(r *Request) { r.Client = "1\r\n" },
		"query":          func(r *Request) { r.HTTP.URL.RawQuery = "a HTTP/1.1" },
		"path":           func(r *Request) { r.HTTP.URL.Path = "*" },
		"client's value": func(r *Request) { r.HTTP.Header["X-B"] = []string{"a\r\nb"} },
	} {
		u := newUpstream(t, Config{Upstream: Addresses{app}, PreserveHost: true})
		out := &Request{HTTP: httptest.NewRequest(http.MethodGet, "/", nil), Proto: "https", Host: "app.test"}
		change(out)
		if err := u.Forward(httptest.NewRecorder(), out); err == nil {
			t.Errorf("%s: sent", name)
		}
		u.Close()
	}
	select {
	case <-asked:
		// A connection is made before the head is written; only a request matters.
	default:
	}
}

// Connections that nobody has used for a while are closed.
func TestIdleConnectionsArePruned(t *testing.T) {
	app := named(t, "app")
	u := newUpstream(t, Config{Upstream: Addresses{app.URL}})
	s := front(t, u)
	get(t, s.URL)
	idle := &u.pool.targets[0].idle
	idle.prune()
	if len(idle.list) != 1 || idle.sweep == nil {
		t.Fatalf("%d connections wait after a moment", len(idle.list))
	}
	idle.list[0].since = time.Now().Add(-idleTimeout)
	idle.prune()
	if len(idle.list) != 0 || idle.sweep != nil {
		t.Errorf("%d connections wait after %v", len(idle.list), idleTimeout)
	}
}

// recorder notes all that a client would be told.
type recorder struct {
	header http.Header
	b      strings.Builder
	status int
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if status == http.StatusContinue {
		return // nobody asked for it; it may be passed on or not
	}
	fmt.Fprint(&r.b, status, "\n", sorted(r.header))
	if status >= 200 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) { return r.b.Write(p) }

func (r *recorder) Flush() {}

// FuzzAnswer: whatever an upstream sends, the direct way gives the client the same
// as the general one, and never panics.
func FuzzAnswer(f *testing.F) {
	quiet(f)
	for _, answer := range []string{ok("x"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "HTTP/1.1 103 E\r\nA: b\r\n\r\n" + ok(""), "HTTP/1.0 404 N\r\n\r\nx", "\r\n", ""} {
		f.Add(answer)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		var said [2]string
		for i := range said {
			u := newUpstream(t, Config{Upstream: Addresses{"http://app.test"}})
			u.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				go func() {
					_, _ = http.ReadRequest(bufio.NewReader(there))
					_, _ = io.WriteString(there, answer)
					_ = there.Close()
				}()
				return here, nil
			}
			u.dial = u.transport.DialContext
			if i == 1 {
				general(u)
			}
			w := &recorder{header: http.Header{}}
			said[i] = tell(u, w)
		}
		if said[0] != said[1] {
			t.Errorf("%q: the client was told\n%q\nthe general way\n%q", answer, said[0], said[1])
		}
	})
}

// tell forwards a request and returns what w noted and how it ended.
func tell(u *Upstream, w *recorder) (said string) {
	defer func() {
		if v := recover(); v != nil {
			if err, _ := v.(error); !errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			// How much of a broken answer had been sent is a matter of chance.
			said = fmt.Sprint("broken off after ", w.status)
		}
	}()
	// The reverse proxy breaks answers off only where there is a server to notice.
	ctx := context.WithValue(context.Background(), http.ServerContextKey, &http.Server{})
	out := &Request{HTTP: httptest.NewRequestWithContext(ctx, http.MethodGet, "http://app.test/", nil), Proto: "https", Host: "app.test"}
	if err := u.Forward(w, out); err != nil {
		return fmt.Sprint(w.b.String(), "failed")
	}
	fmt.Fprint(&w.b, sorted(w.header))
	return w.b.String()
}
