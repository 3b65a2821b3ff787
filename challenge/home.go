package challenge

import (
	"net/http"
	"net/url"
)

// home is GET /: whom the portal takes the person for, and what they can do there.
// It shows nothing that would need a fresh verification.
func (c *Challenge) home(w http.ResponseWriter, r *http.Request) error {
	g, err := c.sessions.Load(r)
	if err != nil {
		return err
	}
	if g == nil {
		q := url.Values{"return": {c.portalURL("/", nil)}}
		if lng := r.URL.Query().Get("lng"); lng != "" {
			q.Set("lng", lng)
		}
		http.Redirect(w, r, pathSignIn+"?"+q.Encode(), http.StatusSeeOther)
		return nil
	}
	return c.render(w, r, page{Template: "challenge/home", TitleKey: "challenge.home.title",
		Data: homePage{User: g.User.Label(), SecurityInfo: pathInfo, SignOut: pathSignOut}})
}
