// Package config reads, checks, explains and documents the routing file: the
// one YAML file that says what the gateway serves. It gathers the Config types
// of the other packages, reports every fault with its place in the file, and
// changes nothing anywhere.
package config

import (
	"net"
	"time"

	"sallyport"
	"sallyport/challenge"
	"sallyport/policy"
	"sallyport/proxy"
	"sallyport/session"
	"sallyport/store"
	"sallyport/web"

	"sallyport/internal/secret"
)

// Version is the only version of the format.
const Version = 1

// Config is a whole routing file. After Load it is complete: defaults are filled
// in, secrets are read from their files, and paths are absolute.
type Config struct {
	// Version of the format. Must be set, to `1`.
	Version int `yaml:"version" json:"version"`
	// Server says where the gateway listens and what its own name is.
	Server Server `yaml:"server" json:"server"`
	// TLS says where certificates come from. Must be set unless `server.https` is
	// switched off.
	TLS TLS `yaml:"tls,omitempty" json:"tls,omitzero"`
	// Store is where users, sessions and methods are kept.
	Store store.Config `yaml:"store,omitempty" json:"store,omitzero"`
	// Secrets holds the master key.
	Secrets Secrets `yaml:"secrets" json:"secrets"`
	// Identity lists the first factors, in the order in which the sign-in page
	// offers them. At least one.
	Identity []Identity `yaml:"identity" json:"identity"`
	// Groups names groups of several providers: the key may be used wherever a
	// group is asked for, and stands for the `provider:group` entries in its list.
	// Default: none.
	Groups map[string][]string `yaml:"groups,omitempty" json:"groups,omitempty"`
	// Locations are named sets of client addresses. Default: none.
	Locations []policy.Location `yaml:"locations,omitempty" json:"locations,omitempty"`
	// MFA says who verifies, how, and what may stand in for it.
	MFA MFA `yaml:"mfa,omitempty" json:"mfa,omitzero"`
	// Registration says who may register a first method.
	Registration challenge.RegistrationConfig `yaml:"registration,omitempty" json:"registration,omitzero"`
	// Session sets how long a sign-in lasts.
	Session session.Config `yaml:"session,omitempty" json:"session,omitzero"`
	// UI is how the gateway's own pages look.
	UI web.Config `yaml:"ui,omitempty" json:"ui,omitzero"`
	// Audit says where events go besides the store.
	Audit Audit `yaml:"audit,omitempty" json:"audit,omitzero"`
	// Log is the gateway's own log.
	Log Log `yaml:"log,omitempty" json:"log,omitzero"`
	// Routes are the apps that are protected. At least one.
	Routes []proxy.Route `yaml:"routes" json:"routes"`

	origin origin
}

// origin is where a Config came from; it is not part of the format.
type origin struct {
	file     string // absolute
	sum      sum    // of the file's content; zero where it was not read from disk
	warnings Errors
}

// Server is the `server` section.
type Server struct {
	// HTTPS is the address (`host:port`, or `:port` for every address) or the list
	// of addresses where apps and pages are served. `""` switches it off.
	// Default: `:443`.
	HTTPS Listen `yaml:"https,omitempty" json:"https,omitempty"`
	// HTTP redirects to https and answers ACME challenges. `""` switches it off.
	// Default: `:80`.
	HTTP Listen `yaml:"http,omitempty" json:"http,omitempty"`
	// Plain serves the routes without TLS, to `trusted_proxies` only, behind a
	// balancer that ends TLS. Default: `""`, off.
	Plain Listen `yaml:"plain,omitempty" json:"plain,omitempty"`
	// Admin answers `/healthz`, `/readyz` and `/metrics` in plain HTTP; keep it
	// private. `""` switches it off. Default: `127.0.0.1:9443`.
	Admin Listen `yaml:"admin,omitempty" json:"admin,omitempty"`
	// TrustedProxies are the addresses and networks whose `X-Forwarded-For` is
	// believed. Default: none.
	TrustedProxies []string `yaml:"trusted_proxies,omitempty" json:"trusted_proxies,omitempty"`
	// Portal is the host of the gateway's own pages: sign-in, verification,
	// registration, security info. It has no routes. With a port, `host:port`,
	// where browsers reach it on another than 443. Must be set.
	Portal string `yaml:"portal" json:"portal"`
	// Timeouts of connections from browsers.
	Timeouts Timeouts `yaml:"timeouts,omitempty" json:"timeouts,omitzero"`
	// Limits of what a client may ask for.
	Limits Limits `yaml:"limits,omitempty" json:"limits,omitzero"`
}

// Timeouts is `server.timeouts`.
type Timeouts struct {
	// ReadHeader limits the wait for the header of a request. Default: 10s.
	// Range: 1s to 5m.
	ReadHeader time.Duration `yaml:"read_header,omitempty" json:"read_header,omitempty"`
	// Read limits the whole request with its body; 0 sets no limit, so that
	// uploads of any size get through. Default: 0s. Range: 0s to 24h.
	Read time.Duration `yaml:"read,omitempty" json:"read,omitempty"`
	// BodyIdle ends a request whose body has brought no byte for this long.
	// Default: 60s. Range: 1s to 1h.
	BodyIdle time.Duration `yaml:"body_idle,omitempty" json:"body_idle,omitempty"`
	// Write limits the whole answer; 0 sets no limit, so that downloads of any
	// size and event streams get through. Default: 0s. Range: 0s to 24h.
	Write time.Duration `yaml:"write,omitempty" json:"write,omitempty"`
	// Idle closes a kept-alive connection without requests. Default: 120s.
	// Range: 1s to 1h.
	Idle time.Duration `yaml:"idle,omitempty" json:"idle,omitempty"`
	// Handshake limits the TLS handshake. Default: 10s. Range: 1s to 1m.
	Handshake time.Duration `yaml:"handshake,omitempty" json:"handshake,omitempty"`
	// Ping closes an HTTP/2 connection whose client, after silence for `body_idle`,
	// leaves a ping unanswered for this long. Default: 15s. Range: 1s to 5m.
	Ping time.Duration `yaml:"ping,omitempty" json:"ping,omitempty"`
	// Shutdown is how long requests may take to finish when the gateway stops.
	// Default: 30s. Range: 1s to 1h.
	Shutdown time.Duration `yaml:"shutdown,omitempty" json:"shutdown,omitempty"`
}

// Limits is `server.limits`.
type Limits struct {
	// HeaderBytes of one request. Default: 65536. Range: 4096 to 1048576.
	HeaderBytes int `yaml:"header_bytes,omitempty" json:"header_bytes,omitempty"`
	// FormBytes of a form sent to the gateway's own pages; bodies for apps have no
	// limit. Default: 65536. Range: 4096 to 65536.
	FormBytes int `yaml:"form_bytes,omitempty" json:"form_bytes,omitempty"`
	// Connections open at once on each listener; 0 sets no limit. Default: 0.
	// Range: 0 to 1000000.
	Connections int `yaml:"connections,omitempty" json:"connections,omitempty"`
	// Streams open at once on one HTTP/2 connection. Default: 250.
	// Range: 1 to 10000.
	Streams int `yaml:"streams,omitempty" json:"streams,omitempty"`
	// ConnectionBuffer is how many bytes of uploads one HTTP/2 connection may have
	// under way: more is faster over long distances, and takes more memory.
	// Default: 1048576. Range: 65536 to 4194303.
	ConnectionBuffer int `yaml:"connection_buffer,omitempty" json:"connection_buffer,omitempty"`
	// StreamBuffer is the same for one upload. Default: 262144.
	// Range: 65536 to 4194303.
	StreamBuffer int `yaml:"stream_buffer,omitempty" json:"stream_buffer,omitempty"`
}

// TLS is the `tls` section: exactly one of its three keys.
type TLS struct {
	// ACME gets certificates from an ACME server such as Let's Encrypt. Not
	// together with `files` or `internal`.
	ACME *ACME `yaml:"acme,omitempty" json:"acme,omitempty"`
	// Files lists certificates in PEM files, which are read again when they
	// change. Not together with `acme` or `internal`.
	Files []KeyPair `yaml:"files,omitempty" json:"files,omitempty"`
	// Internal makes certificates from a CA of the gateway's own, for trying it
	// out. Not together with `acme` or `files`. Default: false.
	Internal bool `yaml:"internal,omitempty" json:"internal,omitempty"`
}

// ACME is `tls.acme`.
type ACME struct {
	// Email that the ACME server may write to. Default: none.
	Email string `yaml:"email,omitempty" json:"email,omitempty"`
	// Directory is the address of the ACME server.
	// Default: `https://acme-v02.api.letsencrypt.org/directory`.
	Directory string `yaml:"directory,omitempty" json:"directory,omitempty"`
	// CAFile holds the certificates (PEM) that a private ACME server's must chain
	// to. Default: the system's.
	CAFile string `yaml:"ca_file,omitempty" json:"ca_file,omitempty"`
	// StorageDir keeps accounts, keys and certificates. Default: `certificates`
	// beside the routing file.
	StorageDir string `yaml:"storage_dir,omitempty" json:"storage_dir,omitempty"`
	// Challenges to answer: `http-01` on the http listener, `tls-alpn-01` on the
	// https listener. Default: both.
	Challenges []string `yaml:"challenges,omitempty" json:"challenges,omitempty"`
	// RenewalWindow is the percentage of a certificate's lifetime that is left
	// when it is renewed. Default: 33. Range: 1 to 99.
	RenewalWindow int `yaml:"renewal_window,omitempty" json:"renewal_window,omitempty"`
}

// KeyPair is an entry of `tls.files`.
type KeyPair struct {
	// CertFile holds the certificate and its chain (PEM). Must be set.
	CertFile string `yaml:"cert_file" json:"cert_file"`
	// KeyFile holds its private key (PEM). Must be set.
	KeyFile string `yaml:"key_file" json:"key_file"`
}

// Secrets is the `secrets` section: exactly one of its keys.
type Secrets struct {
	// MasterKeyFile holds 32 random bytes in base64, under which everything secret
	// in the store is sealed; only its owner may read it. `sallyport init` makes
	// one. Losing it loses every registered method.
	MasterKeyFile string `yaml:"master_key_file,omitempty" json:"master_key_file,omitempty"`
	// MasterKey is the same in the file itself, as `${SALLYPORT_MASTER_KEY}`.
	MasterKey secret.String `yaml:"master_key,omitempty" json:"master_key,omitzero"`
}

// MFA is the `mfa` section.
type MFA struct {
	// DefaultState of users seen for the first time: `disabled`, `enabled` (they
	// register at their next sign-in, and are `enforced` from then on) or
	// `enforced`. Default: `disabled`.
	DefaultState sallyport.State `yaml:"default_state,omitempty" json:"default_state,omitempty"`
	// Methods that are switched on: `softwareOath` (authenticator app), `recovery`
	// (recovery codes). Default: both.
	Methods []sallyport.Kind `yaml:"methods,omitempty" json:"methods,omitempty"`
	// Issuer is the name that an authenticator app shows. Default: the value of
	// `ui.name`.
	Issuer string `yaml:"issuer,omitempty" json:"issuer,omitempty"`
	// TrustedIPs are addresses, networks or from-to ranges where a second factor
	// is not asked for. Default: none.
	TrustedIPs []string `yaml:"trusted_ips,omitempty" json:"trusted_ips,omitempty"`
	// RememberDevice offers "don't ask again on this device".
	RememberDevice session.DeviceConfig `yaml:"remember_device,omitempty" json:"remember_device,omitzero"`
	// Lockout after wrong passwords or codes.
	Lockout challenge.LockoutConfig `yaml:"lockout,omitempty" json:"lockout,omitzero"`
	// Throttle of attempts.
	Throttle challenge.ThrottleConfig `yaml:"throttle,omitempty" json:"throttle,omitzero"`
}

// Audit is the `audit` section.
type Audit struct {
	// File gets every event as a line of JSON. Default: none, the store alone.
	File string `yaml:"file,omitempty" json:"file,omitempty"`
	// Retention is how long events stay in the store; 0 keeps them for ever.
	// Default: 90d. Range: 0s to 3650d.
	Retention time.Duration `yaml:"retention,omitempty" json:"retention,omitempty"`
}

// Log is the `log` section.
type Log struct {
	// Level from which lines are written: `debug`, `info`, `warn` or `error`.
	// Default: `info`.
	Level string `yaml:"level,omitempty" json:"level,omitempty"`
	// Format is `text`, `json`, or `auto`: text on a terminal, JSON elsewhere.
	// Default: `auto`.
	Format string `yaml:"format,omitempty" json:"format,omitempty"`
}

// File returns the absolute path of the routing file.
func (c *Config) File() string { return c.origin.file }

// Warnings are doubts about a configuration that is usable all the same.
func (c *Config) Warnings() Errors { return c.origin.warnings }

// PortalOrigin is the origin of our own pages, "https://login.example.com".
func (c *Config) PortalOrigin() string { return "https://" + c.Server.Portal }

// PortalHost is the host of our own pages without a port.
func (c *Config) PortalHost() string {
	if host, _, err := net.SplitHostPort(c.Server.Portal); err == nil {
		return host
	}
	return c.Server.Portal
}

// Challenge gathers what package challenge needs.
func (c *Config) Challenge() challenge.Config {
	return challenge.Config{
		Issuer:       c.MFA.Issuer,
		Methods:      c.MFA.Methods,
		DefaultState: c.MFA.DefaultState,
		Lockout:      c.MFA.Lockout,
		Throttle:     c.MFA.Throttle,
		Registration: c.Registration,
		RememberDays: c.MFA.RememberDevice.Days,
		Portal:       c.PortalOrigin(),
	}
}
