package proxy

import (
	"net/http"
	"strings"
	"testing"

	"sallyport"
)

// A1, A4, A5: gateways stripped "X-Forwarded-User" and let "x_forwarded_user"
// through, which CGI and WSGI read as the same variable; others stripped only
// where they had something to put in its place, or only behind the sign-in.
var spoofs = []string{
	"X-Sallyport-User", "X_Sallyport_User", "x-sallyport.user", "X_Sallyport.User", "X-SALLYPORT_EMAIL", "x.sallyport.assertion", "X-Sallyport-Anything",
	"X-Remote-User", "X_Remote_User", "x.remote.user", "X-Remote_Name",
	"Remote_Other", // the identity header of another route
}

func identityRoutes() []Route {
	return []Route{
		appRoute(func(r *Route) {
			r.Public = []string{"/public"}
			r.Identity.Headers = map[string]string{"X-Remote-User": "username", "X-Remote-Name": "name"}
		}),
		{Name: "other", Hosts: []string{"other.test"}, Identity: Identity{Headers: map[string]string{"Remote-Other": "email"}}},
	}
}

func spoofed(r *http.Request) {
	for _, s := range spoofs {
		r.Header[s] = []string{"mallory"}
	}
}

func checkNoSpoof(t *testing.T, got seen) {
	t.Helper()
	for name, values := range got.header {
		if strings.Contains(strings.Join(values, ","), "mallory") {
			t.Errorf("%s: %q reached the app", name, values)
		}
	}
}

func TestA1SpoofedHeadersOfASignedInUser(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way(identityRoutes()))
		f.grantFor("alice")
		f.do("GET", "/", "alice", spoofed)
		got := f.one()
		checkNoSpoof(t, got)
		if u := got.header["X-Sallyport-User"]; len(u) != 1 || u[0] != "alice" {
			t.Errorf("X-Sallyport-User = %q, want alice", u)
		}
		if u := got.header["X-Remote-User"]; len(u) != 1 || u[0] != "alice" {
			t.Errorf("X-Remote-User = %q, want alice", u)
		}
	})
}

func TestA4SpoofedHeadersWhereOursAreEmpty(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way(identityRoutes()))
		f.grantFor("alice", func(g *sallyport.Grant) { g.User.Email, g.User.DisplayName, g.Session.Groups = "", "", nil })
		f.do("GET", "/", "alice", spoofed)
		got := f.one()
		checkNoSpoof(t, got)
		for _, name := range []string{"X-Sallyport-Email", "X-Sallyport-Name", "X-Sallyport-Groups", "X-Remote-Name"} {
			if v, ok := got.header[name]; ok {
				t.Errorf("%s = %q, want none", name, v)
			}
		}
	})
}

func TestA5SpoofedHeadersOnPublicPathsAndOptions(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way(identityRoutes()))
		for _, method := range []string{"GET", "OPTIONS", "POST"} {
			if res := f.do(method, "/public/x", "", spoofed); res.StatusCode != 200 {
				t.Fatalf("%s: %d", method, res.StatusCode)
			}
			checkNoSpoof(t, f.one())
		}
	})
}

func TestA5SpoofedHeadersOnWebSocketUpgrade(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way(identityRoutes()))
		f.do("GET", "/public/x", "", spoofed, header("Connection", "Upgrade"), header("Upgrade", "websocket"), header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
		got := f.one()
		checkNoSpoof(t, got)
		if got.header.Get("Upgrade") != "websocket" {
			t.Error("the upgrade itself should have passed")
		}
	})
}

func TestA5NothingReachesTheAppWhileAChallengeIsPending(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way(identityRoutes()))
		f.grantFor("bob", func(g *sallyport.Grant) { g.Token.Proofs = g.Token.Proofs[:1] })
		for _, token := range []string{"", "bob"} {
			if res := f.do("GET", "/", token, spoofed, header("Accept", "text/html")); res.StatusCode != http.StatusSeeOther {
				t.Errorf("as %q: status %d, want 303", token, res.StatusCode)
			}
		}
		if got := f.requests(); len(got) != 0 {
			t.Errorf("reached the app: %+v", got)
		}
	})
}

// The set of DESIGN.md, as the app sees it.
func TestIdentityHeaders(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way(identityRoutes()))
		f.grantFor("alice", func(g *sallyport.Grant) { g.Session.Groups = []string{"local:staff", "local:a,b%c"} })
		f.do("GET", "/", "alice")
		h := f.one().header
		for name, want := range map[string]string{
			"X-Sallyport-User": "alice", "X-Sallyport-Email": "alice@example.com", "X-Sallyport-Name": "ALICE",
			"X-Sallyport-Groups": "local:staff,local:a%2Cb%25c", "X-Sallyport-Methods": "pwd,otp", "X-Sallyport-Session": "sid-alice",
			"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "app.test",
		} {
			if got := h[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		if len(h["X-Sallyport-Assertion"]) != 1 {
			t.Error("no assertion")
		}
	})
}
