package proxy

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func tableOf(t testing.TB, routes ...Route) *table {
	tab := newTable()
	for _, r := range routes {
		rt := newRoute(r, nil)
		for _, h := range r.Hosts {
			name, port, err := splitRouteHost(h)
			if err != nil {
				t.Fatal(err)
			}
			tab.add(name, port, rt)
		}
	}
	return tab
}

func TestLongestPrefixAtASegmentBoundary(t *testing.T) {
	host := tableOf(t,
		Route{Name: "root", Hosts: []string{"a"}, Path: "/"}, Route{Name: "app", Hosts: []string{"a"}, Path: "/App"}, Route{Name: "deep", Hosts: []string{"a"}, Path: "/app/x/y/"},
		Route{Name: "cased", Hosts: []string{"a"}, Path: "/Case", CaseSensitive: true}, Route{Name: "jp", Hosts: []string{"a"}, Path: "/山"},
		Route{Name: "wide", Hosts: []string{"a"}, Path: "/Ärger", Public: []string{"/Ärger/Ö"}},
	).host("a")
	for path, want := range map[string]bool{"/Ärger/Ö/x": true, "/ärger/Ö": false, "/Ärger/x": false, "/Case/山": false} {
		// A name that is not ASCII is neither refused nor escaped from by its case.
		if m, err := host.match(path); err != nil || m.public != want || m.route.Name != "wide" && m.route.Name != "cased" {
			t.Errorf("%s: %+v, %v", path, m, err)
		}
	}
	for path, want := range map[string]string{
		"/": "root", "/x": "root", "/app": "app", "/APP/": "app", "/apple": "root", "/app/x": "app", "/app/x/y": "deep", "/App/X/Y/z": "deep", "/app/x/yz": "app",
		"/Case": "cased", "/Case/x": "cased", "/case": "root", "/CASE/x": "root", "/山": "jp", "/山/x": "jp", "/山x": "root", "/" + strings.Repeat("a", 9999): "root",
	} {
		if got := host.find(path); got == nil || got.Name != want {
			t.Errorf("%s: %v, want %s", path, got, want)
		}
	}
}

// The lookup agrees with the plain definition.
func TestFindIsTheLongestPrefix(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "A", "ab", "c"})
	path := rapid.Custom(func(t *rapid.T) string {
		return "/" + strings.Join(rapid.SliceOfN(segment, 0, 4).Draw(t, "segments"), "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		tab := newTable()
		var all []*route
		for i, p := range rapid.SliceOfNDistinct(path, 1, 6, strings.ToLower).Draw(t, "routes") {
			rt := newRoute(Route{Name: fmt.Sprint(i), Path: p, CaseSensitive: rapid.Bool().Draw(t, "cased")}, nil)
			all = append(all, rt)
			tab.add("h", "", rt)
		}
		asked := path.Draw(t, "asked")
		var want *route
		for _, rt := range all {
			if (rt.prefix == "" || below(asked, rt.prefix, rt.CaseSensitive)) && (want == nil || len(rt.prefix) > len(want.prefix)) {
				want = rt
			}
		}
		if got := tab.host("h").find(asked); got != want {
			t.Fatalf("%s: got %+v, want %+v", asked, got, want)
		}
	})
}

func TestHotLookupsAllocateNothing(t *testing.T) {
	f := newFixture(t, append(pathRoutes(), Route{Name: "wild", Hosts: []string{"*.wild.test"}}))
	g := newGrant("alice")
	x := &exchange{}
	x.info.Start = f.proxy.now()
	rt := f.proxy.routes.host("app.test").find("/")
	m := f.proxy.memo(g, rt)
	if _, err := f.proxy.assert(m, g, rt, "app.test", x.info.Start); err != nil {
		t.Fatal(err)
	}
	for name, step := range map[string]func(){
		"match":     func() { _, _ = f.proxy.routes.host("app.test").match("/Payroll/Admin/x/y") },
		"wildcard":  func() { _, _ = f.proxy.routes.host("a.wild.test").match("/x") },
		"decide":    func() { f.proxy.decide(x, g, rt, f.proxy.addresses.Class(x.info.Client)) },
		"assertion": func() { _, _ = f.proxy.assert(m, g, rt, "app.test", x.info.Start) },
		"host":      func() { _, _, _ = splitHost("app.test:8443") },
		"cookies":   func() { foreignCookies([]string{"a=1; b=2"}) },
		"strip":     func() { f.proxy.strip.drops("Accept-Encoding") },
	} {
		if n := testing.AllocsPerRun(100, step); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
