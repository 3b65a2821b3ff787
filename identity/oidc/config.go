package oidc

import (
	"time"

	"sallyport/internal/secret"
)

// Config is an `identity` entry of type `oidc`.
type Config struct {
	// Issuer of the provider, exactly as its tokens name it. Must be set, https
	// unless it is a loopback address.
	Issuer string `yaml:"issuer" json:"issuer"`
	// ClientID at the provider. Must be set.
	ClientID string `yaml:"client_id" json:"client_id"`
	// ClientSecret at the provider, usually as `${OIDC_SECRET}`.
	ClientSecret secret.String `yaml:"client_secret,omitempty" json:"client_secret,omitzero"`
	// ClientSecretFile holds it instead; a trailing line feed is cut.
	ClientSecretFile string `yaml:"client_secret_file,omitempty" json:"client_secret_file,omitempty"`
	// CAFile holds the certificates (PEM) that the provider's must chain to.
	// Default: the system's.
	CAFile string `yaml:"ca_file,omitempty" json:"ca_file,omitempty"`
	// Scopes to ask for. Default: `openid profile email`.
	Scopes []string `yaml:"scopes,omitempty" json:"scopes,omitempty"`
	// Claims maps our facts to the provider's claims.
	Claims Claims `yaml:"claims,omitempty" json:"claims,omitzero"`
	// Redirect goes to the provider without a sign-in page of ours when it is the
	// only entry. Default: false.
	Redirect bool `yaml:"redirect,omitempty" json:"redirect,omitempty"`
	// ClockSkew that is forgiven in times of tokens. Default: 1m. Range: 0 to 5m.
	ClockSkew time.Duration `yaml:"clock_skew,omitempty" json:"clock_skew,omitempty"`
	// Timeout of each request to the provider. Default: 10s.
	Timeout time.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// Claims is `identity[].claims`.
type Claims struct {
	// Username claim. Default: `preferred_username`, else `email`, else `sub`.
	Username string `yaml:"username,omitempty" json:"username,omitempty"`
	// Email claim. Default: `email`. An address with email_verified false is not used.
	Email string `yaml:"email,omitempty" json:"email,omitempty"`
	// Name claim. Default: `name`.
	Name string `yaml:"name,omitempty" json:"name,omitempty"`
	// Groups claim, a list or one string. Default: `groups`.
	Groups string `yaml:"groups,omitempty" json:"groups,omitempty"`
}
