package policy

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"

	"sallyport"
)

// Location is a named set of addresses.
type Location struct {
	// Name of the location, as rules, logs and pages call it. Must be set.
	Name string `yaml:"name" json:"name"`
	// Trusted locations skip the second factor, never the first. Default: false.
	Trusted bool `yaml:"trusted,omitempty" json:"trusted,omitempty"`
	// Ranges are addresses, CIDRs, or from-to ranges, IPv4 or IPv6.
	Ranges []string `yaml:"ranges" json:"ranges"`
}

// AddressClass is what policy knows of a client address. The zero value is an
// address about which nothing is known.
type AddressClass struct {
	Trusted  bool   `json:"trusted"`
	Location string `json:"location,omitempty"`
}

// Addresses classifies client addresses. It is immutable after NewAddresses and
// safe for concurrent use; a nil *Addresses trusts nothing.
type Addresses struct {
	table *bart.Table[AddressClass]
}

// NewAddresses builds the table from mfa.trusted_ips and the named locations. It
// returns every fault as a sallyport.FieldErrors. Where ranges overlap, the
// narrowest names the location, and an address is trusted when any range that
// holds it is.
func NewAddresses(trusted []string, locations []Location) (*Addresses, error) {
	a := &Addresses{table: new(bart.Table[AddressClass])}
	var faults sallyport.FieldErrors
	seen := map[string]bool{}
	for i, l := range locations {
		path := fmt.Sprintf("locations[%d]", i)
		if l.Name == "" {
			faults.Add(path+".name", "give the location a name", "a location needs a name")
		}
		if seen[l.Name] {
			faults.Add(path+".name", "use another name", "two locations are called %q", l.Name)
		}
		seen[l.Name] = true
		for j, r := range l.Ranges {
			a.add(r, AddressClass{Trusted: l.Trusted, Location: l.Name}, fmt.Sprintf("%s.ranges[%d]", path, j), &faults)
		}
	}
	for i, r := range trusted {
		a.add(r, AddressClass{Trusted: true}, fmt.Sprintf("mfa.trusted_ips[%d]", i), &faults)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return a, nil
}

func (a *Addresses) add(text string, class AddressClass, path string, faults *sallyport.FieldErrors) {
	prefixes, err := ParseRange(text)
	if err != nil {
		faults.Add(path, "write an address (192.0.2.7), a network (192.0.2.0/24) or a range (192.0.2.10-192.0.2.20)", "%v", err)
		return
	}
	for _, p := range prefixes {
		a.table.Modify(p, func(old AddressClass, ok bool) (AddressClass, bool) {
			if !ok {
				return class, false
			}
			merged := AddressClass{Trusted: old.Trusted || class.Trusted, Location: old.Location}
			if merged.Location == "" {
				merged.Location = class.Location
			}
			return merged, false
		})
	}
}

// Class classifies ip. An invalid address is never trusted; an IPv4 address in
// IPv6 form is the IPv4 address; a zone is ignored.
func (a *Addresses) Class(ip netip.Addr) AddressClass {
	if a == nil || !ip.IsValid() {
		return AddressClass{}
	}
	ip = ip.Unmap().WithZone("")
	class, ok := a.table.Lookup(ip)
	if !ok || class.Trusted && class.Location != "" {
		return class
	}
	// The narrowest range alone does not tell: a wider one may trust or name.
	for _, c := range a.table.Supernets(netip.PrefixFrom(ip, ip.BitLen())) {
		class.Trusted = class.Trusted || c.Trusted
		if class.Location == "" {
			class.Location = c.Location
		}
	}
	return class
}

// ParseRange reads an address, a CIDR or a from-to range as the prefixes that
// cover it exactly. Host bits set in a CIDR are a fault, since they usually are a
// typing error; so are zones.
func ParseRange(s string) ([]netip.Prefix, error) {
	s = strings.TrimSpace(s)
	if from, to, ok := strings.Cut(s, "-"); ok {
		a, err1 := parseAddr(from)
		b, err2 := parseAddr(to)
		if err1 != nil || err2 != nil || a.BitLen() != b.BitLen() || b.Less(a) {
			return nil, fmt.Errorf("%q is not a range of addresses", s)
		}
		return cover(a, b), nil
	}
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q is not a network", s)
		case p.Addr().Is4In6():
			return nil, fmt.Errorf("%q: write the network in IPv4 form", s)
		case p != p.Masked():
			return nil, fmt.Errorf("%q has bits beyond its prefix; did you mean %s", s, p.Masked())
		}
		return []netip.Prefix{p}, nil
	}
	ip, err := parseAddr(s)
	if err != nil {
		return nil, err
	}
	return []netip.Prefix{netip.PrefixFrom(ip, ip.BitLen())}, nil
}

func parseAddr(s string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil || ip.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q is not an address", s)
	}
	return ip.Unmap(), nil
}

// cover splits the closed range into the fewest prefixes.
func cover(from, to netip.Addr) []netip.Prefix {
	var out []netip.Prefix
	for {
		bits := from.BitLen()
		for bits > 0 {
			p := netip.PrefixFrom(from, bits-1)
			if p.Masked().Addr() != from || to.Less(last(p)) {
				break
			}
			bits--
		}
		p := netip.PrefixFrom(from, bits)
		out = append(out, p)
		end := last(p)
		if end == to || !end.Next().IsValid() {
			return out
		}
		from = end.Next()
	}
}

// last returns the highest address of p.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	ip, _ := netip.AddrFromSlice(b)
	return ip
}
