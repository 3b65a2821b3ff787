package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A7 (CVE-2026-41181, and three gateways as measured): the session cookie of the
// gateway was forwarded to the app, whose log or bug gave everybody's away.
func TestA7OurCookiesStayHere(t *testing.T) {
	for _, c := range []struct {
		name     string
		in, want []string
	}{
		{"none of ours", []string{"a=1; b=\"x y\";c=;;  d"}, []string{"a=1; b=\"x y\";c=;;  d"}},
		{"alone", []string{"__Host-sallyport=t"}, nil},
		{"first", []string{"__Host-sallyport=t; a=1;b=2"}, []string{"a=1;b=2"}},
		{"middle", []string{"a=1; __Host-sallyport=t; b=2"}, []string{"a=1; b=2"}},
		{"last", []string{"a=1; __Host-sallyport=t"}, []string{"a=1"}},
		{"twice", []string{"__Host-sallyport=t; a=1; __Host-sallyport=u"}, []string{"a=1"}},
		{"other case", []string{"a=1; __host-SALLYPORT=t"}, []string{"a=1"}},
		{"of the family", []string{"__Host-sallyport-state=t; a=1; __Host-sallyport-flow=u"}, []string{"a=1"}},
		{"quoted", []string{`a=1; "__Host-sallyport"=t; __Host-sallyport="t"`}, []string{"a=1"}},
		{"old version prefix", []string{`$Version=1; $__Host-sallyport=t; a=1`}, []string{"$Version=1; a=1"}},
		{"after a comma", []string{"a=1, __Host-sallyport=t; b=2"}, []string{"b=2"}},
		{"without a name", []string{"=__Host-sallyport=t; a=1"}, []string{"a=1"}},
		{"no value", []string{"__Host-sallyport; a=1"}, []string{"a=1"}},
		{"tab before", []string{"a=1;\t__Host-sallyport=t"}, []string{"a=1"}},
		{"several lines", []string{"a=1", "__Host-sallyport=t", "b=2; __Host-sallyport=t"}, []string{"a=1", "b=2"}},
		{"a look-alike", []string{"my__Host-sallyport=1; __Host-sally=2"}, []string{"my__Host-sallyport=1; __Host-sally=2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := foreignCookies(c.in); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestA7OnTheWire(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way([]Route{appRoute()}))
		f.grantFor("alice")
		f.do("GET", "/", "", header("Cookie", "a=1; __Host-sallyport=alice; ASP.NET_SessionId=xyz"))
		if got := f.one().header["Cookie"]; !slices.Equal(got, []string{"a=1; ASP.NET_SessionId=xyz"}) {
			t.Errorf("the app got %q", got)
		}
		f.do("GET", "/", "alice")
		if got, ok := f.one().header["Cookie"]; ok {
			t.Errorf("the app got %q", got)
		}
	})
}

func TestA7MaintenanceTouchesNothing(t *testing.T) {
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Maintenance = true; r.Public = []string{"/public"} })})
	f.grantFor("alice")
	for _, path := range []string{"/", "/public"} {
		res := f.do("GET", path, "alice")
		if res.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(bodyOf(t, res), "SP-7005") {
			t.Errorf("%s: status %d", path, res.StatusCode)
		}
	}
	if got := f.requests(); len(got) != 0 || f.sessions.loads != 0 {
		t.Errorf("%d requests reached the app, %d the sessions", len(got), f.sessions.loads)
	}
}

// Cookies that are not ours come out as they went in, whatever they look like.
func TestA7OtherCookiesAreLeftAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pairs := rapid.SliceOf(rapid.StringMatching(`[a-zA-Z0-9_.-]{1,12}(=[!-:<-~ ]{0,20})?`)).Draw(t, "pairs")
		pairs = slices.DeleteFunc(pairs, ourCookie)
		plain := strings.Trim(strings.Join(pairs, "; "), " ")
		if got := strings.Join(foreignCookies([]string{plain}), ""); got != plain {
			t.Fatalf("%q became %q", plain, got)
		}
		at := rapid.IntRange(0, len(pairs)).Draw(t, "at")
		with := strings.Join(slices.Insert(slices.Clone(pairs), at, "__Host-sallyport=SECRET"), "; ")
		if got := strings.Join(foreignCookies([]string{with}), ""); strings.Contains(got, "SECRET") {
			t.Fatalf("%q became %q", with, got)
		}
	})
}

// F5 (CVE-2024-24814): thousands of crafted cookies kept a server busy.
func TestF5ThousandsOfCookies(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		var b strings.Builder
		for i := range 20000 {
			fmt.Fprintf(&b, "__Host-sallyport%d=%d; -=-; ", i, i)
		}
		start := time.Now()
		for range 10 {
			foreignCookies([]string{b.String()})
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("ten headers of %d bytes took %v", b.Len(), took)
		}
		f := newFixture(t, way([]Route{appRoute()}))
		line := strings.Repeat("__Host-sallyport=x; ", 3000)
		if res := f.do("GET", "/", "", header("Cookie", line)); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("status %d", res.StatusCode)
		}
	})
}

func FuzzForeignCookies(f *testing.F) {
	f.Add("a=1; __Host-sallyport=t; b=\"2")
	f.Add("__HOST-SALLYPORT=,;=;")
	f.Fuzz(func(t *testing.T, line string) {
		for _, l := range foreignCookies([]string{line}) {
			for pair := range strings.SplitSeq(l, ";") {
				if isOurName(pair) {
					t.Fatalf("%q became %q", line, l)
				}
			}
		}
	})
}
