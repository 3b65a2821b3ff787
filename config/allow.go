package config

import (
	"fmt"
	"strings"

	"sallyport"
)

// validateAllow faults parts of `allow` that never decide anything: whoever wrote
// them believes in a protection that is not there.
func (c *Config) validateAllow(faults *sallyport.FieldErrors) {
	for i, r := range c.Routes {
		at := fmt.Sprintf("routes[%d]", i)
		for j, p := range r.Public {
			if opensAll(p, r.Path, r.CaseSensitive) && len(r.Allow.Users)+len(r.Allow.Groups) > 0 {
				faults.Add(at+".allow", "remove it, or make `public` narrower", "the rule is never asked: `public[%d]` opens the whole route to anyone", j)
				break
			}
		}
		seen := map[string]int{}
		for j, u := range r.Allow.Users {
			if folded, err := sallyport.FoldName(u); err == nil {
				repeated(faults, fmt.Sprintf("%s.allow.users[%d]", at, j), folded, j, seen)
			}
		}
		seen = map[string]int{}
		for j, g := range r.Allow.Groups {
			repeated(faults, fmt.Sprintf("%s.allow.groups[%d]", at, j), g, j, seen)
		}
	}
}

func repeated(faults *sallyport.FieldErrors, path, entry string, i int, seen map[string]int) {
	if first, ok := seen[entry]; ok {
		faults.Add(path, "remove it", "it never decides: entry %d of the list is the same", first+1)
		return
	}
	seen[entry] = i
}

// opensAll reports whether a public path takes in all that a route serves.
func opensAll(public, path string, caseSensitive bool) bool {
	prefix := strings.TrimSuffix(path, "/")
	return public == "/" || public != "" && (public == prefix || !caseSensitive && strings.EqualFold(public, prefix))
}

// emptyAllow faults an `allow` that is written and names nobody. Left out it lets
// every signed-in user in; a list that came out empty, say from a template, is
// meant to let in fewer, and must not open the route.
func (s *shape) emptyAllow(c *Config) sallyport.FieldErrors {
	var faults sallyport.FieldErrors
	for i, r := range c.Routes {
		path := fmt.Sprintf("routes[%d].allow", i)
		if s.nodes[path] != nil && len(r.Allow.Users)+len(r.Allow.Groups) == 0 {
			faults.Add(path, "list `users` or `groups`; without the key `allow` every signed-in user may enter", "`allow` names nobody")
		}
	}
	return faults
}

// doubtGroups doubts groups that nobody can be in: users of the type `local` have
// none.
func (c *Config) doubtGroups() sallyport.FieldErrors {
	var doubts sallyport.FieldErrors
	look := func(path, group string) {
		provider, _, _ := strings.Cut(group, ":")
		for _, id := range c.Identity {
			if id.Type == TypeLocal && id.Name == provider {
				doubts.Add(path, "list them under `allow: {users: […]}`", "nobody is in the group %q: users of the type `local` have no groups", group)
			}
		}
	}
	for name, list := range c.Groups {
		for i, g := range list {
			look(fmt.Sprintf("groups.%s[%d]", name, i), g)
		}
	}
	for i, r := range c.Routes {
		for j, g := range r.Allow.Groups {
			if _, mapped := c.Groups[g]; mapped {
				continue
			}
			for _, q := range c.qualify(g) {
				look(fmt.Sprintf("routes[%d].allow.groups[%d]", i, j), q)
			}
		}
	}
	return doubts
}
