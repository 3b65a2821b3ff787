package account_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"sallyport"
	"sallyport/audit"
	"sallyport/challenge"
)

// 3.3 in manage mode: where a first method needs a trusted location, neither the
// page nor a form that was opened there works from anywhere else; further methods
// need no place.
func TestFirstMethodNeedsTrustedLocation(t *testing.T) {
	b := newBench(t, func(c *challenge.Config) { c.Registration.Require = challenge.RequireTrustedLocation })
	u := b.user("alice", sallyport.StateDisabled)
	br := b.signIn(u, sallyport.KindPassword)
	office, home := netip.MustParseAddr("192.0.2.7"), br.address
	refused := func(a *answer) {
		t.Helper()
		if a.code != http.StatusForbidden || !strings.Contains(a.body, "SP-3006") || strings.Contains(a.body, "otpauth:") {
			t.Errorf("got %d\n%s", a.code, a.body)
		}
	}
	refused(br.get(page + "/add"))
	ev := b.events(audit.MethodRegistered)
	if len(ev) != 1 || ev[0].Result != audit.Denied || ev[0].Code != sallyport.CodeRegisterElsewhere || ev[0].Rule != "registration.require" ||
		ev[0].UserID != u.ID || ev[0].SessionID == "" || ev[0].Address != home {
		t.Errorf("the refusal is recorded as %+v", ev)
	}
	br.address = netip.Addr{} // could not be told
	refused(br.get(page + "/add"))
	br.address = netip.MustParseAddr("198.51.100.1") // a location, and not a trusted one
	refused(br.get(page + "/add"))

	br.address = office
	add := br.get(page+"/add").expect(http.StatusOK, "")
	fields := []string{"flow", add.input("flow"), "code", b.code(add.key()), "name", "Phone"}
	br.address = home
	refused(br.post(page+"/add", fields...))
	if got := b.methodNames(u); len(got) != 0 {
		t.Fatalf("registered from home: %q", got)
	}
	br.address = office
	br.post(page+"/add", fields...).expect(http.StatusSeeOther, page+"?notice=added")
	br.address = home
	br.get(page+"/add").expect(http.StatusOK, "")
}

// A page that a link can open does not fill the audit log: refusals beyond the rate
// of new flows are not recorded, but refused all the same.
func TestRefusedFirstMethodsDoNotFillTheLog(t *testing.T) {
	b := newBench(t, func(c *challenge.Config) {
		c.Registration.Require = challenge.RequireTrustedLocation
		c.Throttle.PerAddress = 3
	})
	br := b.signIn(b.user("alice", sallyport.StateDisabled), sallyport.KindPassword)
	const visits = 100
	for range visits {
		if a := br.get(page + "/add"); a.code != http.StatusForbidden {
			t.Fatalf("got %d", a.code)
		}
	}
	if n := len(b.events(audit.MethodRegistered)); n == 0 || n >= visits {
		t.Errorf("%d of %d refusals are recorded", n, visits)
	}
}
