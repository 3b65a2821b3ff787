package proxy

import (
	"net/url"

	"sallyport/policy"
)

// Target says what policy must know of an address to return to after a sign-in,
// and the name of its route. It is ok only for an https address, with the right
// port and without user name, of a configured route or (with the zero Target and
// no name) of the portal; the path is judged as that of a request is, and our own
// pages on app hosts are none to return to.
func (p *Proxy) Target(u *url.URL) (t policy.Target, routeName string, ok bool) {
	if u == nil || u.Scheme != "https" || u.User != nil || u.Opaque != "" {
		return policy.Target{}, "", false
	}
	name, port, err := splitHost(u.Host)
	if err != nil {
		return policy.Target{}, "", false
	}
	path, err := cleanPath(u)
	if err != nil {
		return policy.Target{}, "", false
	}
	port = publicPort(port)
	if name == p.portal {
		return policy.Target{}, "", withPort(name, port) == p.portalHost
	}
	host := p.routes.host(name)
	if host == nil || host.port != port {
		return policy.Target{}, "", false
	}
	m, err := host.match(path)
	if err != nil || m.reserved {
		return policy.Target{}, "", false
	}
	t = m.route.allow
	t.Public = m.public
	return t, m.route.Name, true
}
