package proxy

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// C5 (CVE-2026-48794, CVE-2022-23632): other spellings of a host escaped its
// rules, or the handshake named one host and the request another.
func TestC5Hosts(t *testing.T) {
	f := newFixture(t, []Route{
		appRoute(func(r *Route) { r.Public = []string{"/"} }),
		{Name: "wild", Hosts: []string{"*.wild.test", "[2001:db8::1]", "192.0.2.1"}, Public: []string{"/"}},
		{Name: "narrow", Hosts: []string{"special.wild.test"}},
	})
	for host, want := range map[string]int{
		"app.test": 200, "APP.TEST": 200, "app.test.": 200, "app.test:8443": 200, "App.Test.:443": 200,
		"a.wild.test": 200, "a.b.wild.test": 421, "wild.test": 421, ".wild.test": 400, "special.wild.test": 401, "SPECIAL.wild.test.": 401,
		"[2001:db8::1]": 200, "[2001:DB8:0::1]:443": 200, "[2001:db8::1%25eth0]": 400, "192.0.2.1": 200, "192.0.2.1:1": 200,
		"other.test": 421, "app.test..": 400, "app.test:x": 400, "app.test:": 400, "app.test:0": 400, "app.test:70000": 400, "user@app.test": 400, "app_x.test": 421,
		"app.test,evil.test": 400, "app%2etest": 400, "\xc3\xa4pp.test": 400, "": 400, strings.Repeat("a", 300) + ".test": 400, "evilapp.test": 421, "app.test.evil.test": 421,
	} {
		res, _ := f.raw("GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		if res == nil || res.StatusCode != want {
			t.Errorf("Host %q: got %v, want %d", host, res, want)
		}
	}
}

func TestC5AbsoluteForm(t *testing.T) {
	f := newFixture(t, []Route{
		appRoute(func(r *Route) { r.Public = []string{"/public"} }),
		{Name: "other", Hosts: []string{"other.test"}, Public: []string{"/"}},
	})
	// The host of the target counts (RFC 9112, section 3.2.2), not the header.
	for target, want := range map[string]int{
		"http://app.test/secret": 401, "http://app.test/public?x=1": 200, "http://APP.test/public": 200, "http://app.test": 401, "http://app.test?x": 401,
		"http://user:pw@app.test/public": 400, "http://evil.test/public": 421, "http://app.test/public/../secret": 400, "http://app.test//public": 400, "*": 400,
	} {
		res, _ := f.raw("GET " + target + " HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n")
		if res == nil || res.StatusCode != want {
			t.Errorf("%s: got %v, want %d", target, res, want)
		}
		for _, got := range f.requests() {
			if !strings.HasPrefix(got.uri, "/public") || got.header.Get("X-Forwarded-Host") != "app.test" {
				t.Errorf("%s reached the app as %s of %s", target, got.uri, got.header.Get("X-Forwarded-Host"))
			}
		}
	}
}

func TestC5SNI(t *testing.T) {
	f := newFixture(t, []Route{
		appRoute(func(r *Route) { r.Public = []string{"/"} }),
		{Name: "other", Hosts: []string{"other.test"}, Public: []string{"/"}},
	})
	for _, h2 := range []bool{false, true} {
		server := httptest.NewUnstartedServer(f.proxy)
		server.EnableHTTP2 = h2
		server.StartTLS()
		defer server.Close()
		for _, c := range []struct {
			sni, host string
			want      int
		}{
			{"app.test", "app.test", 200}, {"APP.test", "app.test:8443", 200}, {"other.test", "app.test", 421}, {"app.test", "other.test", 421}, {"", "app.test", 200},
		} {
			tr := &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: c.sni}}
			if c.sni == "" {
				tr.TLSClientConfig.ServerName = "127.0.0.1" // an address is never sent as SNI
			}
			req, _ := http.NewRequest("GET", server.URL+"/", nil)
			req.Host = c.host
			res, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			tr.CloseIdleConnections()
			if res.StatusCode != c.want || (res.ProtoMajor == 2) != h2 {
				t.Errorf("SNI %q, host %q, %s: %d, want %d", c.sni, c.host, res.Proto, res.StatusCode, c.want)
			}
		}
	}
}

func TestPortalHost(t *testing.T) {
	f := newFixture(t, []Route{appRoute()})
	for host, want := range map[string]string{"login.test": "portal login.test", "LOGIN.test.:99": "portal login.test"} {
		res := f.do("GET", "/x", "", func(r *http.Request) { r.Host = host })
		if got := bodyOf(t, res); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	res := f.do("GET", "/a/../b", "", func(r *http.Request) { r.Host = "login.test" })
	if res.StatusCode != 400 {
		t.Errorf("the portal's paths are cleaned too: %d", res.StatusCode)
	}
}

// On an unknown host nothing is served but what the page that says so needs.
func TestUnknownHostServesAssetsOnly(t *testing.T) {
	f := newFixture(t, []Route{appRoute()})
	for path, want := range map[string]int{
		"/": 421, "/.sallyport/handoff?code=x": 421, "/.sallyport/jwks.json": 421, "/.sallyport/assets": 421,
		"/.sallyport/assets/x.css": 200, "/.sallyport/assets/../handoff": 421, "/.sallyport/assets/%2e%2e/handoff": 421,
	} {
		resp, _ := f.raw("GET " + path + " HTTP/1.1\r\nHost: unknown.test\r\nConnection: close\r\n\r\n")
		if got := resp.StatusCode; got != want {
			t.Errorf("%s answers %d, want %d", path, got, want)
		}
	}
}
