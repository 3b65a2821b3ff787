package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func pathRoutes() []Route {
	return []Route{
		appRoute(func(r *Route) { r.Public = []string{"/favicon.ico", "/assets/", "/open"} }),
		{Name: "payroll", Hosts: []string{"app.test"}, Path: "/payroll", Allow: Allow{Groups: []string{"local:finance"}}},
		{Name: "admin", Hosts: []string{"app.test"}, Path: "/payroll/Admin", Allow: Allow{Groups: []string{"local:admins"}}},
	}
}

// want: the status for somebody who is not signed in: 200 for what is public, 401
// for what is not, 400 for what means different things to different servers.
func TestCPathsOfStrangers(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way(pathRoutes()))
		for _, c := range []struct {
			id, target string
			want       int
		}{
			{"plain", "/favicon.ico", 200}, {"plain", "/assets/a/b.css", 200}, {"plain", "/open", 200}, {"plain", "/open/", 200}, {"plain", "/", 401},
			{"plain", "/assets", 401}, {"plain", "/assets/Stra%C3%9Fe%20%E5%B1%B1.css", 200}, {"plain", "/assets/100%25", 200},
			{"plain", "/assets/v1.2.3/a-b_c~d!$&'()*+,=:@.js", 200}, {"plain", "/assets/a|b^c[1]{2}.js", 200},

			{"C1 query", "/secret?/favicon.ico", 401}, {"C1 query", "/secret?x=/../favicon.ico", 401}, {"C1 query", "/?/assets/", 401},
			{"C1 query", "/favicon.ico?next=/secret", 200},

			{"C2 suffix", "/secret%23/favicon.ico", 401}, {"C2 suffix", "/secret%3f/favicon.ico", 401}, {"C2 suffix", "/secret;/favicon.ico", 401},
			{"C2 suffix", "/secret%3B/assets/x", 401}, {"C2 suffix", "/secret%00/favicon.ico", 400}, {"C2 suffix", "/assets/;x", 401}, {"C2 suffix", "/favicon.ico%00", 400},
			{"C2 suffix", "/favicon.ico%23", 401}, {"C2 suffix", "/favicon.ico%3f", 401}, {"C2 suffix", "/favicon.ico;x", 401},
			{"C2 raw #", "/favicon.ico#/../secret", 400},

			{"C3 dots", "/assets/../secret", 400}, {"C3 dots", "/assets/%2e%2e/secret", 400}, {"C3 dots", "/assets/.%2E/secret", 400}, {"C3 dots", "/assets/..", 400},
			{"C3 dots", "/./secret", 400}, {"C3 dots", "/assets/.", 400}, {"C3 dots", "/assets/.../secret", 400}, {"C3 dots", "/assets/..%20/secret", 400},
			{"C3 dots", "/assets/..;/secret", 400}, {"C3 dots", "/assets/..;x=1/secret", 400}, {"C3 dots", "/assets/%20../secret", 400},
			{"C3 slash", "/assets//secret", 400}, {"C3 slash", "//secret", 400}, {"C3 slash", "/assets%2f..%2fsecret", 400}, {"C3 slash", "/assets%2Fx", 400},
			{"C3 slash", "/assets/;/secret", 400},
			{"C3 double", "/assets/%252e%252e/secret", 400}, {"C3 double", "/assets/%252f", 400}, {"C3 double", "/assets%255c", 400}, {"C3 double", "/assets/%25252e", 400},
			{"C3 double", "/assets/%25u002e", 400}, {"C3 double", "/assets/%2500", 400}, {"C3 double", "/assets/%25c0%25ae", 400}, {"C3 double", "/assets/%2541", 200},
			{"C3 overlong", "/assets/%c0%ae%c0%ae/secret", 400}, {"C3 overlong", "/assets/%e0%80%af", 400}, {"C3 overlong", "/assets%c1%9csecret", 400},
			{"C3 wide", "/assets/%EF%BC%8E%EF%BC%8E/secret", 400}, {"C3 wide", "/assets/%E2%80%A4%E2%80%A4/x", 400},
			{"C3 control", "/assets/%0d%0aX:y", 400}, {"C3 control", "/assets/%09x", 400}, {"C3 control", "/assets/%7f", 400},

			{"C6 backslash", "/assets/..%5csecret", 400}, {"C6 backslash", `/assets\secret`, 400}, {"C6 backslash", "/%5c%5cevil", 400},

			{"C9 case", "/FAVICON.ICO", 200}, {"C9 case", "/Assets/X", 200}, {"C9 suffix", "/favicon.ico.aspx", 401}, {"C9 suffix", "/favicon.icox", 401},
			{"C9 long s", "/a%C5%BF%C5%BFets/x", 401}, {"C9 Kelvin", "/%E2%84%AA", 401},
			{"C9 ticket", "/(F(abc))/secret", 400}, {"C9 ticket", "/(S(abc))/assets/x", 400}, {"C9 ticket", "/assets/(A(x)S(y))/secret", 400}, {"C9 ticket", "/(X(1)F(abc))/", 400},
			{"C9 ticket", "/%28F%28abc%29%29/secret", 400}, {"C9 ticket", "/(lit3py55t21z5v55vlm25s55)/secret", 400}, {"C9 no ticket", "/assets/(copy)", 200},
			{"C9 no ticket", "/assets/f(x)", 200},
		} {
			res, _ := f.raw("GET " + c.target + " HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
			if res == nil || res.StatusCode != c.want {
				t.Errorf("%s %s: got %v, want %d", c.id, c.target, res, c.want)
			}
			for _, got := range f.requests() {
				if c.want != 200 {
					t.Errorf("%s %s reached the app as %s", c.id, c.target, got.uri)
				}
				checkForwarded(t, c.target, got.uri)
			}
		}
	})
}

// checkForwarded compares what was asked with what the app was asked, both
// decoded once.
func checkForwarded(t *testing.T, asked, got string) {
	t.Helper()
	decode := func(s string) string {
		path, query, _ := strings.Cut(s, "?")
		p, err := url.PathUnescape(path)
		if err != nil {
			t.Fatal(err)
		}
		return p + "?" + query
	}
	if decode(asked) != decode(got) {
		t.Errorf("asked for %s, the app got %s", asked, got)
	}
}

// C9: for somebody who may enter "/" but not "/payroll", every spelling that IIS
// or Tomcat reads as /payroll is refused or judged as /payroll.
func TestC9NoSpellingEscapesARoute(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way(pathRoutes()))
		f.grantFor("alice")
		for _, target := range []string{
			"/payroll", "/PAYROLL", "/PayRoll/x", "/%70ayroll", "/payroll;x", "/payroll;x/y", "/payroll%3bx", "/payroll.", "/payroll./x", "/payroll%20/x", "/payroll..%20/x",
			"/payroll%20", "/payroll::$INDEX_ALLOCATION/x", "/payroll::$DATA", "/;x/payroll", "/payroll%3f", "/payroll%23x", "/(F(x))/payroll", "/p%EF%BD%81yroll", "/PAYROLL;A.B/C",
			"/payroll/admin", "/payroll/ADMIN/x", "/payroll/admin;x", "/payroll/admin./x",
		} {
			res, _ := f.raw("GET " + target + " HTTP/1.1\r\nHost: app.test\r\nCookie: __Host-sallyport=alice\r\nConnection: close\r\n\r\n")
			if res == nil || res.StatusCode != 400 && res.StatusCode != 403 {
				t.Errorf("%s: got %v, want 400 or 403", target, res)
			}
		}
		if got := f.requests(); len(got) != 0 {
			t.Errorf("reached the app: %+v", got)
		}
		// The same forms within a route are an app's own business.
		for _, target := range []string{"/login;jsessionid=1A", "/wiki/Apple_Inc.", "/wiki/Talk:Home", "/payrollx", "/wiki/TCP%EF%BC%8FIP", "/a%20b", "/x;a=1/y;b=2", "/%E3%81%82"} {
			res, _ := f.raw("GET " + target + " HTTP/1.1\r\nHost: app.test\r\nCookie: __Host-sallyport=alice\r\nConnection: close\r\n\r\n")
			if res == nil || res.StatusCode != 200 {
				t.Errorf("%s: got %v, want 200", target, res)
			} else if got := f.one(); got.uri != target {
				t.Errorf("%s reached the app as %s", target, got.uri)
			}
		}
	})
}

// What is harmless arrives byte for byte, the query always.
func TestC3ForwardedAsJudged(t *testing.T) {
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Public = []string{"/"} })})
	for _, target := range []string{
		"/a%20b/%E5%b1%B1?q=%2F..%2f&x=a;b&&=%zz&%00", "/a+b,c;d=e", "/%41?", "/a:b@c", "/*", "/~user/'q'",
	} {
		res, _ := f.raw("GET " + target + " HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
		if res == nil || res.StatusCode != 200 {
			t.Errorf("%s: got %v", target, res)
		} else if got := f.one(); got.uri != target {
			t.Errorf("%s reached the app as %s", target, got.uri)
		}
	}
}

// Reserved paths are ours on every host, in any case.
func TestReservedPrefix(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way(pathRoutes()))
		for target, want := range map[string]string{
			"/.sallyport/x": "reserved /.sallyport/x", "/.SALLYPORT/x": "reserved /.SALLYPORT/x", "/.sallyport": "reserved /.sallyport", "/%2esallyport/": "reserved /.sallyport/",
		} {
			if res := f.do("GET", target, ""); bodyOf(t, res) != want {
				t.Errorf("%s: status %d", target, res.StatusCode)
			}
		}
		for _, target := range []string{"/.sallyport;x/y", "/.sallyport./y", "/.%C5%BFallyport/", "/;/.sallyport/"} {
			if res := f.do("GET", target, ""); res.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: status %d, want 400", target, res.StatusCode)
			}
		}
		if res := f.do("GET", "/.sallyportx", ""); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("/.sallyportx: status %d, want the app's 401", res.StatusCode)
		}
	})
}

// FuzzPath: what passes is forwarded as it was judged, passes again unchanged, and
// holds nothing that another reader would take apart differently.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "/%2e%2e/", "/a%2fb", "/..;/x", "/%25%32%65", "/a;b", "/(S(x))/", "/\xff", "/%c0%af", "/%u002e", "/a|b", "/.sallyport/"} {
		f.Add(s)
	}
	routes := newTable()
	for _, r := range pathRoutes() {
		routes.add("app.test", "", newRoute(r, nil))
	}
	host := routes.host("app.test")
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil || u.Host != "" || u.Scheme != "" {
			return
		}
		judged, err := cleanPath(u)
		if err != nil {
			return
		}
		forwarded := u.EscapedPath()
		again, err := url.ParseRequestURI(forwarded)
		if err != nil {
			t.Fatalf("%q is forwarded as %q, which is no path: %v", raw, forwarded, err)
		}
		rejudged, err := cleanPath(again)
		if err != nil || rejudged != judged || again.EscapedPath() != forwarded {
			t.Fatalf("%q was judged as %q, forwarded as %q, and judged again as %q (%v)", raw, judged, forwarded, rejudged, err)
		}
		if strings.Contains(judged, "//") || strings.ContainsAny(judged, "\\\x00\r\n") || strings.Contains(judged+"/", "/../") || strings.Contains(judged+"/", "/./") {
			t.Fatalf("%q passed as %q", raw, judged)
		}
		m, err := host.match(judged)
		if err != nil {
			return
		}
		alt, _ := host.match(reading(judged))
		if m.route != alt.route || m.reserved != alt.reserved || m.public && !alt.public {
			t.Fatalf("%q: %+v, but read leniently %+v", judged, m, alt)
		}
	})
}

// C1: an HTTP/2 client can send a query that would split the request line.
func TestC1QueryThatSplitsTheRequestLine(t *testing.T) {
	for query, good := range map[string]bool{"a=b+c&d=%20": true, "caf\u00e9": true, "a b HTTP/1.0": false, "a\tb": false, "a\x7fb": false} {
		if _, err := cleanPath(&url.URL{Path: "/x", RawQuery: query}); (err == nil) != good {
			t.Errorf("%q: %v", query, err)
		}
	}
}
