package proxy

import (
	"net/http"
	"testing"
)

// B4 (CVE-2026-40575): a gateway judged the path in X-Forwarded-Uri and
// forwarded another one; frameworks behind it route by X-Original-URL and
// override the method.
func TestB4OverridesNeitherRouteNorAuthorise(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way([]Route{appRoute(func(r *Route) { r.Public = []string{"/public"} })}))
		overrides := map[string]string{
			"X-Forwarded-Uri": "/public", "X-Original-Url": "/public", "X-Rewrite-Url": "/public", "X-Http-Method-Override": "DELETE", "X-Forwarded-Prefix": "/public",
			"X_Original_URL": "/public", "X-Rewrite_Url": "/public", "X-Http-Method": "DELETE", "X-Method-Override": "DELETE", "X-Forwarded-Host": "evil.test",
			"X-Original-Uri": "/public", "X-Host": "evil.test", "Proxy": "http://evil.test",
		}
		set := func(r *http.Request) {
			for name, v := range overrides {
				r.Header[name] = []string{v}
			}
		}
		if res := f.do("GET", "/secret", "", set); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("/secret: status %d, want 401", res.StatusCode)
		}
		if res := f.do("GET", "/public", "", set); res.StatusCode != 200 {
			t.Fatalf("/public: status %d", res.StatusCode)
		}
		got := f.one()
		if got.method != "GET" || got.uri != "/public" {
			t.Errorf("the app got %s %s", got.method, got.uri)
		}
		for name, v := range overrides {
			if got.header.Get(name) == v || len(got.header[name]) > 0 && got.header[name][0] == v {
				t.Errorf("%s: %s reached the app", name, v)
			}
		}
	})
}

// B6 (CVE-2025-64101): a hostile Host header ended up in links and redirects.
func TestB6HostileHostsChangeNoAddress(t *testing.T) {
	f := newFixture(t, []Route{appRoute(), {Name: "wild", Hosts: []string{"*.wild.test"}}})
	for _, c := range []struct{ host, want string }{
		{"APP.test.:4711", "GET app.test/x?a=1"},
		{"a.Wild.test:80", "GET a.wild.test/x?a=1"},
	} {
		res := f.do("GET", "/x?a=1", "", header("Accept", "text/html"), func(r *http.Request) { r.Host = c.host },
			header("X-Forwarded-Host", "evil.test"), header("Forwarded", "host=evil.test"))
		if res.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: status %d", c.host, res.StatusCode)
		}
		if got := f.challenges.back[len(f.challenges.back)-1]; got != c.want {
			t.Errorf("%s: the return target is %q, want %q", c.host, got, c.want)
		}
	}
}
