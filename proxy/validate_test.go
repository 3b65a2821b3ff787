package proxy

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"sallyport/proxy/upstream"
)

func good(change func(*Route)) Route {
	r := Route{Name: "app", Hosts: []string{"app.test"}, Path: "/", Config: upstream.Config{Upstream: upstream.Addresses{"http://127.0.0.1:8080"}}}
	if change != nil {
		change(&r)
	}
	return r
}

// C8: a malformed rule refuses the whole config, and says where and why; nothing
// is skipped with a warning.
func TestC8Faults(t *testing.T) {
	for _, c := range []struct {
		name   string
		routes []Route
		want   string // "path: part of the message"
	}{
		{"no name", []Route{good(func(r *Route) { r.Name = "" })}, "routes[0].name: has no name"},
		{"bad name", []Route{good(func(r *Route) { r.Name = "a b" })}, "routes[0].name: not a usable name"},
		{"same name", []Route{good(nil), good(func(r *Route) { r.Hosts = []string{"b.test"} })}, "routes[1].name: routes[0] is called"},
		{"no host", []Route{good(func(r *Route) { r.Hosts = nil })}, "routes[0].hosts: no host"},
		{"scheme in host", []Route{good(func(r *Route) { r.Hosts = []string{"https://app.test"} })}, "routes[0].hosts[0]: not a usable host"},
		{"path in host", []Route{good(func(r *Route) { r.Hosts = []string{"app.test", "b.test/x"} })}, "routes[0].hosts[1]: not a usable host"},
		{"non-ASCII host", []Route{good(func(r *Route) { r.Hosts = []string{"äpp.test"} })}, "routes[0].hosts[0]: not a usable host"},
		{"dot at the end", []Route{good(func(r *Route) { r.Hosts = []string{"app.test."} })}, "routes[0].hosts[0]: not a usable host"},
		{"inner wildcard", []Route{good(func(r *Route) { r.Hosts = []string{"a.*.test"} })}, "routes[0].hosts[0]: not a usable host"},
		{"half wildcard", []Route{good(func(r *Route) { r.Hosts = []string{"a*.test.example"} })}, "routes[0].hosts[0]: not a usable host"},
		{"too wide a wildcard", []Route{good(func(r *Route) { r.Hosts = []string{"*.com"} })}, "routes[0].hosts[0]: not a usable host"},
		{"bare wildcard", []Route{good(func(r *Route) { r.Hosts = []string{"*"} })}, "routes[0].hosts[0]: not a usable host"},
		{"the portal", []Route{good(func(r *Route) { r.Hosts = []string{"Login.test"} })}, "routes[0].hosts[0]: portal"},
		{"host twice", []Route{good(func(r *Route) { r.Hosts = []string{"app.test", "APP.test"} })}, "routes[0].hosts[1]: twice"},
		{"same place", []Route{good(nil), good(func(r *Route) { r.Name = "b"; r.Hosts = []string{"APP.test"} })}, "routes[1].hosts[0]: same host and path"},
		{"same place by case", []Route{good(func(r *Route) { r.Path = "/App" }), good(func(r *Route) { r.Name = "b"; r.Path = "/app/" })}, "routes[1].hosts[0]: same host and path"},
		{"two ports", []Route{good(func(r *Route) { r.Hosts = []string{"app.test:1"} }), good(func(r *Route) { r.Name = "b"; r.Path = "/b" })}, "routes[1].hosts[0]: different ports"},
		{"relative path", []Route{good(func(r *Route) { r.Path = "app" })}, "routes[0].path: not a path"},
		{"dot segment", []Route{good(func(r *Route) { r.Path = "/a/../b" })}, "routes[0].path: different ways"},
		{"trailing dot", []Route{good(func(r *Route) { r.Path = "/a./b" })}, "routes[0].path: different ways"},
		{"empty segment", []Route{good(func(r *Route) { r.Path = "/a//b" })}, "routes[0].path: empty segment"},
		{"escape", []Route{good(func(r *Route) { r.Path = "/a%20b" })}, "routes[0].path: %"},
		{"query", []Route{good(func(r *Route) { r.Path = "/a?b" })}, "routes[0].path: ?"},
		{"star", []Route{good(func(r *Route) { r.Public = []string{"/assets/*"} })}, "routes[0].public[0]: *"},
		{"control", []Route{good(func(r *Route) { r.Path = "/a\tb" })}, "routes[0].path: control"},
		{"reserved", []Route{good(func(r *Route) { r.Path = "/.Sallyport/x" })}, "routes[0].path: own pages"},
		{"public outside", []Route{good(func(r *Route) { r.Path = "/app"; r.Public = []string{"/assets"} })}, "routes[0].public[0]: not within"},
		{"public covered", []Route{good(func(r *Route) { r.Public = []string{"/assets/", "/Assets/x"} })}, "routes[0].public[1]: covered"},
		{"public twice", []Route{good(func(r *Route) { r.Public = []string{"/a", "/A"} })}, "routes[0].public[1]: covered"},
		{"public of another", []Route{good(func(r *Route) { r.Public = []string{"/b/assets"} }), good(func(r *Route) { r.Name = "b"; r.Path = "/b" })}, "routes[0].public[0]: belongs to the route"},
		{"bad user", []Route{good(func(r *Route) { r.Allow.Users = []string{" "} })}, "routes[0].allow.users[0]: not a usable name"},
		{"empty group", []Route{good(func(r *Route) { r.Allow.Groups = []string{""} })}, "routes[0].allow.groups[0]: no name"},
		{"no upstream", []Route{good(func(r *Route) { r.Upstream = nil })}, "routes[0].upstream: no upstream"},
		{"upstream scheme", []Route{good(func(r *Route) { r.Upstream = upstream.Addresses{"ftp://x"} })}, "routes[0].upstream: http://"},
		{"unknown fact", []Route{good(func(r *Route) { r.Identity.Headers = map[string]string{"X-A": "mail"} })}, "routes[0].identity.headers.X-A: not a fact"},
		{"not a header", []Route{good(func(r *Route) { r.Identity.Headers = map[string]string{"X A": "email"} })}, "routes[0].identity.headers.X A: not a header name"},
		{"two as one", []Route{good(func(r *Route) { r.Identity.Headers = map[string]string{"X-A": "email", "x_a": "name"} })}, "routes[0].identity.headers.x_a: one header to many apps"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, part, _ := strings.Cut(c.want, ": ")
			faults := Validate(c.routes, "https://login.test")
			for _, f := range faults {
				if f.Path == path && strings.Contains(f.Msg, part) {
					if f.Hint == "" {
						t.Error("it has no hint")
					}
					return
				}
			}
			t.Errorf("want %s, got:\n%v", c.want, faults)
		})
	}
	for _, name := range []string{"Host", "cookie", "AUTHORIZATION", "Connection", "X-Forwarded-User", "Forwarded", "X-Sallyport-User", "x_sallyport_x", "Content-Length", "Transfer_Encoding", "Sec-Fetch-Mode", "Accept", "Upgrade", "Te"} {
		faults := Validate([]Route{good(func(r *Route) { r.Identity.Headers = map[string]string{name: "email"} })}, "https://login.test")
		if len(faults) != 1 || faults[0].Path != "routes[0].identity.headers."+name {
			t.Errorf("%s: %v", name, faults)
		}
	}
	if faults := Validate(nil, "http://login.test/x"); len(faults) != 1 || faults[0].Path != "server.portal" {
		t.Errorf("portal: %v", faults)
	}
}

func TestValidRoutes(t *testing.T) {
	routes := []Route{
		good(func(r *Route) { r.Public = []string{"/favicon.ico", "/assets/", "/日本/x"} }),
		good(func(r *Route) { r.Name = "b"; r.Path = "/b" }),
		good(func(r *Route) { r.Name = "c"; r.CaseSensitive = true; r.Path = "/B" }),
		good(func(r *Route) {
			r.Name = "d"
			r.Hosts = []string{"*.wild.test", "[2001:db8::1]", "192.0.2.1", "*.localhost", "other.test:8443"}
		}),
		good(func(r *Route) { r.Name = "e"; r.Path = ""; r.Hosts = []string{"a.wild.test"} }),
		good(func(r *Route) {
			r.Name = "f"
			r.Hosts = []string{"f.test"}
			r.Identity.Headers = map[string]string{"X-Remote-User": "username", "Remote_User": "user_id"}
		}),
	}
	if faults := Validate(routes, "https://login.test:8443"); len(faults) > 0 {
		t.Errorf("%v", faults)
	}
}

// C7: a part that is missing refuses the start.
func TestC7MissingParts(t *testing.T) {
	h := http.NotFoundHandler()
	full := Options{
		Routes: []Route{good(nil)}, Portal: "https://login.test", PortalHandler: h, Reserved: h, Sessions: &memorySessions{},
		Challenger: &challenges{}, Pages: textPages{}, Keys: NewKeys(&memoryKeys{}, KeyOptions{}), Log: slog.New(slog.DiscardHandler),
	}
	if _, err := New(full); err != nil {
		t.Fatal(err)
	}
	for name, drop := range map[string]func(*Options){
		"Portal": func(o *Options) { o.Portal = "" }, "PortalHandler": func(o *Options) { o.PortalHandler = nil }, "Reserved": func(o *Options) { o.Reserved = nil },
		"Sessions": func(o *Options) { o.Sessions = nil }, "Challenger": func(o *Options) { o.Challenger = nil }, "Pages": func(o *Options) { o.Pages = nil },
		"Keys": func(o *Options) { o.Keys = nil }, "Log": func(o *Options) { o.Log = nil },
	} {
		o := full
		drop(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	o := full
	o.Routes = []Route{good(nil), good(func(r *Route) { r.Name = "b"; r.Path = "/b"; r.UpstreamTLS.CAFile = "missing.pem" })}
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "routes[1].upstream_tls.ca_file") {
		t.Errorf("missing CA file: %v", err)
	}
	o.Routes = []Route{good(func(r *Route) { r.Path = "x" })}
	if _, err := New(o); err == nil {
		t.Error("New takes what Validate refuses")
	}
}
