package gateway

import (
	"errors"
	"net/http"
	"strings"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
	"sallyport/session"
)

// reserved serves /.sallyport/ on app hosts: only what must be there, since a
// script in the app runs with the app's origin and could drive whatever is.
func (g *Gateway) reserved(gen *generation) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+session.HandoffPath, g.page(gen, func(w http.ResponseWriter, r *http.Request) error {
		target, err := g.sessions.Redeem(w, r)
		if err != nil {
			return err
		}
		noStore(w)
		http.Redirect(w, r, target, http.StatusSeeOther)
		return nil
	}))
	toPortal := func(path string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			noStore(w)
			http.Redirect(w, r, gen.cfg.PortalOrigin()+path, http.StatusSeeOther)
		}
	}
	mux.HandleFunc("GET /.sallyport/sign-out", toPortal("/.sallyport/sign-out"))
	mux.HandleFunc("GET /.sallyport/security-info", toPortal("/.sallyport/security-info"))
	mux.Handle("POST /.sallyport/sign-out", g.page(gen, func(w http.ResponseWriter, r *http.Request) error {
		return g.signOutHere(gen, w, r)
	}))
	g.common(mux, gen)
	return limitForms(gen, mux)
}

// signOutHere ends the session from an app host: only for a form or script of the
// same origin, so that a foreign page cannot sign people out.
func (g *Gateway) signOutHere(gen *generation, w http.ResponseWriter, r *http.Request) error {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return httperr.New(http.StatusForbidden, sallyport.CodeForgedForm, err)
	}
	info := reqctx.From(r.Context())
	ev := audit.New(g.o.Now(), audit.SignOut, audit.Success)
	ev.Actor, ev.CorrelationID, ev.Address, ev.UserAgent = "user", info.CorrelationID, info.Client, r.UserAgent()
	if grant, err := g.sessions.Load(r); err == nil && grant != nil {
		ev.UserID, ev.UserName, ev.SessionID = grant.User.ID, grant.User.Name, grant.Session.ID
	}
	if err := g.sessions.SignOut(w, r, ev); err != nil {
		return err
	}
	noStore(w)
	http.Redirect(w, r, gen.cfg.PortalOrigin()+"/.sallyport/sign-out", http.StatusSeeOther)
	return nil
}

// common serves what both the portal and the app hosts have.
func (g *Gateway) common(mux *http.ServeMux, gen *generation) {
	mux.Handle("GET /.sallyport/assets/", gen.ui.Assets())
	mux.Handle("GET /.sallyport/jwks.json", g.signer.JWKS())
	mux.Handle("/", g.page(gen, func(_ http.ResponseWriter, r *http.Request) error {
		return httperr.New(http.StatusNotFound, sallyport.CodeNotFound, nil)
	}))
}

// page adapts a handler that returns its error.
func (g *Gateway) page(gen *generation, h httperr.HandlerFunc) http.Handler {
	return httperr.Handle(gen.ui, recordError, h)
}

// recordError puts an error into the request's one log line.
func recordError(r *http.Request, e *httperr.Error) {
	info := reqctx.From(r.Context())
	info.Code, info.Cause = e.Code, e.Cause
}

// limitForms bounds the body of a request to our own pages, turns the mux's plain
// refusals into pages, and refuses service workers: one registered by a script in
// an app must never stand over our paths.
func limitForms(gen *generation, next *http.ServeMux) http.Handler {
	limit := int64(gen.cfg.Server.Limits.FormBytes)
	return httperr.Handle(gen.ui, recordError, func(w http.ResponseWriter, r *http.Request) error {
		if strings.EqualFold(r.Header.Get("Service-Worker"), "script") {
			return httperr.New(http.StatusForbidden, sallyport.CodeBadRequest, errors.New("service worker over our paths"))
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		h, pattern := next.Handler(r)
		if pattern == "/" || pattern == "" {
			if allowed := otherMethods(next, r); allowed != "" {
				w.Header().Set("Allow", allowed)
				return httperr.New(http.StatusMethodNotAllowed, sallyport.CodeWrongMethod, nil)
			}
		}
		_ = h
		next.ServeHTTP(w, r)
		return nil
	})
}

// otherMethods returns the HTTP methods under which the path is served, "" if
// none.
func otherMethods(mux *http.ServeMux, r *http.Request) string {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodPost} {
		probe := &http.Request{Method: m, URL: r.URL, Host: r.Host, Header: http.Header{}}
		if _, pattern := mux.Handler(probe); pattern != "/" && pattern != "" && m != r.Method {
			allowed = append(allowed, m)
		}
	}
	return strings.Join(allowed, ", ")
}

func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }
