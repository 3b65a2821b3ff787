package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"sallyport"
	"sallyport/config"
	"sallyport/internal/seal"
)

// certs is where certificates come from. All methods are safe for concurrent
// use; nothing runs before Run.
type certs interface {
	// TLSConfig is for the https listener. A name that is not ours gets the alert
	// unrecognized_name and no certificate.
	TLSConfig() *tls.Config
	// ACMEHandler answers HTTP-01 challenges and leaves all else to next.
	ACMEHandler(next http.Handler) http.Handler
	// Listening tells the ports of the first http and https listener, 0 for none,
	// before Run.
	Listening(httpAddr, httpsAddr net.Addr)
	// SetHosts replaces the names that are served.
	SetHosts(hosts []string)
	// Run keeps the certificates fresh until ctx ends.
	Run(ctx context.Context) error
	// Root is the certificate (PEM) of the internal CA, nil where certificates
	// come from elsewhere.
	Root() []byte
	// Expiry is when the certificate of each name ends.
	Expiry() map[string]time.Time
}

// certOptions are what newCerts needs besides the configuration.
type certOptions struct {
	// Dir is the state folder beside the database.
	Dir  string
	Keys *seal.Keyring
	Log  *slog.Logger
	Now  func() time.Time
	// CheckEvery is the pause between looks at files (default a minute) or at what
	// is to be renewed by ACME (default ten minutes).
	CheckEvery time.Duration
	// noARI leaves ACME renewal information (RFC 9773) unused, for tests: Pebble
	// 2.10 cannot replace its own certificates whose serial has the high bit set.
	noARI bool
}

var errNoKeys = errors.New("the internal CA needs the master key")

// newCerts reads what the tls section names. hosts are those of all routes and of
// the portal, without ports; the first, which should be the portal's, is served
// to clients that name no host. Any unusable file refuses the start.
func newCerts(cfg config.TLS, hosts []string, o certOptions) (certs, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	switch {
	case cfg.ACME != nil:
		return newACMECerts(cfg.ACME, hosts, o)
	case len(cfg.Files) > 0:
		return newFileCerts(cfg.Files, hosts, o)
	case cfg.Internal:
		return newInternalCerts(hosts, o)
	}
	return noCerts{}, nil // validation allows this only where https is off
}

// serverTLS is the configuration of every https listener, whatever the source of
// its certificates. Versions below 1.2 and suites without forward secrecy or
// authenticated encryption are off (RFC 9325, section 4.2).
func serverTLS(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), protos ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{ // of TLS 1.2; those of 1.3 are not a choice
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos:     append([]string{"h2", "http/1.1"}, protos...),
		GetCertificate: get,
	}
}

// hostSet is the names that are served. It is never changed, only replaced.
type hostSet struct {
	first string
	names []string            // as configured, normalised
	exact map[string]struct{} // "app.example.com"
	wild  map[string]struct{} // ".example.com" for "*.example.com"
}

func newHostSet(hosts []string) *hostSet {
	s := &hostSet{exact: map[string]struct{}{}, wild: map[string]struct{}{}}
	for _, h := range hosts {
		h = cleanName(h)
		if s.has(h) {
			continue
		}
		s.names = append(s.names, h)
		if parent, ok := strings.CutPrefix(h, "*"); ok {
			s.wild[parent] = struct{}{}
			continue
		}
		s.exact[h] = struct{}{}
		if s.first == "" {
			s.first = h
		}
	}
	return s
}

// has reports whether a normalised name is a configured host or one label below a
// configured wildcard.
func (s *hostSet) has(name string) bool {
	if _, ok := s.exact[name]; ok {
		return true
	}
	i := strings.IndexByte(name, '.')
	if i <= 0 {
		return false
	}
	_, ok := s.wild[name[i:]]
	return ok
}

// wanted returns the name whose certificate a client should get, "" for none. A
// client without SNI, which all are that dial an address, gets that address's
// when it is a host of ours, and else the first host's.
func (s *hostSet) wanted(hello *tls.ClientHelloInfo) string {
	name := cleanName(hello.ServerName)
	if s.has(name) {
		return name
	}
	if name != "" {
		if _, err := netip.ParseAddr(name); err != nil {
			return ""
		}
		return s.first
	}
	if hello.Conn != nil {
		if a, ok := hello.Conn.LocalAddr().(*net.TCPAddr); ok {
			if ip := a.AddrPort().Addr().Unmap().WithZone("").String(); s.has(ip) {
				return ip
			}
		}
	}
	return s.first
}

func cleanName(host string) string {
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}

// noCerts stands where there is no https listener.
type noCerts struct{}

func (noCerts) TLSConfig() *tls.Config {
	return serverTLS(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil })
}
func (noCerts) ACMEHandler(next http.Handler) http.Handler { return next }
func (noCerts) Listening(net.Addr, net.Addr)               {}
func (noCerts) SetHosts([]string)                          {}
func (noCerts) Root() []byte                               { return nil }
func (noCerts) Expiry() map[string]time.Time               { return nil }
func (noCerts) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// checkACMEHosts faults names for which HTTP-01 and TLS-ALPN-01 cannot get a
// certificate.
func checkACMEHosts(hosts []string) error {
	var faults sallyport.FieldErrors
	for _, h := range hosts {
		if strings.HasPrefix(h, "*") {
			faults.Add("tls.acme", "bring a certificate for it under `tls.files`",
				"%q is a wildcard, which ACME proves through DNS only", h)
		} else if _, err := netip.ParseAddr(cleanName(h)); err == nil {
			faults.Add("tls.acme", "give the route a host name, or bring a certificate under `tls.files`",
				"%q is an address, for which ACME servers give no certificate", h)
		}
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}
