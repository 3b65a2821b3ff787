package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"sallyport"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
	"sallyport/policy"
	"sallyport/proxy/upstream"
)

// Proxy serves everything that arrives at the public listeners, by one generation
// of the config. It is immutable and safe for concurrent use; a reload builds
// another one and closes this.
type Proxy struct {
	routes       *table
	portal       string // host name without port
	portalHost   string // as browsers write it
	portalOrigin string
	upstreams    []routeUpstream
	trusted      trusted
	strip        *stripper
	addresses    *policy.Addresses
	sessions     Sessions
	challenger   Challenger
	portalPages  http.Handler
	reserved     http.Handler
	pages        httperr.Pages
	keys         *Keys
	log          *slog.Logger
	lines        io.Writer
	buffers      *lineBuffers
	metrics      Metrics
	now          func() time.Time
}

// routeUpstream is the upstream of the route of that name.
type routeUpstream struct {
	*upstream.Upstream
	route string
}

// New builds a proxy; it starts nothing and connects to nothing. Faults of routes
// are sallyport.FieldErrors with paths such as "routes[2].upstream".
func New(o Options) (*Proxy, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if faults := Validate(o.Routes, o.Portal); len(faults) > 0 {
		return nil, faults
	}
	p := &Proxy{
		routes: newTable(), strip: newStripper(o.Routes), addresses: o.Addresses,
		portalOrigin: o.Portal, portalPages: o.PortalHandler, reserved: o.Reserved,
		sessions: o.Sessions, challenger: o.Challenger, pages: o.Pages, keys: o.Keys,
		log: o.Log, lines: o.Lines, buffers: new(lineBuffers), metrics: o.Metrics, now: o.Now,
	}
	if p.now == nil {
		p.now = time.Now
	}
	for _, t := range o.TrustedProxies {
		p.trusted = append(p.trusted, unmapPrefix(t))
	}
	var port string
	var err error
	if p.portal, port, err = portalOf(o.Portal); err != nil {
		return nil, err
	}
	p.portalHost = withPort(p.portal, port)
	if o.Buffers == nil {
		o.Buffers = upstream.NewBuffers()
	}
	if err := p.addRoutes(o, port); err != nil {
		return nil, err
	}
	return p, nil
}

// unmapPrefix turns ::ffff:192.0.2.0/120 into 192.0.2.0/24, since clients are
// compared in that form.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

func (p *Proxy) addRoutes(o Options, portalPort string) error {
	var faults sallyport.FieldErrors
	for i, c := range o.Routes {
		if c.Path == "" {
			c.Path = "/"
		}
		up, err := upstream.New(c.Config, upstream.Options{
			Buffers: o.Buffers, Host: firstHost(c.Hosts), Now: p.now, Log: o.Log.With(slog.String("route", c.Name)),
		})
		var fault *sallyport.FieldError
		if errors.As(err, &fault) {
			faults = append(faults, sallyport.FieldErrors{fault}.Under(fmt.Sprintf("routes[%d]", i))...)
			continue
		} else if err != nil {
			return fmt.Errorf("route %s: %w", c.Name, err)
		}
		p.upstreams = append(p.upstreams, routeUpstream{up, c.Name})
		rt := newRoute(c, up)
		for _, h := range c.Hosts {
			if err := p.addHost(h, portalPort, rt); err != nil {
				return fmt.Errorf("route %s: %w", c.Name, err)
			}
		}
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

func newRoute(c Route, forward upstream.Forwarder) *route {
	rt := &route{
		Route: c, prefix: strings.TrimSuffix(c.Path, "/"), public: c.Public,
		extra: extraHeaders(c.Identity), forward: forward,
	}
	if !c.CaseSensitive {
		rt.prefix = string(fold(nil, rt.prefix, len(rt.prefix)))
	}
	for _, p := range c.Public {
		rt.publicRead = append(rt.publicRead, reading(p))
	}
	rt.allow = policy.Target{Route: c.Name, Label: c.Label, Groups: c.Allow.Groups}
	if c.Label == "" {
		rt.allow.Label = firstHost(c.Hosts)
	}
	for _, u := range c.Allow.Users {
		// A name that cannot be folded becomes "", which matches nobody; left out, it
		// could leave a rule empty, which lets everybody in.
		f, _ := sallyport.FoldName(u)
		rt.allow.Users = append(rt.allow.Users, f)
	}
	return rt
}

// firstHost is the host that health checks speak of.
func firstHost(hosts []string) string {
	for _, h := range hosts {
		if !strings.HasPrefix(h, "*.") {
			return h
		}
	}
	return ""
}

// Run makes the active health checks of the upstreams until ctx ends. It returns
// nil.
func (p *Proxy) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, u := range p.upstreams {
		if u.Checked() {
			g.Go(func() error { return u.Run(ctx) })
		}
	}
	g.Go(func() error { <-ctx.Done(); return nil })
	return g.Wait()
}

// EachUpstream calls f with the state of every upstream address of every route.
func (p *Proxy) EachUpstream(f func(route string, s upstream.State)) {
	for _, u := range p.upstreams {
		for _, s := range u.States() {
			f(u.route, s)
		}
	}
}

// Close lets go of idle connections, and of those in use once they are done.
// Requests in flight finish.
func (p *Proxy) Close() {
	for _, u := range p.upstreams {
		u.Close()
	}
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{}
	x.info.Start = p.now()
	x.info.CorrelationID = newCorrelation(x.info.Start)
	x.w.ResponseWriter, x.w.correlation[0] = w, x.info.CorrelationID
	r = reqctx.With(r, &x.info)
	defer p.finish(r, x)
	if err := p.serve(x, r); err != nil {
		p.fail(x, r, err)
	}
	x.done = true
}

// fail tells the client what went wrong, once.
func (p *Proxy) fail(x *exchange, r *http.Request, err error) {
	e := httperr.From(err)
	x.info.Code, x.info.Cause = e.Code, e.Cause
	switch {
	case e.Status == upstream.StatusClientGone:
		x.gone = true
		x.done = true
		panic(http.ErrAbortHandler) // nobody is there to read a page
	case x.w.status != 0:
		return
	}
	p.pages.Error(&x.w, r, e)
}

// assetsPrefix is where the style sheet and pictures of our pages are.
const assetsPrefix = ReservedPrefix + "assets/"

// serve is the way of a request: clean, route, session, policy, and out.
func (p *Proxy) serve(x *exchange, r *http.Request) error {
	name, err := p.clean(x, r)
	if err != nil {
		return err
	}
	if name == p.portal {
		x.info.Host = p.portalHost
		if _, err := p.cleanPath(x, r); err != nil {
			return err
		}
		p.portalPages.ServeHTTP(&x.w, r)
		return nil
	}
	host := p.routes.host(name)
	if host == nil {
		// The page that says so needs its style sheet, which is the same everywhere.
		x.info.Host = name
		if path, err := p.cleanPath(x, r); err == nil && strings.HasPrefix(path, assetsPrefix) {
			p.reserved.ServeHTTP(&x.w, r)
			return nil
		}
		return httperr.New(http.StatusMisdirectedRequest, sallyport.CodeMisdirected, errUnknownHost)
	}
	x.info.Host = host.originOf(name)
	path, err := p.cleanPath(x, r)
	if err != nil {
		return err
	}
	m, err := host.match(path)
	if errors.Is(err, errNoRoute) {
		return httperr.New(http.StatusNotFound, sallyport.CodeNotFound, err)
	} else if err != nil {
		x.info.Path = ""
		return httperr.New(http.StatusBadRequest, sallyport.CodeBadRequest, err)
	}
	if serviceWorker(r, path) {
		return httperr.New(http.StatusForbidden, sallyport.CodeBadRequest, errServiceWorker)
	}
	if m.reserved {
		p.reserved.ServeHTTP(&x.w, r)
		return nil
	}
	return p.enter(x, r, m)
}
