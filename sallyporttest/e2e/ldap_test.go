package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sallyport"
	"sallyport/internal/parts"
	"sallyport/sallyporttest"
)

// The directory's users sign in by uid and mail; a route wants a group that holds
// them only through another group; the directory goes away and comes back; two
// kinds of passwords stand on one sign-in page.
func TestLDAPSignIn(t *testing.T) {
	dir := parts.SLAPD(t)
	g := sallyporttest.New(t, sallyporttest.Options{Upstream: app(), Identity: fmt.Sprintf(`
  - name: staff
    type: ldap
    label: 社員 Staff
    url: %s
    ca_file: %s
    bind_dn: %s
    bind_password: %s
    base_dn: %s
    timeout: 3s
    groups: {base_dn: "ou=groups,%s", nested: true}
  - name: local
    type: local
    label: 協力会社 Guests
    hash: {time: 1, memory_mib: 8}
`, dir.URL, dir.CAFile, dir.BindDN, dir.BindPassword, dir.BaseDN, dir.BaseDN), Routes: `
  - name: app
    hosts: [app.localhost]
    upstream: "{upstream}"
    allow: {groups: [staff:all-staff]}
  - name: finance
    hosts: [finance.localhost]
    upstream: "{upstream}"
    allow: {groups: [staff:finance]}
`})
	g.AddUser("carol", password, sallyport.StateDisabled)
	b := chromium(t, []*sallyporttest.Gateway{g}, []string{sallyporttest.App, sallyporttest.Portal, "finance.localhost"}, parts.WithLanguage("ja"))
	p := newPerson(t, g, b, "ja", phone)
	p.open(p.deepLink())
	p.look("sign-in-two-providers")
	p.signIn("ALICE@corp.example", "alice-pass-1")
	p.arrived()

	p = newPrivate(p)
	p.open(g.URL("finance.localhost", "/"))
	p.signIn("tanaka", "tanaka-pass-1")
	p.contains("SP-4001")
	p = newPrivate(p)
	p.open(g.URL(sallyporttest.App, "/"))
	p.signIn("tanaka", "tanaka-pass-1")
	if got := eval[string](p, "document.querySelector('#app')?.textContent ?? ''"); got != "tanaka" {
		t.Errorf("all-staff holds employees, which holds tanaka, who is %q at %s:\n%s", got, p.where(), p.text())
	}

	// The name of a local user (1.1).
	p = newPrivate(p)
	p.do(acceptLanguage("en"))
	p.open(g.URL(sallyporttest.App, "/"))
	p.signIn("carol", "carol-pass-1")
	p.contains("SP-1005")

	for _, c := range []struct{ name, word string }{{"bob", "wrong password"}, {"nobody", "wrong password"}, {"bob", "bob-pass-1*"}, {"*", "bob-pass-1"}} {
		q := g.Browser().SignIn(g.URL(sallyporttest.App, "/"), c.name, c.word)
		if q.ErrorCode() != sallyport.CodeSignInFailed {
			t.Errorf("%s: %d %s", c.name, q.Status, q.ErrorCode())
		}
	}

	dir.Stop()
	p = newPrivate(p)
	p.do(acceptLanguage("ja"))
	p.open(g.URL(sallyporttest.App, "/"))
	if status := p.signIn("bob", "bob-pass-1"); status != http.StatusServiceUnavailable && status != http.StatusBadGateway {
		t.Errorf("without the directory the answer is %d", status)
	}
	p.contains("SP-1004")
	p.look("directory-down")
	dir.Start()
	q := g.Browser().SignIn(g.URL(sallyporttest.App, "/"), "bob", "bob-pass-1")
	if !strings.Contains(q.Body, `id="app">bob`) {
		t.Errorf("the directory is back, and bob gets %d:\n%s", q.Status, q.Text())
	}
}
