package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"sallyport"
)

// checkPairs faults certificates that do not fit their keys, and doubts those
// that browsers would refuse. A doubt is not a fault: a gateway that did not come
// back after a certificate ran out over the weekend would be worse than the
// warning that browsers show, and the renewed file is taken up while it runs.
func (c *Config) checkPairs(faults, doubts *sallyport.FieldErrors) {
	var certs []*x509.Certificate
	whole := len(c.TLS.Files) > 0
	for i, p := range c.TLS.Files {
		if readable(p.CertFile) != nil || readable(p.KeyFile) != nil {
			whole = false
			continue // faulted already
		}
		path := fmt.Sprintf("tls.files[%d].cert_file", i)
		pair, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
		if err != nil {
			whole = false
			faults.Add(path, "they hold a certificate chain and its private key in PEM form",
				"%s and %s do not go together: %s", p.CertFile, p.KeyFile, strings.TrimPrefix(err.Error(), "tls: "))
			continue
		}
		certs = append(certs, pair.Leaf)
		c.doubtCertificate(doubts, path, p.CertFile, pair.Leaf)
	}
	if !whole {
		return // what is said of hosts would follow from the fault
	}
	for _, h := range c.publicHosts() {
		covered := false
		for _, cert := range certs {
			covered = covered || coversHost(cert, h.name)
		}
		if !covered {
			doubts.Add(h.path, "add a certificate for it under `tls.files`", "no certificate under `tls.files` covers %q, so browsers refuse it", h.name)
		}
	}
}

func (c *Config) doubtCertificate(doubts *sallyport.FieldErrors, path, file string, cert *x509.Certificate) {
	const form = "2006-01-02 15:04 MST"
	now := time.Now()
	switch {
	case now.After(cert.NotAfter):
		doubts.Add(path, "renew it; a changed file is taken up without a restart", "%s ran out on %s, so browsers refuse it", file, cert.NotAfter.UTC().Format(form))
		return
	case now.Before(cert.NotBefore):
		doubts.Add(path, "check the certificate and the clock of this machine", "%s is good only from %s on", file, cert.NotBefore.UTC().Format(form))
		return
	}
	for _, h := range c.publicHosts() {
		if coversHost(cert, h.name) {
			return
		}
	}
	names := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	said := "it has no names"
	if len(names) > 0 {
		said = "its names are " + strings.Join(names, ", ")
	}
	doubts.Add(path, "remove it, or add a route for it", "%s covers no host of this file: %s", file, said)
}

// validateACMEHosts faults hosts for which the ACME challenges that we answer
// cannot get a certificate.
func (c *Config) validateACMEHosts(faults *sallyport.FieldErrors) {
	if c.TLS.ACME == nil {
		return
	}
	for _, h := range c.publicHosts() {
		if strings.HasPrefix(h.name, "*.") {
			faults.Add(h.path, "list the hosts one by one, or bring a certificate under `tls.files`", "%q is a wildcard, for which `tls.acme` gets no certificate", h.name)
		} else if _, err := netip.ParseAddr(strings.Trim(h.name, "[]")); err == nil {
			faults.Add(h.path, "give the route a host name, or bring a certificate under `tls.files`", "%q is an address, for which `tls.acme` gets no certificate", h.name)
		}
	}
}

// publicHost is a host that browsers ask for, without its port, and its setting.
type publicHost struct{ path, name string }

func (c *Config) publicHosts() []publicHost {
	out := []publicHost{{"server.portal", c.PortalHost()}}
	for i, r := range c.Routes {
		for j, h := range r.Hosts {
			if name, _, err := net.SplitHostPort(h); err == nil {
				h = name
			}
			out = append(out, publicHost{fmt.Sprintf("routes[%d].hosts[%d]", i, j), h})
		}
	}
	return out
}

// coversHost compares as browsers do. A wildcard host needs a wildcard in the
// certificate, which any one label shows.
func coversHost(cert *x509.Certificate, host string) bool {
	if rest, ok := strings.CutPrefix(host, "*."); ok {
		host = "any." + rest
	}
	return cert.VerifyHostname(strings.Trim(host, "[]")) == nil
}
