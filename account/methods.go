package account

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/challenge"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
	"sallyport/session"
	"sallyport/web"
)

// registrationLife is how long a registration may take.
const registrationLife = 15 * time.Minute

// pending is a registration under way. Nothing is stored until its code is typed
// back: the form itself carries it, sealed for this person and session.
type pending struct {
	Kind   sallyport.Kind `json:"kind"`
	Secret []byte         `json:"secret"`
	Since  time.Time      `json:"since"`
}

// sealPending packs p for the `flow` field of a form.
func (v *visit) sealPending(p pending) (sallyport.FlowID, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("pending registration: %w", err)
	}
	sealed := v.a.keys.Seal(b, "account", "pending", v.owner())
	return sallyport.FlowID(base64.RawURLEncoding.EncodeToString(sealed)), nil
}

// owner is whom a pending registration belongs to: copied into another person's
// form, or into another session's, it does not open.
func (v *visit) owner() string { return string(v.user()) + "/" + string(v.grant.Session.ID) }

// openPending unpacks the `flow` field; errors are SP-3001.
func (v *visit) openPending(kind sallyport.Kind) (pending, error) {
	var p pending
	expired := func(err error) error {
		return httperr.New(http.StatusGone, sallyport.CodeRegistrationExpired, fmt.Errorf("pending registration: %w", err))
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(v.field("flow"))
	if err != nil {
		return p, expired(err)
	}
	b, err := v.a.keys.Open(sealed, "account", "pending", v.owner())
	if err != nil {
		return p, expired(err)
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, expired(err)
	}
	age := v.now.Sub(p.Since)
	if age < 0 || age > registrationLife || kind != "" && p.Kind != kind {
		return p, expired(fmt.Errorf("of kind %s, begun %s ago", p.Kind, age))
	}
	return p, nil
}

// method returns the switched-on method of a kind; nil if there is none.
func (a *Account) method(kind sallyport.Kind) challenge.Method {
	for _, m := range a.methods {
		if m.Kind() == kind {
			return m
		}
	}
	return nil
}

// registrable are the methods that can be added. Recovery codes are not added:
// they are renewed.
func (a *Account) registrable() []challenge.Method {
	var out []challenge.Method
	for _, m := range a.methods {
		if m.Kind() != sallyport.KindRecovery && m.Kind().MFA() {
			out = append(out, m)
		}
	}
	return out
}

// addPage is GET /.sallyport/security-info/add: a new secret, stored nowhere.
func (v *visit) addPage() error {
	offered := v.a.registrable()
	if len(offered) == 0 {
		return httperr.New(http.StatusForbidden, sallyport.CodeNoMethod, errors.New("no method can be registered"))
	}
	m := offered[0]
	for _, o := range offered {
		if string(o.Kind()) == v.r.URL.Query().Get("method") {
			m = o
		}
	}
	if err := v.a.challenge.CheckFirst(v.r, challenge.Attempt{User: v.grant.User, Method: m, SessionID: v.grant.Session.ID}); err != nil {
		return err
	}
	secret, err := m.Propose(v.grant.User)
	if err != nil {
		return fmt.Errorf("proposing a method: %w", err)
	}
	return v.showAdd(http.StatusOK, m, pending{Kind: m.Kind(), Secret: secret, Since: v.now}, nil)
}

// showAdd draws the registration page of a method, the same as in the wizard.
func (v *visit) showAdd(status int, m challenge.Method, p pending, fault *challenge.CodeFault) error {
	show, err := m.Show(v.grant.User, p.Secret)
	if err != nil {
		return fmt.Errorf("showing a registration: %w", err)
	}
	sealed, err := v.sealPending(p)
	if err != nil {
		return err
	}
	data := challenge.RegisterPage{
		Form: challenge.Form{Action: pathAdd, Flow: sealed, CSRF: v.csrf},
		Kind: m.Kind(), User: v.grant.User.Label(), Show: show, Fault: fault, Name: clip(v.field("name"), 256),
		Again: base, CorrelationID: reqctx.From(v.r.Context()).CorrelationID,
	}
	for _, o := range v.a.registrable() {
		if o.Kind() != m.Kind() {
			data.Others = append(data.Others, challenge.Other{Kind: o.Kind(), URL: pathAdd + "?method=" + url.QueryEscape(string(o.Kind()))})
		}
	}
	return v.render(web.Page{Status: status, Template: m.RegisterTemplate(), TitleKey: "account.add.title", OneLanguage: true, Data: data})
}

// addForm is POST /.sallyport/security-info/add: the code typed back.
func (v *visit) addForm() error {
	p, err := v.openPending("")
	if err != nil {
		return err
	}
	m := v.a.method(p.Kind)
	if m == nil || m.Kind() == sallyport.KindRecovery {
		return httperr.New(http.StatusConflict, sallyport.CodeRegistrationExpired, fmt.Errorf("method %s was switched off meanwhile", p.Kind))
	}
	added, err := v.a.challenge.Register(v.r, challenge.Attempt{User: v.grant.User, Method: m, Pending: p.Secret,
		Typed: v.field("code"), Name: challenge.TypedName(v.r), SessionID: v.grant.Session.ID})
	var fault *challenge.CodeFault
	if errors.As(err, &fault) {
		reqctx.From(v.r.Context()).Code = fault.Code
		status := http.StatusUnprocessableEntity
		if fault.Locked() {
			status = http.StatusForbidden
		}
		return v.showAdd(status, m, p, fault)
	}
	if errors.Is(err, sallyport.ErrExists) {
		// The same form, sent twice: the method is there, from the first time. Its code
		// is no verification any more.
		return v.done("added")
	}
	if err != nil {
		return v.orGone(fmt.Errorf("registering a method: %w", err))
	}
	// The code typed back was a verification: without it in the session, whoever
	// just added a first method would be asked for the very next code.
	_, err = v.a.sessions.SignIn(v.w, v.r, session.SignIn{User: v.grant.User, Provider: v.grant.Session.Provider,
		Groups: v.grant.Session.Groups, Proofs: v.proofsWith(sallyport.Proof{Kind: added.Kind, At: v.now, MethodID: added.ID}),
		DeviceID: v.grant.Token.DeviceID})
	if err != nil {
		return fmt.Errorf("raising the session: %w", err)
	}
	return v.done("added")
}

// proofsWith are the session's proofs and one more.
func (v *visit) proofsWith(p sallyport.Proof) []sallyport.Proof {
	return append(append([]sallyport.Proof(nil), v.grant.Token.Proofs...), p)
}

// owned returns the person's own method that the form names. Somebody else's ID
// is as unknown as one that never was.
func (v *visit) owned() (sallyport.Method, error) {
	methods, err := v.a.store.Methods(v.r.Context(), v.user())
	if err != nil {
		return sallyport.Method{}, fmt.Errorf("methods: %w", err)
	}
	for _, m := range methods {
		if string(m.ID) == v.field("method") && m.Kind != sallyport.KindRecovery {
			return m, nil
		}
	}
	return sallyport.Method{}, fmt.Errorf("method %.40q: %w", v.field("method"), sallyport.ErrNotFound)
}

// orGone tells of something that is not there (any more) on the overview, and
// leads somebody whose session has ended to sign in; other errors stay errors.
func (v *visit) orGone(err error) error {
	switch {
	case errors.Is(err, sallyport.ErrNotFound):
		return v.done("gone")
	case errors.Is(err, sallyport.ErrExpired):
		// Ended by another node or a command; this node would have heard of it within
		// half a second.
		v.a.sessions.Forget(v.user())
		return v.a.demand(v.w, v.r, base)
	}
	return err
}

// rename is POST /.sallyport/security-info/rename.
func (v *visit) rename() error {
	m, err := v.owned()
	if err != nil {
		return v.orGone(err)
	}
	name, ok := challenge.CleanName(v.field("name"))
	if !ok || name == "" {
		reqctx.From(v.r.Context()).Code = sallyport.CodeBadMethodName
		return v.showOverview(http.StatusUnprocessableEntity, func(p *overview) {
			p.BadName, p.BadNameID, p.TypedName = true, m.ID, clip(v.field("name"), 256)
		})
	}
	ev := v.event(audit.MethodRenamed)
	ev.Method, ev.Device, ev.Before, ev.After = m.Kind, name, m.Name, name
	if err := v.a.store.RenameMethod(v.r.Context(), v.user(), m.ID, name, ev); err != nil {
		return v.orGone(fmt.Errorf("renaming a method: %w", err))
	}
	return v.done("renamed")
}

// delete is POST /.sallyport/security-info/delete. The store judges whether it is
// the last one, in the same transaction: two tabs cannot each delete one of two.
func (v *visit) delete() error {
	m, err := v.owned()
	if err != nil {
		return v.orGone(err)
	}
	ev := v.event(audit.MethodDeleted)
	ev.Method, ev.Device = m.Kind, m.Name
	err = v.a.store.DeleteMethod(v.r.Context(), v.user(), m.ID, v.demanded(), v.grant.Session.ID, func(ended int) []audit.Event {
		if ended == 0 {
			return []audit.Event{ev}
		}
		others := v.event(audit.SessionRevoked)
		others.Reason, others.Method, others.Device = "method-deleted", m.Kind, m.Name
		return []audit.Event{ev, others}
	})
	if errors.Is(err, sallyport.ErrLastMethod) {
		reqctx.From(v.r.Context()).Code = sallyport.CodeLastMethod
		return v.showOverview(http.StatusConflict, func(p *overview) { p.Notice = noticeOf("last-method") })
	}
	if err != nil {
		return v.orGone(fmt.Errorf("deleting a method: %w", err))
	}
	return v.done("deleted")
}

// codesPage is GET /.sallyport/security-info/recovery-codes: new ones, which
// replace the old ones only once the person says that they are kept.
func (v *visit) codesPage() error {
	m, err := v.recovery()
	if err != nil {
		return err
	}
	secret, err := m.Propose(v.grant.User)
	if err != nil {
		return fmt.Errorf("making recovery codes: %w", err)
	}
	return v.showCodes(m, pending{Kind: m.Kind(), Secret: secret, Since: v.now})
}

// recovery is the method of recovery codes. They stand in for a method, so there
// must be one.
func (v *visit) recovery() (challenge.Method, error) {
	m := v.a.method(sallyport.KindRecovery)
	if m == nil || !v.grant.Registered {
		return nil, httperr.New(http.StatusForbidden, sallyport.CodeNoMethod, errors.New("recovery codes are switched off, or there is no method to recover"))
	}
	return m, nil
}

func (v *visit) showCodes(m challenge.Method, p pending) error {
	show, err := m.Show(v.grant.User, p.Secret)
	if err != nil {
		return fmt.Errorf("showing recovery codes: %w", err)
	}
	sealed, err := v.sealPending(p)
	if err != nil {
		return err
	}
	return v.render(web.Page{Template: m.RegisterTemplate(), TitleKey: "account.codes.title", OneLanguage: true, Data: challenge.CodesPage{
		Form: challenge.Form{Action: pathCodes, Flow: sealed, CSRF: v.csrf}, Download: pathDownload, Show: show, Cancel: base}})
}

// codesForm is POST /.sallyport/security-info/recovery-codes: the codes are kept.
func (v *visit) codesForm() error {
	m, err := v.recovery()
	if err != nil {
		return err
	}
	p, err := v.openPending(sallyport.KindRecovery)
	if err != nil {
		return err
	}
	// Since is the set's own moment: the store keeps no set that is not newer than
	// the one in force, so that this form, sent again, brings no used code back.
	_, err = m.Register(v.r.Context(), challenge.Registration{User: v.grant.User, Pending: p.Secret, Now: p.Since,
		Record: func(sallyport.Method, bool) []audit.Event {
			ev := v.event(audit.RecoveryRenewed)
			ev.Method = sallyport.KindRecovery
			return []audit.Event{ev}
		}})
	switch {
	case errors.Is(err, sallyport.ErrUsed):
		return httperr.New(http.StatusGone, sallyport.CodeRegistrationExpired, fmt.Errorf("keeping recovery codes: %w", err))
	case err != nil && !errors.Is(err, sallyport.ErrExists): // the same form, sent twice, changes nothing
		return v.orGone(fmt.Errorf("keeping recovery codes: %w", err))
	}
	return v.done("codes")
}

// codesDownload is POST …/recovery-codes/download: the codes as a text file,
// without a script.
func (v *visit) codesDownload() error {
	m, err := v.recovery()
	if err != nil {
		return err
	}
	p, err := v.openPending(sallyport.KindRecovery)
	if err != nil {
		return err
	}
	show, err := m.Show(v.grant.User, p.Secret)
	if err != nil {
		return fmt.Errorf("showing recovery codes: %w", err)
	}
	return challenge.WriteText(v.w, show, v.a.cfg.Issuer)
}
