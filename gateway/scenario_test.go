package gateway_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/sallyporttest"
)

const password = "correct horse battery"

// The whole way of a new employee: sign in, register, arrive; come back and
// verify; be remembered; see security info; sign out.
func TestFirstDay(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	g.AddUser("alice", password, sallyport.StateEnabled)
	b := g.Browser()
	want := g.URL(sallyporttest.App, "/weeks/42?view=all&x=%2F")

	p := b.SignIn(want, "alice", password)
	if !strings.Contains(p.URL.Path, "/register") {
		t.Fatalf("an enabled user without a method landed on %s, not on registration:\n%s", p.URL, p.Text())
	}
	secret, codes, p := p.Register()
	if len(codes) != 10 {
		t.Errorf("%d recovery codes, want 10", len(codes))
	}
	e := p.Echoed()
	if e.URI != "/weeks/42?view=all&x=%2F" {
		t.Errorf("landed on %s, not where alice wanted to go", e.URI)
	}
	if got := e.Header.Get("X-Sallyport-User"); got != "alice" {
		t.Errorf("X-Sallyport-User = %q", got)
	}
	if u, err := g.Users().Find(t.Context(), "alice"); err != nil || u.State != sallyport.StateEnforced {
		t.Errorf("after registration alice is %v (%v), want enforced", u.State, err)
	}

	// The other app, on another host: one sign-in.
	if e := b.Get(g.URL(sallyporttest.Other, "/x")).Echoed(); e.Header.Get("X-Sallyport-User") != "alice" {
		t.Errorf("no single sign-on: %+v", e.Header)
	}

	// Another browser is asked for a code, and asks not to be asked again.
	b2 := g.Browser()
	p = b2.SignIn(want, "ALICE@example.com", password)
	p = p.Verify(secret, "remember", "on")
	if e := p.Echoed(); e.Header.Get("X-Sallyport-Methods") == "" {
		t.Errorf("no methods sent upstream: %+v", e.Header)
	}
	signOut(t, g, b2)
	if e := b2.SignIn(want, "alice", password).Echoed(); e.Header.Get("X-Sallyport-User") != "alice" {
		t.Errorf("the remembered device was asked again")
	}

	// A recovery code stands in for the app.
	b3 := g.Browser()
	p = b3.SignIn(want, "alice", password)
	p = useRecovery(t, p, codes[0])
	p.Continue().Echoed() // a notice says how many codes are left
}

// useRecovery picks the recovery code on the verification page.
func useRecovery(t *testing.T, p *sallyporttest.Page, code string) *sallyporttest.Page {
	t.Helper()
	for _, l := range p.Links() {
		if strings.Contains(l, "method=recovery") {
			u, err := p.URL.Parse(l)
			if err != nil {
				t.Fatal(err)
			}
			return p.Follow(u.String()).Form("code").Submit("code", code)
		}
	}
	t.Fatalf("no way to a recovery code on:\n%s", p.Text())
	return nil
}

func signOut(t *testing.T, g *sallyporttest.Gateway, b *sallyporttest.Browser) {
	t.Helper()
	p := b.Get(g.URL(sallyporttest.App, "/.sallyport/sign-out"))
	p = p.Form("csrf").Submit()
	if p.Status != http.StatusOK {
		t.Fatalf("signing out: %d\n%s", p.Status, p.Text())
	}
	if q := b.Get(g.URL(sallyporttest.App, "/")); q.FindForm("password") == nil {
		t.Fatalf("still signed in after sign-out: %s\n%s", q.URL, q.Text())
	}
}

// E5 and "open sessions notice within a second": a command beside the gateway
// ends what is open.
func TestAdminActsOnOpenSessions(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	for name, act := range map[string]func() error{
		"revoke": func() error { return g.Users().Revoke(t.Context(), "revoke") },
		"disable": func() error {
			_, err := g.Users().SetSignIn(t.Context(), "disable", false)
			return err
		},
		"delete": func() error { return g.Users().Delete(t.Context(), "delete") },
		"password": func() error {
			u, err := g.Users().Find(t.Context(), "password")
			if err != nil {
				return err
			}
			return g.Store().SetPassword(t.Context(), u.ID, "x", g.Clock.Now())
		},
		"enforce": func() error {
			_, err := g.Users().SetState(t.Context(), "enforce", sallyport.StateEnforced)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			g.AddUser(name, password, sallyport.StateDisabled)
			b := g.Browser()
			address := g.URL(sallyporttest.App, "/")
			b.SignIn(address, name, password).Echoed()
			b.Get(address).Echoed()
			if err := act(); err != nil {
				t.Fatal(err)
			}
			sallyporttest.Eventually(t, time.Second, "the open session ended", func() bool {
				return !strings.Contains(b.Get(address).Body, "X-Sallyport-User")
			})
		})
	}
}

// A first factor alone opens nothing that demands verification. (D1)
func TestFirstFactorAloneOpensNothing(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	g.AddUser("alice", password, sallyport.StateEnforced)
	b := g.Browser()
	b.SignIn(g.URL(sallyporttest.App, "/"), "alice", password).Register()
	b = g.Browser()
	p := b.SignIn(g.URL(sallyporttest.App, "/"), "alice", password)
	p.Form("code")
	for _, address := range []string{
		g.URL(sallyporttest.App, "/"), g.URL(sallyporttest.Other, "/x"),
		g.URL(sallyporttest.Portal, "/.sallyport/security-info"), g.URL(sallyporttest.Portal, "/"),
	} {
		if q := b.Get(address); strings.Contains(q.Body, "X-Sallyport-User") || strings.Contains(q.URL.Path, "security-info") {
			t.Errorf("%s is open after the first factor alone:\n%s", address, q.Text())
		}
	}
}

// What is written down: the events of a sign-in, in order, and a whole chain.
func TestAuditOfASignIn(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	g.AddUser("alice", password, sallyport.StateEnabled)
	b := g.Browser()
	b.SignIn(g.URL(sallyporttest.App, "/"), "alice", "wrong password")
	b.SignIn(g.URL(sallyporttest.App, "/"), "alice", password).Register()
	events, err := g.Store().Events(t.Context(), audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, ev := range events {
		seen[string(ev.Kind)+" "+string(ev.Result)]++
	}
	for _, want := range []string{"sign-in.password failure", "sign-in.password success", "method.register success",
		"user.state success", "sign-in.summary success", "user.create success", "node.start success"} {
		if seen[want] == 0 {
			t.Errorf("no event %q; there are %v", want, seen)
		}
	}
	if err := g.Store().VerifyChain(t.Context()); err != nil {
		t.Errorf("the audit chain: %v", err)
	}
}

// H4: nothing secret reaches the log, at the lowest level. (and A7 of the app)
func TestNothingSecretIsLogged(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	g.AddUser("alice", password, sallyport.StateEnabled)
	b := g.Browser()
	b.SignIn(g.URL(sallyporttest.App, "/?token=query-secret"), "alice", "wrong password 123")
	secret, codes, _ := b.SignIn(g.URL(sallyporttest.App, "/?token=query-secret"), "alice", password).Register()
	logged := g.Logged()
	secrets := map[string]string{"password": password, "wrong password": "wrong password 123", "key": secret,
		"recovery code": codes[0], "query": "query-secret"}
	for _, host := range []string{sallyporttest.App, sallyporttest.Portal} {
		u, _ := url.Parse(g.URL(host, "/"))
		for _, c := range b.Client.Jar.Cookies(u) {
			secrets["cookie "+c.Name] = c.Value
		}
	}
	for what, s := range secrets {
		if s != "" && strings.Contains(logged, s) {
			t.Errorf("the log holds the %s", what)
		}
	}
}

// D9: somebody with the password alone who opened the registration page before
// the person registered does not get to register a second app afterwards.
func TestParkedRegistrationNeedsVerification(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	g.AddUser("bob", password, sallyport.StateEnabled)
	parked := g.Browser().SignIn(g.URL(sallyporttest.App, "/"), "bob", password)
	secret := parked.Secret()
	g.Browser().SignIn(g.URL(sallyporttest.App, "/"), "bob", password).Register()
	p := parked.Form("code").Submit("code", sallyporttest.Code(t, secret, g.Clock.Now()))
	if len(p.RecoveryCodes()) > 0 || strings.Contains(p.Continue().Body, "X-Sallyport-User") {
		t.Fatalf("a parked registration went through:\n%s", p.Text())
	}
	u, err := g.Users().Show(t.Context(), "bob")
	if err != nil || len(u.Methods) != 1 {
		t.Errorf("bob has %d methods (%v), want 1", len(u.Methods), err)
	}
}

// Signing out by a form on an app's host ends on a page that says so.
func TestSignOutOnAnAppHost(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	g.AddUser("alice", password, sallyport.StateDisabled)
	b := g.Browser()
	b.SignIn(g.URL(sallyporttest.App, "/"), "alice", password).Echoed()
	p := b.Do(http.MethodPost, g.URL(sallyporttest.App, "/.sallyport/sign-out"), url.Values{})
	if p.Status != http.StatusOK {
		t.Errorf("signing out ended with %d at %s:\n%s", p.Status, p.URL, p.Text())
	}
	if q := b.Get(g.URL(sallyporttest.App, "/")); q.FindForm("password") == nil {
		t.Error("still signed in")
	}
}
