package proxy

import (
	"fmt"
	"slices"
	"strings"

	"sallyport"
	"sallyport/proxy/upstream"
)

// Validate returns every fault of the routes, which may be defaulted or not; the
// paths begin with "routes[i]". portal is the portal's origin. It reads no file
// and opens no connection.
func Validate(routes []Route, portal string) sallyport.FieldErrors {
	v := &validator{portal: portal, names: map[string]int{}, places: map[string]int{}, ports: map[string]string{}}
	if name, _, err := portalOf(portal); err != nil {
		v.faults.Add("server.portal", "write a host name such as login.example.com", "%v", err)
	} else {
		v.portal = name
	}
	for i := range routes {
		v.route(i, routes[i])
	}
	for i := range routes {
		v.shadowedPublic(i, routes)
	}
	return v.faults
}

type validator struct {
	faults sallyport.FieldErrors
	portal string
	names  map[string]int
	places map[string]int    // host, path and case rule → route
	ports  map[string]string // host → port
}

func (v *validator) route(i int, r Route) {
	at := fmt.Sprintf("routes[%d]", i)
	switch {
	case r.Name == "":
		v.faults.Add(at+".name", "give it a short name such as timesheet", "the route has no name")
	case strings.Trim(r.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" || len(r.Name) > 64:
		v.faults.Add(at+".name", "use letters, digits, - and _, at most 64", "%q is not a usable name", r.Name)
	default:
		if first, ok := v.names[r.Name]; ok {
			v.faults.Add(at+".name", "use another name", "routes[%d] is called %q too", first, r.Name)
		} else {
			v.names[r.Name] = i
		}
	}
	path := r.Path
	if path == "" {
		path = "/"
	}
	if fault, hint := pathFault(path); fault != "" {
		v.faults.Add(at+".path", hint, "%s", fault)
	}
	v.hosts(i, at, r, path)
	v.public(at, r, path)
	v.allow(at, r.Allow)
	headers(&v.faults, at+".identity.headers", r.Identity.Headers)
	v.faults = append(v.faults, upstream.Validate(r.Config).Under(at)...)
}

func (v *validator) hosts(i int, at string, r Route, path string) {
	if len(r.Hosts) == 0 {
		v.faults.Add(at+".hosts", "write the host name under which browsers reach it", "the route has no host")
	}
	for j, h := range r.Hosts {
		place := fmt.Sprintf("%s.hosts[%d]", at, j)
		name, port, err := splitRouteHost(h)
		if err != nil {
			v.faults.Add(place, hostHint(h), "%q is not a usable host name", h)
			continue
		}
		if name == v.portal {
			v.faults.Add(place, "give the app a host of its own", "%q is the portal's host", h)
			continue
		}
		if p, ok := v.ports[name]; ok && p != port {
			v.faults.Add(place, "write the same port everywhere", "%q stands with different ports", name)
		}
		v.ports[name] = port
		key := placeKey(name, path, r.CaseSensitive)
		other, taken := v.places[key]
		switch {
		case taken && other == i:
			v.faults.Add(place, "remove it", "the route lists %q twice", h)
		case taken:
			v.faults.Add(place, "change the host or the path of one of them", "routes[%d] has the same host and path, so one of the two is never reached", other)
		default:
			v.places[key] = i
		}
	}
}

// placeKey is equal for two routes that would want the same requests.
func placeKey(host, path string, caseSensitive bool) string {
	path = strings.TrimSuffix(path, "/")
	if caseSensitive && path != "" {
		return host + " = " + path
	}
	return host + " ~ " + strings.ToLower(path)
}

// splitRouteHost reads a host of a route: one that splitHost takes, or such a one
// after "*.".
func splitRouteHost(h string) (name, port string, err error) {
	rest, wild := strings.CutPrefix(h, "*.")
	name, port, err = splitHost(rest)
	if err != nil || strings.HasSuffix(rest, ".") {
		return "", "", errHost
	}
	if wild {
		if name[0] == '[' || !strings.Contains(name, ".") && name != "localhost" {
			return "", "", errHost // "*.com" would take half the world
		}
		name = "*." + name
	}
	return name, port, nil
}

func hostHint(h string) string {
	for _, c := range h {
		if c > 0x7f {
			return "write the name in its ASCII form, xn--…"
		}
	}
	switch {
	case strings.Contains(h, "://"):
		return "leave out the scheme: app.example.com"
	case strings.Contains(h, "/"):
		return "write the path under `path`"
	case strings.Contains(h, "*"):
		return "a wildcard stands for the whole first label, below a domain of your own: *.example.com"
	case strings.HasSuffix(h, "."):
		return "leave out the dot at the end"
	}
	return "write a name such as app.example.com"
}

func (v *validator) public(at string, r Route, path string) {
	for j, p := range r.Public {
		place := fmt.Sprintf("%s.public[%d]", at, j)
		if fault, hint := pathFault(p); fault != "" {
			v.faults.Add(place, hint, "%s", fault)
			continue
		}
		if prefix := strings.TrimSuffix(path, "/"); prefix != "" && !below(p, prefix, r.CaseSensitive) {
			v.faults.Add(place, "write the whole path, beginning with "+path, "%q is not within the route's path %q, so it is never used", p, path)
		}
		for k, q := range r.Public {
			if k != j && q != "" && q[0] == '/' && below(p, q, r.CaseSensitive) && (len(p) > len(q) || k < j) {
				v.faults.Add(place, "remove it", "%q is covered by %q already", p, q)
				break
			}
		}
	}
}

// shadowedPublic finds public paths that lie within another route on every host
// of theirs, so that they are never used.
func (v *validator) shadowedPublic(i int, routes []Route) {
	r := routes[i]
	for j, p := range r.Public {
		if p == "" || p[0] != '/' {
			continue
		}
		for k, other := range routes {
			prefix := strings.TrimSuffix(other.Path, "/")
			if k == i || len(prefix) <= len(strings.TrimSuffix(r.Path, "/")) || !below(p, prefix, other.CaseSensitive) || !covers(other.Hosts, r.Hosts) {
				continue
			}
			v.faults.Add(fmt.Sprintf("routes[%d].public[%d]", i, j), fmt.Sprintf("move it to routes[%d]", k), "%q belongs to the route %q, so it is never used here", p, other.Name)
			break
		}
	}
}

func covers(hosts, all []string) bool {
	for _, h := range all {
		if !slices.ContainsFunc(hosts, func(x string) bool { return strings.EqualFold(x, h) }) {
			return false
		}
	}
	return len(all) > 0
}

func (v *validator) allow(at string, a Allow) {
	for j, u := range a.Users {
		if _, err := sallyport.FoldName(u); err != nil {
			v.faults.Add(fmt.Sprintf("%s.allow.users[%d]", at, j), "write a sign-in name or mail address", "%q is not a usable name", u)
		}
	}
	for j, g := range a.Groups {
		if strings.TrimSpace(g) == "" {
			v.faults.Add(fmt.Sprintf("%s.allow.groups[%d]", at, j), "write provider:group", "the group has no name")
		}
	}
}

// pathFault says what is wrong with a path in the config, "" if nothing. Paths
// are written as they read, not as they are encoded.
func pathFault(p string) (fault, hint string) {
	switch {
	case p == "" || p[0] != '/':
		return fmt.Sprintf("%q is not a path", p), "begin it with /"
	case strings.Contains(p, "*"):
		return fmt.Sprintf("%q holds a *", p), "a path covers everything below it; write " + strings.TrimRight(p[:strings.IndexByte(p, '*')], "*")
	case strings.Contains(p, "%"):
		return fmt.Sprintf("%q holds a %%", p), "write the character itself, not its encoded form"
	case strings.ContainsAny(p, "?#;\\"):
		return fmt.Sprintf("%q holds one of ? # ; \\", p), "write the path alone: a query or parameter never matches a rule"
	case reserved(p):
		return fmt.Sprintf("%q belongs to the gateway's own pages", p), "choose another path"
	}
	if p != "/" && strings.Contains(p, "//") {
		return fmt.Sprintf("%q holds an empty segment", p), "write one / between segments"
	}
	for s := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
		if err := checkSegment(s, true); err != nil || strings.TrimRight(s, ". ") != s || strings.Contains(s, "::$") {
			return fmt.Sprintf("%q holds a segment that servers read in different ways", p), "leave out . and .. and dots or spaces at the end of a segment"
		}
	}
	for i := 0; i < len(p); i++ {
		if p[i] < 0x20 || p[i] == 0x7f {
			return fmt.Sprintf("%q holds a control character", p), "remove it"
		}
	}
	return "", ""
}
