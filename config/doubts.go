package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"sallyport"
)

// doubts are about settings that can be used, and that are hardly meant so.
func (c *Config) doubts() sallyport.FieldErrors {
	doubts := c.doubtGroups()
	c.doubtPortal(&doubts)
	for i, r := range c.Routes {
		for j, p := range r.Public {
			if opensAll(p, r.Path, r.CaseSensitive) {
				doubts.Add(fmt.Sprintf("routes[%d].public[%d]", i, j), "list the paths that anyone may read, such as `/favicon.ico`",
					"everything on this route is public: nobody is asked to sign in")
			}
		}
		for j, a := range r.Upstream {
			path := fmt.Sprintf("routes[%d].upstream", i)
			if len(r.Upstream) > 1 {
				path = index(path, j)
			}
			c.doubtUpstream(&doubts, path, a)
		}
	}
	return doubts
}

// doubtPortal doubts a portal at a port where nothing listens. It is right behind
// a forwarder, or where a container's port is published under another number.
func (c *Config) doubtPortal(doubts *sallyport.FieldErrors) {
	wanted := "443"
	if _, port, err := net.SplitHostPort(c.Server.Portal); err == nil {
		wanted = port
	}
	ports := listenPorts(c.Server.HTTPS)
	if len(ports) == 0 || slices.Contains(ports, wanted) || slices.Contains(ports, "0") {
		return // without https a balancer stands in front; port 0 is any free one
	}
	at := "https://" + c.Server.Portal
	if wanted == "443" {
		at += " (port 443)"
	}
	doubts.Add("server.portal", fmt.Sprintf("write `%s`, unless something in front forwards %s", net.JoinHostPort(c.PortalHost(), ports[0]), wanted),
		"browsers will look for the portal at %s, but the gateway listens on %s", at, strings.Join(c.Server.HTTPS, ", "))
}

// listenPorts are the ports of listening addresses.
func listenPorts(list Listen) []string {
	var out []string
	for _, a := range list {
		if _, port, err := net.SplitHostPort(a); err == nil {
			out = append(out, port)
		}
	}
	return out
}

// doubtUpstream doubts an app that is the gateway itself: by a host that browsers
// are sent to, or by a port of this machine where the gateway listens.
func (c *Config) doubtUpstream(doubts *sallyport.FieldErrors, path, address string) {
	u, err := url.Parse(address)
	if err != nil {
		return // faulted already
	}
	const hint = "write the address of the app itself, such as `http://10.0.0.5:8080`"
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	ours := slices.Concat(listenPorts(c.Server.HTTPS), listenPorts(c.Server.HTTP), listenPorts(c.Server.Plain))
	// Something in front may bring what comes to the usual ports here.
	usual := port == "80" || port == "443"
	for _, h := range c.publicHosts() {
		if strings.EqualFold(u.Hostname(), h.name) && (usual || slices.Contains(ours, port)) {
			doubts.Add(path, hint, "%q is a host that this gateway serves: where the name leads here, requests go round in a loop", u.Hostname())
			return
		}
	}
	ip, err := netip.ParseAddr(u.Hostname())
	here := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	if here && slices.Contains(ours, port) {
		doubts.Add(path, hint, "the gateway itself listens on port %s: requests go round in a loop", port)
	}
}
