package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"sallyport/config"
)

const (
	fileCheckEvery = time.Minute            // for file systems that report no changes
	fileSettle     = 300 * time.Millisecond // certificate and key are written one after the other
)

// fileCerts serves certificates that somebody else renews.
type fileCerts struct {
	o     certOptions
	hosts atomic.Pointer[hostSet]
	index atomic.Pointer[certIndex]

	mu    sync.Mutex
	pairs []*filePair // in the order of the configuration
}

// filePair is one entry of tls.files and what was last read from it.
type filePair struct {
	cfg    config.KeyPair
	pem    [2][]byte // of cert, the pair in force
	cert   *tls.Certificate
	failed [2][]byte // the last content that was refused, so that it is logged once
}

// certIndex finds certificates by name. It is never changed, only replaced.
type certIndex struct {
	byName map[string][]*tls.Certificate // in the order of the configuration
	all    []*tls.Certificate
}

func newFileCerts(pairs []config.KeyPair, hosts []string, o certOptions) (*fileCerts, error) {
	if o.CheckEvery == 0 {
		o.CheckEvery = fileCheckEvery
	}
	c := &fileCerts{o: o}
	var errs []error
	for _, p := range pairs {
		pair := &filePair{cfg: p}
		if _, err := pair.load(); err != nil {
			errs = append(errs, err)
		}
		c.pairs = append(c.pairs, pair)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c.publish()
	c.SetHosts(hosts)
	return c, nil
}

// load reads the pair when its files changed. A pair that cannot be used leaves
// the one in force where it is.
func (p *filePair) load() (changed bool, err error) {
	var pem [2][]byte
	for i, file := range []string{p.cfg.CertFile, p.cfg.KeyFile} {
		if pem[i], err = os.ReadFile(file); err != nil {
			return false, fmt.Errorf("certificate: %w", err)
		}
	}
	if p.cert != nil && samePair(pem, p.pem) {
		return false, nil
	}
	cert, err := tls.X509KeyPair(pem[0], pem[1])
	if err != nil {
		if p.cert != nil && samePair(pem, p.failed) {
			return false, nil // said already
		}
		p.failed = pem
		return false, fmt.Errorf("certificate %s with key %s: %w", p.cfg.CertFile, p.cfg.KeyFile, err)
	}
	p.cert, p.pem, p.failed = &cert, pem, [2][]byte{}
	return true, nil
}

func samePair(a, b [2][]byte) bool { return bytes.Equal(a[0], b[0]) && bytes.Equal(a[1], b[1]) }

// reload takes up whatever changed on disk.
func (c *fileCerts) reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := false
	for _, p := range c.pairs {
		changed, err := p.load()
		if err != nil {
			c.o.Log.Error("a changed certificate cannot be used; the one before stays in force", "error", err)
		}
		if changed {
			fresh = true
			c.o.Log.Info("certificate read again", "file", p.cfg.CertFile, "names", p.cert.Leaf.DNSNames,
				"expires", p.cert.Leaf.NotAfter)
		}
	}
	if fresh {
		c.publishLocked()
	}
}

func (c *fileCerts) publish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.publishLocked()
}

func (c *fileCerts) publishLocked() {
	x := &certIndex{byName: map[string][]*tls.Certificate{}}
	for _, p := range c.pairs {
		x.all = append(x.all, p.cert)
		for _, name := range certNames(p.cert) {
			x.byName[name] = append(x.byName[name], p.cert)
		}
		if !c.o.Now().Before(p.cert.Leaf.NotAfter) {
			c.o.Log.Warn("a certificate has expired", "file", p.cfg.CertFile, "expired", p.cert.Leaf.NotAfter)
		}
	}
	c.index.Store(x)
}

func certNames(cert *tls.Certificate) []string {
	var names []string
	for _, n := range cert.Leaf.DNSNames {
		names = append(names, cleanName(n))
	}
	for _, ip := range cert.Leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// find returns the certificates that cover a name: those that spell it out, then
// those with a wildcard for its first label (RFC 9525, section 6.3).
func (x *certIndex) find(name string) []*tls.Certificate {
	if exact := x.byName[name]; len(exact) > 0 {
		return exact
	}
	if i := strings.IndexByte(name, '.'); i > 0 {
		return x.byName["*"+name[i:]]
	}
	return nil
}

// TLSConfig implements certs.
func (c *fileCerts) TLSConfig() *tls.Config { return serverTLS(c.get) }

func (c *fileCerts) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	x := c.index.Load()
	if choices := x.find(cleanName(hello.ServerName)); len(choices) > 0 {
		// Also where no route has the name: the page that says so is of more help
		// than a failed handshake, and the certificate covers it.
		return c.choose(hello, choices), nil
	}
	name := c.hosts.Load().wanted(hello)
	if name == "" || name == cleanName(hello.ServerName) {
		return nil, nil // unrecognized_name
	}
	if choices := x.find(name); len(choices) > 0 {
		return c.choose(hello, choices), nil
	}
	return c.choose(hello, x.all), nil
}

// choose prefers what this client can check and what has not expired.
func (c *fileCerts) choose(hello *tls.ClientHelloInfo, choices []*tls.Certificate) *tls.Certificate {
	if len(choices) == 1 {
		return choices[0]
	}
	now, best := c.o.Now(), choices[0]
	for i := len(choices) - 1; i >= 0; i-- { // so that the first of equals wins
		cert := choices[i]
		if hello.SupportsCertificate(cert) == nil && now.Before(cert.Leaf.NotAfter) {
			best = cert
		}
	}
	return best
}

// SetHosts implements certs. A host that no certificate covers is no fault, since
// the others are of use; config warns of it.
func (c *fileCerts) SetHosts(hosts []string) { c.hosts.Store(newHostSet(hosts)) }

// Run implements certs: it takes up changed files until ctx ends.
func (c *fileCerts) Run(ctx context.Context) error {
	events, stop := c.watch()
	defer stop()
	tick := time.NewTicker(c.o.CheckEvery)
	defer tick.Stop()
	settled := time.NewTimer(0) // also reads what changed since newCerts
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-events:
			if !ok {
				events = nil // the watcher died; the ticker goes on
				continue
			}
			settled.Reset(fileSettle)
		case <-settled.C:
			c.reload()
		case <-tick.C:
			c.reload()
		}
	}
}

// watch reports changes in the folders of all files: tools replace files by
// renaming, and orchestrators swap a symbolic link beside them.
func (c *fileCerts) watch() (<-chan fsnotify.Event, func()) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		c.o.Log.Warn("cannot watch certificate files; they are looked at regularly", "every", c.o.CheckEvery, "error", err)
		return nil, func() {}
	}
	var dirs []string
	for _, p := range c.pairs {
		dirs = append(dirs, filepath.Dir(p.cfg.CertFile), filepath.Dir(p.cfg.KeyFile))
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		if err := w.Add(dir); err != nil {
			c.o.Log.Warn("cannot watch a folder of certificates; it is looked at regularly",
				slog.String("folder", dir), "every", c.o.CheckEvery, "error", err)
		}
	}
	done := make(chan struct{})
	go func() { // an overflow of events is an error that must not block the watcher
		defer close(done)
		for err := range w.Errors {
			c.o.Log.Warn("watching certificate files", "error", err)
		}
	}()
	return w.Events, func() {
		if err := w.Close(); err != nil {
			c.o.Log.Warn("watching certificate files", "error", err)
		}
		<-done
	}
}

// ACMEHandler implements certs.
func (c *fileCerts) ACMEHandler(next http.Handler) http.Handler { return next }

// Listening implements certs.
func (c *fileCerts) Listening(net.Addr, net.Addr) {}

// Root implements certs.
func (c *fileCerts) Root() []byte { return nil }

// Expiry implements certs.
func (c *fileCerts) Expiry() map[string]time.Time {
	out := map[string]time.Time{}
	for name, list := range c.index.Load().byName {
		for _, cert := range list { // the one that lasts longest is what matters
			if cert.Leaf.NotAfter.After(out[name]) {
				out[name] = cert.Leaf.NotAfter
			}
		}
	}
	return out
}
