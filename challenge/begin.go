package challenge

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
	"sallyport/policy"
)

// Begin answers a request to an app host that policy did not let pass: browsers
// are sent to the portal, others get a 401 problem. It writes nothing to the
// store, since anybody can make such requests.
func (c *Challenge) Begin(w http.ResponseWriter, r *http.Request, routeName string, d policy.Decision) error {
	if !isNavigation(r) {
		return httperr.New(http.StatusUnauthorized, sallyport.CodeSignInNeeded,
			fmt.Errorf("route %s needs a sign-in (%s)", routeName, d.Rule))
	}
	state := c.sessions.State(w, r)
	q := url.Values{"return": {c.returnOf(r)}, "state": {state.String()}}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, c.portalURL(pathSignIn, q), http.StatusSeeOther)
	return nil
}

// returnOf is the address of a request as its browser knows it. One that is too
// long to travel becomes the root of its host.
func (c *Challenge) returnOf(r *http.Request) string {
	info := reqctx.From(r.Context())
	host := info.Host
	if host == "" {
		host = strings.ToLower(r.Host)
	}
	out := c.scheme + "://" + host + plainBytes(r.URL.EscapedPath())
	if r.URL.RawQuery != "" {
		out += "?" + plainBytes(r.URL.RawQuery)
	}
	if len(out) > maxReturn {
		return c.scheme + "://" + host + "/"
	}
	return out
}

// plainBytes percent-encodes what old browsers put into a URL as it is and
// readTarget refuses.
func plainBytes(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if ch := s[i]; ch <= ' ' || ch >= 0x7f || ch == '\\' {
			fmt.Fprintf(&b, "%%%02X", ch)
		} else {
			b.WriteByte(ch)
		}
	}
	return b.String()
}

// SignOutURL is where an app host sends those who want to sign out.
func (c *Challenge) SignOutURL() string { return c.cfg.Portal + pathSignOut }

// BeginFresh starts a flow on the portal that demands need beyond what policy
// does, and comes back to returnPath, a path on the portal. Need.Fresh is measured
// as by IsFresh.
func (c *Challenge) BeginFresh(w http.ResponseWriter, r *http.Request, returnPath string, need sallyport.Need) error {
	if !isNavigation(r) {
		return httperr.New(http.StatusUnauthorized, sallyport.CodeSignInNeeded, fmt.Errorf("%s needs a verification", returnPath))
	}
	t, err := c.readTarget(c.cfg.Portal + returnPath)
	if err != nil {
		return fmt.Errorf("returning to %q: %w", returnPath, err)
	}
	return c.start(w, r, t, sallyport.TokenHash{}, need)
}

// IsFresh reports whether proofs hold what pages that change security info
// demand: a verification that was really performed, or, for people with nothing
// registered, a first factor, not older than age.
func IsFresh(proofs []sallyport.Proof, registered bool, age time.Duration, now time.Time) bool {
	at := sallyport.FirstFactorAt(proofs)
	if registered {
		at = sallyport.VerifiedAt(proofs)
	}
	return !at.IsZero() && now.Sub(at) <= age
}

// begin is GET /.sallyport/sign-in without a flow: it checks where the person
// wants to go and starts the flow that leads there.
func (c *Challenge) begin(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	raw := c.cfg.Portal + "/"
	if q.Has("return") {
		raw = q.Get("return")
	}
	t, err := c.readTarget(raw)
	if err != nil {
		return httperr.New(http.StatusBadRequest, sallyport.CodeBadReturn, fmt.Errorf("return target %.200q: %w", raw, err))
	}
	state, ok := readState(q.Get("state"))
	if !t.portal && !ok {
		// Without the app host's state no hand-off can reach this browser: let the
		// app host begin anew, it knows how.
		http.Redirect(w, r, t.url, http.StatusSeeOther)
		return nil
	}
	return c.start(w, r, t, state, sallyport.Need{})
}

// readState reads the hash of an app host's state cookie.
func readState(s string) (sallyport.TokenHash, bool) {
	var h sallyport.TokenHash
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, false
	}
	copy(h[:], b)
	return h, h != sallyport.TokenHash{}
}

// start makes a flow from what this browser's portal session has shown already,
// and lets it take its first step. A session that suffices goes straight on.
func (c *Challenge) start(w http.ResponseWriter, r *http.Request, t target, state sallyport.TokenHash, need sallyport.Need) error {
	now := c.now()
	if wait, ok := c.newFlows.pass(addressKey(client(r)), now); !ok {
		return throttled(sallyport.CodeSignInThrottled, wait)
	}
	grant, err := c.sessions.Load(r)
	if err != nil {
		return err
	}
	browser := c.sessions.Browser(w, r)
	f := &sallyport.Flow{
		ID: sallyport.FlowID(sallyport.NewID()), Browser: browser.Hash,
		ReturnURL: t.url, Route: t.route, State: state, Need: need,
		CreatedAt: now, ExpiresAt: now.Add(flowLife),
	}
	var data stepData
	if grant != nil {
		data.Session = grant.Session.ID
		f.UserID, f.Provider, f.Groups = grant.User.ID, grant.Session.Provider, grant.Session.Groups
		f.Proofs = append([]sallyport.Proof(nil), grant.Token.Proofs...)
		if now.Before(grant.RememberedUntil) {
			f.DeviceID = grant.Token.DeviceID
		}
	}
	x := &run{c: c, w: w, r: r, f: f, target: t, browser: browser, grant: grant, unsaved: true, now: now, data: data}
	x.data.Language = x.chosenLanguage()
	reqctx.From(r.Context()).FlowID = f.ID
	return x.advance()
}
