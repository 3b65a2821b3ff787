package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/crypto/acme"

	"sallyport/config"
)

const (
	challengeHTTP = "http-01"
	challengeALPN = "tls-alpn-01"
)

// acmeCerts gets certificates from an ACME server (RFC 8555), for configured hosts
// only: nobody can make us ask for one by naming a host.
type acmeCerts struct {
	o        certOptions
	cfg      *config.ACME
	roots    *x509.CertPool // of the ACME server; nil: the system's
	store    *certmagic.FileStorage
	template certmagic.ACMEIssuer
	hosts    atomic.Pointer[hostSet]
	running  atomic.Pointer[acmeRun]
	started  chan struct{} // closed when what is stored is loaded

	mu sync.Mutex // orders SetHosts and the start of Run
}

// acmeRun exists while Run does.
type acmeRun struct {
	ctx    context.Context
	cache  *certmagic.Cache
	magic  *certmagic.Config
	issuer *certmagic.ACMEIssuer
	stop   map[string]context.CancelFunc // ends the attempts to get a host's first certificate
}

// manage sets out to get, or to load and renew, the certificates of names.
func (r *acmeRun) manage(names []string) error {
	for _, name := range names {
		if r.stop[name] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(r.ctx)
		r.stop[name] = cancel
		if err := r.magic.ManageAsync(ctx, []string{name}); err != nil {
			return fmt.Errorf("certificates by ACME: %w", err)
		}
	}
	return nil
}

// forget ends the care for a name.
func (r *acmeRun) forget(name string) {
	if cancel := r.stop[name]; cancel != nil {
		cancel()
		delete(r.stop, name)
	}
	r.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: name}})
}

func newACMECerts(cfg *config.ACME, hosts []string, o certOptions) (*acmeCerts, error) {
	if err := checkACMEHosts(hosts); err != nil {
		return nil, err
	}
	c := &acmeCerts{o: o, cfg: cfg, started: make(chan struct{})}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.acme.ca_file: %w", err)
		}
		c.roots = x509.NewCertPool()
		if !c.roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.acme.ca_file %s holds no certificate in PEM form", cfg.CAFile)
		}
	}
	dir := cfg.StorageDir
	if dir == "" {
		dir = filepath.Join(o.Dir, "acme")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	c.store = &certmagic.FileStorage{Path: dir}
	c.template = certmagic.ACMEIssuer{
		CA: cfg.Directory, Email: cfg.Email, Agreed: true, TrustedRoots: c.roots,
		DisableHTTPChallenge:    !c.wants(challengeHTTP),
		DisableTLSALPNChallenge: !c.wants(challengeALPN),
		Logger:                  zapTo(o.Log),
	}
	c.hosts.Store(newHostSet(hosts))
	return c, nil
}

func (c *acmeCerts) wants(challenge string) bool {
	return len(c.cfg.Challenges) == 0 || slices.Contains(c.cfg.Challenges, challenge)
}

// Listening implements certs. The library opens challenge listeners of its own,
// unless it finds these ports taken, which then answer: ours, since they are bound
// before Run.
func (c *acmeCerts) Listening(httpAddr, httpsAddr net.Addr) {
	for _, l := range []struct {
		addr net.Addr
		port *int
		off  *bool
	}{
		{httpAddr, &c.template.AltHTTPPort, &c.template.DisableHTTPChallenge},
		{httpsAddr, &c.template.AltTLSALPNPort, &c.template.DisableTLSALPNChallenge},
	} {
		tcp, ok := l.addr.(*net.TCPAddr)
		if !ok {
			*l.off = true
			continue
		}
		*l.port = tcp.Port
		if !tcp.IP.IsUnspecified() {
			c.template.ListenHost = tcp.IP.String()
		}
	}
}

// Run implements certs: it gets what is missing and renews what is due until ctx
// ends.
func (c *acmeCerts) Run(ctx context.Context) error {
	if c.template.DisableHTTPChallenge && c.template.DisableTLSALPNChallenge {
		return errors.New("tls.acme: no listener answers a challenge that is switched on")
	}
	ctx, cancel := context.WithCancel(ctx)
	run := &acmeRun{ctx: ctx, stop: map[string]context.CancelFunc{}}
	run.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return run.magic, nil },
		RenewCheckInterval: c.o.CheckEvery,
		Logger:             zapTo(c.o.Log),
	})
	defer func() {
		cancel()
		run.cache.Stop()
		// Locks that an unfinished order left would hold up the next start.
		certmagic.CleanUpOwnLocks(context.WithoutCancel(ctx), zapTo(c.o.Log))
	}()
	run.magic = certmagic.New(run.cache, certmagic.Config{
		RenewalWindowRatio: float64(c.cfg.RenewalWindow) / 100, // 0: the library's third
		OnEvent:            c.event,
		ShouldEmitFunc:     func(name string) bool { return name != "tls_get_certificate" },
		Storage:            c.store,
		DisableARI:         c.o.noARI,
		// Stapling would ask strangers over the network before the first answer,
		// and public authorities have ended OCSP.
		OCSP:   certmagic.OCSPConfig{DisableStapling: true},
		Logger: zapTo(c.o.Log),
	})
	run.issuer = certmagic.NewACMEIssuer(run.magic, c.template)
	run.magic.Issuers = []certmagic.Issuer{run.issuer}
	if err := c.begin(run); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// begin loads what is stored, so that a restart serves at once, and sets out to
// get the rest.
func (c *acmeCerts) begin(run *acmeRun) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := c.hosts.Load().names
	for _, name := range names {
		// A missing one is the normal case, and a damaged one is reported below.
		_, _ = run.magic.CacheManagedCertificate(run.ctx, name)
	}
	c.running.Store(run)
	close(c.started)
	return run.manage(names)
}

// event logs what an admin wants to know, in our words.
func (c *acmeCerts) event(_ context.Context, name string, data map[string]any) error {
	switch name {
	case "cert_obtained":
		c.o.Log.Info("certificate obtained", "host", data["identifier"], "renewal", data["renewal"])
	case "cert_failed":
		c.o.Log.Error("no certificate yet; it is tried again", "host", data["identifier"], "renewal", data["renewal"], "error", data["error"])
	}
	return nil
}

// TLSConfig implements certs.
func (c *acmeCerts) TLSConfig() *tls.Config {
	if c.wants(challengeALPN) {
		return serverTLS(c.get, acme.ALPNProto)
	}
	return serverTLS(c.get)
}

func (c *acmeCerts) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := c.hosts.Load().wanted(hello)
	if name == "" {
		return nil, nil // unrecognized_name
	}
	select {
	case <-c.started:
	case <-hello.Context().Done():
		return nil, hello.Context().Err()
	}
	asked := *hello
	asked.ServerName = name
	return c.running.Load().magic.GetCertificateWithContext(hello.Context(), &asked)
}

// ACMEHandler implements certs.
func (c *acmeCerts) ACMEHandler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A stranger's host would make the library search its files for it.
		if run := c.running.Load(); run != nil && certmagic.LooksLikeHTTPChallenge(r) && c.hosts.Load().has(hostName(r.Host)) {
			if run.issuer.HandleHTTPChallenge(w, r) {
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// SetHosts implements certs. New hosts get a certificate; those that are gone are
// no longer renewed.
func (c *acmeCerts) SetHosts(hosts []string) {
	if err := checkACMEHosts(hosts); err != nil {
		c.o.Log.Error("some hosts get no certificate", "error", err)
		hosts = slices.DeleteFunc(slices.Clone(hosts), func(h string) bool { return checkACMEHosts([]string{h}) != nil })
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	old, set := c.hosts.Load(), newHostSet(hosts)
	c.hosts.Store(set)
	run := c.running.Load()
	if run == nil {
		return
	}
	for _, name := range old.names {
		if !set.has(name) {
			run.forget(name)
		}
	}
	if err := run.manage(set.names); err != nil {
		c.o.Log.Error("some hosts get no certificate", "error", err)
	}
}

// Root implements certs.
func (c *acmeCerts) Root() []byte { return nil }

// Expiry implements certs.
func (c *acmeCerts) Expiry() map[string]time.Time {
	out := map[string]time.Time{}
	run := c.running.Load()
	if run == nil {
		return out
	}
	for _, name := range c.hosts.Load().names {
		for _, cert := range run.cache.AllMatchingCertificates(name) {
			if cert.Leaf != nil && cert.Leaf.NotAfter.After(out[name]) {
				out[name] = cert.Leaf.NotAfter
			}
		}
	}
	return out
}

// hostName is the host of a Host header in the form of hostSet, "" when it is not
// one.
func hostName(host string) string {
	if strings.ContainsRune(host, ':') {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		} else if _, err := netip.ParseAddr(cleanName(host)); err != nil {
			return ""
		}
	}
	return cleanName(host)
}
