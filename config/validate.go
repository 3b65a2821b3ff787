package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport"
	"sallyport/policy"
	"sallyport/proxy"
)

const (
	challengeHTTP = "http-01"
	challengeALPN = "tls-alpn-01"
)

// Validate returns every fault in the meaning of the settings, its own and those
// that the packages find in theirs. It reads no file.
func (c *Config) Validate() sallyport.FieldErrors {
	var faults sallyport.FieldErrors
	c.Server.validate(&faults)
	c.validateTLS(&faults)
	c.validateSecrets(&faults)
	c.validateIdentity(&faults)
	c.validateGroups(&faults)
	c.validateAllow(&faults)
	c.validateACMEHosts(&faults)
	c.validateMFA(&faults)
	faults = append(faults, c.Registration.Validate(c.trustsSomewhere()).Under("registration")...)
	c.validateLogs(&faults)
	faults = append(faults, c.Store.Validate().Under("store")...)
	faults = append(faults, c.Session.Validate().Under("session")...)
	c.validateUI(&faults)
	if _, err := policy.NewAddresses(c.MFA.TrustedIPs, c.Locations); err != nil {
		faults = append(faults, asFaults(err)...)
	}
	for i, l := range c.Locations {
		if len(l.Ranges) == 0 {
			faults.Add(fmt.Sprintf("locations[%d].ranges", i), "write at least one, such as `[192.0.2.0/24]`", "the location has no addresses")
		}
	}
	if len(c.Routes) == 0 {
		faults.Add("routes", "such as `- {name: app, hosts: [app.example.com], upstream: http://127.0.0.1:8080}`", "there are no routes")
	}
	for _, f := range c.plainer(proxy.Validate(c.Routes, c.PortalOrigin())) {
		// The portal's own faults are told above, in the words of this section.
		if f.Path != "server.portal" {
			faults = append(faults, f)
		}
	}
	return faults
}

func asFaults(err error) sallyport.FieldErrors {
	if f, ok := errors.AsType[sallyport.FieldErrors](err); ok {
		return f
	}
	return sallyport.FieldErrors{{Msg: err.Error()}}
}

func (s *Server) validate(faults *sallyport.FieldErrors) {
	s.validateListeners(faults)
	for i, p := range s.TrustedProxies {
		if _, err := policy.ParseRange(p); err != nil {
			faults.Add(fmt.Sprintf("server.trusted_proxies[%d]", i), "write an address (192.0.2.7) or a network (192.0.2.0/24)", "%v", err)
		}
	}
	s.validatePortal(faults)
	t := s.Timeouts
	duration(faults, "server.timeouts.read_header", t.ReadHeader, time.Second, 5*time.Minute)
	duration(faults, "server.timeouts.read", t.Read, 0, day)
	duration(faults, "server.timeouts.body_idle", t.BodyIdle, time.Second, time.Hour)
	duration(faults, "server.timeouts.write", t.Write, 0, day)
	duration(faults, "server.timeouts.idle", t.Idle, time.Second, time.Hour)
	duration(faults, "server.timeouts.handshake", t.Handshake, time.Second, time.Minute)
	duration(faults, "server.timeouts.ping", t.Ping, time.Second, 5*time.Minute)
	duration(faults, "server.timeouts.shutdown", t.Shutdown, time.Second, time.Hour)
	l := s.Limits
	number(faults, "server.limits.header_bytes", l.HeaderBytes, 4096, 1<<20)
	number(faults, "server.limits.form_bytes", l.FormBytes, 4096, 64<<10) // more than any of our pages takes
	number(faults, "server.limits.connections", l.Connections, 0, 1_000_000)
	number(faults, "server.limits.streams", l.Streams, 1, 10_000)
	// What net/http takes for a receive window.
	number(faults, "server.limits.connection_buffer", l.ConnectionBuffer, 64<<10, 4<<20-1)
	number(faults, "server.limits.stream_buffer", l.StreamBuffer, 64<<10, 4<<20-1)
}

func (s *Server) validateListeners(faults *sallyport.FieldErrors) {
	seen := map[string]string{}
	for _, l := range []struct {
		key  string
		list Listen
	}{{"https", s.HTTPS}, {"http", s.HTTP}, {"plain", s.Plain}, {"admin", s.Admin}} {
		for i, a := range l.list {
			path := "server." + l.key
			if len(l.list) > 1 {
				path = index(path, i)
			}
			if !isListen(a) {
				faults.Add(path, listenHint(a), "%q is not an address to listen on", a)
				continue
			}
			if other, ok := seen[a]; ok && !strings.HasSuffix(a, ":0") {
				faults.Add(path, "give each its own port", "%s listens on %s already", other, a)
			}
			seen[a] = "server." + l.key
		}
	}
	if len(s.HTTPS) == 0 && len(s.Plain) == 0 {
		faults.Add("server.https", "write `https: \":443\"`", "the gateway listens nowhere: https and plain are both off")
	}
	if len(s.Plain) > 0 && len(s.TrustedProxies) == 0 {
		faults.Add("server.plain", "list the balancer's addresses under `trusted_proxies`", "nobody could use the plain listener: it serves `trusted_proxies` only")
	}
}

func isListen(a string) bool {
	host, port, err := net.SplitHostPort(a)
	if err != nil {
		return false
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return false
	}
	_, ipErr := netip.ParseAddr(host)
	return host == "" || ipErr == nil || isHostName(host)
}

var (
	hostName     = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	identityName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// isHostName: letters, digits and hyphens in labels of at most 63 (RFC 1123,
// section 2.1), in lower case as browsers send it.
func isHostName(host string) bool {
	return len(host) <= 253 && hostName.MatchString(host)
}

func (s *Server) validatePortal(faults *sallyport.FieldErrors) {
	const hint = "write a host of its own, such as `login.example.com`, with a port only where browsers use another than 443"
	host, port, err := net.SplitHostPort(s.Portal)
	if err != nil {
		host, port = s.Portal, "443"
	}
	n, err := strconv.Atoi(port)
	_, ipErr := netip.ParseAddr(strings.Trim(host, "[]"))
	switch {
	case s.Portal == "same-origin":
		faults.Add("server.portal", hint, "this version needs a portal on a host of its own")
	case ipErr == nil:
		faults.Add("server.portal", hint, "the portal needs a name: browsers keep no cookies and certificates apart for bare addresses")
	case strings.Contains(s.Portal, "/"):
		faults.Add("server.portal", "write the host alone, without `https://` and path", "%q is not a host", s.Portal)
	case !isHostName(strings.ToLower(host)):
		faults.Add("server.portal", hint, "%q is not a host", s.Portal)
	case host != strings.ToLower(host):
		faults.Add("server.portal", "write `"+strings.ToLower(s.Portal)+"`", "hosts are written in lower case")
	case err != nil || n < 1 || n > 65535:
		faults.Add("server.portal", portHint, "%q is not a port", port)
	}
}

func (c *Config) validateTLS(faults *sallyport.FieldErrors) {
	t := c.TLS
	n := 0
	for _, set := range []bool{t.ACME != nil, len(t.Files) > 0, t.Internal} {
		if set {
			n++
		}
	}
	const hint = "write one of `acme: {email: ops@example.com}`, `files: [{cert_file: c.pem, key_file: k.pem}]`, `internal: true`"
	switch {
	case n > 1:
		faults.Add("tls", hint, "certificates come from more than one place")
	case n == 0 && len(c.Server.HTTPS) > 0:
		faults.Add("tls", hint, "no certificates for the https listener")
	}
	for i, f := range t.Files {
		if f.CertFile == "" {
			faults.Add(fmt.Sprintf("tls.files[%d].cert_file", i), "name the PEM file", "the certificate's file is missing")
		}
		if f.KeyFile == "" {
			faults.Add(fmt.Sprintf("tls.files[%d].key_file", i), "name the PEM file", "the key's file is missing")
		}
	}
	if t.ACME != nil {
		t.ACME.validate(faults, len(c.Server.HTTP) > 0)
	}
}

func (a *ACME) validate(faults *sallyport.FieldErrors, http bool) {
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		faults.Add("tls.acme.directory", "write the `https://…/directory` of the ACME server", "%q is not the address of an ACME server", a.Directory)
	}
	if a.Email != "" && (strings.Count(a.Email, "@") != 1 || strings.ContainsAny(a.Email, " <>,")) {
		faults.Add("tls.acme.email", "write an address such as `ops@example.com`", "%q is not a mail address", a.Email)
	}
	if len(a.Challenges) == 0 {
		faults.Add("tls.acme.challenges", "leave the key out, or write `[http-01, tls-alpn-01]`", "without a challenge there is no certificate")
	}
	known := []string{challengeHTTP, challengeALPN}
	for i, ch := range a.Challenges {
		if !slices.Contains(known, ch) {
			faults.Add(fmt.Sprintf("tls.acme.challenges[%d]", i), among(ch, known), "unknown challenge %q", ch)
		}
	}
	if slices.Equal(a.Challenges, []string{challengeHTTP}) && !http {
		faults.Add("tls.acme.challenges", "switch `server.http` on, or add `tls-alpn-01`", "http-01 needs the http listener")
	}
	number(faults, "tls.acme.renewal_window", a.RenewalWindow, 1, 99)
}

func (c *Config) validateSecrets(faults *sallyport.FieldErrors) {
	s := c.Secrets
	switch {
	case s.MasterKeyFile == "" && s.MasterKey.Empty():
		faults.Add("secrets", "write `master_key_file: master.key`; `sallyport init` makes one", "the master key is missing")
	case s.MasterKeyFile != "" && !s.MasterKey.Empty():
		faults.Add("secrets.master_key_file", "keep one of the two", "master_key is set as well")
	}
}

func (c *Config) validateIdentity(faults *sallyport.FieldErrors) {
	if len(c.Identity) == 0 {
		faults.Add("identity", "write `- {name: local, type: local}` to let Sallyport keep the users", "nobody could sign in: there is no identity entry")
	}
	seen := map[string]int{}
	locals := 0
	for i, id := range c.Identity {
		path := fmt.Sprintf("identity[%d]", i)
		if id.Variant() == nil {
			continue // its type is at fault and reported
		}
		if !identityName.MatchString(id.Name) {
			faults.Add(path+".name", "use letters, digits, `-` and `_`, at most 64", "%q cannot be the name of an identity entry", id.Name)
		} else if first, ok := seen[strings.ToLower(id.Name)]; ok {
			faults.Add(path+".name", "use another name", "identity[%d] has the name %q already", first, id.Name)
		}
		seen[strings.ToLower(id.Name)] = i
		if id.Type == TypeLocal {
			if locals++; locals == 2 {
				faults.Add(path+".type", "keep one entry of this type", "there is only one set of local users")
			}
		}
		if v, ok := id.Variant().(interface{ Validate() sallyport.FieldErrors }); ok {
			*faults = append(*faults, v.Validate().Under(path)...)
		}
		if id.OIDC != nil && id.OIDC.Redirect && len(c.Identity) > 1 {
			faults.Add(path+".redirect", "remove it", "`redirect` needs this to be the only identity entry")
		}
	}
}

func (c *Config) validateGroups(faults *sallyport.FieldErrors) {
	for name, list := range c.Groups {
		path := "groups." + name
		if name == "" || strings.Contains(name, ":") {
			faults.Add(path, "use a name without `:`", "%q is the name of a group at a provider, not of ours", name)
		}
		// An empty one would turn `allow: {groups: [it]}` into "anyone".
		if len(list) == 0 {
			faults.Add(path, "list `provider:group` entries", "the group %q stands for nothing", name)
		}
		for i, g := range list {
			c.checkGroup(faults, index(path, i), g, false)
		}
	}
	for i, r := range c.Routes {
		for j, g := range r.Allow.Groups {
			c.checkGroup(faults, fmt.Sprintf("routes[%d].allow.groups[%d]", i, j), g, true)
		}
	}
}

func (c *Config) validateMFA(faults *sallyport.FieldErrors) {
	m := c.MFA
	if !m.DefaultState.Valid() {
		states := []string{"disabled", "enabled", "enforced"}
		faults.Add("mfa.default_state", among(string(m.DefaultState), states), "unknown state %q", m.DefaultState)
	}
	known := []string{string(sallyport.KindTOTP), string(sallyport.KindRecovery)}
	isUnknown := func(k sallyport.Kind) bool { return !slices.Contains(known, string(k)) }
	for i, k := range m.Methods {
		path := fmt.Sprintf("mfa.methods[%d]", i)
		switch {
		case isUnknown(k):
			faults.Add(path, among(string(k), known), "unknown method %q", k)
		case slices.Index(m.Methods, k) < i:
			faults.Add(path, "remove it", "the method %q is listed twice", k)
		}
	}
	if !slices.Contains(m.Methods, sallyport.KindTOTP) && !slices.ContainsFunc(m.Methods, isUnknown) {
		faults.Add("mfa.methods", "add `softwareOath`", "no method is left that a user could register")
	}
	if len(m.Issuer) > 64 || strings.Contains(m.Issuer, ":") {
		faults.Add("mfa.issuer", "use a short name without `:`", "authenticator apps cannot show this name")
	}
	*faults = append(*faults, m.RememberDevice.Validate().Under("mfa.remember_device")...)
	*faults = append(*faults, m.Lockout.Validate().Under("mfa.lockout")...)
	*faults = append(*faults, m.Throttle.Validate().Under("mfa.throttle")...)
}

// trustsSomewhere reports whether any address is trusted.
func (c *Config) trustsSomewhere() bool {
	return len(c.MFA.TrustedIPs) > 0 || slices.ContainsFunc(c.Locations, func(l policy.Location) bool {
		return l.Trusted && len(l.Ranges) > 0
	})
}

func (c *Config) validateUI(faults *sallyport.FieldErrors) {
	known := c.languages(faults)
	before := len(*faults)
	*faults = append(*faults, c.UI.Validate().Under("ui")...)
	if len(*faults) == before && !slices.ContainsFunc(known, func(l string) bool { return strings.EqualFold(l, c.UI.Language) }) {
		faults.Add("ui.language", among(c.UI.Language, known), "the pages are not there in %q", c.UI.Language)
	}
}

func (c *Config) validateLogs(faults *sallyport.FieldErrors) {
	duration(faults, "audit.retention", c.Audit.Retention, 0, 3650*day)
	if levels := []string{"debug", "info", "warn", "error"}; !slices.Contains(levels, c.Log.Level) {
		faults.Add("log.level", among(c.Log.Level, levels), "unknown level %q", c.Log.Level)
	}
	if formats := []string{"auto", "text", "json"}; !slices.Contains(formats, c.Log.Format) {
		faults.Add("log.format", among(c.Log.Format, formats), "unknown format %q", c.Log.Format)
	}
}

// among lists what may be written, the nearest first.
func among(word string, known []string) string {
	hint := "write one of " + codes(known)
	if near := nearest(word, known); near != "" {
		hint = "did you mean `" + near + "`? " + hint
	}
	return hint
}

func duration(faults *sallyport.FieldErrors, path string, d, low, high time.Duration) {
	if d < low || d > high {
		faults.Add(path, "write "+FormatDuration(low)+" to "+FormatDuration(high), "%s is out of range", label(path))
	}
}

func number(faults *sallyport.FieldErrors, path string, n, low, high int) {
	if n < low || n > high {
		faults.Add(path, fmt.Sprintf("write %d to %d", low, high), "%s is out of range", label(path))
	}
}
