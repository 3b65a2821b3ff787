package proxy

import "sallyport/proxy/upstream"

// Route is one entry of `routes`: public hosts and a path → an upstream.
type Route struct {
	// Name of the route in logs, metrics and rules: letters, digits, `-`, `_`.
	// Must be set, and be unique.
	Name string `yaml:"name" json:"name"`
	// Label is what the sign-in pages call the app. Default: the first host.
	Label string `yaml:"label,omitempty" json:"label,omitempty"`
	// Hosts under which browsers reach it. `*.example.com` stands for one label. A
	// host may carry a port (`host:port`), where browsers use another than the
	// portal's. At least one; the portal's host cannot be one.
	Hosts []string `yaml:"hosts" json:"hosts"`
	// Path prefix, matched at a segment boundary; the longest prefix wins.
	// Default: `/`.
	Path string `yaml:"path,omitempty" json:"path,omitempty"`
	// CaseSensitive compares paths by case. Default: false, since IIS does not.
	CaseSensitive bool `yaml:"case_sensitive,omitempty" json:"case_sensitive,omitempty"`
	// Public paths that anyone may read: `/favicon.ico` is that path and what is
	// below it. Everything else needs a user. Default: none.
	Public []string `yaml:"public,omitempty" json:"public,omitempty"`
	// Allow says who may enter at all. Default: any signed-in user.
	Allow Allow `yaml:"allow,omitempty" json:"allow,omitzero"`
	// Identity adds headers under names that the app expects.
	Identity Identity `yaml:"identity,omitempty" json:"identity,omitzero"`
	// Maintenance answers every request to the route with the maintenance page.
	// Default: false.
	Maintenance bool `yaml:"maintenance,omitempty" json:"maintenance,omitempty"`

	upstream.Config `yaml:",inline"`
}

// Allow is `routes[].allow`. A user who matches either list may enter.
type Allow struct {
	// Users by sign-in name or mail address.
	Users []string `yaml:"users,omitempty" json:"users,omitempty"`
	// Groups as `provider:group`. Without a provider only where there is one
	// identity entry, or the group is a key of `groups`.
	Groups []string `yaml:"groups,omitempty" json:"groups,omitempty"`
}

// Identity is `routes[].identity`.
type Identity struct {
	// Headers maps header names to facts: `username`, `email`, `name`, `groups`,
	// `user_id`, `methods`, `session`. The X-Sallyport-* set is always sent.
	Headers map[string]string `yaml:"headers,omitempty" json:"headers,omitempty"`
}
