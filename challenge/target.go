package challenge

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"

	"sallyport/policy"
)

// maxReturn is the longest return target, in bytes; longer ones would not fit
// into a request line everywhere.
const maxReturn = 4096

var errBadReturn = errors.New("not a return target of a configured host")

// target is a return target that was checked.
type target struct {
	url    string // absolute, as it will be sent to the browser
	origin string // scheme://host[:port]
	route  string
	portal bool
	policy policy.Target
}

// readTarget reads a return target. Browsers and URL parsers disagree about
// slashes, backslashes, tabs and userinfo, and open redirects live in that gap:
// so only the plainest form passes, an absolute URL with our scheme, of the
// portal or of a host that a route names, and what is sent to the browser is
// written anew from the parts that were judged.
func (c *Challenge) readTarget(raw string) (target, error) {
	u, err := parsePlainURL(raw, c.scheme)
	if err != nil {
		return target{}, err
	}
	t := target{url: u.String(), origin: u.Scheme + "://" + u.Host}
	if t.origin == c.cfg.Portal {
		if !portalReturn(u.EscapedPath()) {
			return target{}, errBadReturn
		}
		t.portal = true
		return t, nil
	}
	pt, route, ok := c.target(u)
	if !ok || strings.HasPrefix(strings.ToLower(u.Path), prefix) {
		return target{}, errBadReturn
	}
	t.policy, t.route = pt, route
	return t, nil
}

// parsePlainURL parses an absolute URL of the scheme in which nothing can be
// read two ways.
func parsePlainURL(raw, scheme string) (*url.URL, error) {
	if len(raw) > maxReturn || !utf8.ValidString(raw) || !strings.HasPrefix(raw, scheme+"://") {
		return nil, errBadReturn
	}
	for _, c := range raw {
		if c <= ' ' || c == '\\' || c >= 0x7f {
			return nil, errBadReturn
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Opaque != "" || u.Host == "" || u.Hostname() == "" {
		return nil, errBadReturn
	}
	// A percent sign, a trailing dot or an empty port is a host that another
	// reader may take for a different one.
	if strings.ContainsAny(u.Host, "%@") || strings.HasSuffix(u.Host, ".") || strings.HasSuffix(u.Host, ":") ||
		strings.Contains(u.Host, ".:") {
		return nil, errBadReturn
	}
	if strings.HasPrefix(u.EscapedPath(), "//") {
		return nil, errBadReturn
	}
	u.Host = strings.ToLower(u.Host)
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// portalReturn says which of our own pages may be returned to: not the ones a
// flow runs through, nor the one that signs out.
func portalReturn(path string) bool {
	switch {
	case path == "/":
		return true
	case !strings.HasPrefix(path, prefix), strings.Contains(path, "%"), strings.Contains(path, "//"),
		strings.Contains(path, "/.."):
		return false
	}
	// In any case of letters: which of them a path means is for the pages to say,
	// and this check must not depend on their being as strict.
	path = strings.ToLower(path)
	for _, p := range []string{pathSignIn, pathVerify, pathRegister, pathNotice, pathSignOut} {
		if path == p || strings.HasPrefix(path, p+"/") {
			return false
		}
	}
	return true
}
