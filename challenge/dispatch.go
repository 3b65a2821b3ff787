package challenge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
	"sallyport/policy"
	"sallyport/session"
)

// advance is the dispatcher: it asks what is still needed, writes the flow with
// the events of the step just done, and sends the browser to the next step or
// home. Steps return only here, and nothing else moves a flow on.
func (x *run) advance() error {
	step, d, err := x.next()
	if err != nil {
		return err
	}
	info := reqctx.From(x.r.Context())
	info.UserID, info.Rule = x.f.UserID, d.Rule
	if step != x.f.Step {
		x.data.Since = x.now
	}
	x.f.Step = step
	switch step {
	case stepDone:
		return x.finish(d)
	case stepDenied:
		return x.deny(d)
	}
	if ev, ok := x.interrupt(step, d); ok {
		x.events = append(x.events, ev)
	}
	if err := x.save(); err != nil {
		if errors.Is(err, sallyport.ErrConflict) {
			return x.overtaken()
		}
		return err
	}
	x.redirectToStep()
	return nil
}

// next says what the flow needs now, from its facts alone.
func (x *run) next() (string, policy.Decision, error) {
	var none policy.Decision
	if err := x.checkSession(); err != nil {
		return "", none, err
	}
	if x.f.UserID == "" || sallyport.FirstFactorAt(x.f.Proofs).IsZero() {
		return stepSignIn, none, nil
	}
	if _, err := x.dropGone(); err != nil {
		return "", none, err
	}
	facts, err := x.facts()
	if err != nil {
		return "", none, err
	}
	if x.data.Session == "" && sallyport.FirstFactorAt(x.f.Proofs).Before(x.user.TrustEndedAt) {
		x.forget() // a new password was set while the old one was being judged
		return stepSignIn, none, nil
	}
	d := policy.Decide(facts)
	if d.Effect == policy.Require && d.Need.Strength != "" && x.f.Need.Fresh == 0 && !facts.Remembered {
		// Only now: presenting the device rotates its token, so it is not shown
		// where it is not needed.
		if facts.Remembered, err = x.useDevice(); err != nil {
			return "", none, err
		}
		d = policy.Decide(facts)
	}
	switch {
	case d.Effect == policy.Deny && d.Code == sallyport.CodeVerificationLocked:
		x.data.Locked = true
		return stepVerify, d, nil // its page says until when
	case d.Effect == policy.Deny:
		return stepDenied, d, nil
	case x.data.Codes != nil:
		return stepCodes, d, nil
	case x.data.Notice != "":
		return stepNotice, d, nil
	}
	return x.outstanding(d, facts.Registered)
}

// checkSession drops what the flow took over from a portal session once that
// session has ended: otherwise a sign-out or an admin's revocation in another tab
// would leave a first factor behind that nobody has to show again.
func (x *run) checkSession() error {
	if x.data.Session == "" || x.unsaved {
		return nil
	}
	g, err := x.c.sessions.Load(x.r)
	if err != nil {
		return err
	}
	if g == nil || g.Session.ID != x.data.Session {
		x.forget()
	}
	return nil
}

// dropGone drops proofs of methods that were deleted or switched off while the
// flow waited, and what they had led to: otherwise whoever registered an app with
// a stolen password could wait with the flow until its owner has deleted that
// app, and go in all the same. gone reports whether there were any.
func (x *run) dropGone() (gone bool, err error) {
	if x.unsaved || sallyport.VerifiedAt(x.f.Proofs).IsZero() {
		return false, nil // nothing waited, or there is nothing to lose
	}
	methods, err := x.c.store.Methods(x.r.Context(), x.f.UserID)
	if err != nil {
		return false, fmt.Errorf("methods of a user: %w", err)
	}
	var kept []sallyport.Proof
	for _, p := range x.f.Proofs {
		exists := p.MethodID == "" || slices.ContainsFunc(methods, func(m sallyport.Method) bool { return m.ID == p.MethodID })
		if !p.Kind.MFA() || exists && has(x.c.methods, p.Kind) {
			kept = append(kept, p)
		}
	}
	if len(kept) == len(x.f.Proofs) {
		return false, nil
	}
	x.f.Proofs = kept
	x.data = stepData{Since: x.data.Since, Session: x.data.Session, Language: x.data.Language}
	return true, nil
}

// forget makes the flow nobody's again.
func (x *run) forget() {
	x.f.UserID, x.f.Provider, x.f.Groups, x.f.Proofs, x.f.DeviceID = "", "", nil, nil, ""
	x.data = stepData{Since: x.data.Since, Language: x.data.Language}
	x.user = sallyport.User{}
}

// outstanding turns what policy and the flow's own need demand into a step.
func (x *run) outstanding(d policy.Decision, registered bool) (string, policy.Decision, error) {
	need := d.Need
	if x.f.Need.Fresh > 0 && !IsFresh(x.f.Proofs, registered, x.f.Need.Fresh, x.now) {
		if !registered {
			return stepSignIn, d, nil
		}
		need.Strength, need.Register, d.Rule = sallyport.StrengthMultifactor, false, x.f.Need.Cause
		d.Need, d.Skipped = need, ""
	} else if d.Effect == policy.Allow {
		return stepDone, d, nil
	}
	switch {
	case need.FirstFactor:
		return stepSignIn, d, nil
	case need.Register && x.c.refusesFirst(x.r):
		return stepDenied, x.c.cfg.Registration.Refusal(x.c.addresses.Class(client(x.r)), d.Reasons), nil
	case need.Register && x.data.Secret == nil &&
		x.now.Sub(sallyport.FirstFactorAt(x.f.Proofs)) > firstFactorAge:
		// Whoever finds an unlocked screen must not tie their own phone to it.
		return stepSignIn, d, nil
	case need.Register && len(x.c.registrable()) == 0:
		return stepDenied, policy.Decision{Effect: policy.Deny, Rule: d.Rule, Code: sallyport.CodeNoMethod, Reasons: d.Reasons}, nil
	case need.Register:
		x.f.Need.Cause = need.Cause
		return stepRegister, d, nil
	case need.Strength != "":
		return stepVerify, d, nil
	}
	return "", d, fmt.Errorf("flow %s: rule %s needs what no step gives", x.f.ID, d.Rule)
}

// facts gathers what policy must know of the flow, as of now: state, lockout and
// methods are read again at every step.
func (x *run) facts() (policy.Facts, error) {
	ctx := x.r.Context()
	var err error
	if x.user, err = x.c.store.User(ctx, x.f.UserID); err != nil {
		if errors.Is(err, sallyport.ErrNotFound) {
			err = httperr.New(http.StatusForbidden, sallyport.CodeUserDenied, fmt.Errorf("user %s is gone", x.f.UserID))
		}
		return policy.Facts{}, err
	}
	registered, err := x.c.registered(ctx, x.user.ID)
	if err != nil {
		return policy.Facts{}, err
	}
	x.f.Lane, err = x.c.lane(x.r, x.user.ID)
	if err != nil {
		return policy.Facts{}, err
	}
	locked := false
	if !x.unsaved { // a session that is simply carried to another host is no attempt
		st, err := x.c.store.AttemptState(ctx, x.c.attempt(string(x.user.ID), sallyport.AttemptVerification, x.f.Lane, x.now))
		if err != nil {
			return policy.Facts{}, fmt.Errorf("lockout: %w", err)
		}
		locked = st.Locked
	}
	f := policy.Facts{
		Target: x.target.policy, SignedIn: true,
		State: x.user.State, SignInDisabled: x.user.SignInDisabled, Locked: locked,
		Groups: x.f.Groups, Strength: sallyport.StrengthOf(x.f.Proofs),
		Registered: registered, Reregister: x.user.Reregister,
		Address: x.c.addresses.Class(client(x.r)), Remembered: x.f.DeviceID != "",
	}
	// A public path can be read by anybody, but who is sent here was asked to
	// sign in: judge them as a user.
	f.Target.Public = false
	f.UserName, _ = sallyport.FoldName(x.user.Name)
	if x.user.Email != "" {
		f.UserEmail, _ = sallyport.FoldName(x.user.Email)
	}
	return f, nil
}

// useDevice presents this browser's remembered device, once a request.
func (x *run) useDevice() (bool, error) {
	if x.tried {
		return x.device != nil, nil
	}
	x.tried = true
	used, stolen := x.event(audit.DeviceUsed, audit.Success), x.event(audit.DeviceStolen, audit.Denied)
	stolen.Actor, stolen.Reason = "system", "token-reused"
	d, err := x.c.sessions.UseDevice(x.w, x.r, x.user.ID, used, stolen)
	if err != nil {
		return false, err
	}
	if d != nil {
		x.device, x.f.DeviceID = d, d.ID
	}
	return d != nil, nil
}

// registered reports whether the user can verify with something other than
// recovery codes.
func (c *Challenge) registered(ctx context.Context, user sallyport.UserID) (bool, error) {
	for _, m := range c.methods {
		if m.Kind() == sallyport.KindRecovery || !m.Kind().MFA() {
			continue
		}
		ok, err := m.Ready(ctx, user)
		if err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// registrable are the methods that the wizard offers, most secure first. Recovery
// codes are no method of their own there: they come at its end.
func (c *Challenge) registrable() []Method {
	var out []Method
	for _, m := range c.methods {
		if m.Kind() != sallyport.KindRecovery && m.Kind().MFA() {
			out = append(out, m)
		}
	}
	return out
}

// lane is the lane of attempt counters that this request of a user runs in.
func (c *Challenge) lane(r *http.Request, user sallyport.UserID) (sallyport.Lane, error) {
	if user != "" {
		d, err := c.sessions.PeekDevice(r, user)
		if err != nil {
			return "", err
		}
		if d != nil {
			return sallyport.LaneDevice + ":" + sallyport.Lane(d.ID), nil
		}
	}
	if c.addresses.Class(client(r)).Trusted {
		return sallyport.LaneTrusted, nil
	}
	return sallyport.LaneOther, nil
}

func (c *Challenge) attempt(subject string, kind sallyport.AttemptKind, lane sallyport.Lane, at time.Time) sallyport.Attempt {
	l := c.cfg.Lockout
	return sallyport.Attempt{Subject: subject, Kind: kind, Lane: lane, At: at,
		Rule: sallyport.Lockout{Denials: l.Denials, ResetAfter: l.ResetAfter, LockFor: l.LockFor, LockMax: l.LockMax}}
}

// deny ends a flow that policy refuses.
func (x *run) deny(d policy.Decision) error {
	summary := x.summary(audit.Denied, d)
	if err := x.end(summary); err != nil {
		if errors.Is(err, sallyport.ErrConflict) {
			return x.overtaken()
		}
		return err
	}
	reqctx.From(x.r.Context()).Decision = d.Effect.String()
	return httperr.New(http.StatusForbidden, d.Code, fmt.Errorf("rule %s: %v", d.Rule, d.Reasons))
}

// end removes the flow, with its last events. Exactly one of several concurrent
// calls succeeds.
func (x *run) end(summary audit.Event) error {
	x.events = append(x.events, summary)
	events := x.events
	x.events = nil
	if x.unsaved {
		return x.c.store.AppendEvents(x.r.Context(), events...)
	}
	return x.c.store.FinishFlow(x.r.Context(), x.f, events...)
}

// finish is the last step: the flow ends, the session changes its token, and the
// browser goes where it wanted to go.
func (x *run) finish(d policy.Decision) error {
	if d.Skipped != "" {
		x.events = append(x.events, x.skip(d))
	}
	if err := x.end(x.summary(audit.Success, d)); err != nil {
		if errors.Is(err, sallyport.ErrConflict) {
			return x.overtaken()
		}
		return fmt.Errorf("finishing a flow: %w", err)
	}
	x.keepLanguage()
	grant := x.grant
	if !x.unsaved || x.device != nil || grant == nil {
		var err error
		grant, err = x.c.sessions.SignIn(x.w, x.r, session.SignIn{User: x.user, Provider: x.f.Provider,
			Groups: x.f.Groups, Proofs: x.f.Proofs, DeviceID: x.f.DeviceID, Raises: x.data.Session})
		if err != nil {
			return err
		}
	}
	if x.f.Remember && x.c.cfg.RememberDays > 0 && sallyport.VerifiedAt(x.f.Proofs).Compare(x.f.CreatedAt) >= 0 {
		ev := x.event(audit.DeviceRemembered, audit.Success)
		ev.SessionID = grant.Session.ID
		if err := x.c.sessions.Remember(x.w, x.r, x.user.ID, ev); err != nil {
			return err
		}
	}
	info := reqctx.From(x.r.Context())
	info.UserID, info.SessionID, info.Decision = x.user.ID, grant.Session.ID, "allow"
	location := x.target.url
	if !x.target.portal {
		var err error
		if location, err = x.c.sessions.Handoff(x.r.Context(), grant, x.f); err != nil {
			return err
		}
	}
	x.c.recent.add(x.f, x.now)
	http.Redirect(x.w, x.r, location, http.StatusSeeOther)
	return nil
}
