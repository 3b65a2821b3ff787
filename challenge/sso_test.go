package challenge_test

import (
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
)

// One sign-in carries a person to the next app without a page; what policy refuses
// is refused there too.
func TestSingleSignOn(t *testing.T) {
	w := newWorld(t)
	w.user("carol", sallyport.StateDisabled)
	b := w.browser()
	b.signIn(portal+"/", "carol").want(200, "You are signed in as carol")
	b.get(app+"/deep?x=1").want(200, "hello carol at /deep?x=1 with single-factor")
	if n := w.count(audit.SignInPassword, audit.Success); n != 1 {
		t.Errorf("%d passwords were judged for two hosts, want 1", n)
	}
	if n := w.count(audit.SignInSkip, audit.Success); n != 2 {
		t.Errorf("%d records of why verification was skipped, want 2", n)
	}
	state := strings.Repeat("A", 42) + "E"
	b.get(portal+"/.sallyport/sign-in?return=https://payroll.example.com/&state="+state).want(403, "SP-4001")
	if n := w.count(audit.SignInSummary, audit.Denied); n != 1 {
		t.Errorf("%d summaries of a denial, want 1", n)
	}
}

// Signing out ends the session everywhere, asks first, and a link cannot do it.
func TestSignOut(t *testing.T) {
	w := newWorld(t)
	w.user("carol", sallyport.StateDisabled)
	b := w.browser()
	b.signIn(app+"/", "carol").want(200, "hello")
	ask := b.get(portal+"/.sallyport/sign-out").want(200, "Sign out?", "carol")
	b.get(app+"/").want(200, "hello")
	ask.submit().want(200, "You are signed out")
	b.get(app+"/").want(200, "Sign in")
	b.get(portal+"/.sallyport/sign-out").want(200, "You are signed out")
	if n := w.count(audit.SignOut, audit.Success); n != 1 {
		t.Errorf("%d sign-outs in the log, want 1", n)
	}
}

// The back button onto a finished flow leads on where the session is good, and to
// a page that says what to do where the flow is long gone.
func TestFinishedFlowAgain(t *testing.T) {
	w := newWorld(t)
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	b := w.browser()
	verify := b.signIn(app+"/a", "alice").want(200, "Confirm it’s you")
	verify.submit("code", w.code(key)).want(200, "hello alice at /a")
	verify.submit("code", w.code(key)).want(200, "hello alice at /a")
	b.get(verify.url.String()).want(200, "hello alice at /a")
	w.wait(20 * time.Minute)
	b.get(verify.url.String()).want(410, "SP-5002", "Start again")
}

// A session that has come to its end takes away the first factor that a waiting
// flow had taken from it.
func TestFlowOfEndedSession(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", sallyport.StateDisabled)
	key := w.withApp(u)
	b := w.browser()
	b.signIn(app+"/", "alice").want(200, "hello")
	for range 13 { // five minutes short of the longest that a session lasts
		w.wait(55 * time.Minute)
		b.get(portal+"/").want(200, "You are signed in")
	}
	verify := b.get(portal+"/.sallyport/security-info").want(200, "Before you see or change")
	w.wait(6 * time.Minute)
	verify.submit("code", w.code(key)).want(200, "Password").submit("username", "alice", "password", password).
		want(200, "Confirm it’s you")
}
