package challenge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/reqctx"
)

// verifyPage is GET /.sallyport/verify: it asks for a code of one method and
// names the others.
func (c *Challenge) verifyPage(w http.ResponseWriter, r *http.Request) error {
	x, err := c.at(w, r, r.URL.Query().Get("flow"), stepVerify)
	if x == nil {
		return err
	}
	defer x.close()
	return x.showVerify(http.StatusOK, sallyport.Kind(r.URL.Query().Get("method")), nil, false)
}

// showVerify draws the page of a method; an unknown kind is the first that is
// ready.
func (x *run) showVerify(status int, kind sallyport.Kind, fault *CodeFault, remember bool) error {
	ctx := x.r.Context()
	ready, err := x.c.ready(ctx, x.f.UserID)
	if err != nil {
		return err
	}
	if fault == nil {
		if fault, err = x.lockedNow(); err != nil {
			return err
		}
		if fault != nil {
			status = http.StatusForbidden
		}
	}
	switch {
	case fault != nil && fault.Locked():
	case len(ready) == 0:
		return x.noMethod()
	case fault == nil && x.data.Locked:
		// The lock that brought the person here is over: ask again what is needed.
		x.data.Locked = false
		return x.advance()
	}
	user, err := x.person()
	if err != nil {
		return err
	}
	p := VerifyPage{Form: x.form(pathVerify), App: x.app(), Place: x.c.place(x.r), User: user.Label(),
		Cause: x.f.Need.Cause, CorrelationID: reqctx.From(x.r.Context()).CorrelationID,
		Fault: fault, Again: againURL(x.f), Remember: remember}
	if x.f.Need.Fresh == 0 {
		p.RememberDays = x.c.cfg.RememberDays
	}
	template := "challenge/locked"
	for _, m := range ready {
		if p.Kind == "" && (kind == "" || kind == m.Kind() || !has(ready, kind)) {
			p.Kind, template = m.Kind(), m.VerifyTemplate()
			continue
		}
		p.Others = append(p.Others, Other{Kind: m.Kind(), URL: pathVerify + "?flow=" + string(x.f.ID) + "&method=" + string(m.Kind())})
	}
	if fault != nil && fault.Locked() {
		template = "challenge/locked"
	}
	return x.render(status, template, "challenge.verify.title", p)
}

// noMethod re-asks policy when nobody can verify with anything: it either has
// another step or says so.
func (x *run) noMethod() error {
	step, d, err := x.next()
	if err != nil {
		return err
	}
	if step == stepVerify && !x.data.Locked {
		d.Code = sallyport.CodeNoMethod
		return x.deny(d)
	}
	return x.advance()
}

func has(methods []Method, kind sallyport.Kind) bool { return methodOf(methods, kind) != nil }

// ready are the methods that a user can verify with now, in order.
func (c *Challenge) ready(ctx context.Context, user sallyport.UserID) ([]Method, error) {
	var out []Method
	for _, m := range c.methods {
		ok, err := m.Ready(ctx, user)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, m)
		}
	}
	return out, nil
}

// place is where a request comes from, for people.
func (c *Challenge) place(r *http.Request) string {
	ip := client(r)
	if l := c.addresses.Class(ip).Location; l != "" {
		return l
	}
	if ip.IsValid() {
		return ip.String()
	}
	return ""
}

// lockedNow returns a fault when the person's verification is locked in this
// request's lane.
func (x *run) lockedNow() (*CodeFault, error) {
	lane, err := x.c.lane(x.r, x.f.UserID)
	if err != nil {
		return nil, err
	}
	st, err := x.c.store.AttemptState(x.r.Context(), x.c.attempt(string(x.f.UserID), sallyport.AttemptVerification, lane, x.now))
	if err != nil {
		return nil, fmt.Errorf("lockout: %w", err)
	}
	if !st.Locked {
		return nil, nil
	}
	return lockedFault(st.Until, x.now), nil
}

// verifyForm is POST /.sallyport/verify.
func (c *Challenge) verifyForm(w http.ResponseWriter, r *http.Request) error {
	x, err := c.at(w, r, r.PostForm.Get("flow"), stepVerify)
	if x == nil {
		return err
	}
	defer x.close()
	remember := r.PostForm.Get("remember") != ""
	ready, err := c.ready(r.Context(), x.f.UserID)
	if err != nil {
		return err
	}
	kind := sallyport.Kind(r.PostForm.Get("method"))
	if kind == "" && len(ready) > 0 {
		kind = ready[0].Kind()
	}
	m := methodOf(ready, kind)
	if m == nil { // also one that the admin has switched off meanwhile (H6)
		return x.showVerify(http.StatusUnprocessableEntity, "", &CodeFault{Code: sallyport.CodeNoMethod, Left: -1}, remember)
	}
	use, err := x.verify(m, r.PostForm.Get("code"))
	var fault *CodeFault
	if errors.As(err, &fault) {
		reqctx.From(r.Context()).Code = fault.Code
		return x.showVerify(fault.status(), m.Kind(), fault, remember)
	}
	if err != nil {
		return err
	}
	x.f.Proofs = withProof(x.f.Proofs, sallyport.Proof{Kind: m.Kind(), At: x.now, MethodID: use.MethodID})
	x.f.DeviceID = "" // shown for real now; nothing stands in for it any more
	x.f.Remember = remember && c.cfg.RememberDays > 0 && x.f.Need.Fresh == 0
	x.data.Locked = false
	if use.Left >= 0 {
		x.data.Notice, x.data.Left = noticeRecovery, use.Left
	}
	ev := x.stepEvent(audit.SignInVerify, audit.Success)
	ev.Method, ev.Device = m.Kind(), use.Name
	x.events = append(x.events, ev)
	return x.advance()
}

// verify charges and judges one typed code.
func (x *run) verify(m Method, typed string) (Use, error) {
	a := attemptOf{kind: m.Kind(), user: x.f.UserID, eventKind: audit.SignInVerify}
	code, ok := m.Clean(typed)
	if !ok {
		return Use{}, &CodeFault{Code: sallyport.CodeWrongCode, Left: -1, Malformed: true}
	}
	var use Use
	user, err := x.c.store.User(x.r.Context(), x.f.UserID)
	if err != nil {
		return use, fmt.Errorf("loading a user: %w", err)
	}
	x.user = user
	a.event = x.stepEvent
	err = x.c.judged(x.r, a, x.now, func(ctx context.Context) (right bool, err error) {
		use, err = m.Verify(ctx, x.f.UserID, code, x.now)
		return err == nil, err
	})
	return use, err
}

// CodeFault is why a typed code was not accepted, for the page that asked for it.
type CodeFault struct {
	// Code of the fault.
	Code sallyport.Code
	// Malformed: what was typed can be no code. It was not counted.
	Malformed bool
	// Left is how many tries remain, when there are few; else -1.
	Left int
	// Until is the end of the lock, when Code is CodeVerificationLocked: rounded up
	// to the minute, as pages show no seconds and nobody should come back too early.
	Until time.Time
	// Minutes until then, rounded up.
	Minutes int
}

func lockedFault(until, now time.Time) *CodeFault {
	shown := until.Truncate(time.Minute)
	if shown.Before(until) {
		shown = shown.Add(time.Minute)
	}
	return &CodeFault{Code: sallyport.CodeVerificationLocked, Left: -1, Until: shown,
		Minutes: max(1, int((until.Sub(now)+time.Minute-1)/time.Minute))}
}

// Error implements error.
func (f *CodeFault) Error() string { return "code not accepted: " + string(f.Code) }

// Locked reports whether no code is accepted until f.Until.
func (f *CodeFault) Locked() bool { return f.Code == sallyport.CodeVerificationLocked }

// Key is the end of the catalogue key that explains the fault: challenge.code.KEY.
func (f *CodeFault) Key() string {
	switch {
	case f.Malformed:
		return "malformed"
	case f.Code == sallyport.CodeUsedCode:
		return "used"
	case f.Code == sallyport.CodeNoMethod:
		return "no_method"
	case f.Code == sallyport.CodeVerificationLocked:
		return "locked"
	case f.Code == sallyport.CodeTooManyMethods:
		return "too_many"
	case f.Code == sallyport.CodeBadMethodName:
		return "bad_name"
	}
	return "wrong"
}

func (f *CodeFault) status() int {
	if f.Malformed || f.Code == sallyport.CodeNoMethod || f.Code == sallyport.CodeTooManyMethods || f.Code == sallyport.CodeBadMethodName {
		return http.StatusUnprocessableEntity
	}
	return http.StatusForbidden
}

// attemptOf says whose code is about to be judged, and how it is recorded.
type attemptOf struct {
	kind      sallyport.Kind
	user      sallyport.UserID
	eventKind audit.Kind
	event     func(audit.Kind, audit.Result) audit.Event
}

// judged is the one way to a judged code, in the wizard, at verification and on
// the security-info page (D3): it throttles, charges the attempt before judge
// looks at the code, so that parallel guesses cannot outrun the lock (D4), and
// records what came of it. Faults of the person are *CodeFault. A code that judge
// found right is no guess, even where an error says that it led nowhere.
func (c *Challenge) judged(r *http.Request, a attemptOf, now time.Time, judge func(context.Context) (right bool, err error)) error {
	ctx := r.Context()
	if wait, ok := c.perAddress.pass(addressKey(client(r)), now); !ok {
		return throttled(sallyport.CodeVerificationThrottled, wait)
	}
	lane, err := c.lane(r, a.user)
	if err != nil {
		return err
	}
	// By lane, as the lockout is, or somebody with a stolen password could keep the
	// owner's codes out (D15). It gives no guess away: the lockout counts each lane
	// whatever passes here.
	if wait, ok := c.perPerson.pass("code\x00"+string(lane)+"\x00"+string(a.user), now); !ok {
		return throttled(sallyport.CodeVerificationThrottled, wait)
	}
	// No fingerprint: a code is right in one window and wrong in the next, so the
	// same guess made again is another guess.
	attempt := c.attempt(string(a.user), sallyport.AttemptVerification, lane, now)
	state, err := c.store.ChargeAttempt(ctx, attempt)
	if err != nil {
		return fmt.Errorf("counting an attempt: %w", err)
	}
	if state.Locked {
		return c.failed(ctx, a, attempt, state, sallyport.CodeVerificationLocked, "locked-out")
	}
	right, err := judge(ctx)
	if right {
		if clearErr := c.store.ClearAttempts(ctx, attempt.Subject, attempt.Kind, attempt.Lane); clearErr != nil {
			return errors.Join(err, fmt.Errorf("clearing a counter: %w", clearErr))
		}
	}
	switch {
	case errors.Is(err, ErrWrongCode):
		return c.failed(ctx, a, attempt, state, wrongCode(a.eventKind), "wrong-code")
	case errors.Is(err, sallyport.ErrUsed):
		return c.failed(ctx, a, attempt, state, sallyport.CodeUsedCode, "used-code")
	case err != nil:
		return err
	}
	c.counted(a.kind, string(audit.Success))
	return nil
}

func wrongCode(kind audit.Kind) sallyport.Code {
	if kind == audit.SignInVerify {
		return sallyport.CodeWrongCode
	}
	return sallyport.CodeRegistrationCode
}

// failed records a code that was not accepted, and says so.
func (c *Challenge) failed(ctx context.Context, a attemptOf, attempt sallyport.Attempt, state sallyport.AttemptState, code sallyport.Code, reason string) error {
	result := audit.Failure
	if state.Locked {
		result = audit.Denied
	}
	c.counted(a.kind, string(result))
	ev := a.event(a.eventKind, result)
	ev.Method, ev.Code, ev.Reason = a.kind, code, reason
	events := []audit.Event{ev}
	fault := &CodeFault{Code: code, Left: -1}
	switch {
	case state.Locked:
		fault = lockedFault(state.Until, attempt.At)
	case !state.Until.IsZero():
		locked := lockout(ev, attempt.Kind, attempt.Lane, state.Until)
		locked.Code = sallyport.CodeVerificationLocked // as the page shows
		events = append(events, locked)
		fault = lockedFault(state.Until, attempt.At)
	case attempt.Rule.Denials > 0 && state.Left <= showLeft:
		fault.Left = state.Left
	}
	if err := c.store.AppendEvents(ctx, events...); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return fault
}
