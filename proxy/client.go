package proxy

import (
	"net/http"
	"net/netip"
	"strings"
)

// trusted are the proxies before us that are believed.
type trusted []netip.Prefix

func (t trusted) holds(ip netip.Addr) bool {
	for _, p := range t {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// client returns the true address of whoever asks, and whether the request came
// through a trusted proxy. X-Forwarded-For counts only from those, and is read
// from the right: what stands left of the first address that is not a trusted
// proxy was written by strangers. An address that cannot be read gives the
// invalid one, which never counts as trusted. Of the headers that name clients
// only this one is read; Forwarded (RFC 7239) is not.
func (t trusted) client(r *http.Request) (client netip.Addr, viaProxy bool) {
	peer := parseIP(r.RemoteAddr)
	if len(t) == 0 || !peer.IsValid() || !t.holds(peer) {
		return peer, false
	}
	client = peer
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		rest, more := lines[i], true
		for more {
			var hop string
			if cut := strings.LastIndexByte(rest, ','); cut >= 0 {
				rest, hop = rest[:cut], rest[cut+1:]
			} else {
				hop, more = rest, false
			}
			client = parseIP(strings.Trim(hop, " \t"))
			if !client.IsValid() || !t.holds(client) {
				return client, true
			}
		}
	}
	return client, true
}

// parseIP reads an address with or without port, brackets and zone. The zone is
// dropped, and an IPv4 address in IPv6 form becomes what it is.
func parseIP(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	if len(s) > 1 && s[0] == '[' && s[len(s)-1] == ']' {
		s = s[1 : len(s)-1]
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap().WithZone("")
}
