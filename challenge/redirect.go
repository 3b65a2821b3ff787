package challenge

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"sallyport"
	"sallyport/audit"
	"sallyport/identity"
	"sallyport/internal/httperr"
)

// redirectProvider returns the redirect provider named in the path.
func (c *Challenge) redirectProvider(r *http.Request) (identity.RedirectProvider, error) {
	name := r.PathValue("provider")
	for _, p := range c.providers {
		if rp, ok := p.(identity.RedirectProvider); ok && p.Name() == name {
			return rp, nil
		}
	}
	return nil, httperr.New(http.StatusNotFound, sallyport.CodeNotFound, fmt.Errorf("no redirect provider %.40q", name))
}

func (c *Challenge) callbackURL(p identity.Provider) string {
	return c.cfg.Portal + pathSignIn + "/" + url.PathEscape(p.Name()) + "/callback"
}

// redirectStart sends the browser to an identity provider. It is a link, since a
// form's redirect would need the provider in form-action.
func (c *Challenge) redirectStart(w http.ResponseWriter, r *http.Request) error {
	p, err := c.redirectProvider(r)
	if err != nil {
		return err
	}
	x, err := c.at(w, r, r.URL.Query().Get("flow"), stepSignIn)
	if x == nil {
		return err
	}
	defer x.close()
	if wait, ok := c.perAddress.pass(addressKey(client(r)), x.now); !ok {
		return throttled(sallyport.CodeSignInThrottled, wait)
	}
	token := sallyport.NewToken()
	// The provider hands state back as it is: the flow's ID finds the flow, the
	// token proves that this answer belongs to this journey.
	location, pending, err := p.Begin(r.Context(), c.callbackURL(p), string(x.f.ID)+"."+token)
	if err != nil {
		return x.unavailable(p, "", err)
	}
	x.data.Provider, x.data.State, x.data.Pending = p.Name(), sallyport.HashToken(token), pending
	if err := x.save(); err != nil {
		if errors.Is(err, sallyport.ErrConflict) {
			return x.overtaken()
		}
		return err
	}
	http.Redirect(w, r, location, http.StatusSeeOther)
	return nil
}

// redirectCallback takes what the browser brings back from an identity provider.
// The journey is used up before the answer is judged, so that it is judged once;
// an answer of another journey, or in another browser, is refused (login CSRF).
func (c *Challenge) redirectCallback(w http.ResponseWriter, r *http.Request) error {
	p, err := c.redirectProvider(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	id, token, _ := strings.Cut(q.Get("state"), ".")
	x, err := c.at(w, r, id, stepSignIn)
	if x == nil {
		return err
	}
	defer x.close()
	hash := sallyport.HashToken(token)
	if len(q["state"]) != 1 || x.data.Provider != p.Name() || x.data.State == (sallyport.TokenHash{}) ||
		subtle.ConstantTimeCompare(hash[:], x.data.State[:]) != 1 {
		return &lostError{status: http.StatusForbidden, cause: "callback with a state that is not of this journey", again: againURL(x.f)}
	}
	pending := x.data.Pending
	x.data.Provider, x.data.State, x.data.Pending = "", sallyport.TokenHash{}, nil
	if err := x.save(); err != nil {
		if errors.Is(err, sallyport.ErrConflict) {
			return x.overtaken()
		}
		return err
	}
	identified, err := p.Finish(r.Context(), c.callbackURL(p), pending, q)
	switch {
	case errors.Is(err, identity.ErrProviderRefused):
		return x.providerRefused(p, err)
	case err != nil:
		return x.unavailable(p, "", err)
	}
	return x.firstFactor(identified, sallyport.KindFederated)
}

// providerRefused records an answer that was an error or was wrong.
func (x *run) providerRefused(p identity.Provider, cause error) error {
	ev := x.stepEvent(audit.SignInFederated, audit.Failure)
	ev.Provider, ev.Method, ev.Code, ev.Reason = p.Name(), sallyport.KindFederated, sallyport.CodeProviderRefused, "provider-refused"
	if err := x.c.store.AppendEvents(x.r.Context(), ev); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return httperr.New(http.StatusForbidden, sallyport.CodeProviderRefused, x.restart(cause))
}
