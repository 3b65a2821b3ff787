package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/policy"
)

// People are sent to the portal; scripts, images and programs get a 401 that they
// can read; frames a page.
func TestChallengeByKindOfClient(t *testing.T) {
	f := newFixture(t, []Route{appRoute()})
	nav := []func(*http.Request){header("Sec-Fetch-Mode", "navigate"), header("Sec-Fetch-Dest", "document"), header("Accept", "text/html")}
	for _, c := range []struct {
		name   string
		method string
		set    []func(*http.Request)
		want   int
	}{
		{"navigation", "GET", nav, 303},
		{"old browser", "GET", []func(*http.Request){header("Accept", "text/html,*/*")}, 303},
		{"posted form", "POST", nav, 303},
		{"fetch", "GET", []func(*http.Request){header("Sec-Fetch-Mode", "cors"), header("Accept", "text/html")}, 401},
		{"image", "GET", []func(*http.Request){header("Sec-Fetch-Mode", "no-cors"), header("Sec-Fetch-Dest", "image")}, 401},
		{"old XHR", "GET", []func(*http.Request){header("Accept", "text/html"), header("X-Requested-With", "XMLHttpRequest")}, 401},
		{"curl", "GET", []func(*http.Request){header("Accept", "*/*")}, 401},
		{"DELETE", "DELETE", []func(*http.Request){header("Accept", "text/html")}, 401},
		{"object", "GET", []func(*http.Request){header("Sec-Fetch-Mode", "navigate"), header("Sec-Fetch-Dest", "object")}, 401},
	} {
		res := f.do(c.method, "/a/b?c=d", "", c.set...)
		if res.StatusCode != c.want {
			t.Errorf("%s: status %d, want %d", c.name, res.StatusCode, c.want)
		}
		if c.want != 401 {
			continue
		}
		var p struct {
			Status        int    `json:"status"`
			Code          string `json:"code"`
			CorrelationID string `json:"correlation_id"`
			SignIn        string `json:"sign_in"`
			Need          string `json:"need"`
		}
		if err := json.Unmarshal([]byte(bodyOf(t, res)), &p); err != nil || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%s: %v, %q", c.name, err, res.Header.Get("Content-Type"))
		}
		if p.Status != 401 || p.Code != "SP-5006" || p.SignIn != "https://app.test/" || p.Need != "first-factor" || p.CorrelationID != res.Header.Get("X-Sallyport-Correlation") {
			t.Errorf("%s: %+v", c.name, p)
		}
		if res.Header.Get("WWW-Authenticate") == "" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: header %v", c.name, res.Header)
		}
	}
	res := f.do("GET", "/", "", header("Sec-Fetch-Mode", "navigate"), header("Sec-Fetch-Dest", "iframe"))
	if res.StatusCode != 401 || !strings.HasPrefix(bodyOf(t, res), "SP-5006") {
		t.Errorf("frame: status %d", res.StatusCode)
	}
	if got := f.requests(); len(got) != 0 {
		t.Errorf("reached the app: %+v", got)
	}
}

// A form posted into an expired session comes back to the page it stood on.
func TestReturnTargetOfAPostedForm(t *testing.T) {
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Path = "/app" }), {Name: "other", Hosts: []string{"other.test"}}})
	for referer, want := range map[string]string{
		"":                                   "GET app.test/app",
		"https://app.test/app/form?id=7":     "GET app.test/app/form?id=7",
		"http://app.test/app/form":           "GET app.test/app",
		"https://other.test/x":               "GET app.test/app",
		"https://app.test.evil.test/app/x":   "GET app.test/app",
		"https://u:p@app.test/app/x":         "GET app.test/app",
		"https://app.test/.sallyport/logout": "GET app.test/app",
		"https://app.test/app/../x":          "GET app.test/app",
		"https://app.test:81/app/x":          "GET app.test/app",
		"::":                                 "GET app.test/app",
	} {
		set := []func(*http.Request){header("Accept", "text/html")}
		if referer != "" {
			set = append(set, header("Referer", referer))
		}
		f.do("POST", "/app/save", "", set...)
		if got := f.challenges.back[len(f.challenges.back)-1]; got != want {
			t.Errorf("Referer %q: return target %q, want %q", referer, got, want)
		}
	}
	f.do("GET", "/app/list?page=2", "", header("Accept", "text/html"))
	if got := f.challenges.back[len(f.challenges.back)-1]; got != "GET app.test/app/list?page=2" {
		t.Errorf("return target %q", got)
	}
}

// A store that is away is 503, never anonymous, whatever kind of error it is;
// what is public stays public, without identity.
func TestStoreFailure(t *testing.T) {
	for _, away := range []error{fmt.Errorf("reading: %w", sallyport.ErrUnavailable), errors.New("something else")} {
		f := newFixture(t, []Route{appRoute(func(r *Route) { r.Public = []string{"/public"} })})
		f.grantFor("alice")
		f.sessions.away = away
		res := f.do("GET", "/", "alice", header("Accept", "text/html"))
		if res.StatusCode != 503 || !strings.HasPrefix(bodyOf(t, res), "SP-9002") || len(f.requests()) != 0 {
			t.Errorf("%v: status %d", away, res.StatusCode)
		}
		if res := f.do("GET", "/public", "alice"); res.StatusCode != 200 {
			t.Errorf("%v: public path: status %d", away, res.StatusCode)
		}
		if u := f.one().header["X-Sallyport-User"]; u != nil {
			t.Errorf("the app was told %q", u)
		}
	}
}

func TestPublicPathsSayWhoAsksOnlyWhereThatPersonMayEnter(t *testing.T) {
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Public = []string{"/public"}; r.Allow.Groups = []string{"local:staff"} })})
	f.grantFor("alice")
	f.grantFor("mallory", func(g *sallyport.Grant) { g.Session.Groups = nil })
	f.grantFor("half", func(g *sallyport.Grant) { g.Token.Proofs = g.Token.Proofs[:1] })
	for token, want := range map[string]string{"alice": "alice", "mallory": "", "half": "", "": ""} {
		f.do("GET", "/public", token)
		if got := f.one().header.Get("X-Sallyport-User"); got != want {
			t.Errorf("%q: the app was told %q", token, got)
		}
	}
	loads := f.sessions.loads
	f.do("GET", "/public", "", header("Cookie", "a=1"))
	if f.sessions.loads != loads {
		t.Error("a session was looked up for a public path without our cookie")
	}
}

func TestDenied(t *testing.T) {
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Allow = Allow{Groups: []string{"local:staff"}, Users: []string{"Carol@Example.com"}} })})
	f.grantFor("mallory", func(g *sallyport.Grant) { g.Session.Groups = []string{"local:guests"} })
	f.grantFor("carol", func(g *sallyport.Grant) { g.Session.Groups = nil; g.User.Email = "carol@example.COM" })
	f.grantFor("gone", func(g *sallyport.Grant) { g.User.SignInDisabled = true })
	f.grantFor("ghost", func(g *sallyport.Grant) { g.Token.Proofs = nil })
	for token, want := range map[string]string{"mallory": "403 SP-4001", "gone": "403 SP-4003", "carol": "200 the app", "ghost": "401 {"} {
		res := f.do("GET", "/", token)
		if got := fmt.Sprintf("%d %s", res.StatusCode, bodyOf(t, res)); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", token, got, want)
		}
	}
}

// A decision is remembered only for the facts it was made with.
func TestDecisionFollowsAddressAndDevice(t *testing.T) {
	addresses, err := policy.NewAddresses([]string{"127.0.0.0/8"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	p := newFixture(t, []Route{appRoute()}, func(o *Options) { o.Addresses = addresses }).proxy
	m, err := p.routes.host("app.test").match("/")
	if err != nil {
		t.Fatal(err)
	}
	g := newGrant("bob", func(g *sallyport.Grant) {
		g.Token.Proofs = g.Token.Proofs[:1]
		g.RememberedUntil = now.Add(time.Hour)
	})
	at := func(when time.Time, class policy.AddressClass) string {
		x := &exchange{}
		x.info.Start = when
		d := p.decide(x, g, m.route, class)
		return d.Effect.String() + " " + d.Skipped + " " + d.Reasons[len(d.Reasons)-1].Detail
	}
	for range 2 {
		if got := at(now, policy.AddressClass{}); got != "allow remembered-device " {
			t.Errorf("remembered: %q", got)
		}
		if got := at(now.Add(2*time.Hour), policy.AddressClass{}); got != "require  " {
			t.Errorf("the device is no longer remembered: %q", got)
		}
		if got := at(now.Add(2*time.Hour), policy.AddressClass{Trusted: true, Location: "hq"}); got != "allow trusted-address hq" {
			t.Errorf("trusted: %q", got)
		}
		if got := at(now.Add(2*time.Hour), policy.AddressClass{Trusted: true, Location: "lab"}); got != "allow trusted-address lab" {
			t.Errorf("trusted elsewhere: %q", got)
		}
	}
	// A reload brings new rules; what the last generation remembered is void.
	strict := newFixture(t, []Route{appRoute(func(r *Route) { r.Allow.Groups = []string{"local:nobody"} })}).proxy
	rt := strict.routes.host("app.test").find("/")
	x := &exchange{}
	x.info.Start = now
	if d := strict.decide(x, g, rt, policy.AddressClass{}); d.Effect != policy.Deny {
		t.Errorf("after the reload: %v", d)
	}
	if m, _ := g.Memo.Load().(*grantMemo); m.owner != strict {
		t.Error("the grant still keeps the last generation alive")
	}
}

// Unknown hosts and paths say which it was.
func TestNotFound(t *testing.T) {
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Path = "/app" })})
	for target, want := range map[string]string{"/": "404 SP-9005", "/apple": "404 SP-9005", "/app": "401 {", "/APP/x": "401 {"} {
		res := f.do("GET", target, "")
		if got := fmt.Sprintf("%d %s", res.StatusCode, bodyOf(t, res)); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
	res := f.do("GET", "/", "", func(r *http.Request) { r.Host = "other.test" })
	if got := fmt.Sprintf("%d %s", res.StatusCode, bodyOf(t, res)); !strings.HasPrefix(got, "421 SP-9004") {
		t.Errorf("other host: %q", got)
	}
}

// Return targets: only https addresses of configured routes and the portal.
func TestTarget(t *testing.T) {
	routes := append(pathRoutes(), Route{Name: "wild", Hosts: []string{"*.wild.test"}}, Route{Name: "port", Hosts: []string{"port.test:8443"}})
	p := newFixture(t, routes).proxy
	for raw, want := range map[string]string{
		"https://app.test/x": "app", "https://APP.test.:443/payroll/x?y#z": "payroll", "https://app.test": "app", "https://a.wild.test/": "wild",
		"https://port.test:8443/": "port", "https://app.test/favicon.ico": "app public", "https://login.test/.sallyport/security-info": "",
		"http://app.test/": "-", "//app.test/": "-", "https:app.test": "-", "https:///app.test": "-", "https://app.test:8443/": "-", "https://port.test/": "-", "https://port.test:443/": "-",
		"https://u@app.test/": "-", "https://app.test@evil.test/": "-", "https://evil-app.test/": "-", "https://app.test.evil.test/": "-", "https://wild.test/": "-", "https://a.b.wild.test/": "-",
		`https://app.test\@evil.test/`: "-", "https://app.test/../x": "-", "https://app.test//evil.test": "-", "https://app.test/%2f%2fevil.test": "-", "https://app.test/.sallyport/logout": "-",
		"https://app.test/.Sallyport;x/logout": "-", "https://login.test:8443/": "-", "javascript:alert(1)": "-", "/x": "-", "": "-", "https://[::1]/": "-", "https://login.test/a/../b": "-",
		"https://app.test/payroll;x": "-",
	} {
		got := "-"
		if u, err := url.Parse(raw); err == nil {
			if target, name, ok := p.Target(u); ok {
				got = name
				if target.Public {
					got += " public"
				}
				if name != "" && target.Route != name {
					t.Errorf("%s: target of %q, name %q", raw, target.Route, name)
				}
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
	if _, _, ok := p.Target(nil); ok {
		t.Error("nil is no target")
	}
	if target, _, _ := p.Target(&url.URL{Scheme: "https", Host: "app.test", Path: "/payroll"}); len(target.Groups) != 1 {
		t.Errorf("target %+v", target)
	}
}

// The portal's port is the public port of hosts that name none.
func TestPublicPort(t *testing.T) {
	f := newFixture(t, []Route{appRoute()}, func(o *Options) { o.Portal = "https://login.test:8443" })
	f.do("GET", "/x", "", header("Accept", "text/html"))
	if got := f.challenges.back[0]; got != "GET app.test:8443/x" {
		t.Errorf("return target %q", got)
	}
	u, _ := url.Parse("https://app.test:8443/x")
	if _, _, ok := f.proxy.Target(u); !ok {
		t.Error("the address with the public port is refused")
	}
	u.Host = "app.test"
	if _, _, ok := f.proxy.Target(u); ok {
		t.Error("the address without it is accepted")
	}
}
