package policy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sallyport"
)

func TestAddresses(t *testing.T) {
	a, err := NewAddresses(
		[]string{"203.0.113.7", "10.0.0.0/8", "2001:db8:9::/48"},
		[]Location{
			{Name: "hq", Trusted: true, Ranges: []string{"192.0.2.0/24", "2001:db8:1::/48", "198.51.100.10-198.51.100.20"}},
			{Name: "guest", Ranges: []string{"192.0.2.128/25", "172.16.0.0/12"}},
			{Name: "lab", Ranges: []string{"10.1.0.0/16", "192.0.2.0/24"}},
		})
	if err != nil {
		t.Fatal(err)
	}
	for ip, want := range map[string]AddressClass{
		"203.0.113.7": {Trusted: true}, "203.0.113.8": {}, "10.9.9.9": {Trusted: true}, "10.1.2.3": {Trusted: true, Location: "lab"},
		"192.0.2.1": {Trusted: true, Location: "hq"}, "192.0.2.200": {Trusted: true, Location: "guest"}, "172.16.0.1": {Location: "guest"},
		"198.51.100.9": {}, "198.51.100.10": {Trusted: true, Location: "hq"}, "198.51.100.20": {Trusted: true, Location: "hq"}, "198.51.100.21": {},
		"2001:db8:1::1": {Trusted: true, Location: "hq"}, "2001:db8:2::1": {}, "2001:db8:9::1%eth0": {Trusted: true},
		"::ffff:192.0.2.1": {Trusted: true, Location: "hq"}, "::192.0.2.1": {},
	} {
		if got := a.Class(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %+v, want %+v", ip, got, want)
		}
	}
	// B2: what is not an address, and no table at all, are never trusted.
	if got := a.Class(netip.Addr{}); got != (AddressClass{}) {
		t.Errorf("the invalid address: %+v", got)
	}
	if got := (*Addresses)(nil).Class(netip.MustParseAddr("10.0.0.1")); got != (AddressClass{}) {
		t.Errorf("no table: %+v", got)
	}
	all, err := NewAddresses([]string{"0.0.0.0/0", "::/0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if all.Class(netip.Addr{}).Trusted || !all.Class(netip.MustParseAddr("::1")).Trusted {
		t.Error("trusting every address does not trust none")
	}
}

// Every fault at once, each with its place.
func TestAddressFaults(t *testing.T) {
	_, err := NewAddresses([]string{"10.0.0.1", "10.0.0.0/33", ""}, []Location{{Name: "a", Ranges: []string{"x"}}, {Name: "a"}, {Ranges: []string{"1.2.3.4"}}})
	var faults sallyport.FieldErrors
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range faults {
		paths = append(paths, f.Path)
	}
	if got := strings.Join(paths, " "); got != "locations[0].ranges[0] locations[1].name locations[2].name mfa.trusted_ips[1] mfa.trusted_ips[2]" {
		t.Errorf("faults at %s", got)
	}
}

func TestParseRangeRefuses(t *testing.T) {
	for _, s := range []string{
		"", "x", "10.0.0", "10.0.0.1.2", "010.0.0.1", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "::1/129", "fe80::1%eth0", "fe80::%eth0/64", "10.0.0.2-10.0.0.1", "10.0.0.1-::1",
		"10.0.0.1-", "-10.0.0.1", "10.0.0.1-10.0.0.2-10.0.0.3", "10.0.0.0/8-10.0.0.1", "::ffff:10.0.0.0/104", "10.0.0.1:80", "[::1]", "*", "10.*",
	} {
		if p, err := ParseRange(s); err == nil {
			t.Errorf("%q: %v", s, p)
		}
	}
	if p, err := ParseRange(" ::ffff:192.0.2.1 "); err != nil || p[0].String() != "192.0.2.1/32" {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := ParseRange("10.0.0.1/8"); err == nil || !strings.Contains(err.Error(), "10.0.0.0/8") {
		t.Errorf("no suggestion: %v", err)
	}
}

// A range is covered exactly: its prefixes are disjoint, in order, without gaps,
// and begin and end where it does. The ends of the address space included.
func TestParseRangeCoversExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := anyRange(t)
		prefixes, err := ParseRange(from.String() + "-" + to.String())
		if err != nil {
			t.Fatal(err)
		}
		next := from
		for i, p := range prefixes {
			if p.Addr() != next || p != p.Masked() {
				t.Fatalf("%v-%v: prefix %d is %v, want one that begins at %v", from, to, i, p, next)
			}
			end := last(p)
			if to.Less(end) {
				t.Fatalf("%v-%v: %v goes beyond", from, to, p)
			}
			if i == len(prefixes)-1 {
				if end != to {
					t.Fatalf("%v-%v ends at %v", from, to, end)
				}
				return
			}
			if next = end.Next(); !next.IsValid() {
				t.Fatalf("%v-%v: more prefixes after the last address", from, to)
			}
		}
	})
}

func anyRange(t *rapid.T) (from, to netip.Addr) {
	if rapid.Bool().Draw(t, "v6") {
		word := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, 1<<64 - 1, 1 << 63}))
		addr := rapid.Custom(func(t *rapid.T) netip.Addr {
			var b [16]byte
			binary.BigEndian.PutUint64(b[:8], word.Draw(t, "high"))
			binary.BigEndian.PutUint64(b[8:], word.Draw(t, "low"))
			return netip.AddrFrom16(b)
		}).Filter(func(a netip.Addr) bool { return !a.Is4In6() })
		from, to = addr.Draw(t, "from"), addr.Draw(t, "to")
	} else {
		addr := rapid.Custom(func(t *rapid.T) netip.Addr {
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], rapid.OneOf(rapid.Uint32(), rapid.SampledFrom([]uint32{0, 1, 1<<32 - 1, 1 << 31})).Draw(t, "address"))
			return netip.AddrFrom4(b)
		})
		from, to = addr.Draw(t, "from"), addr.Draw(t, "to")
	}
	if to.Less(from) {
		from, to = to, from
	}
	return from, to
}

// The table agrees with the plain definition: trusted when any range that holds
// the address is, named by the narrowest that has a name.
func TestClassAgreesWithTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
			var b [4]byte
			b[0], b[3] = 10, rapid.Byte().Draw(t, "byte")
			return netip.PrefixFrom(netip.AddrFrom4(b), rapid.IntRange(24, 32).Draw(t, "bits")).Masked()
		})
		var trusted []string
		all := map[netip.Prefix]AddressClass{}
		for _, p := range rapid.SliceOfNDistinct(prefix, 0, 4, func(p netip.Prefix) string { return p.String() }).Draw(t, "trusted") {
			trusted = append(trusted, p.String())
			all[p] = AddressClass{Trusted: true}
		}
		var locations []Location
		for i, p := range rapid.SliceOfNDistinct(prefix, 0, 4, func(p netip.Prefix) string { return p.String() }).Draw(t, "located") {
			l := Location{Name: fmt.Sprint(i), Trusted: rapid.Bool().Draw(t, "trust"), Ranges: []string{p.String()}}
			locations = append(locations, l)
			all[p] = AddressClass{Trusted: all[p].Trusted || l.Trusted, Location: l.Name}
		}
		a, err := NewAddresses(trusted, locations)
		if err != nil {
			t.Fatal(err)
		}
		ip := netip.AddrFrom4([4]byte{10, 0, 0, rapid.Byte().Draw(t, "ip")})
		var want AddressClass
		narrowest := -1
		for p, c := range all {
			if !p.Contains(ip) {
				continue
			}
			want.Trusted = want.Trusted || c.Trusted
			if c.Location != "" && p.Bits() > narrowest {
				want.Location, narrowest = c.Location, p.Bits()
			}
		}
		if got := a.Class(ip); got != want {
			t.Fatalf("%v: %+v, want %+v (of %v)", ip, got, want, all)
		}
	})
}

// BenchmarkClass looks addresses up among 100,000 trusted ranges.
func BenchmarkClass(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	ranges := make([]string, 100_000)
	for i := range ranges {
		var ip [4]byte
		binary.BigEndian.PutUint32(ip[:], random.Uint32())
		ranges[i] = netip.PrefixFrom(netip.AddrFrom4(ip), 16+random.IntN(17)).Masked().String()
	}
	a, err := NewAddresses(ranges, nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, ip := range map[string]string{"miss": "203.0.113.9", "IPv6": "2001:db8::1"} {
		b.Run(name, func(b *testing.B) {
			addr := netip.MustParseAddr(ip)
			b.ReportAllocs()
			for b.Loop() {
				a.Class(addr)
			}
		})
	}
	b.Run("hit", func(b *testing.B) {
		p, err := netip.ParsePrefix(ranges[0])
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if !a.Class(p.Addr()).Trusted {
				b.Fatal("not trusted")
			}
		}
	})
}
