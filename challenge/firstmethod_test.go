package challenge_test

import (
	"net/netip"
	"strings"
	"testing"

	"sallyport"
	"sallyport/audit"
	"sallyport/challenge"
	"sallyport/policy"
	"sallyport/store/storetest"
)

// needsOffice makes first methods need a trusted location, which is 203.0.113.0/24.
func needsOffice(s *setup) {
	s.config = func(c *challenge.Config) { c.Registration.Require = challenge.RequireTrustedLocation }
	s.trusted = []string{"203.0.113.0/24"}
}

// 3.3: a stolen password alone registers nothing where a first method needs a
// trusted location; the wizard says so before it shows a key.
func TestFirstMethodNeedsTrustedLocation(t *testing.T) {
	w := newWorld(t, needsOffice)
	u := w.user("alice", sallyport.StateEnabled)
	p := w.browser().signIn(app+"/", "alice").want(403, "SP-3006", "You cannot register from here", "company network", "ask your administrator", "Request ID")
	if strings.Contains(p.body, "otpauth:") {
		t.Error("a refused person is shown a key")
	}
	last := w.events()[len(w.events())-1]
	if last.Kind != audit.SignInSummary || last.Result != audit.Denied || last.Code != sallyport.CodeRegisterElsewhere ||
		last.Rule != "registration.require" || last.UserID != u.ID || !strings.Contains(p.body, last.CorrelationID) {
		t.Errorf("the refusal is recorded as %+v", last)
	}
	ja := w.browser()
	ja.header.Set("Accept-Language", "ja")
	ja.signIn(app+"/", "alice").want(403, "SP-3006", "社内ネットワーク", "管理者")

	// Who has a method already proves more than a place would.
	w.withApp(w.user("bob", sallyport.StateEnforced))
	w.browser().signIn(app+"/", "bob").want(200, "Confirm it’s you")
	// Without the setting the place does not count.
	free := newWorld(t)
	free.user("alice", sallyport.StateEnabled)
	free.browser().signIn(app+"/", "alice").want(200, "Set up an authenticator app")
}

// The place is judged at every step: a wizard that another node opened, or that
// was open before a reload, shows no key and takes no code.
func TestFirstMethodIsJudgedAtEveryStep(t *testing.T) {
	file := storetest.NewFile(t)
	w := newWorld(t, func(s *setup) { s.file = file })
	strict := w.node(file, needsOffice)
	u := w.user("alice", sallyport.StateEnabled)
	for name, step := range map[string]func(page answer) answer{
		"page": func(page answer) answer { return page.b.on(strict).get(page.url.String()) },
		"code": func(page answer) answer {
			to, form := page.form()
			form.Set("code", w.code(page.key()))
			return page.b.on(strict).do("POST", to, form)
		},
	} {
		page := w.browser().signIn(app+"/", "alice").want(200, "Set up an authenticator app")
		if p := step(page); p.status != 403 || p.code() != "SP-3006" || strings.Contains(p.body, "otpauth:") {
			t.Errorf("%s: %d %s\n%s", name, p.status, p.code(), p.text())
		}
	}
	if n := w.count(audit.SignInSummary, audit.Denied); n != 2 {
		t.Errorf("%d summaries of refused sign-ins, want 2", n)
	}
	if m, err := w.db.Methods(t.Context(), u.ID); err != nil || len(m) != 0 {
		t.Errorf("%d methods (%v) registered from nowhere", len(m), err)
	}
}

// An address that could not be told is not trusted.
func TestUnknownAddressIsNoTrustedLocation(t *testing.T) {
	addresses, err := policy.NewAddresses([]string{"0.0.0.0/0", "::/0"}, nil)
	must(t, err)
	c := challenge.RegistrationConfig{Require: challenge.RequireTrustedLocation}
	for ip, refused := range map[netip.Addr]bool{{}: true, netip.MustParseAddr("192.0.2.1"): false, netip.MustParseAddr("::ffff:192.0.2.1"): false} {
		if got := c.Refuses(addresses.Class(ip)); got != refused {
			t.Errorf("%v: refused %v", ip, got)
		}
	}
}
