package challenge_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
)

func containsAny(s string, subs ...string) bool {
	for _, sub := range subs {
		if strings.Contains(s, sub) {
			return true
		}
	}
	return false
}

// E8 and D2: a flow that was begun in one browser does nothing in another, at any
// step: elsewhere a link to somebody's half-done sign-in finished it, or signed a
// victim in as the attacker.
func TestWrongBrowser(t *testing.T) {
	w := newWorld(t)
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	mallory := w.browser()
	_, own := mallory.get(app+"/other").want(200, "Sign in").form()

	alice := w.browser()
	signIn := alice.get(app+"/mine").want(200, "Sign in")
	to, form := signIn.form()
	form.Set("csrf", own.Get("csrf"))
	form.Set("username", "alice")
	form.Set("password", password)
	mallory.do(http.MethodPost, to, form).want(403, "SP-5002", "Start again", app+"/mine")
	mallory.get(signIn.url.String()).want(403, "SP-5002")

	verify := signIn.submit("username", "alice", "password", password).want(200, "Confirm it’s you")
	to, form = verify.form()
	form.Set("csrf", own.Get("csrf"))
	form.Set("code", w.code(key))
	a := mallory.do(http.MethodPost, to, form).want(403, "SP-5002")
	if a.header.Get("Set-Cookie") != "" {
		t.Errorf("a stranger was given a cookie: %s", a.header.Get("Set-Cookie"))
	}
	verify.submit("code", w.code(key)).want(200, "hello alice at /mine")
}

// D1: whoever has shown a first factor only is nobody: not to the apps, not to
// security info, not to the steps that come after.
func TestFirstFactorOnly(t *testing.T) {
	w := newWorld(t)
	w.withApp(w.user("alice", sallyport.StateEnforced))
	b := w.browser()
	flow := flowOf(b.signIn(app+"/", "alice").want(200, "Confirm it’s you"))
	b.get(app+"/").want(200, "Password")
	b.get(portal+"/.sallyport/security-info").want(200, "Password")
	for _, path := range []string{"register", "register/recovery-codes", "continue", "sign-in"} {
		b.get(portal+"/.sallyport/"+path+"?flow="+flow).want(200, "Confirm it’s you")
	}
	_, form := b.get(portal + "/.sallyport/verify?flow=" + flow).form()
	for _, path := range []string{"register", "register/recovery-codes", "register/recovery-codes/download", "continue", "sign-in"} {
		form.Set("code", "123456")
		b.do(http.MethodPost, portal+"/.sallyport/"+path+"?flow="+flow, form).want(200, "Confirm it’s you")
	}
	if n := w.count(audit.SignInSummary, audit.Success); n != 0 {
		t.Errorf("%d sign-ins were completed with a password alone", n)
	}
	if m, err := w.db.Methods(t.Context(), mustUser(w, "alice").ID); err != nil || len(m) != 1 {
		t.Errorf("alice has %d methods (%v), want her one", len(m), err)
	}
}

func mustUser(w *world, name string) sallyport.User {
	w.t.Helper()
	u, err := w.db.UserByName(w.t.Context(), name)
	must(w.t, err)
	return u
}

// E1: the token changes at sign-in and at each elevation, and one that was planted
// before is never adopted.
func TestTokenChanges(t *testing.T) {
	w := newWorld(t)
	key := w.withApp(w.user("alice", sallyport.StateDisabled))
	b := w.browser()
	host, err := url.Parse(portal)
	must(t, err)
	planted := &http.Cookie{Name: "__Host-sallyport", Value: strings.Repeat("x", 43), Path: "/", Secure: true}
	b.client.Jar.SetCookies(host, []*http.Cookie{planted})
	token := func() string {
		for _, c := range b.client.Jar.Cookies(host) {
			if c.Name == "__Host-sallyport" {
				return c.Value
			}
		}
		return ""
	}
	b.signIn(app+"/", "alice").want(200, "hello")
	first := token()
	if first == "" || first == planted.Value {
		t.Fatalf("the planted token is still there after sign-in")
	}
	w.wait(10 * time.Minute)
	b.get(portal+"/.sallyport/security-info").submit("code", w.code(key)).want(200, "security info of alice")
	if second := token(); second == first {
		t.Error("the token is the same after a verification")
	}
}
