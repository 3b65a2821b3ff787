package proxy

import (
	"errors"
	"strings"

	"sallyport/policy"
	"sallyport/proxy/upstream"
)

// ReservedPrefix is the path under which every host serves our own pages.
const ReservedPrefix = "/.sallyport/"

var (
	errUnknownHost = errors.New("no route has this host")
	errNoRoute     = errors.New("no route of this host has this path")
)

// route is a Route made ready.
type route struct {
	Route
	prefix string // without the slash at its end, "" for "/"; lower case unless caseSensitive
	public []string
	// publicRead are the public paths as reading gives them.
	publicRead []string
	allow      policy.Target // Route, Users and Groups; Public is per path
	extra      []extraHeader
	forward    upstream.Forwarder
}

// table finds the route of a host and path. It is immutable.
type table struct {
	exact map[string]*hostRoutes
	wild  map[string]*hostRoutes // "*.example.com" under "example.com"
}

// hostRoutes are the routes of one host, or of one wildcard.
type hostRoutes struct {
	port   string            // public port, "" for 443
	origin string            // host as browsers write it; "" for a wildcard
	folded map[string]*route // by prefix in lower case
	cased  map[string]*route // by prefix, of the case-sensitive routes
	root   *route            // the only route, when it has the path "/"
	max    int               // length of the longest prefix
}

func newTable() *table {
	return &table{exact: map[string]*hostRoutes{}, wild: map[string]*hostRoutes{}}
}

// add puts a route under one of its hosts, which is valid.
func (t *table) add(host, port string, r *route) {
	set, origin := t.exact, withPort(host, port)
	if name, ok := strings.CutPrefix(host, "*."); ok {
		set, host, origin = t.wild, name, ""
	}
	h := set[host]
	if h == nil {
		h = &hostRoutes{port: port, origin: origin, folded: map[string]*route{}, cased: map[string]*route{}}
		set[host] = h
	}
	h.put(r, r.prefix)
	if alt := reading(r.prefix + "/"); alt != r.prefix+"/" {
		h.put(r, strings.TrimSuffix(alt, "/")) // "/Ä" is found by its lenient reading too
	}
	h.root = nil
	if h.max == 0 && len(h.folded)+len(h.cased) == 1 {
		h.root = r
	}
}

func (h *hostRoutes) put(r *route, prefix string) {
	set := h.folded
	if r.CaseSensitive {
		set = h.cased
	}
	if _, taken := set[prefix]; !taken || prefix == r.prefix {
		set[prefix] = r
	}
	h.max = max(h.max, len(prefix))
}

// host returns the routes of a normalised host name, nil when there are none.
func (t *table) host(name string) *hostRoutes {
	if h := t.exact[name]; h != nil {
		return h
	}
	if _, rest, ok := strings.Cut(name, "."); ok {
		return t.wild[rest]
	}
	return nil
}

// originOf returns the host as it stands in public URLs.
func (h *hostRoutes) originOf(name string) string {
	if h.origin != "" {
		return h.origin
	}
	return withPort(name, h.port)
}

// find returns the route with the longest prefix of path, nil if none.
func (h *hostRoutes) find(path string) *route {
	if h.root != nil {
		return h.root
	}
	var stack [128]byte
	folded := fold(stack[:0], path, h.max+1)
	// Only as many bytes as the longest prefix has are looked at, so a long path
	// costs no more than a short one.
	for end := len(folded); end >= 0; end-- {
		if end < len(path) && path[end] != '/' {
			continue
		}
		if r := h.cased[path[:end]]; r != nil {
			return r
		}
		if r := h.folded[string(folded[:end])]; r != nil {
			return r
		}
	}
	return nil
}

// fold appends at most limit bytes of s to dst with ASCII letters in lower case.
// Only ASCII is folded here: what wider folding would do is seen by reading.
func fold(dst []byte, s string, limit int) []byte {
	if len(s) > limit {
		s = s[:limit]
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// isPublic reports whether path is written down as readable by anyone: exactly,
// or below it at a segment boundary.
func (r *route) isPublic(path string) bool {
	return anyBelow(path, r.public, r.CaseSensitive)
}

func anyBelow(path string, prefixes []string, caseSensitive bool) bool {
	for _, p := range prefixes {
		if below(path, p, caseSensitive) {
			return true
		}
	}
	return false
}

// below reports whether path is prefix or lies below it. A prefix that ends in a
// slash names only what is below.
func below(path, prefix string, caseSensitive bool) bool {
	if len(path) < len(prefix) {
		return false
	}
	if len(path) > len(prefix) && prefix[len(prefix)-1] != '/' && path[len(prefix)] != '/' {
		return false
	}
	if caseSensitive {
		return path[:len(prefix)] == prefix
	}
	return equalFoldASCII(path[:len(prefix)], prefix)
}

// equalFoldASCII compares without regard to the case of ASCII letters; wider
// folding would make more paths public than the admin wrote down.
func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x |= 0x20; x != y|0x20 || x < 'a' || x > 'z' {
			return false
		}
	}
	return true
}

// reserved reports whether path belongs to us.
func reserved(path string) bool {
	const bare = len(ReservedPrefix) - 1
	return len(path) >= bare && equalFoldASCII(path[:bare], ReservedPrefix[:bare]) && (len(path) == bare || path[bare] == '/')
}

// match is where a request goes.
type match struct {
	route    *route
	public   bool
	reserved bool
}

// match finds the route of a clean path. A path that a lenient server would read
// as another route's, or as ours, is refused; it is public only when every
// reading of it is.
func (h *hostRoutes) match(path string) (match, error) {
	m := h.exactly(path)
	if alt := reading(path); alt != path {
		other := h.exactly(alt)
		if other.route != m.route || other.reserved != m.reserved {
			return match{}, errPathReading
		}
		m.public = m.public && anyBelow(alt, m.route.publicRead, m.route.CaseSensitive)
	}
	if m.route == nil && !m.reserved {
		return match{}, errNoRoute
	}
	return m, nil
}

func (h *hostRoutes) exactly(path string) match {
	if reserved(path) {
		return match{reserved: true}
	}
	r := h.find(path)
	if r == nil {
		return match{}
	}
	return match{route: r, public: r.isPublic(path)}
}
