package challenge_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/challenge"
	"sallyport/challenge/totp"
	"sallyport/internal/parts"
)

// D3: codes typed back at registration count like any others; otherwise the
// registration page is where to guess.
func TestRegistrationCountsAttempts(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateEnabled)
	page := w.browser().signIn(app+"/", "alice").want(200, "Set up an authenticator app")
	key := page.key()
	wrong := "000000"
	if wrong == w.code(key) {
		wrong = "111111"
	}
	malformed := page.submit("code", "12").want(422, "Enter the 6 digits", "SP-3002", "Request ID")
	if n := w.count(audit.SignInRegister, audit.Failure); n != 0 || !strings.Contains(malformed.body, "facts-line") {
		t.Errorf("%d attempts counted that were none\n%s", n, malformed.text())
	}
	for range 9 {
		page.submit("code", wrong).want(403, "SP-3002")
	}
	page.submit("code", wrong).want(403, "SP-2003")
	page.submit("code", w.code(key)).want(403, "SP-2003")
	w.wait(61 * time.Second)
	again := page.b.get(page.url.String()).want(200)
	if again.key() != key {
		t.Error("a reload shows another key than the one that was scanned")
	}
	again.submit("code", w.code(key)).want(200, "shown only now")
}

// 3.8: a registration that is lost half-way leaves nothing behind, and after 15
// minutes it is lost.
func TestRegistrationLeavesNothing(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", sallyport.StateEnabled)
	page := w.browser().signIn(app+"/", "alice")
	key := page.key()
	w.wait(15*time.Minute + time.Second)
	page.submit("code", w.code(key)).want(410, "SP-5002")
	if m, err := w.db.Methods(t.Context(), u.ID); err != nil || len(m) != 0 {
		t.Errorf("%d methods (%v) of a registration that was never finished", len(m), err)
	}
	if now := mustUser(w, "alice"); now.State != sallyport.StateEnabled {
		t.Errorf("state is %s, want enabled still", now.State)
	}
	w.c.Expire(t.Context())
	if n := w.count(audit.SignInSummary, audit.Expired); n != 1 {
		t.Errorf("%d summaries of the expired flow, want 1", n)
	}
	next := w.browser().signIn(app+"/", "alice")
	if next.key() == key {
		t.Error("a new registration offers the old key")
	}
	// Recovery codes that were not confirmed do not work.
	codes := next.submit("code", w.code(next.key()))
	if n, err := w.db.RecoveryCodesLeft(t.Context(), u.ID); err != nil || n != 0 {
		t.Errorf("%d recovery codes (%v) before they are confirmed", n, err)
	}
	if len(codes.recoveryCodes()) != 10 {
		t.Errorf("the page shows %d recovery codes, want 10", len(codes.recoveryCodes()))
	}
}

// 3.3: the first method needs a first factor not older than five minutes:
// elsewhere whoever found an open screen tied their own phone to it.
func TestFirstMethodNeedsFreshPassword(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", sallyport.StateDisabled)
	b := w.browser()
	b.signIn(app+"/", "alice").want(200, "hello")
	_, err := w.db.ChangeUser(t.Context(), u.ID, func(u *sallyport.User) ([]audit.Event, error) {
		u.State = sallyport.StateEnabled
		return nil, nil
	})
	must(t, err)
	w.wait(6 * time.Minute)
	again := b.get(portal+"/.sallyport/sign-in?return="+portal+"/").want(200, "Sign in again", `value="alice"`)
	again.submit("username", "alice", "password", password).want(200, "Set up an authenticator app")
}

// The download is a text file; asking for it changes nothing, and after the codes
// are confirmed they are shown nowhere.
func TestRecoveryCodesOnce(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateEnabled)
	page := w.browser().signIn(app+"/", "alice")
	codes := page.submit("code", w.code(page.key())).want(200, "form=\"download\"")
	kept := codes.recoveryCodes()
	_, form := codes.form()
	download := portal + "/.sallyport/register/recovery-codes/download"
	for range 2 {
		a := codes.b.do(http.MethodPost, download, form).want(200, kept[0], kept[9], "alice")
		if ct := a.header.Get("Content-Type"); !strings.HasPrefix(ct, "text/plain") || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") ||
			a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers of the download: %v", a.header)
		}
	}
	codes.b.get(codes.url.String()).want(200, kept[0])
	summary := codes.submit().want(200, "You are all set")
	for _, a := range []answer{summary, codes.b.get(codes.url.String()), codes.b.do(http.MethodPost, download, form)} {
		if strings.Contains(a.body, kept[0]) {
			t.Errorf("%s shows a confirmed code", a.url)
		}
	}
}

// H6: at most five apps, whatever the page offers; and a code of a method that the
// admin switched off is not judged.
func TestServerForbidsWhatThePageDoes(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.config = func(c *challenge.Config) { c.Methods = []sallyport.Kind{sallyport.KindTOTP} }
	})
	u := w.user("alice", sallyport.StateEnforced)
	key := w.withApp(u)
	verify := w.browser().signIn(app+"/", "alice").want(200, "Confirm it’s you")
	if strings.Contains(verify.body, "method=recovery") {
		t.Error("a method that is switched off is offered")
	}
	verify.submit("method", "recovery", "code", "00000-00000").want(422, "cannot be used")
	verify.submit("code", w.code(key)).want(200, "hello alice")
	for i := range 4 {
		must(t, w.db.RegisterMethod(t.Context(), sallyport.Method{ID: sallyport.MethodID(sallyport.NewID()), UserID: u.ID,
			Kind: sallyport.KindTOTP, Name: fmt.Sprint("app ", i), Secret: []byte("12345678901234567890")}, 5, nil))
	}
	app := totp.New(w.db, "x")
	pending, err := app.Propose(u)
	must(t, err)
	show, err := app.Show(u, pending)
	must(t, err)
	r := httptest.NewRequest(http.MethodPost, portal+"/", nil)
	_, err = w.c.Register(r, challenge.Attempt{User: u, Method: app, Pending: pending, Typed: w.code(show.(totp.Proposal).KeyPlain)})
	var fault *challenge.CodeFault
	if !errors.As(err, &fault) || fault.Code != sallyport.CodeTooManyMethods {
		t.Errorf("a sixth app: %v, want SP-3003", err)
	}
	_, err = w.c.Register(r, challenge.Attempt{User: u, Method: app, Pending: pending, Typed: "123456", Name: "a\u202eb"})
	if !errors.As(err, &fault) || fault.Code != sallyport.CodeBadMethodName {
		t.Errorf("a name that turns the text around it: %v, want SP-3005", err)
	}
}

// D9 and 3.3: security info needs a verification that was really performed; a
// trusted address and a remembered device do not count there.
func TestSecurityInfoNeedsVerification(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.trusted = []string{"10.0.0.0/8"} })
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	office := w.browser()
	office.header.Set("Test-Address", "10.1.2.3")
	office.signIn(app+"/", "alice").want(200, "hello alice at / with single-factor")
	page := office.get(portal+"/.sallyport/security-info").want(200, "Before you see or change your security info")
	if strings.Contains(page.body, `name="remember"`) {
		t.Error("remembering the device is offered where it does not count")
	}
	page.submit("code", w.code(key), "remember", "1").want(200, "security info of alice")
	if d, err := w.db.Devices(t.Context(), mustUser(w, "alice").ID, w.clock.Now()); err != nil || len(d) != 0 {
		t.Errorf("%d devices (%v) remembered by a form that did not offer it", len(d), err)
	}
	office.get(portal+"/.sallyport/security-info").want(200, "security info of alice")
	w.wait(5*time.Minute + time.Second)
	office.get(portal+"/.sallyport/security-info").want(200, "Before you see or change")

	home := w.browser()
	home.signIn(app+"/", "alice").submit("code", w.code(key), "remember", "1").want(200, "hello alice")
	home.get(portal + "/.sallyport/sign-out").submit().want(200)
	home.signIn(app+"/", "alice").want(200, "hello alice at / with single-factor")
	home.get(portal+"/.sallyport/security-info").want(200, "Before you see or change")
}

// An admin's request to register again is the cause that the page states.
func TestReregister(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", sallyport.StateEnforced)
	w.withApp(u)
	must(t, w.db.RequireReregister(t.Context(), u.ID, w.clock.Now()))
	page := w.browser().signIn(app+"/", "alice").want(200, "Your administrator has asked you")
	page.submit("code", w.code(page.key())).want(200, "shown only now")
	if mustUser(w, "alice").Reregister {
		t.Error("the request still stands after the registration")
	}
}

// A second opinion: what oathtool computes from the key on the page registers and
// verifies.
func TestOATHTool(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateEnabled)
	page := w.browser().signIn(app+"/", "alice")
	key := page.key()
	page.submit("code", parts.OATHTool(t, key, w.clock.Now())).submit().submit().want(200, "hello alice")
	w.wait(time.Minute)
	w.browser().signIn(app+"/", "alice").submit("code", parts.OATHTool(t, key, w.clock.Now())).want(200, "hello alice")
}
