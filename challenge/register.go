package challenge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
)

// maxName is the longest name of a method, in characters.
const maxName = 64

// registerPage is GET /.sallyport/register: interrupt mode.
func (c *Challenge) registerPage(w http.ResponseWriter, r *http.Request) error {
	x, err := c.at(w, r, r.URL.Query().Get("flow"), stepRegister)
	if x == nil {
		return err
	}
	defer x.close()
	offered := c.registrable()
	if len(offered) == 0 || c.refusesFirst(r) {
		return x.advance() // which says why
	}
	kind := sallyport.Kind(r.URL.Query().Get("method"))
	if methodOf(offered, kind) == nil {
		kind = offered[0].Kind()
		if x.data.Kind != "" {
			kind = x.data.Kind
		}
	}
	if x.data.Secret == nil || x.data.Kind != kind {
		// A reload shows the same key again; another method gets its own.
		if again, err := x.propose(methodOf(offered, kind)); again || err != nil {
			return err
		}
	}
	return x.showRegister(http.StatusOK, nil, "")
}

// propose puts a new pending secret into the flow. Registering lasts as long as a
// flow from the first one on; another method gets no more time. again: another request was first, or a first factor must be
// shown once more; the answer is written.
func (x *run) propose(m Method) (again bool, err error) {
	user, err := x.c.store.User(x.r.Context(), x.f.UserID)
	if err != nil {
		return false, fmt.Errorf("loading a user: %w", err)
	}
	if x.data.Secret == nil && x.now.Sub(sallyport.FirstFactorAt(x.f.Proofs)) > firstFactorAge {
		return true, x.advance()
	}
	secret, err := m.Propose(user)
	if err != nil {
		return false, fmt.Errorf("proposing a method: %w", err)
	}
	if x.data.Secret == nil {
		x.f.ExpiresAt = x.now.Add(flowLife)
		if last := x.f.CreatedAt.Add(flowMax); x.f.ExpiresAt.After(last) {
			x.f.ExpiresAt = last
		}
	}
	x.data.Kind, x.data.Secret, x.data.Since = m.Kind(), secret, x.now
	if err := x.save(); err != nil {
		if errors.Is(err, sallyport.ErrConflict) {
			return true, x.overtaken()
		}
		return false, err
	}
	return false, nil
}

// showRegister draws the page of the registration under way.
func (x *run) showRegister(status int, fault *CodeFault, name string) error {
	m := methodOf(x.c.registrable(), x.data.Kind)
	if m == nil {
		return httperr.New(http.StatusConflict, sallyport.CodeRegistrationExpired, errors.New("the method was switched off meanwhile"))
	}
	user, err := x.person()
	if err != nil {
		return err
	}
	show, err := m.Show(user, x.data.Secret)
	if err != nil {
		return fmt.Errorf("showing a registration: %w", err)
	}
	if fault == nil {
		if fault, err = x.lockedNow(); err != nil {
			return err
		}
	}
	p := RegisterPage{Form: x.form(pathRegister), Kind: m.Kind(), Cause: x.f.Need.Cause, User: user.Label(), Show: show,
		Fault: fault, Name: name, Codes: methodOf(x.c.methods, sallyport.KindRecovery) != nil, CorrelationID: reqctx.From(x.r.Context()).CorrelationID, Again: againURL(x.f)}
	for _, o := range x.c.registrable() {
		if o.Kind() != m.Kind() {
			p.Others = append(p.Others, Other{Kind: o.Kind(), URL: pathRegister + "?flow=" + string(x.f.ID) + "&method=" + string(o.Kind())})
		}
	}
	return x.render(status, m.RegisterTemplate(), "challenge.register.title", p)
}

// registerForm is POST /.sallyport/register: the code typed back.
func (c *Challenge) registerForm(w http.ResponseWriter, r *http.Request) error {
	x, err := c.at(w, r, r.PostForm.Get("flow"), stepRegister)
	if x == nil {
		return err
	}
	defer x.close()
	m := methodOf(c.registrable(), x.data.Kind)
	if m == nil || x.data.Secret == nil {
		// Nothing was shown yet that a code could confirm.
		x.redirectToStep()
		return nil
	}
	// Whoever knows the password alone may have opened this page before the person
	// registered: from then on a verification comes first (D9).
	if registered, err := c.registered(r.Context(), x.f.UserID); err != nil {
		return err
	} else if registered {
		x.data.Kind, x.data.Secret = "", nil
		return x.advance()
	}
	if c.refusesFirst(r) {
		return x.advance() // the person has left the place where the page was opened
	}
	name := TypedName(r)
	user, err := c.store.User(r.Context(), x.f.UserID)
	if err != nil {
		return fmt.Errorf("loading a user: %w", err)
	}
	x.user = user
	claimed := false
	method, err := c.Register(r, Attempt{User: user, Method: m, Pending: x.data.Secret, Typed: r.PostForm.Get("code"), Name: name,
		event: x.stepEvent,
		claim: func() error {
			claimed = true
			return x.save() // two nodes with one code: one of them gets past here
		}})
	var fault *CodeFault
	switch {
	case claimed && errors.Is(err, sallyport.ErrConflict):
		return x.overtaken()
	case errors.As(err, &fault):
		reqctx.From(r.Context()).Code = fault.Code
		return x.showRegister(fault.status(), fault, clip(name))
	case err != nil:
		return err
	}
	return x.registered(method)
}

// registered goes on after a method was stored: its code was a verification, and
// the wizard ends with recovery codes and a summary.
func (x *run) registered(m sallyport.Method) error {
	x.f.Proofs = withProof(x.f.Proofs, sallyport.Proof{Kind: m.Kind, At: x.now, MethodID: m.ID})
	x.f.DeviceID = ""
	x.data.Kind, x.data.Secret = "", nil
	x.data.Notice, x.data.Name, x.data.Left = noticeRegistered, m.Name, -1
	if rec := methodOf(x.c.methods, sallyport.KindRecovery); rec != nil {
		codes, err := rec.Propose(x.user)
		if err != nil {
			return fmt.Errorf("making recovery codes: %w", err)
		}
		x.data.Codes, x.data.CodesMade = codes, x.now
	}
	return x.advance()
}

// Attempt is one attempt to register a method, in the wizard or on the
// security-info page.
type Attempt struct {
	User    sallyport.User
	Method  Method
	Pending []byte // from Method.Propose
	Typed   string // code
	Name    string // typed; "" takes the method's own
	// SessionID of the person, for the log; may be empty.
	SessionID sallyport.SessionID

	event func(audit.Kind, audit.Result) audit.Event
	claim func() error
}

// Register judges the code typed back and stores the method, with its events; the
// attempt counts towards the lockout of verification, as anywhere else. What the
// person did wrong is a *CodeFault.
func (c *Challenge) Register(r *http.Request, a Attempt) (sallyport.Method, error) {
	var m sallyport.Method
	now := c.now()
	if a.event == nil {
		a.event = func(kind audit.Kind, result audit.Result) audit.Event {
			return c.registrationEvent(r, a, kind, result)
		}
	}
	if err := c.CheckFirst(r, a); err != nil {
		return m, err
	}
	name, ok := CleanName(a.Name)
	if !ok {
		return m, &CodeFault{Code: sallyport.CodeBadMethodName, Left: -1}
	}
	code, ok := a.Method.Clean(a.Typed)
	if !ok {
		return m, &CodeFault{Code: sallyport.CodeRegistrationCode, Malformed: true, Left: -1}
	}
	right := false
	claim := func() error {
		right = true // a method asks for its claim once the code was found right
		if a.claim == nil {
			return nil
		}
		return a.claim()
	}
	reg := Registration{First: a.claim != nil, User: a.User, Pending: a.Pending, Code: code, Name: name, Now: now, Claim: claim,
		Record: func(m sallyport.Method, promoted bool) []audit.Event { return registerEvents(a, m, promoted) }}
	err := c.judged(r, attemptOf{kind: a.Method.Kind(), user: a.User.ID, eventKind: audit.SignInRegister, event: a.event}, now,
		func(ctx context.Context) (bool, error) {
			var err error
			m, err = a.Method.Register(ctx, reg)
			return right, err
		})
	if errors.Is(err, sallyport.ErrLimit) {
		return m, &CodeFault{Code: sallyport.CodeTooManyMethods, Left: -1}
	}
	return m, err
}

// Record makes the events that are written with a new method; promoted says that
// it moved the user from enabled to enforced.
type Record func(m sallyport.Method, promoted bool) []audit.Event

func registerEvents(a Attempt, m sallyport.Method, promoted bool) []audit.Event {
	step := a.event(audit.SignInRegister, audit.Success)
	step.Method, step.Device = m.Kind, m.Name
	ev := a.event(audit.MethodRegistered, audit.Success)
	ev.Method, ev.Device, ev.Duration = m.Kind, m.Name, 0
	events := []audit.Event{ev}
	if step.FlowID != "" {
		events = append(events, step)
	}
	if promoted {
		st := a.event(audit.StateChanged, audit.Success)
		st.Actor, st.Reason, st.Duration = "system", "registration-completed", 0
		st.Before, st.After = string(sallyport.StateEnabled), string(sallyport.StateEnforced)
		events = append(events, st)
	}
	return events
}

// TypedName is the name that a registration form brings: what was typed, else the
// page's own name for such a method, which is in the person's language.
func TypedName(r *http.Request) string {
	if name := strings.TrimSpace(r.PostForm.Get("name")); name != "" {
		return name
	}
	return r.PostForm.Get("default_name")
}

// CleanName returns a method's name as it is stored: trimmed, at most 64
// characters, nothing invisible. "" is fine and means: no name given.
func CleanName(typed string) (string, bool) {
	name := strings.TrimSpace(typed)
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName {
		return "", false
	}
	for _, ch := range name {
		if !isShown(ch) {
			return "", false
		}
	}
	return name, true
}
