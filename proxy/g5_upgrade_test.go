package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/proxy/upstream"
)

// G5 (golang/go#80416): after "Upgrade: h2c" a client spoke HTTP/2 to the app
// through a connection that the gateway no longer looked at.
func TestG5OnlyWebSocketUpgrades(t *testing.T) {
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Public = []string{"/"} })})
	for _, c := range []struct {
		lines string
		pass  bool
	}{
		{"Connection: Upgrade\r\nUpgrade: websocket\r\n", true},
		{"Connection: keep-alive, UPGRADE\r\nUpgrade: WebSocket\r\n", true},
		{"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", false},
		{"Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n", false},
		{"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n", false},
		{"Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n", false},
		{"Connection: Upgrade\r\nUpgrade: websocket/13\r\n", false},
		{"Upgrade: websocket\r\n", false},
		{"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n", false},
	} {
		body := ""
		if strings.Contains(c.lines, "Content-Length") {
			body = "abc"
		}
		res, _ := f.raw("GET / HTTP/1.1\r\nHost: app.test\r\n" + c.lines + "\r\n" + body)
		if res == nil || res.StatusCode != 200 {
			t.Fatalf("%q: %v", c.lines, res)
		}
		got := f.one().header
		if passed := got.Get("Upgrade") == "websocket"; passed != c.pass || !c.pass && (got.Get("Upgrade") != "" || got.Get("Http2-Settings") != "") {
			t.Errorf("%q: the app got Upgrade %q, HTTP2-Settings %q", c.lines, got["Upgrade"], got["Http2-Settings"])
		}
	}
}

// scriptedApp answers every connection with the same bytes.
func scriptedApp(t *testing.T, answer string) upstream.Addresses {
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
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, answer)
				}
			}()
		}
	}()
	return upstream.Addresses{"http://" + ln.Addr().String()}
}

// G5 (golang/go#81319): headers that belong to the upstream's connection, and
// ones that only we may send, leaked through interim answers.
func TestG5InterimAnswers(t *testing.T) {
	app := scriptedApp(t, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: X-Hop\r\nX-Hop: leaked\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n"+
		"X-Sallyport-User: leaked\r\nSet-Cookie: __Host-sallyport=leaked\r\n\r\n"+
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Public = []string{"/"}; r.Upstream = app })})
	conn, err := net.Dial("tcp", f.gateway.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	got := string(all)
	if !strings.HasPrefix(got, "HTTP/1.1 103") || !strings.Contains(got, "Link: </a.css>") || !strings.Contains(got, "HTTP/1.1 200 OK") {
		t.Fatalf("got %q", got)
	}
	interim, final, _ := strings.Cut(got, "HTTP/1.1 200")
	if strings.Contains(got, "leaked") || strings.Contains(interim, "Keep-Alive") || strings.Contains(interim, "Upgrade") || strings.Contains(interim, "Connection") {
		t.Errorf("leaked: %q", got)
	}
	if !strings.Contains(final, "X-Sallyport-Correlation: ") {
		t.Error("the final answer lost our header")
	}
}

// An app that switches protocols unasked is not followed.
func TestG5UnaskedSwitch(t *testing.T) {
	app := scriptedApp(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Public = []string{"/"}; r.Upstream = app })})
	for _, set := range [][]func(*http.Request){nil, {header("Connection", "Upgrade"), header("Upgrade", "websocket")}} {
		res := f.do("GET", "/", "", set...)
		if res.StatusCode != http.StatusBadGateway || !strings.HasPrefix(bodyOf(t, res), "SP-7006") {
			t.Errorf("status %d", res.StatusCode)
		}
	}
}

// A WebSocket goes through both ways, with identity and our correlation ID.
func TestWebSocket(t *testing.T) {
	f := newFixture(t, []Route{appRoute()})
	f.grantFor("alice")
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSet-Cookie: __Host-sallyport=x\r\n\r\n%s:", r.Header.Get("X-Sallyport-User"))
		_ = rw.Flush()
		_, _ = io.CopyN(conn, rw, 5)
	})
	conn, err := net.Dial("tcp", f.gateway.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: app.test\r\nCookie: __Host-sallyport=alice\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	br := bufio.NewReader(conn)
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("%v %v", res, err)
	}
	if len(res.Header.Get("X-Sallyport-Correlation")) != 36 || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("header %v", res.Header)
	}
	_, _ = fmt.Fprint(conn, "hello")
	got := make([]byte, 11)
	if _, err := io.ReadFull(br, got); err != nil || string(got) != "alice:hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWebSocketWithoutSessionGets401(t *testing.T) {
	f := newFixture(t, []Route{appRoute()})
	res := f.do("GET", "/", "", header("Connection", "Upgrade"), header("Upgrade", "websocket"), header("Accept", "text/html"))
	if res.StatusCode != http.StatusUnauthorized || len(f.requests()) != 0 {
		t.Errorf("status %d", res.StatusCode)
	}
}
