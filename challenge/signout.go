package challenge

import (
	"net/http"

	"sallyport/audit"
	"sallyport/internal/reqctx"
)

// signOutPage is GET /.sallyport/sign-out: it asks, since a link must not sign
// anybody out.
func (c *Challenge) signOutPage(w http.ResponseWriter, r *http.Request) error {
	g, err := c.sessions.Load(r)
	if err != nil {
		return err
	}
	if g == nil {
		// The page says "signed out", so a sign-in that waits in another tab, with all
		// its factors shown, ends too; but not at a link from elsewhere, which could cut
		// somebody short who is being shown their recovery codes.
		if isNavigation(r) && reqctx.FromHere(r) {
			if err := c.sessions.SignOut(w, r); err != nil {
				return err
			}
		}
		return c.signedOut(w, r)
	}
	return c.render(w, r, page{Template: "challenge/sign-out", TitleKey: "challenge.sign_out.title",
		Data: signOutPage{Form: Form{Action: pathSignOut, CSRF: c.sessions.Browser(w, r).CSRF}, User: g.User.Label()}})
}

// signOutForm is POST /.sallyport/sign-out: the session ends on every host.
func (c *Challenge) signOutForm(w http.ResponseWriter, r *http.Request) error {
	g, err := c.sessions.Load(r)
	if err != nil {
		return err
	}
	if g != nil {
		info := reqctx.From(r.Context())
		info.UserID, info.SessionID = g.User.ID, g.Session.ID
		ev := c.requestEvent(r, c.now(), audit.SignOut, audit.Success)
		ev.About(g.User)
		ev.SessionID, ev.Provider = g.Session.ID, g.Session.Provider
		err = c.sessions.SignOut(w, r, ev)
	} else {
		err = c.sessions.SignOut(w, r)
	}
	if err != nil {
		return err
	}
	return c.signedOut(w, r)
}

func (c *Challenge) signedOut(w http.ResponseWriter, r *http.Request) error {
	return c.render(w, r, page{Template: "challenge/signed-out", TitleKey: "challenge.signed_out.title",
		Data: startAgainPage{Again: c.portalURL("/", nil)}})
}
