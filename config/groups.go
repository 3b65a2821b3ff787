package config

import (
	"slices"
	"strings"

	"sallyport"
)

// ResolveGroups puts the routes' `allow` lists in the form that policy compares:
// groups qualified, users folded. Load calls it; on a valid Config a second call
// changes nothing.
func (c *Config) ResolveGroups() {
	for i := range c.Routes {
		allow := &c.Routes[i].Allow
		var groups []string
		for _, g := range allow.Groups {
			for _, q := range c.qualify(g) {
				if !slices.Contains(groups, q) {
					groups = append(groups, q)
				}
			}
		}
		allow.Groups = groups
		for j, u := range allow.Users {
			if f, err := sallyport.FoldName(u); err == nil {
				allow.Users[j] = f
			}
		}
	}
}

// qualify returns what a group name stands for; nothing if it stands for
// nothing.
func (c *Config) qualify(group string) []string {
	if mapped, ok := c.Groups[group]; ok {
		return mapped
	}
	if provider, _, ok := strings.Cut(group, ":"); ok && c.provider(provider) {
		return []string{group}
	}
	if len(c.Identity) == 1 && group != "" {
		return sallyport.QualifyGroups(c.Identity[0].Name, []string{group})
	}
	return nil
}

// provider reports whether an identity entry has this name.
func (c *Config) provider(name string) bool {
	return slices.ContainsFunc(c.Identity, func(i Identity) bool { return i.Name == name })
}

// providers are the names of the identity entries.
func (c *Config) providers() []string {
	var out []string
	for _, i := range c.Identity {
		if i.Name != "" {
			out = append(out, i.Name)
		}
	}
	return out
}

// checkGroup faults a group name that no user could ever have.
func (c *Config) checkGroup(faults *sallyport.FieldErrors, path, group string, mapped bool) {
	provider, name, qualified := strings.Cut(group, ":")
	if _, ok := c.Groups[group]; ok && mapped {
		return
	}
	switch {
	case len(c.providers()) == 0:
		return // faulted already
	case group == "" || qualified && (provider == "" || name == ""):
		faults.Add(path, "write `provider:group`", "an empty group name")
	case qualified && c.provider(provider):
	case len(c.Identity) == 1 && mapped && !qualified:
	case qualified:
		hint := "providers: " + codes(c.providers())
		if near := nearest(provider, c.providers()); near != "" {
			hint = "did you mean `" + near + ":" + name + "`? " + hint
		}
		faults.Add(path, hint, "no identity entry is called %q", provider)
	case !mapped:
		faults.Add(path, "write `"+c.providers()[0]+":"+group+"`", "the group %q does not say of which provider", group)
	default:
		faults.Add(path, "write `"+c.providers()[0]+":"+group+"`, or give it a meaning under `groups`",
			"the group %q does not say of which provider", group)
	}
}
