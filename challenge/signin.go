package challenge

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/identity"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
)

// signInPage is GET /.sallyport/sign-in: without a flow it begins one, with one
// it asks for the first factor.
func (c *Challenge) signInPage(w http.ResponseWriter, r *http.Request) error {
	id := r.URL.Query().Get("flow")
	if id == "" {
		return c.begin(w, r)
	}
	x, err := c.at(w, r, id, stepSignIn)
	if x == nil {
		return err
	}
	defer x.close()
	if p := c.onlyRedirect(); p != nil {
		http.Redirect(w, r, startURL(p, x.f.ID), http.StatusSeeOther)
		return nil
	}
	form := signInForm{}
	if x.f.UserID != "" { // signed in, but too long ago
		u, err := c.store.User(r.Context(), x.f.UserID)
		if err != nil && !errors.Is(err, sallyport.ErrNotFound) {
			return err
		}
		form.Username, form.Again = u.Name, true
	}
	return x.showSignIn(http.StatusOK, form)
}

// onlyRedirect returns the redirect provider that is gone to without a page.
func (c *Challenge) onlyRedirect() identity.RedirectProvider {
	if len(c.providers) != 1 {
		return nil
	}
	p, ok := c.providers[0].(identity.RedirectProvider)
	if !ok || !p.Redirects() {
		return nil
	}
	return p
}

func startURL(p identity.Provider, flow sallyport.FlowID) string {
	return pathSignIn + "/" + url.PathEscape(p.Name()) + "/start?flow=" + url.QueryEscape(string(flow))
}

// signInForm is what the sign-in page shows again after a fault.
type signInForm struct {
	Username, Provider string
	Again              bool
	NoUsername         bool
	NoPassword         bool
	Failed             bool
}

func (x *run) showSignIn(status int, form signInForm) error {
	p := signInPage{Form: x.form(pathSignIn), signInForm: form, App: x.app()}
	for _, provider := range x.c.providers {
		switch provider.(type) {
		case identity.PasswordProvider:
			p.Passwords = append(p.Passwords, choice{Name: provider.Name(), Label: provider.Label(),
				Selected: provider.Name() == form.Provider || form.Provider == "" && len(p.Passwords) == 0})
		case identity.RedirectProvider:
			p.Redirects = append(p.Redirects, choice{Label: provider.Label(), URL: startURL(provider, x.f.ID)})
		}
	}
	if form.Failed {
		info := reqctx.From(x.r.Context())
		p.Code, p.CorrelationID = sallyport.CodeSignInFailed, info.CorrelationID
		info.Code = p.Code
	}
	return x.render(status, "challenge/sign-in", "challenge.sign_in.title", p)
}

// signInForm is POST /.sallyport/sign-in.
func (c *Challenge) signInForm(w http.ResponseWriter, r *http.Request) error {
	x, err := c.at(w, r, r.PostForm.Get("flow"), stepSignIn)
	if x == nil {
		return err
	}
	defer x.close()
	provider := c.passwordProvider(r.PostForm.Get("provider"))
	if provider == nil {
		return httperr.New(http.StatusBadRequest, sallyport.CodeBadRequest, fmt.Errorf("no password provider %.40q", r.PostForm.Get("provider")))
	}
	login, password := r.PostForm.Get("username"), r.PostForm.Get("password")
	if login == "" || password == "" {
		// Not an attempt: nothing is judged and nothing counted.
		return x.showSignIn(http.StatusUnprocessableEntity, signInForm{Username: clip(login), Provider: provider.Name(),
			NoUsername: login == "", NoPassword: password == ""})
	}
	return x.password(provider, login, password)
}

// passwordProvider returns the provider of that name; "" is the first.
func (c *Challenge) passwordProvider(name string) identity.PasswordProvider {
	for _, p := range c.providers {
		if pp, ok := p.(identity.PasswordProvider); ok && (name == "" || p.Name() == name) {
			return pp
		}
	}
	return nil
}

// password judges a typed password. Whatever is wrong (name, password, a
// disabled or locked account) gives the same answer after the same work; the log
// has the true reason.
func (x *run) password(p identity.PasswordProvider, login, password string) error {
	c, ctx := x.c, x.r.Context()
	if wait, ok := c.perAddress.pass(addressKey(client(x.r)), x.now); !ok {
		return throttled(sallyport.CodeSignInThrottled, wait)
	}
	account, err := p.FindAccount(ctx, login)
	if errors.Is(err, sallyport.ErrBadName) {
		account, err = identity.Account{Login: foldOrRaw(login)}, nil
	}
	if err != nil {
		return x.unavailable(p, login, err)
	}
	user, err := c.store.UserByLink(ctx, p.Name(), account.Issuer, account.Subject)
	if err != nil && !errors.Is(err, sallyport.ErrNotFound) {
		return err
	}
	subject := subjectOf(p.Name(), account, user)
	lane, err := c.lane(x.r, user.ID)
	if err != nil {
		return err
	}
	// By lane, or strangers could keep a person out (D15); and by the name as it was
	// typed, or two names sharing a bucket would tell that there is such a person
	// (H2). The store counts all names of a person as one.
	if wait, ok := c.perPerson.pass("password\x00"+string(lane)+"\x00"+foldOrRaw(login), x.now); !ok {
		return throttled(sallyport.CodeSignInThrottled, wait)
	}
	attempt := c.attempt(subject, sallyport.AttemptPassword, lane, x.now)
	attempt.Fingerprint = c.fingerprint(subject, password)
	state, err := c.store.ChargeAttempt(ctx, attempt)
	if err != nil {
		return fmt.Errorf("counting an attempt: %w", err)
	}
	g := guess{provider: p, account: account, login: login, user: user, attempt: attempt, state: state}
	return x.judge(ctx, g, password)
}

// guess is a password about to be judged, after it was charged.
type guess struct {
	provider identity.PasswordProvider
	account  identity.Account
	login    string
	user     sallyport.User // zero when nobody is linked to the account
	attempt  sallyport.Attempt
	state    sallyport.AttemptState
}

func (x *run) judge(ctx context.Context, g guess, password string) error {
	account, reason := g.account, "wrong-password"
	switch {
	case g.state.Locked:
		reason = "locked-out"
	case g.user.SignInDisabled:
		reason = "sign-in-disabled"
	case !account.Known():
		reason = "unknown-user"
	}
	if g.state.Locked || g.user.SignInDisabled {
		// The answer is no, whatever the password is. The provider still does the
		// work that it does for a stranger, so that time does not tell, and a
		// directory is not asked about somebody who is locked.
		account = identity.Account{Issuer: account.Issuer, Login: account.Login}
	}
	id, err := g.provider.CheckPassword(ctx, account, password)
	var refused *identity.Refusal
	right := err == nil || errors.As(err, &refused)
	switch {
	case right && (g.state.Locked || !account.Known()):
		return fmt.Errorf("provider %s let in an account it does not know", g.provider.Name())
	case !right && !errors.Is(err, identity.ErrWrongPassword):
		return x.unavailable(g.provider, g.login, err)
	case !right:
		return x.wrongPassword(g, reason)
	}
	if err := x.c.store.ClearAttempts(ctx, g.attempt.Subject, g.attempt.Kind, g.attempt.Lane); err != nil {
		return fmt.Errorf("clearing a counter: %w", err)
	}
	if refused != nil {
		return x.refusal(g.provider.Name(), g.user, g.login, refused)
	}
	return x.firstFactor(id, sallyport.KindPassword)
}

// wrongPassword records a refused attempt with its true reason and shows the one
// answer that says none.
func (x *run) wrongPassword(g guess, reason string) error {
	ev := x.stepEvent(audit.SignInPassword, audit.Failure)
	if g.state.Locked || g.user.SignInDisabled {
		ev.Result = audit.Denied
	}
	ev.Provider, ev.Method, ev.Code, ev.Reason = g.provider.Name(), sallyport.KindPassword, sallyport.CodeSignInFailed, reason
	ev.UserID, ev.UserName, ev.Name, ev.Email = "", clip(g.login), "", ""
	if g.user.ID != "" {
		ev.About(g.user)
	}
	events := []audit.Event{ev}
	if !g.state.Locked && !g.state.Until.IsZero() {
		events = append(events, lockout(ev, g.attempt.Kind, g.attempt.Lane, g.state.Until))
	}
	if err := x.c.store.AppendEvents(x.r.Context(), events...); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	x.c.log.Info("sign-in refused", "reason", reason, "provider", g.provider.Name(), "user_id", g.user.ID,
		"flow_id", x.f.ID, "client", client(x.r))
	return x.showSignIn(http.StatusForbidden, signInForm{Username: clip(g.login), Provider: g.provider.Name(), Failed: true})
}

// refuse is wrongPassword for a reason found after the password was right.
func (x *run) refuse(kind sallyport.Kind, user sallyport.User, reason string) error {
	ev := x.stepEvent(eventKind(kind), audit.Denied)
	ev.About(user)
	ev.Method, ev.Code, ev.Reason = kind, sallyport.CodeSignInFailed, reason
	if err := x.c.store.AppendEvents(x.r.Context(), ev); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return x.showSignIn(http.StatusForbidden, signInForm{Username: user.Name, Failed: true})
}

// unavailable answers when a provider cannot be asked.
func (x *run) unavailable(p identity.Provider, login string, cause error) error {
	ev := x.stepEvent(audit.SignInPassword, audit.Failure)
	ev.Provider, ev.UserName, ev.Code, ev.Reason = p.Name(), clip(login), sallyport.CodeProviderUnavailable, "provider-unavailable"
	if _, ok := p.(identity.RedirectProvider); ok {
		ev.Kind = audit.SignInFederated
	}
	if err := x.c.store.AppendEvents(x.r.Context(), ev); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return httperr.New(http.StatusServiceUnavailable, sallyport.CodeProviderUnavailable,
		x.restart(fmt.Errorf("identity provider %s: %w", p.Name(), cause)))
}

// subjectOf names the person whose counter an attempt is charged to: one and the
// same for every way to write their name (D6).
func subjectOf(provider string, account identity.Account, user sallyport.User) string {
	switch {
	case user.ID != "":
		return string(user.ID)
	case account.Known():
		return provider + "\x00" + account.Subject
	}
	return "?\x00" + clip(account.Login)
}

// foldOrRaw is the key of a name that can be none.
func foldOrRaw(login string) string {
	if folded, err := sallyport.FoldName(login); err == nil {
		return folded
	}
	return clip(login)
}

// throttled is the answer to one who tries too often.
func throttled(code sallyport.Code, wait time.Duration) error {
	e := httperr.New(http.StatusTooManyRequests, code, fmt.Errorf("throttled for %s", wait))
	e.RetryAfter = max(1, int(math.Ceil(wait.Seconds())))
	return e
}
