package ldap

import (
	"time"

	"sallyport/internal/secret"
)

// Config is an `identity` entry of type `ldap`.
type Config struct {
	// URL of the directory: `ldaps://dc1.corp.example:636`, or `ldap://…` with
	// start_tls. Plain ldap is refused unless the host is a loopback address.
	URL string `yaml:"url" json:"url"`
	// StartTLS upgrades an ldap:// connection before anything is sent.
	// Default: false.
	StartTLS bool `yaml:"start_tls,omitempty" json:"start_tls,omitempty"`
	// CAFile holds the certificates (PEM) that the directory's must chain to.
	// Default: the system's.
	CAFile string `yaml:"ca_file,omitempty" json:"ca_file,omitempty"`
	// BindDN is the account that searches. Default: none, an anonymous search.
	BindDN string `yaml:"bind_dn,omitempty" json:"bind_dn,omitempty"`
	// BindPassword of bind_dn, usually as `${LDAP_PASSWORD}`.
	BindPassword secret.String `yaml:"bind_password,omitempty" json:"bind_password,omitzero"`
	// BindPasswordFile holds it instead; a trailing line feed is cut.
	BindPasswordFile string `yaml:"bind_password_file,omitempty" json:"bind_password_file,omitempty"`
	// BaseDN below which users are searched. Must be set.
	BaseDN string `yaml:"base_dn" json:"base_dn"`
	// UserFilter finds one user; `{login}` is what was typed, escaped. Default:
	// `(&(objectClass=person)(|(uid={login})(mail={login})))`.
	UserFilter string `yaml:"user_filter,omitempty" json:"user_filter,omitempty"`
	// Domains that may stand around a name, cut before the search: with `CORP`
	// here, `CORP\alice` searches `alice`. Default: none.
	Domains []string `yaml:"domains,omitempty" json:"domains,omitempty"`
	// Attributes maps our facts to the directory's attributes.
	Attributes Attributes `yaml:"attributes,omitempty" json:"attributes,omitzero"`
	// Groups says how group membership is found.
	Groups GroupSearch `yaml:"groups,omitempty" json:"groups,omitzero"`
	// Timeout of a connection and of each operation. Default: 10s.
	Timeout time.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
	// PoolSize is how many connections are kept for searches. Default: 4.
	// Range: 1 to 64.
	PoolSize int `yaml:"pool_size,omitempty" json:"pool_size,omitempty"`
}

// Attributes is `identity[].attributes`.
type Attributes struct {
	// ID is the attribute that never changes. Default: `objectGUID` where the
	// directory has it, else `entryUUID`, else the DN.
	ID string `yaml:"id,omitempty" json:"id,omitempty"`
	// Username is the sign-in name. Default: `uid`, else `sAMAccountName`.
	Username string `yaml:"username,omitempty" json:"username,omitempty"`
	// UPN is the name in the form of an address. Default: `userPrincipalName`.
	UPN string `yaml:"upn,omitempty" json:"upn,omitempty"`
	// Email address. Default: `mail`.
	Email string `yaml:"email,omitempty" json:"email,omitempty"`
	// Name as shown. Default: `displayName`, else `cn`.
	Name string `yaml:"name,omitempty" json:"name,omitempty"`
	// Groups lists the user's groups as DNs. Default: `memberOf`. Active Directory's
	// primary group counts as well.
	Groups string `yaml:"groups,omitempty" json:"groups,omitempty"`
}

// GroupSearch is `identity[].groups`.
type GroupSearch struct {
	// BaseDN below which groups are searched by their members. Default: none, the
	// user's groups attribute alone counts.
	BaseDN string `yaml:"base_dn,omitempty" json:"base_dn,omitempty"`
	// Filter finds the groups of a member; `{dn}` is the user's DN, escaped.
	// Default: `(|(member={dn})(uniqueMember={dn}))`; with nested on Active
	// Directory the matching rule 1.2.840.113556.1.4.1941.
	Filter string `yaml:"filter,omitempty" json:"filter,omitempty"`
	// Nested follows groups within groups. Default: false.
	Nested bool `yaml:"nested,omitempty" json:"nested,omitempty"`
	// ActiveDirectory resolves nested groups on the server. Default: found out
	// from the directory.
	ActiveDirectory *bool `yaml:"active_directory,omitempty" json:"active_directory,omitempty"`
}
