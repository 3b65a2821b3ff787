package gateway

import (
	"net/http"
	"strings"
	"testing"
)

// B6: a hostile Host, absolute-form target or forwarding header once turned such
// redirects into links to a foreign site, which caches then served to everybody.
func TestRedirectLeadsToOurHostsOnly(t *testing.T) {
	s := newTestServers(t, testServer{})
	runServers(t, s)
	ask := func(request string) *http.Response {
		c := dialTCP(t, s, kindHTTP)
		send(t, c, "%s", strings.ReplaceAll(request, "\n", "\r\n")+"\r\n\r\n")
		return answer(t, c)
	}
	for request, want := range map[string]string{
		"GET /a?b=c%20d HTTP/1.1\nHost: login.example.com":                        "https://login.example.com/a?b=c%20d",
		"GET / HTTP/1.1\nHost: LOGIN.example.com.:80":                             "https://login.example.com/",
		"POST /form HTTP/1.1\nHost: login.example.com\nContent-Length: 0":         "https://login.example.com/form",
		"GET //evil.example/x HTTP/1.1\nHost: login.example.com":                  "https://login.example.com//evil.example/x",
		"GET http://login.example.com/x HTTP/1.1\nHost: evil.example":             "https://login.example.com/x",
		"GET /%0d%0aSet-Cookie:%20a=b HTTP/1.1\nHost: login.example.com":          "https://login.example.com/%0d%0aSet-Cookie:%20a=b",
		"GET / HTTP/1.1\nHost: login.example.com\nX-Forwarded-Host: evil.example": "https://login.example.com/",
		"GET / HTTP/1.1\nHost: login.example.com\nForwarded: host=evil.example":   "https://login.example.com/",
		"GET /\\evil.example HTTP/1.1\nHost: login.example.com":                   "https://login.example.com/%5Cevil.example",
		"GET /@evil.example HTTP/1.1\nHost: login.example.com":                    "https://login.example.com/@evil.example",
	} {
		res := ask(request)
		if got := res.Header.Get("Location"); res.StatusCode != http.StatusPermanentRedirect || got != want {
			t.Errorf("%q: %d to %q, want %q", request, res.StatusCode, got, want)
		}
	}
	for request, want := range map[string]int{
		"GET / HTTP/1.1\nHost: evil.example":                              http.StatusMisdirectedRequest,
		"GET / HTTP/1.1\nHost: login.example.com.evil.example":            http.StatusMisdirectedRequest,
		"GET / HTTP/1.1\nHost: login.example.com:80:evil.example":         http.StatusMisdirectedRequest,
		"GET / HTTP/1.1\nHost: login.example.com@evil.example":            http.StatusBadRequest,
		"GET / HTTP/1.1\nHost: evil.example/login.example.com":            http.StatusBadRequest,
		"GET http://evil.example/x HTTP/1.1\nHost: login.example.com":     http.StatusMisdirectedRequest,
		"GET http://u:p@login.example.com/x HTTP/1.1\nHost: evil.example": http.StatusBadRequest,
		"GET / HTTP/1.0": http.StatusMisdirectedRequest,
		"OPTIONS * HTTP/1.1\nHost: login.example.com":                        http.StatusBadRequest,
		"CONNECT login.example.com:443 HTTP/1.1\nHost: login.example.com":    http.StatusMethodNotAllowed,
		"GET / HTTP/1.1\nHost: login.example.com\nHost: evil.example":        http.StatusBadRequest,
		"GET /.well-known/acme-challenge/token HTTP/1.1\nHost: evil.example": http.StatusMisdirectedRequest,
	} {
		res := ask(request)
		if res.StatusCode != want || res.Header.Get("Location") != "" {
			t.Errorf("%q: %d to %q, want %d", request, res.StatusCode, res.Header.Get("Location"), want)
		}
	}
}

func TestRedirectNamesThePublicPort(t *testing.T) {
	for portal, want := range map[string]string{
		"login.example.com": "", "login.example.com:443": "", "login.example.com:8443": "8443",
	} {
		if got := portalPort(portal); got != want {
			t.Errorf("portal %s: port %q, want %q", portal, got, want)
		}
	}
	s := newTestServers(t, testServer{})
	h := redirector{port: "8443", known: func(h string) bool { return h == "2001:db8::1" }}
	s.list[1].http.Handler = h
	runServers(t, s)
	c := dialTCP(t, s, kindHTTP)
	send(t, c, "GET /x HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n\r\n")
	if got := answer(t, c).Header.Get("Location"); got != "https://[2001:db8::1]:8443/x" {
		t.Errorf("Location: %s", got)
	}
}
