package gateway

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/internal/seal"
)

const (
	caLife    = 10 * 365 * 24 * time.Hour
	leafLife  = 90 * 24 * time.Hour
	leafFresh = leafLife * 2 / 3 // then another is made
	// maxLeaves bounds what strangers can make us keep by asking for ever new
	// names under a wildcard.
	maxLeaves  = 1024
	sealedType = "SALLYPORT SEALED PRIVATE KEY"
)

// internalCerts makes certificates from a CA of its own: for trying the gateway
// out, and for networks where an admin can distribute a root.
type internalCerts struct {
	o     certOptions
	ca    *x509.Certificate
	key   *ecdsa.PrivateKey
	root  []byte // PEM
	hosts atomic.Pointer[hostSet]

	mu     sync.Mutex
	leaves map[string]*tls.Certificate
}

func newInternalCerts(hosts []string, o certOptions) (*internalCerts, error) {
	if o.Keys == nil {
		return nil, errNoKeys
	}
	dir := filepath.Join(o.Dir, "ca")
	file := filepath.Join(dir, "ca.pem")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = createCA(file, o)
	}
	if err != nil {
		return nil, fmt.Errorf("internal CA: %w", err)
	}
	c := &internalCerts{o: o, leaves: map[string]*tls.Certificate{}}
	if c.ca, c.key, err = readCA(data, o.Keys); err != nil {
		return nil, fmt.Errorf("internal CA %s: %w", file, err)
	}
	if !o.Now().Before(c.ca.NotAfter) {
		return nil, fmt.Errorf("internal CA %s ended at %s: remove the file, start again, and distribute the new root",
			file, c.ca.NotAfter.Format(time.DateOnly))
	}
	c.root = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.ca.Raw})
	// The public half alone, for people to pick up.
	if err := os.WriteFile(filepath.Join(dir, "root.pem"), c.root, 0o644); err != nil {
		return nil, fmt.Errorf("internal CA: %w", err)
	}
	c.SetHosts(hosts)
	return c, nil
}

// createCA makes a CA and writes it, whole or not at all. It has no name
// constraints: hosts change with the routing file, and each change would need a
// new root on every client.
func createCA(file string, o certOptions) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := o.Now()
	tmpl := &x509.Certificate{
		SerialNumber: serial,
		// The serial tells the roots of two installations apart in a trust store.
		Subject:   pkix.Name{CommonName: fmt.Sprintf("Sallyport internal CA %x", serial.Bytes()[:4])},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(caLife),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	sealed := o.Keys.Seal(plain, "ca", "key", fingerprint(der))
	data = append(data, pem.EncodeToMemory(&pem.Block{Type: sealedType, Bytes: sealed})...)
	return data, writeWhole(file, data)
}

// writeWhole writes a file for its owner alone, under its name only when all of
// it is on disk.
func writeWhole(file string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

func readCA(data []byte, keys *seal.Keyring) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certBlock, rest := pem.Decode(data)
	keyBlock, _ := pem.Decode(rest)
	if certBlock == nil || keyBlock == nil || certBlock.Type != "CERTIFICATE" || keyBlock.Type != sealedType {
		return nil, nil, errors.New("damaged: it should hold a certificate and a sealed key; restore it from a backup")
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, nil, err
	}
	plain, err := keys.Open(keyBlock.Bytes, "ca", "key", fingerprint(cert.Raw))
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, nil, errors.New("the key is not the certificate's")
	}
	return cert, key, nil
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// newSerial returns 127 random bits, never a short number (RFC 5280, section
// 4.1.2.2).
func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	return n.SetBit(n, 126, 1), nil
}

// TLSConfig implements certs.
func (c *internalCerts) TLSConfig() *tls.Config { return serverTLS(c.get) }

func (c *internalCerts) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := c.hosts.Load().wanted(hello)
	if name == "" {
		return nil, nil // unrecognized_name
	}
	return c.leaf(name)
}

// leaf returns the certificate of a name of ours, a new one when the last has
// lived two thirds of its life.
func (c *internalCerts) leaf(name string) (*tls.Certificate, error) {
	now := c.o.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.leaves[name]; l != nil && now.Before(l.Leaf.NotBefore.Add(leafFresh)) {
		return l, nil
	}
	l, err := c.mint(name, now)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", name, err)
	}
	if len(c.leaves) >= maxLeaves {
		for n := range c.leaves { // any: making it again takes a fraction of a millisecond
			delete(c.leaves, n)
			break
		}
	}
	c.leaves[name] = l
	return l, nil
}

func (c *internalCerts) mint(name string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if tmpl.NotAfter.After(c.ca.NotAfter) {
		tmpl.NotAfter = c.ca.NotAfter
	}
	if ip := net.ParseIP(name); ip != nil {
		tmpl.IPAddresses = []net.IP{ip}
	} else {
		tmpl.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, c.ca, key.Public(), c.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// SetHosts implements certs. Certificates of names that are gone are forgotten.
func (c *internalCerts) SetHosts(hosts []string) {
	set := newHostSet(hosts)
	c.hosts.Store(set)
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.leaves {
		if !set.has(name) {
			delete(c.leaves, name)
		}
	}
}

// ACMEHandler implements certs.
func (c *internalCerts) ACMEHandler(next http.Handler) http.Handler { return next }

// Listening implements certs.
func (c *internalCerts) Listening(net.Addr, net.Addr) {}

// Run implements certs. Certificates are renewed as they are asked for, so it only
// says in time when the root itself is about to end.
func (c *internalCerts) Run(ctx context.Context) error {
	t := time.NewTicker(24 * time.Hour)
	defer t.Stop()
	for {
		if left := c.ca.NotAfter.Sub(c.o.Now()); left < leafLife {
			c.o.Log.Warn("the internal CA is about to end; make another and distribute its root", "days", int(left.Hours()/24))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// Root implements certs.
func (c *internalCerts) Root() []byte { return append([]byte(nil), c.root...) }

// Expiry implements certs: of the configured hosts that somebody asked for. Names
// under a wildcard are left out, since clients choose them.
func (c *internalCerts) Expiry() map[string]time.Time {
	set := c.hosts.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]time.Time{}
	for name, l := range c.leaves {
		if _, ok := set.exact[name]; ok && !strings.HasPrefix(name, "*") {
			out[name] = l.Leaf.NotAfter
		}
	}
	return out
}
