package config

import (
	"path/filepath"
	"time"

	"sallyport"
	"sallyport/challenge"
	"sallyport/identity/ldap"
	"sallyport/identity/local"
	"sallyport/identity/oidc"
	"sallyport/proxy"
	"sallyport/proxy/upstream"
	"sallyport/session"
	"sallyport/store"
	"sallyport/web"
)

const day = 24 * time.Hour

// Default returns a Config with every default that does not depend on another
// key. Files are read over it, so that a written zero stays a zero.
func Default() *Config {
	return &Config{
		Server: Server{
			HTTPS: Listen{":443"},
			HTTP:  Listen{":80"},
			Plain: Listen{},
			Admin: Listen{"127.0.0.1:9443"},
			Timeouts: Timeouts{
				ReadHeader: 10 * time.Second,
				BodyIdle:   time.Minute,
				Idle:       2 * time.Minute,
				Handshake:  10 * time.Second,
				Ping:       15 * time.Second,
				Shutdown:   30 * time.Second,
			},
			Limits: Limits{HeaderBytes: 64 << 10, FormBytes: 64 << 10, Streams: 250, ConnectionBuffer: 1 << 20, StreamBuffer: 256 << 10},
		},
		Store: store.Config{Grace: time.Minute},
		MFA: MFA{
			DefaultState: sallyport.StateDisabled,
			Methods:      []sallyport.Kind{sallyport.KindTOTP, sallyport.KindRecovery},
			Lockout: challenge.LockoutConfig{
				Denials: 10, ResetAfter: 10 * time.Minute, LockFor: time.Minute, LockMax: time.Hour,
			},
			Throttle: challenge.ThrottleConfig{PerAddress: 60, PerPerson: 20},
		},
		Session: session.Config{Idle: time.Hour, Absolute: 12 * time.Hour},
		UI:      web.Config{Name: "Sallyport", Color: "#1f5fbf", TimeZone: "UTC", Language: "en"},
		Audit:   Audit{Retention: 90 * day},
		Log:     Log{Level: "info", Format: "auto"},
	}
}

func defaultACME() ACME {
	return ACME{
		Directory:     "https://acme-v02.api.letsencrypt.org/directory",
		Challenges:    []string{challengeHTTP, challengeALPN},
		RenewalWindow: 33,
	}
}

func defaultRoute() proxy.Route {
	return proxy.Route{
		Path: "/",
		Config: upstream.Config{
			UpstreamTLS: upstream.TLS{MinVersion: "1.2"},
			Health: upstream.Health{
				Interval: 10 * time.Second, Timeout: 5 * time.Second, FailFor: 10 * time.Second,
			},
			Timeouts: upstream.Timeouts{Connect: 10 * time.Second, ResponseHeader: 85 * time.Second},
		},
	}
}

// defaultVariant sets and returns the defaults of the entry's type.
func defaultVariant(i *Identity) any {
	switch i.Type {
	case TypeLocal:
		i.Local = &local.Config{
			Password: local.PasswordPolicy{MinLength: 8},
			Hash:     local.HashCost{Time: 2, MemoryMiB: 19},
		}
		return i.Local
	case TypeLDAP:
		i.LDAP = &ldap.Config{Timeout: 10 * time.Second, PoolSize: 4}
		return i.LDAP
	case TypeOIDC:
		i.OIDC = &oidc.Config{
			Scopes:    []string{"openid", "profile", "email"},
			ClockSkew: time.Minute,
			Timeout:   10 * time.Second,
		}
		return i.OIDC
	}
	return nil
}

// derive fills in the defaults that depend on other keys or on the folder of the
// routing file.
func (c *Config) derive(dir string) {
	if c.MFA.Issuer == "" {
		c.MFA.Issuer = c.UI.Name
	}
	if c.Store.SQLite == "" {
		c.Store.SQLite = filepath.Join(dir, "sallyport.db")
	}
	if c.TLS.ACME != nil && c.TLS.ACME.StorageDir == "" {
		c.TLS.ACME.StorageDir = filepath.Join(dir, "certificates")
	}
	for i := range c.Identity {
		if c.Identity[i].Label == "" {
			c.Identity[i].Label = c.Identity[i].Name
		}
	}
}
