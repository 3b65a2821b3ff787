package proxy

import (
	"errors"
	"net/http"
	"net/url"

	"sallyport"
	"sallyport/internal/httperr"
	"sallyport/policy"
	"sallyport/proxy/upstream"
)

var (
	errServiceWorker = errors.New("a service worker of the app would answer for our pages on this host")
	errMaintenance   = errors.New("the route is in maintenance")
	errMethod        = errors.New("this method is not served")
	errSNI           = errors.New("the TLS handshake named another host")
)

// clean makes the request safe to judge, and returns its host name.
func (p *Proxy) clean(x *exchange, r *http.Request) (host string, err error) {
	client, viaProxy := p.trusted.client(r)
	x.info.Client = client
	x.info.Scheme = "http"
	if r.TLS != nil || viaProxy && forwardedHTTPS(r.Header) {
		x.info.Scheme = "https"
	}
	p.strip.strip(r.Header)
	dropConnectionAuth(r.Header)
	limitUpgrade(r)
	switch r.Method {
	case http.MethodConnect, http.MethodTrace, "TRACK":
		// A tunnel is a connection that nobody looks at; TRACE shows cookies to
		// scripts.
		return "", httperr.New(http.StatusMethodNotAllowed, sallyport.CodeWrongMethod, errMethod)
	}
	host, _, err = splitHost(r.Host)
	if err == nil && r.URL.User != nil {
		err = errHost
	}
	if err != nil {
		return "", httperr.New(http.StatusBadRequest, sallyport.CodeBadRequest, err)
	}
	if r.TLS != nil && r.TLS.ServerName != "" {
		if sni, _, err := splitHost(r.TLS.ServerName); err != nil || sni != host {
			return "", httperr.New(http.StatusMisdirectedRequest, sallyport.CodeMisdirected, errSNI)
		}
	}
	return host, nil
}

// forwardedHTTPS reports whether the trusted proxy next to us was reached by TLS.
func forwardedHTTPS(h http.Header) bool {
	v := h["X-Forwarded-Proto"]
	return len(v) == 1 && equalFoldASCII(v[0], "https")
}

func (p *Proxy) cleanPath(x *exchange, r *http.Request) (string, error) {
	path, err := cleanPath(r.URL)
	if err != nil {
		// The path is not noted: it may hold a ticket.
		return "", httperr.New(http.StatusBadRequest, sallyport.CodeBadRequest, err)
	}
	x.info.Path = path
	// Everybody behind this line sees one form of the address: ours.
	r.Host = x.info.Host
	if r.URL.Host != "" {
		r.URL = &url.URL{Path: path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
		r.RequestURI = r.URL.RequestURI()
	}
	return path, nil
}

// enter is the way of a request that has found its route.
func (p *Proxy) enter(x *exchange, r *http.Request, m match) error {
	rt := m.route
	x.info.Route = rt.Name
	if rt.Maintenance {
		e := httperr.New(http.StatusServiceUnavailable, sallyport.CodeMaintenance, errMaintenance)
		e.RetryAfter = 300
		return e
	}
	if m.public {
		return p.enterPublic(x, r, rt)
	}
	g, err := p.sessions.Load(r)
	if err != nil {
		return unavailable(err)
	}
	x.note(g)
	d := p.decide(x, g, rt, p.addresses.Class(x.info.Client))
	x.info.Decision, x.info.Rule = d.Effect.String(), d.Rule
	switch d.Effect {
	case policy.Allow:
		return p.forward(x, r, rt, g)
	case policy.Require:
		return p.challenge(x, r, rt, d)
	}
	return httperr.New(http.StatusForbidden, denial(d), nil)
}

// unavailable makes any failure to look a session up 503: never anonymous, and
// nothing that a client would take for an answer of the app.
func unavailable(err error) error {
	var e *httperr.Error
	if errors.As(err, &e) {
		return e
	}
	return httperr.New(http.StatusServiceUnavailable, sallyport.CodeStoreUnavailable, err)
}

func denial(d policy.Decision) sallyport.Code {
	if d.Code == "" {
		return sallyport.CodeNoRule
	}
	return d.Code
}

// enterPublic forwards what anyone may read. The app learns who asks only when
// that person could enter the route anyway; a session that cannot be looked up
// is no reason to refuse what is public.
func (p *Proxy) enterPublic(x *exchange, r *http.Request, rt *route) error {
	x.info.Decision, x.info.Rule = policy.Allow.String(), "public"
	if !hasOurCookie(r.Header["Cookie"]) {
		return p.forward(x, r, rt, nil)
	}
	g, err := p.sessions.Load(r)
	if err != nil {
		x.info.Cause = err
		return p.forward(x, r, rt, nil)
	}
	if g != nil && p.decide(x, g, rt, p.addresses.Class(x.info.Client)).Effect != policy.Allow {
		g = nil
	}
	x.note(g)
	return p.forward(x, r, rt, g)
}

// note puts the person on the record.
func (x *exchange) note(g *sallyport.Grant) {
	if g != nil {
		x.info.UserID, x.info.SessionID = g.User.ID, g.Session.ID
	}
}

// forward sends the request on, with who asks (nil: nobody).
func (p *Proxy) forward(x *exchange, r *http.Request, rt *route, g *sallyport.Grant) error {
	x.out = upstream.Request{
		HTTP: r, Start: x.info.Start, Proto: x.info.Scheme, Host: x.info.Host,
		Client: x.client(), Cookies: x.foreignCookies(r.Header["Cookie"]),
		Own:    [2]upstream.Field{{Name: headerCorrelation, Values: x.w.correlation[:]}},
		Answer: cleanAnswer, Trailer: cleanTrailer,
	}
	if g != nil {
		m := p.memo(g, rt)
		token, err := p.assert(m, g, rt, x.info.Host, x.info.Start)
		if err != nil {
			return err
		}
		x.out.Fields, x.out.Own[1] = m.fields, upstream.Field{Name: headerAssertion, Values: token}
	}
	if _, ok := r.Header["Upgrade"]; ok {
		x.w.Header()[headerCorrelation] = x.w.correlation[:] // a 101 is not written by WriteHeader
	}
	return rt.forward.Forward(&x.w, &x.out)
}
