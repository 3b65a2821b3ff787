package gateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sallyport"
	"sallyport/config"
	"sallyport/policy"
)

// Kinds of listeners.
const (
	kindHTTPS = "https"
	kindHTTP  = "http"
	kindPlain = "plain"
	kindAdmin = "admin"
)

// closeWait is how long requests that were cut off may take to notice.
const closeWait = 5 * time.Second

// handlers are what the listeners serve.
type handlers struct {
	Main  http.Handler // https and plain
	Admin http.Handler
	// Known reports whether a normalised host is the portal's or has a route; the
	// http listener redirects no other.
	Known func(host string) bool
}

// servers are all listeners of a node, bound; they serve while Run runs.
type servers struct {
	cfg  config.Server
	log  *slog.Logger
	list []*server
}

// server is one listener.
type server struct {
	kind string
	ln   net.Listener // as bound, for its address and for closing
	use  net.Listener // what is served: limited, filtered, with TLS
	http *http.Server
	conn *tracker
	busy sync.WaitGroup // handlers that may have taken over their connection
}

// newServers binds every configured address, or none and says why. A port 0 is
// replaced by a free one; see Addr.
func newServers(cfg config.Server, c certs, h handlers, log *slog.Logger) (*servers, error) {
	cfg.Timeouts = fillTimeouts(cfg.Timeouts)
	trusted, err := trustedSet(cfg.TrustedProxies)
	if err != nil {
		return nil, err
	}
	s := &servers{cfg: cfg, log: log}
	redirect := c.ACMEHandler(redirector{port: portalPort(cfg.Portal), known: h.Known})
	for _, l := range []struct {
		kind    string
		addrs   config.Listen
		handler http.Handler
	}{
		{kindHTTPS, cfg.HTTPS, h.Main},
		{kindHTTP, cfg.HTTP, redirect},
		{kindPlain, cfg.Plain, assumeTLS(h.Main)},
		{kindAdmin, cfg.Admin, h.Admin},
	} {
		for _, addr := range l.addrs {
			ln, err := bind(l.kind, addr)
			if err != nil {
				return nil, errors.Join(err, s.Close())
			}
			srv := s.newServer(l.kind, ln, l.handler, trusted)
			if l.kind == kindHTTPS {
				srv.use = tls.NewListener(srv.use, c.TLSConfig())
			}
			s.list = append(s.list, srv)
		}
	}
	c.Listening(s.Addr(kindHTTP), s.Addr(kindHTTPS))
	return s, nil
}

func bind(kind, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", addr)
	if err == nil {
		return ln, nil
	}
	hint := ""
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // the address is said below
	}
	if errors.Is(err, fs.ErrPermission) {
		hint = "ports below 1024 need a privilege: CAP_NET_BIND_SERVICE (see the systemd example), or use a higher port behind a forwarder"
	}
	return nil, &bindError{&sallyport.FieldError{Path: "server." + kind, Msg: fmt.Sprintf("%s: %v", addr, err), Hint: hint}, err}
}

// bindError is an address that could not be bound: the setting, and what the
// system said, which stands in the setting's message already.
type bindError struct {
	setting *sallyport.FieldError
	cause   error
}

// Error implements error.
func (e *bindError) Error() string { return "cannot listen: " + e.setting.Error() }

// Unwrap returns the setting and the cause.
func (e *bindError) Unwrap() []error { return []error{e.setting, e.cause} }

// fillTimeouts puts the defaults where zero would mean "at once" or "never".
func fillTimeouts(t config.Timeouts) config.Timeouts {
	t.ReadHeader = cmp.Or(t.ReadHeader, 10*time.Second)
	t.BodyIdle = cmp.Or(t.BodyIdle, time.Minute)
	t.Idle = cmp.Or(t.Idle, 2*time.Minute)
	t.Handshake = cmp.Or(t.Handshake, 10*time.Second)
	t.Ping = cmp.Or(t.Ping, 15*time.Second)
	t.Shutdown = cmp.Or(t.Shutdown, 30*time.Second)
	return t
}

func trustedSet(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := policy.ParseRange(s)
		if err != nil {
			return nil, fmt.Errorf("server.trusted_proxies: %w", err)
		}
		out = append(out, p...)
	}
	return out, nil
}

// newServer wraps a bound listener in its limits. The admin listener has no limit
// of connections: it must answer when the others are full.
func (s *servers) newServer(kind string, ln net.Listener, h http.Handler, trusted []netip.Prefix) *server {
	t, l := s.cfg.Timeouts, s.cfg.Limits
	srv := &server{kind: kind, ln: ln}
	limit := l.Connections
	if kind == kindAdmin {
		limit = 0
	}
	srv.conn = newTracker(ln, limit, t)
	srv.conn.tls = kind == kindHTTPS
	if kind == kindPlain {
		srv.conn.allow = trusted
		srv.conn.filtered = true
	}
	srv.use = srv.conn
	srv.http = &http.Server{
		Handler:           srv.guard(h, t),
		ReadHeaderTimeout: t.ReadHeader,
		ReadTimeout:       t.Read,
		WriteTimeout:      t.Write,
		IdleTimeout:       t.Idle,
		MaxHeaderBytes:    l.HeaderBytes,
		ConnState:         srv.conn.state,
		ErrorLog:          serverLog(s.log, kind),
		Protocols:         new(http.Protocols),
		// OPTIONS * goes to the handler like any other, which refuses it.
		DisableGeneralOptionsHandler: true,
	}
	srv.http.Protocols.SetHTTP1(true)
	if kind == kindHTTPS {
		// Never on the others: a connection that changes to HTTP/2 in clear is one
		// that nobody between looks into.
		srv.http.Protocols.SetHTTP2(true)
		srv.http.HTTP2 = &http.HTTP2Config{
			MaxConcurrentStreams: l.Streams,
			// What one connection and one upload may hold in memory.
			MaxReceiveBufferPerConnection: l.ConnectionBuffer,
			MaxReceiveBufferPerStream:     l.StreamBuffer,
			// A peer that is gone, or stuck within a frame, answers no ping.
			SendPingTimeout: t.BodyIdle,
			PingTimeout:     t.Ping,
		}
	}
	return srv
}

// Addr returns the address of the first listener of a kind, nil when there is
// none.
func (s *servers) Addr(kind string) net.Addr {
	for _, srv := range s.list {
		if srv.kind == kind {
			return srv.ln.Addr()
		}
	}
	return nil
}

// Run serves until ctx ends, and then stops: no new connections, requests in
// flight finish within Timeouts.Shutdown, what is left then is cut off, and
// WebSockets are closed. It returns what went wrong, nil after an orderly stop.
func (s *servers) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, srv := range s.list {
		group.Go(func() error {
			if err := srv.http.Serve(srv.use); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("listener %s: %w", srv.kind, err)
			}
			return nil
		})
	}
	alive, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go watchdog(alive) // also while requests are drained
	group.Go(func() error {
		<-ctx.Done()
		notifyStopping()
		return s.shutdown(context.WithoutCancel(ctx))
	})
	return group.Wait()
}

// shutdown drains every listener at once. The admin listener goes last, so that
// probes see what is going on.
func (s *servers) shutdown(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, s.cfg.Timeouts.Shutdown)
	defer cancel()
	errs := make([]error, len(s.list))
	var wg sync.WaitGroup
	for i, srv := range s.list {
		if srv.kind != kindAdmin {
			wg.Go(func() { errs[i] = srv.stop(limit) })
		}
	}
	wg.Wait()
	for i, srv := range s.list {
		if srv.kind == kindAdmin {
			last, cancel := context.WithTimeout(ctx, time.Second)
			errs[i] = srv.stop(last)
			cancel()
		}
	}
	return errors.Join(errs...)
}

func (srv *server) stop(limit context.Context) error {
	err := srv.http.Shutdown(limit)
	if err != nil {
		err = errors.Join(fmt.Errorf("listener %s: some requests did not end in time and were cut off: %w", srv.kind, err), srv.http.Close())
	}
	srv.conn.closeHijacked()
	done := make(chan struct{})
	go func() { srv.busy.Wait(); close(done) }()
	t := time.NewTimer(closeWait)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		err = errors.Join(err, fmt.Errorf("listener %s: a connection's handler does not end", srv.kind))
	}
	return err
}

// Close unbinds the listeners of servers that were never run, and cuts off what
// is left of those that were. It is safe to call twice.
func (s *servers) Close() error {
	var errs []error
	for _, srv := range s.list {
		if err := srv.http.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
		if err := srv.use.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
