package upstream

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"sallyport"
)

// Options are what an Upstream is built from besides its config.
type Options struct {
	// Buffers are shared by all upstreams; nil makes a pool of its own.
	Buffers httputil.BufferPool
	// Host is sent by active checks where the public host is preserved.
	Host string
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger     // nil: slog.Default
}

// Upstream forwards the requests of one route. It is safe for concurrent use.
type Upstream struct {
	config    Config
	host      string
	pool      *pool
	plain     bool // requests may go the direct way
	dial      dialFunc
	buffers   httputil.BufferPool
	transport *http.Transport
	proxy     *httputil.ReverseProxy
	now       func() time.Time
	log       *slog.Logger
}

var _ Forwarder = (*Upstream)(nil)

// New builds the upstream of a valid config; it connects to nothing. What cannot
// be read is a *sallyport.FieldError.
func New(c Config, o Options) (*Upstream, error) {
	u := &Upstream{config: c, host: o.Host, now: o.Now, log: o.Log}
	if u.now == nil {
		u.now = time.Now
	}
	if u.log == nil {
		u.log = slog.Default()
	}
	if o.Buffers == nil {
		o.Buffers = NewBuffers()
	}
	var err error
	if u.pool, err = newPool(c.Upstream, c.Health.FailFor, u.now); err != nil {
		return nil, &sallyport.FieldError{Path: "upstream", Msg: err.Error(), Hint: "write http://HOST:PORT or https://HOST:PORT"}
	}
	u.plain, u.buffers = canProbe && u.pool.plain(), o.Buffers
	u.dial = newDial(or(c.Timeouts.Connect, defaultConnect))
	if u.transport, err = newTransport(c, u.dial); err != nil {
		return nil, &sallyport.FieldError{Path: "upstream_tls.ca_file", Msg: err.Error(), Hint: "give a file with certificates in PEM form that the gateway may read"}
	}
	u.proxy = &httputil.ReverseProxy{
		Rewrite:        u.rewrite,
		Transport:      balancer{u},
		ModifyResponse: u.answer,
		ErrorHandler:   remember,
		BufferPool:     o.Buffers,
		ErrorLog:       slog.NewLogLogger(discard{u.log.Handler()}, slog.LevelDebug),
	}
	return u, nil
}

// Close closes the connections that nobody uses, and those in use once they are
// done. Requests in flight finish.
func (u *Upstream) Close() {
	u.transport.CloseIdleConnections()
	for _, t := range u.pool.targets {
		t.idle.close()
	}
}

// Forward implements Forwarder.
func (u *Upstream) Forward(w http.ResponseWriter, out *Request) error {
	if u.direct(out) {
		return u.forwardDirect(w, out)
	}
	x := &exchange{Context: out.HTTP.Context(), out: out, writer: writer{ResponseWriter: w}}
	if out.HTTP.ContentLength != 0 && out.HTTP.ProtoMajor == 1 {
		// Without it the server would swallow what is left of an upload as soon as
		// the upstream begins to answer, or hold the answer back until then.
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	in := out.HTTP.WithContext(x)
	in.Header = connectionHeader(out.HTTP.Header)
	u.proxy.ServeHTTP(x, in)
	if x.err == nil {
		if x.trailers && out.Trailer != nil {
			out.Trailer(w.Header())
		}
		return nil
	}
	e := classify(out, x.clientFault(), x.err)
	if x.began {
		// The client has seen part of an answer; only breaking it off is honest.
		panic(http.ErrAbortHandler)
	}
	return e
}

// rewrite makes the outgoing request. Its header is built here and only here, after
// the reverse proxy has looked at Connection, so nothing the client named there can
// remove what we set.
func (u *Upstream) rewrite(pr *httputil.ProxyRequest) {
	x, out := exchangeOf(pr.In.Context()), pr.Out
	// The query is forwarded byte for byte; nothing is judged by it.
	out.URL.RawQuery = pr.In.URL.RawQuery
	// Fields after the body could carry what was stripped from the header.
	out.Trailer = nil
	if out.Body != nil && out.Body != http.NoBody {
		x.body.ReadCloser = out.Body
		out.Body = &x.body
	}
	switch out.Method {
	case http.MethodHead:
		// Some apps send a body after their answer to HEAD, and many do not read the
		// body of a method that usually has none: either would be taken for part of
		// the next exchange on this connection, somebody else's.
		out.Close = true
	case http.MethodGet, http.MethodOptions, http.MethodDelete:
		out.Close = out.Body != nil && out.Body != http.NoBody
	}
	h := forwardHeader(out.Header, x.out)
	out.Header = h
	// The values live in the exchange, which saves an allocation for each.
	x.forwarded = [3]string{x.out.Client, x.out.Proto, x.out.Host}
	if x.out.Client != "" {
		h["X-Forwarded-For"] = x.forwarded[0:1:1]
	}
	h["X-Forwarded-Proto"] = x.forwarded[1:2:2]
	h["X-Forwarded-Host"] = x.forwarded[2:3:3]
	if len(x.out.Cookies) > 0 {
		h["Cookie"] = x.out.Cookies
	}
	for _, f := range x.out.Fields {
		h[f.Name] = f.Values
	}
	for i := range x.out.Own {
		if f := &x.out.Own[i]; f.Name != "" {
			h[f.Name] = f.Values
		}
	}
	if u.config.PreserveHost {
		out.Host = x.out.Host
	}
}

// answer sees every final answer before it goes to the client.
func (u *Upstream) answer(res *http.Response) error {
	x := exchangeOf(res.Request.Context())
	if res.StatusCode < http.StatusContinue {
		return errStatus
	}
	x.final = true
	out := x.out
	out.FirstByte = u.now().Sub(out.Start)
	if out.Answer != nil {
		if err := out.Answer(res.StatusCode, res.Header); err != nil {
			return err
		}
	}
	if len(res.Trailer) > 0 && out.Trailer != nil {
		out.Trailer(res.Trailer)
	}
	x.trailers = res.ContentLength < 0 || res.ProtoMajor > 1
	out.Status = res.StatusCode
	if u.config.Timeouts.Idle > 0 {
		limitIdle(res, u.config.Timeouts.Idle)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		to, from := x.ResponseWriter.Header(), res.Header
		moveHeader(to, from)
		res.Header = nil
		if t := from["Content-Type"]; len(t) > 0 && res.ContentLength >= 0 && strings.HasPrefix(t[0], "text/event-stream") {
			// By the type the reverse proxy knows to flush, and then sets it itself.
			delete(to, "Content-Type")
			res.Header = http.Header{"Content-Type": t}
		}
	}
	return nil
}

// moveHeader takes the answer's header over without copying its values. An answer
// without a type stays without: the server would guess one.
func moveHeader(to, from http.Header) {
	for name, values := range from {
		if have := to[name]; len(have) > 0 {
			values = append(have[:len(have):len(have)], values...)
		}
		to[name] = values
	}
	if _, ok := to["Content-Type"]; !ok {
		to["Content-Type"] = nil
	}
}

// remember keeps the error of a request for Forward.
func remember(w http.ResponseWriter, _ *http.Request, err error) {
	if x, ok := w.(*exchange); ok {
		x.err = err
	}
}

// balancer chooses the upstream of a request and its connection.
type balancer struct{ u *Upstream }

// RoundTrip implements http.RoundTripper.
func (b balancer) RoundTrip(req *http.Request) (res *http.Response, err error) {
	u, x := b.u, exchangeOf(req.Context())
	x.body.keep = len(u.pool.targets) > 1
	err = u.each(req.Context(), x.out, func(t *target) error {
		t.aim(req, u.config.PreserveHost)
		res, err = u.transport.RoundTrip(req) //nolint:bodyclose // the reverse proxy closes it
		return err
	})
	return res, err
}

// each makes attempts at the upstreams in turn. It goes on to another only when no
// connection came about, that is, when nothing was sent.
func (u *Upstream) each(ctx context.Context, out *Request, attempt func(*target) error) error {
	var tried []*target
	failure := errNoHealthy
	for {
		t := u.pool.pick(tried)
		if t == nil {
			return failure
		}
		out.Upstream = t.host
		err := attempt(t)
		var dial *dialError
		if err == nil || !errors.As(err, &dial) || ctx.Err() != nil {
			return err
		}
		u.pool.fail(t)
		tried = append(tried, t)
		failure = err
		if len(u.pool.targets) == 1 {
			return err
		}
	}
}

// level of a log line about health.
func level(err error) slog.Level {
	if err != nil {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

func slogHealth(t *target, err error) []slog.Attr {
	attrs := []slog.Attr{slog.String("upstream", t.host), slog.Bool("healthy", err == nil)}
	if err != nil {
		attrs = append(attrs, slog.Any("cause", err))
	}
	return attrs
}

// discard drops what the reverse proxy would log on its own: every failure is in
// the one line of its request.
type discard struct{ slog.Handler }

// Enabled implements slog.Handler.
func (discard) Enabled(context.Context, slog.Level) bool { return false }
