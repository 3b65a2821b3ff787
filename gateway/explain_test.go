package gateway_test

import (
	"errors"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport"
	"sallyport/audit"
	"sallyport/config"
	"sallyport/gateway"
	"sallyport/policy"
	"sallyport/proxy"
	"sallyport/sallyporttest"
)

// What explain says is what the gateway does, from the same address, and asking
// leaves no trace.
func TestExplain(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{MFA: "  trusted_ips: [192.0.2.0/24]\n  lockout: {denials: 2}\n",
		Routes: usualRoutesWith("    allow: {users: [alice, bob]}\n")})
	g.AddUser("alice", password, sallyport.StateEnforced)
	g.AddUser("bob", password, sallyport.StateEnforced)
	g.AddUser("carol", password, sallyport.StateDisabled)
	g.Browser().SignIn(g.URL(sallyporttest.App, "/"), "alice", password).Register()
	bob := g.Browser().SignIn(g.URL(sallyporttest.App, "/"), "bob", password)
	secret := bob.Secret()
	bob.Register()
	p := g.Browser().SignIn(g.URL(sallyporttest.App, "/"), "bob", password)
	for _, code := range []string{"000000", "000001"} {
		p = p.Form("code").Submit("code", code)
	}
	if p.ErrorCode() != sallyport.CodeVerificationLocked {
		t.Fatalf("bob is not locked out: %s\n%s %s", p.ErrorCode(), secret, p.Text())
	}
	cfg, err := config.Load(g.File, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	trace := func() []any {
		events, err := g.Store().Events(t.Context(), audit.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		_, seq, err := g.Store().Changes(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		alice, err := g.Users().Show(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		return []any{len(events), seq, len(alice.Sessions), alice.User.UpdatedAt, alice.Methods[0].LastUsedAt}
	}
	before := trace()
	for _, c := range []struct {
		user, host, path, ip string
		effects              []policy.Effect // signed out, after the first factor, after verification
		reasons              []string        // of the second, or of the only stage
		locked               int
	}{
		{"", sallyporttest.App, "/public/x", "203.0.113.1", []policy.Effect{policy.Allow}, []string{"public-path"}, 0},
		{"", sallyporttest.App, "/", "203.0.113.1", []policy.Effect{policy.Require}, []string{"not-signed-in"}, 0},
		{"alice", sallyporttest.App, "/", "203.0.113.1", []policy.Effect{policy.Require, policy.Require, policy.Allow},
			[]string{"signed-in", "user-allowed", "state-enforced", "not-verified", "address-not-trusted"}, 0},
		{"ALICE@example.com", sallyporttest.App, "/", "192.0.2.7", []policy.Effect{policy.Require, policy.Allow, policy.Allow},
			[]string{"signed-in", "user-allowed", "state-enforced", "not-verified", "trusted-address"}, 0},
		{"bob", sallyporttest.App, "/", "203.0.113.1", []policy.Effect{policy.Require, policy.Deny, policy.Allow}, []string{"signed-in", "locked-out"}, 1},
		{"bob", sallyporttest.App, "/", "192.0.2.7", []policy.Effect{policy.Require, policy.Allow, policy.Allow},
			[]string{"signed-in", "user-allowed", "state-enforced", "not-verified", "trusted-address"}, 1},
		{"carol", sallyporttest.App, "/", "203.0.113.1", []policy.Effect{policy.Require, policy.Deny, policy.Deny}, []string{"signed-in", "not-in-allow"}, 0},
		{"carol", sallyporttest.Other, "/", "203.0.113.1", []policy.Effect{policy.Require, policy.Allow, policy.Allow},
			[]string{"signed-in", "any-signed-in-user", "state-disabled"}, 0},
	} {
		x, err := gateway.Explain(t.Context(), cfg, g.Store(), gateway.Question{User: c.user, URL: g.URL(c.host, c.path), Address: netip.MustParseAddr(c.ip)})
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		var effects []policy.Effect
		var reasons []string
		for i, s := range x.Stages {
			effects = append(effects, s.Decision.Effect)
			if i == min(1, len(x.Stages)-1) {
				for _, r := range s.Decision.Reasons {
					reasons = append(reasons, r.Name)
				}
			}
		}
		if !slices.Equal(effects, c.effects) || !slices.Equal(reasons, c.reasons) || len(x.Locked) != c.locked {
			t.Errorf("%s %s%s from %s: %v because of %v, %d locks", c.user, c.host, c.path, c.ip, effects, reasons, len(x.Locked))
		}
	}
	for _, q := range []gateway.Question{{URL: "https://nobody.example/"}, {URL: g.URL(sallyporttest.App, "/a%00b")}, {URL: "::"}, {URL: ""},
		{URL: "http" + g.URL(sallyporttest.App, "/")[5:]}} {
		if x, err := gateway.Explain(t.Context(), cfg, g.Store(), q); err == nil {
			t.Errorf("%q is explained: %+v", q.URL, x)
		}
	}
	if _, err := gateway.Explain(t.Context(), cfg, g.Store(), gateway.Question{User: "nobody", URL: g.URL(sallyporttest.App, "/")}); !errors.Is(err, sallyport.ErrNotFound) {
		t.Errorf("a user that is not there: %v", err)
	}
	if after := trace(); !slices.Equal(before, after) {
		t.Errorf("asking left a trace in %s: %v, before %v", filepath.Base(g.File), after, before)
	}
}

// usualRoutesWith is the usual two routes, with more said of the first.
func usualRoutesWith(more string) string {
	return "  - name: app\n    hosts: [app.localhost]\n    upstream: \"{upstream}\"\n    public: [/public/]\n" + more +
		"  - name: other\n    hosts: [other.localhost]\n    upstream: \"{upstream}\"\n"
}

// MFA 1.1: whatever somebody types, they are one person to the apps and in the
// store.
func TestAllNamesAreOnePerson(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{
		Identity: "  - name: local\n    type: local\n    domains: [CORP, corp.example]\n    hash: {time: 1, memory_mib: 8}\n"})
	u := g.AddUser("alice", password, sallyport.StateDisabled)
	for _, name := range []string{"alice", "ALICE", " Alice ", `CORP\alice`, `corp\ALICE`, "alice@corp.example", "alice@CORP.EXAMPLE", "alice@example.com", "ａｌｉｃｅ"} {
		e := g.Browser().SignIn(g.URL(sallyporttest.App, "/"), name, password).Echoed()
		if e.Header.Get("X-Sallyport-User") != "alice" {
			t.Errorf("%q is %s", name, e.Header.Get("X-Sallyport-User"))
		}
	}
	for _, name := range []string{`OTHER\alice`, "alice@other.example", `CORP\alice@corp.example`, "alice@corp.example@corp.example", "alíce"} {
		if p := g.Browser().SignIn(g.URL(sallyporttest.App, "/"), name, password); p.ErrorCode() != sallyport.CodeSignInFailed {
			t.Errorf("%q signs in: %s", name, p.Text())
		}
	}
	users, err := g.Users().List(t.Context(), "", 0)
	if err != nil || len(users) != 1 || users[0].ID != u.ID {
		t.Errorf("%d users, %v", len(users), err)
	}
}

// A group that the config gives a meaning stands for groups of several providers
// where a rule names it; a provider's group of the same name is another one.
func TestMappedGroups(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{
		Identity: "  - {name: local, type: local}\n" +
			"  - {name: staff, type: ldap, url: \"ldaps://127.0.0.1:1\", base_dn: DC=x}\n" +
			"  - {name: partners, type: oidc, issuer: \"https://127.0.0.1:1\", client_id: x, client_secret: x}\n",
		Routes: usualRoutesWith("    allow: {groups: [accounting, \"staff:board\"]}\n"),
		Extra:  "groups:\n  accounting: [\"staff:finance\", \"partners:auditors\"]\n"})
	cfg, err := config.Load(g.File, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	targets, err := proxy.Targets(cfg.Routes, cfg.PortalOrigin())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(g.URL(sallyporttest.App, "/x"))
	if err != nil {
		t.Fatal(err)
	}
	target, _, ok := targets(u)
	if !ok {
		t.Fatal("no route")
	}
	for group, want := range map[string]policy.Effect{
		"staff:finance": policy.Allow, "partners:auditors": policy.Allow, "staff:board": policy.Allow,
		"partners:finance": policy.Deny, "staff:accounting": policy.Deny, "accounting": policy.Deny, "staff:auditors": policy.Deny, "": policy.Deny,
	} {
		d := policy.Decide(policy.Facts{Target: target, SignedIn: true, UserName: "alice", State: sallyport.StateDisabled, Groups: []string{group}})
		if d.Effect != want {
			t.Errorf("%q: %v, want %v", group, d.Effect, want)
		}
	}
}

// An address that lacks the port, or has another, is told with the one that is
// right; one with nothing right about it is not.
func TestExplainWrongPort(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	cfg, err := config.Load(g.File, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	right, err := url.Parse(g.URL(sallyporttest.App, "/week?n=42"))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{right.Hostname(), right.Hostname() + ":1"} {
		_, err = gateway.Explain(t.Context(), cfg, g.Store(), gateway.Question{URL: "https://" + host + "/week?n=42"})
		if err == nil || !strings.Contains(err.Error(), "the portal and apps are on port "+right.Port()+": "+right.String()) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err = gateway.Explain(t.Context(), cfg, g.Store(), gateway.Question{URL: "https://elsewhere.example:1/"}); err == nil || strings.Contains(err.Error(), "on port") {
		t.Error(err)
	}
}
