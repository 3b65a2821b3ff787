package proxy

import (
	"errors"
	"net/url"

	"sallyport"
	"sallyport/policy"
)

// Knows reports whether a host, with or without a port, is the portal's or has a
// route.
func (p *Proxy) Knows(host string) bool {
	name, _, err := splitHost(host)
	return err == nil && (name == p.portal || p.routes.host(name) != nil)
}

// Targets returns what Proxy.Target would answer for these routes, without
// upstreams, sessions or anything else that serves requests: for what-if. Faults
// are sallyport.FieldErrors, as New has them.
func Targets(routes []Route, portal string) (func(u *url.URL) (t policy.Target, routeName string, ok bool), error) {
	if faults := Validate(routes, portal); len(faults) > 0 {
		return nil, faults
	}
	name, port, err := portalOf(portal)
	if err != nil {
		return nil, err
	}
	p := &Proxy{routes: newTable(), portal: name, portalHost: withPort(name, port)}
	for _, c := range routes {
		if c.Path == "" {
			c.Path = "/"
		}
		rt := newRoute(c, nil)
		for _, h := range c.Hosts {
			if err := p.addHost(h, port, rt); err != nil {
				return nil, err
			}
		}
	}
	return p.Target, nil
}

// addHost enters a host of a route into the table; without a port of its own it
// is reached on the portal's.
func (p *Proxy) addHost(host, portalPort string, rt *route) error {
	name, port, err := splitRouteHost(host)
	if err != nil {
		return errors.Join(sallyport.ErrBadName, err)
	}
	if port == "" {
		port = portalPort
	}
	p.routes.add(name, publicPort(port), rt)
	return nil
}
