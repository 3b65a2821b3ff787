package gateway

import (
	"net/http"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/reqctx"
)

// keepLanguage makes the language that a signed-in person has just chosen on one
// of our pages their last choice, on every host. A choice that is lost is no reason
// to refuse the page. A link from elsewhere, or a script of an app, chooses for the
// page at most: it must not write.
func (g *Gateway) keepLanguage(r *http.Request, language string) {
	if r.Method == http.MethodHead || !reqctx.FromHere(r) {
		return
	}
	grant, err := g.sessions.Load(r)
	if err != nil || grant == nil || grant.User.Language == language {
		return // nobody is known, or nothing is new
	}
	_, err = g.db.ChangeUser(r.Context(), grant.User.ID, func(u *sallyport.User) ([]audit.Event, error) {
		u.Language = language
		return nil, nil
	})
	if err != nil {
		g.log.Warn("cannot keep a choice of language", "user_id", grant.User.ID, "error", err)
		return
	}
	g.sessions.Forget(grant.User.ID)
}
