package challenge_test

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/challenge"
	"sallyport/internal/reqctx"
)

// state moves a user to another state, as an admin does.
func (w *world) state(u sallyport.User, s sallyport.State) {
	w.t.Helper()
	_, err := w.db.ChangeUser(w.t.Context(), u.ID, func(u *sallyport.User) ([]audit.Event, error) {
		u.State = s
		return nil, nil
	})
	must(w.t, err)
}

// 1.2 and 1.3: moving to disabled deletes nothing; moved back to enabled the person
// is challenged with what they have, like an enforced one, and stays enabled.
func TestStatesKeepMethods(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", sallyport.StateEnabled)
	page := w.browser().signIn(app+"/", "alice").want(200, "Your organisation asks you")
	key := page.key()
	page.submit("code", w.code(key)).submit().submit().want(200, "hello alice")

	w.state(u, sallyport.StateDisabled)
	w.browser().signIn(app+"/", "alice").want(200, "hello alice at / with single-factor")
	methods, err := w.db.Methods(t.Context(), u.ID)
	must(t, err)
	codes, err := w.db.RecoveryCodesLeft(t.Context(), u.ID)
	must(t, err)
	if len(methods) != 1 || codes != 10 {
		t.Errorf("%d methods and %d recovery codes are left, want 1 and 10", len(methods), codes)
	}

	w.state(u, sallyport.StateEnabled)
	w.wait(time.Minute)
	w.browser().signIn(app+"/", "alice").want(200, "Confirm it’s you").submit("code", w.code(key)).want(200, "hello alice at / with multifactor")
	if now := mustUser(w, "alice"); now.State != sallyport.StateEnabled {
		t.Errorf("a challenge moved the state to %s", now.State)
	}
}

// 1.2 and 3.1: an enforced user with nothing registered registers first, and the
// page says that this is the cause.
func TestEnforcedRegistersFirst(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateEnforced)
	w.browser().signIn(app+"/", "alice").want(200, "Set up an authenticator app", "none is set up yet")
}

// 2.2: the order in which methods are offered is data, and the page lists those
// that the person has and no others.
func TestOrderOfMethodsIsData(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.config = func(c *challenge.Config) { c.Methods = []sallyport.Kind{sallyport.KindRecovery, sallyport.KindTOTP} }
	})
	u := w.user("alice", sallyport.StateEnforced)
	w.withApp(u)
	alone := w.browser().signIn(app+"/", "alice").want(200, "6 digits")
	if strings.Contains(alone.body, "method=recovery") {
		t.Error("recovery codes are offered to somebody who has none")
	}
	must(t, w.db.ReplaceRecoveryCodes(t.Context(), u.ID, [][]byte{{1}}, w.clock.Now()))
	w.browser().signIn(app+"/", "alice").want(200, `value="recovery"`, "method=softwareOath")
}

var uuidRE = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// 4.4 and 14: what is refused shows a code and a correlation ID, and with that ID
// the log tells the same story.
func TestRefusalsAreFoundInTheLog(t *testing.T) {
	w := newWorld(t)
	w.withApp(w.user("alice", sallyport.StateEnforced))
	u := w.user("carol", sallyport.StateDisabled)
	check := func(a answer, code sallyport.Code, kind audit.Kind) {
		t.Helper()
		if a.code() != string(code) {
			t.Errorf("the page shows %q, want %s", a.code(), code)
		}
		shown := map[string]bool{}
		for _, id := range uuidRE.FindAllString(a.text(), -1) {
			shown[id] = true
		}
		for _, e := range w.events() {
			if shown[e.CorrelationID] && e.Code == code && e.Kind == kind {
				return
			}
		}
		t.Errorf("%s: no event %s with an ID that the page shows:\n%s", code, kind, a.text())
	}
	check(w.browser().get(app+"/").submit("username", "alice", "password", "wrong"), sallyport.CodeSignInFailed, audit.SignInPassword)
	verify := w.browser().signIn(app+"/", "alice")
	check(verify.submit("code", "123456"), sallyport.CodeWrongCode, audit.SignInVerify)
	for range 8 {
		verify.submit("code", "123456")
	}
	check(verify.submit("code", "123456"), sallyport.CodeVerificationLocked, audit.LockedOut)
	check(verify.submit("code", "123456"), sallyport.CodeVerificationLocked, audit.SignInVerify)
	w.state(u, sallyport.StateEnabled)
	register := w.browser().signIn(app+"/", "carol")
	check(register.submit("code", "000000"), sallyport.CodeRegistrationCode, audit.SignInRegister)
	state := strings.Repeat("A", 42) + "E"
	w.user("bob", sallyport.StateDisabled)
	denied := w.browser().signIn(portal+"/.sallyport/sign-in?return=https://payroll.example.com/&state="+state, "bob")
	check(denied, sallyport.CodeNotAllowed, audit.SignInSummary)
}

// 4.5: the session carries the factors that were shown, and when.
func TestSessionCarriesProofs(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", sallyport.StateEnforced)
	key := w.withApp(u)
	methods, err := w.db.Methods(t.Context(), u.ID)
	must(t, err)
	b := w.browser()
	began := w.clock.Now()
	page := b.signIn(app+"/", "alice")
	w.wait(time.Minute)
	page.submit("code", w.code(key)).want(200, "hello alice")
	for _, host := range []string{portal, app} {
		address, err := url.Parse(host + "/")
		must(t, err)
		r := httptest.NewRequest("GET", host+"/", nil)
		for _, c := range b.client.Jar.Cookies(address) {
			r.AddCookie(c)
		}
		g, err := w.sessions.Load(reqctx.With(r, &reqctx.Info{Host: address.Host, Client: netip.MustParseAddr("192.0.2.1")}))
		must(t, err)
		want := []sallyport.Proof{{Kind: sallyport.KindPassword, At: began}, {Kind: sallyport.KindTOTP, At: began.Add(time.Minute), MethodID: methods[0].ID}}
		if g == nil || fmt.Sprint(g.Token.Proofs) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, want proofs %v", host, g, want)
		}
	}
}

// 4.6: being asked for something is no failure. A person who gives up at the code
// twenty times has not guessed once.
func TestInterruptsCountNowhere(t *testing.T) {
	w := newWorld(t)
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	w.user("carol", sallyport.StateEnabled)
	for range 20 {
		w.browser().signIn(app+"/", "alice").want(200, "Confirm it’s you")
		w.browser().signIn(app+"/", "carol").want(200, "Set up an authenticator app")
	}
	for _, e := range w.events() {
		if e.Result == audit.Failure || e.Result == audit.Denied {
			t.Errorf("a failure in the log: %+v", e)
		}
	}
	w.browser().signIn(app+"/", "alice").submit("code", w.code(key)).want(200, "hello alice")
}

// 5.1 and 6.1, for codes: a lane that is locked denies before its address or device
// could skip anything; the other lanes go on.
func TestLockedLaneComesFirst(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.trusted = []string{"10.0.0.0/8"} })
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	info := portal + "/.sallyport/security-info"
	known, office := w.browser(), w.browser()
	office.header.Set("Test-Address", "10.1.2.3")
	known.signIn(app+"/", "alice").submit("code", w.code(key), "remember", "1").want(200, "hello alice")
	w.wait(6 * time.Minute)

	lock := func(b *browser) {
		t.Helper()
		b.get(portal + "/.sallyport/sign-out")
		page := b.signIn(info, "alice").want(200, "Before you see or change")
		for range 10 {
			page.submit("code", "123456").want(403)
		}
	}
	again := func(b *browser) answer {
		next := w.browser()
		next.header = b.header
		next.client.Jar = b.client.Jar
		if a := next.get(portal + "/.sallyport/sign-out"); strings.Contains(a.body, "<form") {
			a.submit()
		}
		return next.signIn(app+"/", "alice")
	}
	lock(office)
	again(office).want(403, "SP-2003", "Locked for a short while")
	again(known).want(200, "hello alice at / with single-factor")
	again(w.browser()).want(200, "Confirm it’s you")

	again(known)
	page := known.get(info).want(200, "Before you see or change")
	for range 10 {
		page.submit("code", "123456").want(403)
	}
	again(known).want(403, "SP-2003", "Locked for a short while")
	w.browser().signIn(app+"/", "alice").want(200, "Confirm it’s you").submit("code", w.code(key)).want(200, "hello alice")
	w.wait(61 * time.Second)
	again(office).want(200, "hello alice at / with single-factor")
	again(known).want(200, "hello alice at / with single-factor")
}

// 5: what made a second factor unnecessary is written down, with which one it was.
func TestSkipsAreRecorded(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.trusted = []string{"10.0.0.0/8"} })
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	w.user("carol", sallyport.StateDisabled)
	office, known := w.browser(), w.browser()
	office.header.Set("Test-Address", "10.1.2.3")
	known.signIn(app+"/", "alice").submit("code", w.code(key), "remember", "1").want(200, "hello alice")
	known.get(portal + "/.sallyport/sign-out").submit()
	for want, b := range map[string]*browser{"trusted-address": office, "remembered-device": known} {
		b.signIn(app+"/", "alice").want(200, "hello alice at / with single-factor")
		w.skipped(want)
	}
	w.browser().signIn(app+"/", "carol").want(200, "hello carol")
	w.skipped("state-disabled")
}

// skipped demands that the last events of a skip and of a summary name it.
func (w *world) skipped(want string) {
	w.t.Helper()
	seen := map[audit.Kind]audit.Event{}
	for _, e := range w.events() {
		seen[e.Kind] = e
	}
	skip, summary := seen[audit.SignInSkip], seen[audit.SignInSummary]
	if skip.Skipped != want || !strings.HasPrefix(skip.Reason, want) || summary.Skipped != want || summary.FlowID != skip.FlowID {
		w.t.Errorf("the log says skipped by %q (%q), summary %q, want %q", skip.Skipped, skip.Reason, summary.Skipped, want)
	}
}

// 6.1: the fixed form of older systems can be configured: so many denials, reset
// after a time, locked for a time that does not grow.
func TestFixedLockout(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.config = func(c *challenge.Config) {
			c.Lockout = challenge.LockoutConfig{Denials: 3, ResetAfter: 5 * time.Minute, LockFor: 2 * time.Minute, LockMax: 2 * time.Minute}
		}
	})
	u := w.user("alice", sallyport.StateDisabled)
	page := w.browser().get(app + "/")
	guess := 0
	guesses := func(n int) {
		for range n {
			guess++
			page.submit("username", "alice", "password", fmt.Sprint("guess ", guess)).want(403)
		}
	}
	for range 3 {
		page = w.browser().get(app + "/")
		guesses(3)
		locked, err := w.db.Lockouts(t.Context(), []string{string(u.ID)}, w.clock.Now())
		must(t, err)
		if len(locked) != 1 || locked[0].Until.Sub(w.clock.Now()) != 2*time.Minute {
			t.Fatalf("locked: %+v, want for two minutes", locked)
		}
		w.wait(2*time.Minute - time.Second)
		page.submit("username", "alice", "password", password).want(403, "SP-1001")
		w.wait(time.Second)
	}
	guesses(2)
	w.wait(5 * time.Minute)
	guesses(2)
	page.submit("username", "alice", "password", password).want(200, "hello alice")
}
