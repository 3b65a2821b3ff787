package gateway_test

import (
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"sallyport"
	"sallyport/config"
	"sallyport/gateway"
	"sallyport/policy"
	"sallyport/sallyporttest"
)

// MFA.md 3.3: with `registration: {require: trusted-location}` the first method is
// registered from the company network, and from there alone.
func TestFirstMethodFromTheCompanyNetwork(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{Server: "  trusted_proxies: [127.0.0.1]\n", MFA: "  default_state: disabled\n",
		Extra: "registration: {require: trusted-location}\nlocations:\n  - {name: office, trusted: true, ranges: [192.0.2.0/24]}\n"})
	g.AddUser("alice", password, sallyport.StateEnabled)
	from := func(address string) *sallyporttest.Browser {
		b := g.Browser()
		b.Header.Set("X-Forwarded-For", address)
		return b
	}
	app, info := g.URL(sallyporttest.App, "/"), g.URL(sallyporttest.Portal, "/.sallyport/security-info/add")

	p := from("203.0.113.9").SignIn(app, "alice", password)
	if p.Status != http.StatusForbidden || p.ErrorCode() != sallyport.CodeRegisterElsewhere || correlationOn(t, p) == "" {
		t.Fatalf("from outside: %d %s\n%s", p.Status, p.ErrorCode(), p.Text())
	}
	for _, lang := range []string{"en", "ja"} {
		b := from("203.0.113.9")
		b.Header.Set("Accept-Language", lang)
		page := pages{t: t, g: g, b: b, lang: lang}
		page.look("refused "+lang, b.SignIn(app, "alice", password), http.StatusForbidden, sallyport.CodeRegisterElsewhere)
	}
	p = from("203.0.113.9").SignIn(info, "alice", password)
	if p.ErrorCode() != sallyport.CodeRegisterElsewhere {
		t.Fatalf("security info from outside: %s\n%s", p.ErrorCode(), p.Text())
	}
	cfg, err := config.Load(g.File, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	stages := func(ip string) string {
		x, err := gateway.Explain(t.Context(), cfg, g.Store(), gateway.Question{User: "alice", URL: app, Address: netip.MustParseAddr(ip)})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, s := range x.Stages {
			if s.Decision.Effect == policy.Deny {
				out = append(out, s.When+" "+string(s.Decision.Code)+" "+s.Decision.Rule)
			}
		}
		return strings.Join(out, ";")
	}
	if got := stages("203.0.113.9"); got != "registering a first method SP-3006 registration.require" {
		t.Errorf("explained as %q", got)
	}
	if got := stages("192.0.2.7"); got != "" {
		t.Errorf("explained as %q in the office", got)
	}

	office := from("192.0.2.7").SignIn(info, "alice", password)
	secret := office.Secret()
	office.Form("code").Submit("code", sallyporttest.Code(t, secret, g.Clock.Now()))
	p = from("203.0.113.9").SignIn(app, "alice", password).Verify(secret)
	if u := p.Echoed().Header.Get("X-Sallyport-User"); u != "alice" {
		t.Errorf("registered in the office, verified outside: %q", u)
	}
}
