package gateway

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"sallyport"
	"sallyport/account"
	"sallyport/challenge"
	"sallyport/challenge/recovery"
	"sallyport/challenge/totp"
	"sallyport/config"
	"sallyport/identity"
	"sallyport/identity/ldap"
	"sallyport/identity/local"
	"sallyport/identity/oidc"
	"sallyport/policy"
	"sallyport/proxy"
	"sallyport/web"
)

// generation is everything that one state of the routing file made. It is built
// whole, put in force by one pointer, and closed when the next one is.
type generation struct {
	cfg       *config.Config
	proxy     *proxy.Proxy
	challenge *challenge.Challenge
	providers []identity.Provider
	ui        *web.UI
	once      sync.Once
	stop      context.CancelFunc // ends its background work; set when that begins
	done      chan struct{}
}

// build makes a generation; nothing of it is in force, or running, yet.
func (g *Gateway) build(cfg *config.Config) (*generation, error) {
	if cfg.TLS.ACME != nil {
		if err := checkACMEHosts(hosts(cfg)); err != nil {
			return nil, err
		}
	}
	addresses, err := policy.NewAddresses(cfg.MFA.TrustedIPs, cfg.Locations)
	if err != nil {
		return nil, err
	}
	ui, err := web.New(cfg.UI, web.Options{Portal: cfg.PortalOrigin(), Chosen: g.keepLanguage, Now: g.o.Now, Log: g.log},
		config.PageAssets()...)
	if err != nil {
		return nil, err
	}
	gen := &generation{cfg: cfg, ui: ui, done: make(chan struct{})}
	for _, entry := range cfg.Identity {
		p, err := NewProvider(entry, g.db)
		if err != nil {
			gen.close()
			return nil, err
		}
		gen.providers = append(gen.providers, p)
	}
	if err := g.assemble(gen, addresses); err != nil {
		gen.close()
		return nil, err
	}
	return gen, nil
}

// assemble wires a generation's flows, pages and proxy.
func (g *Gateway) assemble(gen *generation, addresses *policy.Addresses) (err error) {
	cfg := gen.cfg
	methods := []challenge.Method{
		totp.New(g.db, cfg.MFA.Issuer),
		recovery.New(g.db, g.keys),
	}
	gen.challenge, err = challenge.New(challenge.Options{
		Config: cfg.Challenge(), Store: g.db, Sessions: g.sessions, UI: gen.ui,
		Providers: gen.providers,
		Methods:   methods,
		Addresses: addresses,
		// The proxy is built after the flows that it calls; it stands before the
		// first request.
		Target: func(u *url.URL) (policy.Target, string, bool) { return gen.proxy.Target(u) },
		Keys:   g.keys, Log: g.log, Now: g.o.Now, Verification: g.metrics.Verification,
	})
	if err != nil {
		return err
	}
	acct, err := account.New(account.Options{
		Config: account.Config{RememberDays: cfg.MFA.RememberDevice.Days, Methods: cfg.MFA.Methods, Issuer: cfg.MFA.Issuer},
		Store:  g.db, Challenge: gen.challenge, Methods: methods, Sessions: g.sessions, UI: gen.ui, Keys: g.keys,
		Now: g.o.Now, Log: g.log,
		Place: func(ip netip.Addr) string { return addresses.Class(ip).Location },
	})
	if err != nil {
		return err
	}
	proxies, err := trustedProxies(cfg)
	if err != nil {
		return err
	}
	gen.proxy, err = proxy.New(proxy.Options{
		Routes: cfg.Routes, TrustedProxies: proxies,
		Portal: cfg.PortalOrigin(), PortalHandler: g.portal(gen, acct),
		Reserved: g.reserved(gen), Sessions: g.sessions, Challenger: gen.challenge,
		Pages: gen.ui, Addresses: addresses, Keys: g.signer, Buffers: g.buffers, Log: g.log, Lines: g.o.RequestLines, Metrics: g.metrics, Now: g.o.Now,
	})
	return err
}

// NewProvider builds the identity provider of an entry. It connects to nothing.
func NewProvider(entry config.Identity, users local.Store) (identity.Provider, error) {
	label := entry.Label
	if label == "" {
		label = entry.Name
	}
	switch {
	case entry.Local != nil:
		return local.New(entry.Name, label, *entry.Local, users)
	case entry.LDAP != nil:
		return ldap.New(entry.Name, label, *entry.LDAP)
	case entry.OIDC != nil:
		return oidc.New(entry.Name, label, *entry.OIDC)
	}
	return nil, fmt.Errorf("identity entry %q has no type: %w", entry.Name, sallyport.ErrNotFound)
}

// CloseProvider lets go of a provider's connections.
func CloseProvider(p identity.Provider) {
	if c, ok := p.(interface{ Close() error }); ok {
		_ = c.Close() // its connections are being dropped anyway
	}
}

// start begins the background work of a generation.
func (gen *generation) start(ctx context.Context) {
	ctx, gen.stop = context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return gen.proxy.Run(ctx) })
	group.Go(func() error { return gen.challenge.Run(ctx) })
	go func() {
		defer close(gen.done)
		_ = group.Wait() // both end only with ctx
	}()
}

// close ends background work; requests that the generation is serving finish.
func (gen *generation) close() {
	gen.once.Do(func() {
		if gen.stop != nil {
			gen.stop()
			<-gen.done
		}
		if gen.proxy != nil {
			gen.proxy.Close()
		}
		for _, p := range gen.providers {
			CloseProvider(p)
		}
	})
}

// portal serves the portal's host.
func (g *Gateway) portal(gen *generation, acct *account.Account) http.Handler {
	mux := http.NewServeMux()
	gen.challenge.Mount(mux)
	acct.Mount(mux)
	g.common(mux, gen)
	return limitForms(gen, mux)
}

// hosts are the names that need a certificate: the portal's and the routes'.
func hosts(cfg *config.Config) []string {
	out := []string{cfg.PortalHost()}
	for _, r := range cfg.Routes {
		for _, h := range r.Hosts {
			if name, _, err := net.SplitHostPort(h); err == nil {
				h = name
			}
			if !slices.Contains(out, h) {
				out = append(out, h)
			}
		}
	}
	return out
}

func trustedProxies(cfg *config.Config) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range cfg.Server.TrustedProxies {
		p, err := policy.ParseRange(s)
		if err != nil {
			return nil, fmt.Errorf("server.trusted_proxies: %w", err)
		}
		out = append(out, p...)
	}
	return out, nil
}
