package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/parts"
	"sallyport/sallyporttest"
)

func oidcEntry(idp *parts.OIDC, more string) string {
	return fmt.Sprintf(`
  - name: partners
    type: oidc
    label: Partner Co
    issuer: %s
    client_id: %s
    client_secret: %s
    scopes: [openid, profile, email, groups]
%s`, idp.Issuer, idp.ClientID, idp.ClientSecret, more)
}

// oidcGateway starts a provider and a gateway that knows it.
func oidcGateway(t *testing.T, o sallyporttest.Options, more string) (*parts.OIDC, *sallyporttest.Gateway) {
	t.Helper()
	idp := parts.OIDCProvider(t, parts.OIDCOptions{})
	o.Identity += oidcEntry(idp, more)
	if o.Upstream == nil {
		o.Upstream = app()
	}
	g := sallyporttest.New(t, o)
	idp.SetRedirectURIs(g.URL(sallyporttest.Portal, "/.sallyport/sign-in/partners/callback"))
	return idp, g
}

// atProvider fills in the provider's login form.
func (p *person) atProvider(login, word string) int64 {
	p.t.Helper()
	if !strings.Contains(p.where(), "/login/") {
		p.t.Fatalf("not at the provider, but at %s:\n%s", p.where(), p.text())
	}
	p.fill("login", login)
	p.fill("password", word)
	return p.press("button")
}

// The only provider, with redirect, is gone to without a page of ours; its keys
// may change under way; what it says wrongly ends in SP-1003 without a session.
func TestOIDCSignIn(t *testing.T) {
	idp, g := oidcGateway(t, sallyporttest.Options{}, "    redirect: true\n")
	b := chromium(t, []*sallyporttest.Gateway{g}, []string{sallyporttest.App, sallyporttest.Portal})
	p := newPerson(t, g, b, "en", desk)
	p.open(p.deepLink())
	p.atProvider("alice", "alice-oidc-1")
	p.arrived()
	u, err := g.Users().Find(t.Context(), "alice")
	if err != nil || u.DisplayName != "Alice Ashford" || u.Email != "alice@corp.example" {
		t.Errorf("the user is %+v, %v", u, err)
	}

	idp.RotateKeys(false)
	p = newPrivate(p)
	p.open(p.deepLink())
	p.atProvider("alice", "alice-oidc-1")
	p.arrived()

	for name, how := range map[string]parts.Tamper{
		"issuer":   {Claims: map[string]any{"iss": "https://evil.example"}},
		"audience": {Claims: map[string]any{"aud": "somebody-else"}},
		"nonce":    {Claims: map[string]any{"nonce": "another"}},
		"no nonce": {Claims: map[string]any{"nonce": nil}},
		"expired":  {Claims: map[string]any{"exp": 1000}},
		"none":     {Alg: "none"},
		"HS256":    {Alg: "HS256"},
		"key":      {WrongKey: true},
	} {
		idp.Tamper(how)
		p := newPrivate(p)
		p.open(p.deepLink())
		if status := p.atProvider("alice", "alice-oidc-1"); status != http.StatusForbidden {
			t.Errorf("%s: the answer is %d", name, status)
		}
		p.contains("SP-1003")
		if name == "nonce" {
			p.look("oidc-refused")
		}
		// No session: the app leads to the provider again.
		idp.Tamper(parts.Tamper{})
		p.open(p.deepLink())
		if strings.HasPrefix(p.where(), g.URL(sallyporttest.App, "/")) {
			t.Errorf("%s: signed in all the same", name)
		}
	}
}

// newPrivate is another person at another browser.
func newPrivate(p *person) *person {
	p.t.Helper()
	q := *p
	q.ctx = p.b.Private()
	q.resize(p.work)
	return &q
}

// An OIDC provider beside local users: its button, the name that two accounts
// claim (1.1), the admin's link, and the denied page of a group that is missing.
func TestOIDCBesideLocalUsers(t *testing.T) {
	idp, g := oidcGateway(t, sallyporttest.Options{Identity: `
  - name: local
    type: local
    hash: {time: 1, memory_mib: 8}
`, Routes: `
  - name: app
    hosts: [app.localhost]
    upstream: "{upstream}"
  - name: finance
    hosts: [finance.localhost]
    upstream: "{upstream}"
    allow: {groups: [partners:finance]}
`}, "")
	g.AddUser("alice", password, sallyport.StateEnabled)
	hosts := []string{sallyporttest.App, sallyporttest.Portal, "finance.localhost"}
	b := chromium(t, []*sallyporttest.Gateway{g}, hosts, parts.WithLanguage("ja"))
	p := newPerson(t, g, b, "ja", phone)
	p.open(p.deepLink())
	p.look("sign-in-two-kinds")
	p.press("main .stack > a.button")
	p.atProvider("alice", "alice-oidc-1")
	p.contains("SP-1005")
	p.look("not-linked")

	// The event tells the admin what to link.
	events, err := g.Store().Events(t.Context(), audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	told := false
	for _, ev := range events {
		told = told || ev.Code == sallyport.CodeAccountNotLinked
	}
	if !told {
		t.Error("no event says that an account is not linked")
	}
	if err := g.Users().Link(t.Context(), "alice", sallyport.Link{Provider: "partners", Issuer: idp.Issuer, Subject: "sub-alice", Username: "alice"}); err != nil {
		t.Fatal(err)
	}
	p = newPrivate(p)
	p.do(acceptLanguage("ja"))
	p.open(g.URL("finance.localhost", "/books"))
	p.press("main .stack > a.button")
	p.atProvider("alice", "alice-oidc-1")
	p.wants("registration: the linked user's state is enabled", ".qr svg path")
	p.readQuickly()
	if got := p.where(); got != g.URL("finance.localhost", "/books") {
		t.Errorf("arrived at %s:\n%s", got, p.text())
	}

	p = newPrivate(p)
	p.do(acceptLanguage("ja"))
	p.open(g.URL("finance.localhost", "/books"))
	p.press("main .stack > a.button")
	p.atProvider("bob", "bob-oidc-1")
	p.contains("SP-4001")
	p.look("denied-group")
}

// readQuickly registers without looking around.
func (p *person) readQuickly() {
	p.t.Helper()
	p.do(chromedp.Click("section details > summary"))
	p.readKey()
	p.fill("code", p.code())
	p.submit("code")
	p.press("form.stack button.primary")
	p.press("main form button.primary")
}
