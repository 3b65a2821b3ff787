package proxy

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sallyport/proxy/upstream"
)

// A8: an app that was taken over set the gateway's cookie (a planted session),
// signed everybody out of everything by Clear-Site-Data, or answered with headers
// that the next gateway in line believed.
func TestA8WhatAnUpstreamCannotAnswer(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way([]Route{appRoute()}))
		f.grantFor("alice")
		f.answers(func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h["Set-Cookie"] = []string{
				"app=1; Path=/", "__Host-sallyport=planted; Secure; Path=/", "__HOST-Sallyport=planted", "\t __Host-sallyport-state=planted",
				"=__Host-sallyport=planted", "__Host-sallyport", "theme=dark",
			}
			h.Set("Clear-Site-Data", `"cookies"`)
			h.Set("X-Sallyport-User", "mallory")
			h.Set("X-Sallyport-Correlation", "mallory")
			h["X_sallyport_groups"] = []string{"mallory"}
			h.Set("Service-Worker-Allowed", "/")
			h.Set("X-App", "kept")
		})
		res := f.do("GET", "/", "alice")
		if got := res.Header["Set-Cookie"]; !slices.Equal(got, []string{"app=1; Path=/", "theme=dark"}) {
			t.Errorf("Set-Cookie = %q", got)
		}
		for _, name := range []string{"Clear-Site-Data", "X-Sallyport-User", "X_sallyport_groups", "Service-Worker-Allowed"} {
			if v, ok := res.Header[name]; ok {
				t.Errorf("%s = %q passed", name, v)
			}
		}
		if got := res.Header["X-Sallyport-Correlation"]; len(got) != 1 || len(got[0]) != 36 {
			t.Errorf("correlation %q", got)
		}
		if res.Header.Get("X-App") != "kept" {
			t.Error("another header was lost")
		}
	})
}

func TestA8NothingButOurCookies(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way([]Route{appRoute()}))
		f.grantFor("alice")
		f.answers(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "__Host-sallyport=planted") })
		if got, ok := f.do("GET", "/", "alice").Header["Set-Cookie"]; ok {
			t.Errorf("Set-Cookie = %q", got)
		}
	})
}

// The same after the body, announced or not.
func TestA8Trailers(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nTrailer: X-Sallyport-User, X-Sum\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n"+
					"X-Sallyport-User: mallory\r\nX-Sum: 1\r\nSet-Cookie: __Host-sallyport=planted\r\nX-Sallyport-Groups: mallory\r\nX-Late: 2\r\n\r\n")
			}
			_ = conn.Close()
		}
	}()
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Upstream = upstream.Addresses{"http://" + ln.Addr().String()} })})
	f.grantFor("alice")
	res := f.do("GET", "/", "alice")
	all := fmt.Sprint(res.Header, res.Trailer)
	if strings.Contains(all, "mallory") || strings.Contains(all, "planted") {
		t.Errorf("passed: %s", all)
	}
	if res.Trailer.Get("X-Sum") != "1" || res.Trailer.Get("X-Late") != "2" {
		t.Errorf("the app's own trailers were lost: %v", res.Trailer)
	}
}
