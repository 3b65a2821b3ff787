package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"sallyport/audit"
	"sallyport/config"
	"sallyport/internal/seal"
	"sallyport/internal/trim"
	"sallyport/proxy"
	"sallyport/proxy/upstream"
	"sallyport/session"
	"sallyport/store"
)

// Options are what a Gateway is built from.
type Options struct {
	// Config is a loaded routing file.
	Config *config.Config
	// Load reads the routing file again for a reload; nil: it is never reloaded.
	Load func() (*config.Config, error)
	// CreateStore creates or migrates the database.
	CreateStore bool
	Log         *slog.Logger // nil: slog.Default
	// RequestLines gets the line of each request as JSON; nil: Log gets it.
	RequestLines io.Writer
	Now          func() time.Time // nil: time.Now
	// Node names this process in the audit log. "": the host name.
	Node string
	// Version of the program, for the metrics.
	Version string
}

// Gateway is one node: everything that runs in one process.
type Gateway struct {
	o        Options
	log      *slog.Logger
	keys     *seal.Keyring
	db       *store.DB
	sinks    []audit.Sink
	sessions *session.Manager
	signer   *proxy.Keys
	certs    certs
	servers  *servers
	metrics  *metrics
	buffers  httputil.BufferPool // for bodies, kept across reloads
	ready    atomic.Bool
	current  atomic.Pointer[generation]
}

// New opens the store, builds the handlers and binds the listeners. Nothing runs
// before Run; Close undoes a New that is not followed by Run. Any bad factor,
// certificate or secret refuses the start.
func New(ctx context.Context, o Options) (_ *Gateway, err error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Node == "" {
		if o.Node, err = os.Hostname(); err != nil {
			o.Node = "unknown"
		}
	}
	g := &Gateway{o: o, log: o.Log, metrics: newMetrics(o.Version), buffers: upstream.NewBuffers()}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
		}
	}()
	if g.keys, err = o.Config.Keyring(); err != nil {
		return nil, err
	}
	if err := g.openStore(ctx); err != nil {
		return nil, err
	}
	cfg := o.Config
	g.signer = proxy.NewKeys(g.db, proxy.KeyOptions{Now: o.Now, Log: o.Log})
	g.sessions, err = session.New(cfg.Session, cfg.MFA.RememberDevice, sessionStore{g.db, g.signer.Refresh}, session.Options{
		Portal: cfg.PortalOrigin(), Keys: g.keys, Grace: grace(cfg), Now: o.Now, Log: o.Log})
	if err != nil {
		return nil, err
	}
	if err := g.sessions.Start(ctx); err != nil {
		return nil, err
	}
	if err := g.signer.Load(ctx); err != nil {
		return nil, err
	}
	gen, err := g.build(cfg)
	if err != nil {
		return nil, err
	}
	g.current.Store(gen)
	if err := g.listen(cfg); err != nil {
		return nil, err
	}
	g.watchMetrics()
	return g, nil
}

func (g *Gateway) openStore(ctx context.Context) error {
	cfg := g.o.Config
	if cfg.Audit.File != "" {
		f, err := audit.OpenFile(cfg.Audit.File, func(err error) {
			g.log.Error("an audit event did not reach the audit file; the store has it", "error", err)
		})
		if err != nil {
			return err
		}
		g.sinks = append(g.sinks, f)
	}
	db, err := store.Open(ctx, cfg.Store, store.Options{Keys: g.keys, Create: g.o.CreateStore, Now: g.o.Now,
		Sinks: g.sinks, Node: g.o.Node, Retention: Retention(cfg), Log: g.log, Observe: g.metrics.storeDone})
	if err != nil {
		return err
	}
	g.db = db
	return nil
}

// listen gets certificates and binds the listeners.
func (g *Gateway) listen(cfg *config.Config) (err error) {
	g.certs, err = newCerts(cfg.TLS, hosts(cfg), certOptions{
		Dir: filepath.Dir(cfg.Store.SQLite), Keys: g.keys, Log: g.log, Now: g.o.Now})
	if err != nil {
		return err
	}
	g.servers, err = newServers(cfg.Server, g.certs, handlers{
		Main: g, Admin: g.adminHandler(), Known: g.knows}, g.log)
	return err
}

// ServeHTTP serves a request by the generation in force.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.current.Load().proxy.ServeHTTP(w, r)
}

// knows reports whether a host is the portal's or has a route.
func (g *Gateway) knows(host string) bool { return g.current.Load().proxy.Knows(host) }

// Addr returns the address of the first listener of a kind: "https", "http",
// "plain" or "admin"; nil when it is switched off.
func (g *Gateway) Addr(kind string) net.Addr { return g.servers.Addr(kind) }

// RootCA returns the internal CA's certificate (PEM); nil where certificates come
// from elsewhere.
func (g *Gateway) RootCA() []byte { return g.certs.Root() }

// Sessions returns the session manager.
func (g *Gateway) Sessions() *session.Manager { return g.sessions }

// Store returns the store.
func (g *Gateway) Store() *store.DB { return g.db }

// Run serves until ctx ends, then lets requests in flight finish, and closes the
// store. It returns what went wrong, nil after an orderly stop.
func (g *Gateway) Run(ctx context.Context) error {
	group, serving := errgroup.WithContext(ctx)
	// What requests need goes on until the last of them is done.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	// Before anybody is told that the gateway is ready: an early SIGHUP would end
	// the process.
	reload := make(chan string, 1)
	stopSignal := onHangup(func() { ask(reload, "signal") })
	defer stopSignal()
	group.Go(func() error { defer stopWork(); return g.servers.Run(serving) })
	group.Go(func() error { return g.sessions.Run(work) })
	group.Go(func() error { return g.signer.Run(work) })
	group.Go(func() error { return g.certs.Run(work) })
	group.Go(func() error { return g.runGenerations(work, reload) })
	start := audit.New(g.o.Now(), audit.NodeStarted, audit.Success)
	start.Actor, start.After = "system", g.o.Version
	if err := g.db.AppendEvents(ctx, start); err != nil {
		g.log.Error("cannot record the start", "error", err)
	}
	g.ready.Store(true)
	notifyReady()
	if err := trim.Startup(); err != nil {
		g.log.Debug("memory of the start is kept", "error", err)
	}
	// While requests drain, balancers are to look elsewhere.
	defer context.AfterFunc(serving, func() { g.ready.Store(false) })()
	err := group.Wait()
	stop := audit.New(g.o.Now(), audit.NodeStopped, audit.Success)
	stop.Actor = "system"
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(err, g.db.AppendEvents(last, stop), g.Close())
}

// Close releases what New took. It is safe to call twice.
func (g *Gateway) Close() error {
	var errs []error
	if gen := g.current.Swap(nil); gen != nil {
		gen.close()
	}
	if g.servers != nil {
		errs = append(errs, g.servers.Close())
		g.servers = nil
	}
	if g.db != nil {
		errs = append(errs, g.db.Close())
		g.db = nil
	}
	for _, s := range g.sinks {
		if c, ok := s.(interface{ Close() error }); ok {
			errs = append(errs, c.Close())
		}
	}
	g.sinks = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing: %w", err)
	}
	return nil
}

// grace is how long sessions go on without the store, in the terms of sessions: a
// zero that is written means not at all.
func grace(cfg *config.Config) time.Duration {
	if cfg.Store.Grace == 0 {
		return -1
	}
	return cfg.Store.Grace
}

// Retention is how long the store keeps audit events, in the store's terms.
func Retention(cfg *config.Config) time.Duration {
	if cfg.Audit.Retention == 0 {
		return -1 // for ever
	}
	return cfg.Audit.Retention
}
