package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"sallyport"
	"sallyport/internal/parts"
	"sallyport/sallyporttest"
)

const errorRoutes = `
  - name: app
    hosts: [app.localhost]
    upstream: "{upstream}"
  - name: denied
    hosts: [denied.localhost]
    upstream: "{upstream}"
    allow: {users: [somebody-else], groups: [local:payroll]}
  - name: down
    hosts: [down.localhost]
    upstream: "http://%s"
  - name: slow
    hosts: [slow.localhost]
    upstream: "{upstream}"
    timeouts: {response_header: 200ms}
  - name: maintenance
    hosts: [maintenance.localhost]
    upstream: "{upstream}"
    maintenance: true
`

// Every error page that an employee may meet, in both languages.
func TestErrorPages(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return
		}
		app().ServeHTTP(w, r)
	})
	g := sallyporttest.New(t, sallyporttest.Options{Upstream: slow, Routes: fmt.Sprintf(errorRoutes, down)})
	hosts := []string{sallyporttest.App, sallyporttest.Portal, "denied.localhost", "down.localhost", "slow.localhost", "maintenance.localhost"}
	for lang, work := range map[string]view{"en": desk, "ja": phone} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			g.AddUser("alice-"+lang, password, sallyport.StateDisabled)
			b := chromium(t, []*sallyporttest.Gateway{g}, hosts, parts.WithLanguage(lang))
			p := newPerson(t, g, b, lang, work)
			p.open(g.URL(sallyporttest.App, "/"))
			p.signIn("alice-"+lang, password)
			for _, c := range []struct {
				name, address string
				status        int64
				code          string
			}{
				{"denied", g.URL("denied.localhost", "/salaries"), 403, "SP-4001"},
				{"not-found", g.URL(sallyporttest.Portal, "/nothing/here"), 404, "SP-9005"},
				{"not-found-app-host", g.URL(sallyporttest.App, "/.sallyport/nothing"), 404, "SP-9005"},
				{"unknown-site-421", "https://127.0.0.1:" + g.Port + "/", 421, "SP-9004"},
				{"upstream-down-502", g.URL("down.localhost", "/"), 502, "SP-7001"},
				{"upstream-slow-504", g.URL("slow.localhost", "/slow"), 504, "SP-7002"},
				{"maintenance", g.URL("maintenance.localhost", "/"), 503, "SP-7005"},
				{"bad-request", g.URL(sallyporttest.App, "/a%00b"), 400, "SP-9003"},
				{"bad-return", g.URL(sallyporttest.Portal, "/.sallyport/sign-in?return=https%3A%2F%2Fevil.example%2F"), 400, "SP-5005"},
				{"start-again", g.URL(sallyporttest.Portal, "/.sallyport/verify?flow=01a2020b-598e-7eff-9167-ae2cf3bfb0ba"), 410, "SP-5002"},
				{"hand-off-used", g.URL(sallyporttest.App, "/.sallyport/handoff?code=AAAA"), 403, "SP-5004"},
			} {
				if status := p.open(c.address); status != c.status {
					t.Errorf("%s answers %d, want %d", c.name, status, c.status)
				}
				p.contains(c.code)
				p.look("error-" + c.name)
			}
		})
	}
}
