package proxy

import "testing"

// A3 (CVE-2024-45410, CVE-2026-29054): headers named in Connection are removed
// by proxies as hop-by-hop; clients had the gateway's own removed that way.
func TestA3ConnectionRemovesNothingOfOurs(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way(identityRoutes()))
		f.grantFor("alice")
		ours := []string{"X-Sallyport-User", "X-Sallyport-Assertion", "X-Sallyport-Groups", "X-Remote-User", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}
		for _, lines := range [][]string{
			{"close, X-Sallyport-User, X-Sallyport-Assertion, X-Sallyport-Groups, X-Remote-User, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host"},
			{"x-sallyport-user,x-sallyport-assertion", "X-SALLYPORT-GROUPS", " x-remote-user ,x-forwarded-for", "x-forwarded-proto", "x-forwarded-host, close"},
		} {
			req := "GET / HTTP/1.1\r\nHost: app.test\r\nCookie: __Host-sallyport=alice\r\n"
			for _, l := range lines {
				req += "Connection: " + l + "\r\n"
			}
			if res, _ := f.raw(req + "\r\n"); res == nil || res.StatusCode != 200 {
				t.Fatalf("answer %+v", res)
			}
			got := f.one()
			for _, name := range ours {
				if len(got.header[name]) != 1 {
					t.Errorf("Connection %q: %s = %q", lines, name, got.header[name])
				}
			}
		}
	})
}
