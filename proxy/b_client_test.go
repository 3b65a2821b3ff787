package proxy

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"sallyport"
	"sallyport/policy"
)

func proxies(list ...string) trusted {
	var t trusted
	for _, s := range list {
		t = append(t, unmapPrefix(netip.MustParsePrefix(s)))
	}
	return t
}

// B1 (CVE-2023-36456, CVE-2024-21494): the leftmost address of X-Forwarded-For,
// which anyone can write, was taken for the client and trusted.
// B2 (CVE-2024-47070): an address that could not be read skipped the checks.
// B3 (GHSA-7jmw-8259-q9jx): the IPv6 form of an IPv4 address escaped a rule.
func TestBClientAddress(t *testing.T) {
	for _, c := range []struct {
		name    string
		trusted trusted
		peer    string
		xff     []string
		want    string // "" is the invalid address
	}{
		{"no proxies: the header is nothing", nil, "203.0.113.9:1000", []string{"10.0.0.1"}, "203.0.113.9"},
		{"a stranger as peer", proxies("192.0.2.0/24"), "203.0.113.9:1000", []string{"10.0.0.1"}, "203.0.113.9"},
		{"one proxy", proxies("192.0.2.0/24"), "192.0.2.1:1000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"planted on the left", proxies("192.0.2.0/24"), "192.0.2.1:1000", []string{"10.0.0.1, 203.0.113.9"}, "203.0.113.9"},
		{"two proxies", proxies("192.0.2.0/24"), "192.0.2.1:1000", []string{"10.0.0.1, 203.0.113.9, 192.0.2.7"}, "203.0.113.9"},
		{"several lines", proxies("192.0.2.0/24"), "192.0.2.1:1000", []string{"10.0.0.1", "203.0.113.9", "192.0.2.7"}, "203.0.113.9"},
		{"all trusted", proxies("192.0.2.0/24"), "192.0.2.1:1000", []string{"192.0.2.9, 192.0.2.8"}, "192.0.2.9"},
		{"no header", proxies("192.0.2.0/24"), "192.0.2.1:1000", nil, "192.0.2.1"},
		{"garbage", proxies("192.0.2.0/24"), "192.0.2.1:1000", []string{"10.0.0.1, garbage"}, ""},
		{"empty hop", proxies("192.0.2.0/24"), "192.0.2.1:1000", []string{"10.0.0.1,"}, ""},
		{"empty header", proxies("192.0.2.0/24"), "192.0.2.1:1000", []string{""}, ""},
		{"unknown", proxies("192.0.2.0/24"), "192.0.2.1:1000", []string{"10.0.0.1, unknown"}, ""},
		{"octal", proxies("192.0.2.0/24"), "192.0.2.1:1000", []string{"010.0.0.1"}, ""},
		{"peer without address", proxies("192.0.2.0/24"), "@", []string{"10.0.0.1"}, ""},
		{"mapped peer", proxies("192.0.2.0/24"), "[::ffff:192.0.2.1]:1000", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"mapped prefix", proxies("::ffff:192.0.2.0/120"), "192.0.2.1:1000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"port", proxies("192.0.2.0/24"), "192.0.2.1:1000", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{"IPv6 with brackets and port", proxies("2001:db8::/64"), "[2001:db8::1]:1000", []string{"[2001:db8:1::9]:4711"}, "2001:db8:1::9"},
		{"IPv6 with brackets", proxies("2001:db8::/64"), "[2001:db8::1]:1000", []string{"[2001:db8:1::9]"}, "2001:db8:1::9"},
		{"zone", proxies("fe80::/64"), "[fe80::1%eth0]:1000", []string{"fe80:0:0:1::9%eth1"}, "fe80:0:0:1::9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
			if c.xff != nil {
				r.Header["X-Forwarded-For"] = c.xff
			}
			got, _ := c.trusted.client(r)
			if want, _ := netip.ParseAddr(c.want); got != want {
				t.Errorf("client = %v, want %v", got, want)
			}
		})
	}
}

// B1 end to end: by default nobody can say that they are at headquarters.
func TestB1ForgedAddressIsNotTrusted(t *testing.T) {
	addresses, err := policy.NewAddresses([]string{"10.0.0.0/8"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	withAddresses := func(o *Options) { o.Addresses = addresses }
	f := newFixture(t, []Route{appRoute()}, withAddresses)
	f.grantFor("bob", func(g *sallyport.Grant) { g.Token.Proofs = g.Token.Proofs[:1] })
	forge := func(r *http.Request) {
		for _, h := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "X_forwarded_for", "True-Client-Ip"} {
			r.Header[h] = []string{"10.0.0.1"}
		}
		r.Header["Forwarded"] = []string{"for=10.0.0.1"}
	}
	if res := f.do("GET", "/", "bob", forge); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d: the forged address was believed", res.StatusCode)
	}
	f.grantFor("alice")
	f.do("GET", "/", "alice", forge)
	for name, v := range f.one().header {
		if strings.Contains(strings.Join(v, ","), "10.0.0.1") {
			t.Errorf("%s: %q reached the app", name, v)
		}
	}

	// Behind a proxy that the admin names, the same header counts.
	f = newFixture(t, []Route{appRoute()}, withAddresses, func(o *Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	f.grantFor("bob", func(g *sallyport.Grant) { g.Token.Proofs = g.Token.Proofs[:1] })
	if res := f.do("GET", "/", "bob", header("X-Forwarded-For", "203.0.113.1, 10.0.0.1"), header("X-Forwarded-Proto", "https")); res.StatusCode != 200 {
		t.Errorf("status %d: the trusted proxy was not believed", res.StatusCode)
	}
	got := f.one().header
	if got.Get("X-Forwarded-For") != "10.0.0.1" || got.Get("X-Forwarded-Proto") != "https" {
		t.Errorf("X-Forwarded-For %q, -Proto %q", got["X-Forwarded-For"], got["X-Forwarded-Proto"])
	}
	// B2: what cannot be read is not trusted, also from there.
	if res := f.do("GET", "/", "bob", header("X-Forwarded-For", "10.0.0.1, x")); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d: an unreadable address was trusted", res.StatusCode)
	}
}

func FuzzForwardedFor(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "192.0.2.1,10.0.0.1", "[::1]:80,,", "::ffff:10.0.0.1%x", ",", "1.2.3.4:99999"} {
		f.Add(s)
	}
	t4 := proxies("192.0.2.0/24", "::1/128")
	f.Fuzz(func(t *testing.T, line string) {
		r := &http.Request{RemoteAddr: "192.0.2.1:1", Header: http.Header{"X-Forwarded-For": {line}}}
		got, _ := t4.client(r)
		if got.Is4In6() || got.Zone() != "" {
			t.Fatalf("%q gave %v", line, got)
		}
		// Whatever a client puts on the left changes nothing of what a proxy added.
		r.Header["X-Forwarded-For"] = []string{line + ", 203.0.113.9, 192.0.2.5"}
		if again, _ := t4.client(r); again != netip.MustParseAddr("203.0.113.9") {
			t.Fatalf("%q on the left gave %v", line, again)
		}
	})
}
