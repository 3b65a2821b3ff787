package challenge_test

import (
	"net/netip"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
)

// 10.1: a flow that nobody finished gets its summary when it expires; one that
// nobody tried anything in gets none, or anybody could fill the log.
func TestExpiredFlows(t *testing.T) {
	w := newWorld(t)
	w.withApp(w.user("alice", sallyport.StateEnforced))
	for range 5 {
		w.browser().get(app+"/").want(200, "Sign in")
	}
	w.browser().signIn(app+"/", "alice").submit("code", "123456").want(403)
	w.c.Expire(t.Context())
	if n := w.count(audit.SignInSummary, audit.Expired); n != 0 {
		t.Fatalf("%d flows expired before their time", n)
	}
	w.wait(16 * time.Minute)
	w.c.Expire(t.Context())
	w.c.Expire(t.Context())
	if n := w.count(audit.SignInSummary, audit.Expired); n != 1 {
		t.Fatalf("%d summaries of expired flows, want 1", n)
	}
	events := w.events()
	s := events[len(events)-1]
	if s.UserName != "alice" || len(s.Steps) != 2 || s.Steps[1].Result != audit.Failure || s.Demanded != "multifactor" || s.Reason != "left-at-verify" {
		t.Errorf("summary of an expired flow: %+v", s)
	}
	// An interrupt is no failure (4.6): of all that happened, one code failed.
	if n := w.count(audit.SignInVerify, audit.Failure); n != 1 {
		t.Errorf("%d failures in the log, want the one wrong code", n)
	}
	if n := w.count(audit.SignInVerify, audit.Interrupt); n != 1 {
		t.Errorf("%d interrupts in the log, want 1", n)
	}
}

// A flow may expire on another node than the one that it was last seen on; its
// summary names the latter, with its address.
func TestExpiredFlowNamesItsNode(t *testing.T) {
	w := newWorld(t)
	w.withApp(w.user("alice", sallyport.StateEnforced))
	page := w.browser().signIn(app+"/", "alice").want(200, "Confirm it’s you")
	last := audit.New(w.clock.Now(), audit.SignInVerify, audit.Failure)
	last.FlowID, last.Node, last.NodeAddress = sallyport.FlowID(flowOf(page)), "node-b", netip.MustParseAddr("203.0.113.77")
	must(t, w.db.AppendEvents(t.Context(), last))
	w.wait(16 * time.Minute)
	w.c.Expire(t.Context())
	events := w.events()
	if s := events[len(events)-1]; s.Kind != audit.SignInSummary || s.Node != last.Node || s.NodeAddress != last.NodeAddress {
		t.Errorf("summary of a flow on another node: %+v", s)
	}
}

// A state that changed meanwhile, or a disabled sign-in, counts at the moment a
// code completes (D13's rule, for codes).
func TestDisabledWhileVerifying(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", sallyport.StateEnforced)
	key := w.withApp(u)
	verify := w.browser().signIn(app+"/", "alice").want(200, "Confirm it’s you")
	_, err := w.db.ChangeUser(t.Context(), u.ID, func(u *sallyport.User) ([]audit.Event, error) {
		u.SignInDisabled = true
		return nil, nil
	})
	must(t, err)
	if a := verify.submit("code", w.code(key)); a.status < 400 {
		t.Fatalf("a disabled user got %d\n%s", a.status, a.text())
	}
	w.browser().signIn(app+"/", "alice").want(403, "SP-1001")
}
