package oidc

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"sallyport"
)

const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 2 * time.Minute
	defaultSkew    = time.Minute
	maxSkew        = 5 * time.Minute
)

// Validate returns every fault, with paths relative to the entry. It opens
// nothing.
func (c Config) Validate() sallyport.FieldErrors {
	var faults sallyport.FieldErrors
	const hint = "write it exactly as the provider's discovery document does, like https://id.example.com"
	switch u, err := url.Parse(c.Issuer); {
	case c.Issuer == "":
		faults.Add("issuer", hint, "the provider's address is missing")
	case err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(c.Issuer, "?#"):
		faults.Add("issuer", hint, "not an issuer: https, host and perhaps a path")
	case !safeURL(u):
		faults.Add("issuer", "write https://", "tokens would cross the network in clear")
	}
	if strings.TrimSpace(c.ClientID) == "" {
		faults.Add("client_id", "write the ID under which the provider knows this gateway", "missing")
	}
	if !c.ClientSecret.Empty() && c.ClientSecretFile != "" {
		faults.Add("client_secret_file", "keep one of the two", "client_secret is set as well")
	}
	if len(c.Scopes) > 0 && !slices.Contains(c.Scopes, oidc.ScopeOpenID) {
		faults.Add("scopes", "add openid", "without the scope openid there is no ID token")
	}
	for _, s := range c.Scopes {
		if s == "" || strings.ContainsAny(s, " \t\r\n\"\\") {
			faults.Add("scopes", "write a list: [openid, profile, email]", "%q is not one scope", s)
		}
	}
	if c.ClockSkew < 0 || c.ClockSkew > maxSkew {
		faults.Add("clock_skew", "write 1s to 5m", "%s is out of range", c.ClockSkew)
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		faults.Add("timeout", "write 1s to 2m", "%s is out of range", c.Timeout)
	}
	return faults
}

func (c Config) withDefaults() Config {
	if len(c.Scopes) == 0 {
		c.Scopes = []string{oidc.ScopeOpenID, "profile", "email"}
	}
	if c.Claims.Email == "" {
		c.Claims.Email = "email"
	}
	if c.Claims.Name == "" {
		c.Claims.Name = "name"
	}
	if c.Claims.Groups == "" {
		c.Claims.Groups = "groups"
	}
	if c.ClockSkew == 0 {
		c.ClockSkew = defaultSkew
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return c
}

// safeURL reports whether u may be asked: over TLS, or on this machine.
func safeURL(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return u.Scheme == "http" && (host == "localhost" || strings.HasSuffix(host, ".localhost") || (ip != nil && ip.IsLoopback()))
}
