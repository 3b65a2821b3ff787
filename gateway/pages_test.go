package gateway_test

import (
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"sallyport"
	"sallyport/sallyporttest"
	"sallyport/web/webtest"
)

// pages judges each page that a person of one language meets.
type pages struct {
	t       *testing.T
	g       *sallyporttest.Gateway
	b       *sallyporttest.Browser
	lang    string
	allowed []string // names and the like, which have no translation
}

// look fails where the page is not what it should be: status, code, language,
// text without translation, the standard autocomplete values, a script that the
// page could not do without.
func (p *pages) look(name string, page *sallyporttest.Page, status int, code sallyport.Code) *sallyporttest.Page {
	p.t.Helper()
	if page.Status != status || page.ErrorCode() != code {
		p.t.Errorf("%s: %d %s, want %d %s:\n%s", name, page.Status, page.ErrorCode(), status, code, page.Text())
	}
	if !strings.Contains(page.Body, `<html lang="`+p.lang+`">`) {
		p.t.Errorf("%s: the page is not in %s", name, p.lang)
	}
	id := page.Header.Get("X-Sallyport-Correlation")
	if id == "" || code != "" && !strings.Contains(page.Body, id) {
		p.t.Errorf("%s: the correlation ID %q is not on the page", name, id)
	}
	if p.lang == "ja" {
		p.t.Run(name, func(t *testing.T) { webtest.Japanese(t, page.Body, append(p.allowed, id, "TOTP")...) })
	}
	p.fields(name, page)
	return page
}

func (p *pages) fields(name string, page *sallyporttest.Page) {
	p.t.Helper()
	want := map[string]string{"username": "username", "password": "current-password", "code": "one-time-code", "name": "off"}
	doc, err := html.Parse(strings.NewReader(page.Body))
	if err != nil {
		p.t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != "input" {
			continue
		}
		a := map[string]string{}
		for _, at := range n.Attr {
			a[at.Key] = at.Val
		}
		if typ := a["type"]; typ == "hidden" || typ == "checkbox" || typ == "radio" {
			continue
		}
		if w := want[a["name"]]; w == "" || a["autocomplete"] != w {
			p.t.Errorf("%s: field %q has autocomplete %q, want %q", name, a["name"], a["autocomplete"], w)
		}
	}
}

const pageRoutes = `
  - name: app
    label: 勤怠
    hosts: [app.localhost]
    upstream: "{upstream}"
  - name: denied
    label: 勤怠
    hosts: [denied.localhost]
    upstream: "{upstream}"
    allow: {users: [somebody-else]}
  - name: down
    label: 勤怠
    hosts: [down.localhost]
    upstream: "http://{down}"
  - name: ill
    label: 勤怠
    hosts: [ill.localhost]
    upstream: "{upstream}"
    health: {path: /health, interval: 1s}
  - name: slow
    label: 勤怠
    hosts: [slow.localhost]
    upstream: "{upstream}"
    timeouts: {response_header: 200ms}
  - name: maintenance
    label: 勤怠
    hosts: [maintenance.localhost]
    upstream: "{upstream}"
    maintenance: true
`

// Each page that an employee may meet, in both languages, out of the assembled
// gateway.
func TestEveryPageInBothLanguages(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		case "/health":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			sallyporttest.Echo().ServeHTTP(w, r)
		}
	})
	g := sallyporttest.New(t, sallyporttest.Options{Upstream: app, Routes: strings.ReplaceAll(pageRoutes, "{down}", down)})
	for _, lang := range []string{"en", "ja"} {
		t.Run(lang, func(t *testing.T) {
			name := "alice-" + lang
			g.AddUser(name, password, sallyport.StateEnabled)
			p := &pages{t: t, g: g, lang: lang, allowed: []string{name + "@example.com", name, strings.ToUpper(name[:1]) + name[1:],
				"Test Corp", "app.localhost", "login.localhost", "Chrome", "Linux"}}
			p.b = p.browser()
			secret := p.firstDay(name)
			p.secondDay(name, secret)
			p.refusals(name)
		})
	}
}

func (p *pages) browser() *sallyporttest.Browser {
	b := p.g.Browser()
	b.Header.Set("Accept-Language", p.lang)
	return b
}

// firstDay is a sign-in with registration.
func (p *pages) firstDay(name string) (secret string) {
	home := p.g.URL(sallyporttest.App, "/")
	page := p.look("sign-in", p.b.Get(home), 200, "")
	page = p.look("wrong password", page.Form("password").Submit("username", name, "password", "x"), 403, sallyport.CodeSignInFailed)
	page = page.Form("password").Submit("username", name, "password", password)
	secret = page.Secret()
	p.allowed = append(p.allowed, secret, regexp.MustCompile(`.{4}`).ReplaceAllString(secret, "$0 ")[:len(secret)/4*5-1])
	p.look("register", page, 200, "")
	p.look("register, no code", page.Form("code").Submit("code", "1"), 422, sallyport.CodeRegistrationCode)
	p.look("register, wrong code", page.Form("code").Submit("code", "000000"), 403, sallyport.CodeRegistrationCode)
	page = page.Form("code").Submit("code", sallyporttest.Code(p.t, secret, p.g.Clock.Now()))
	p.allowed = append(p.allowed, page.RecoveryCodes()...)
	page = p.look("recovery codes", page, 200, "")
	p.look("registered", page.Form("flow").Submit(), 200, "").Continue().Echoed()
	return secret
}

// secondDay is a verification, security info, and signing out.
func (p *pages) secondDay(name, secret string) {
	home := p.g.URL(sallyporttest.App, "/")
	p.b = p.browser()
	p.g.Clock.Advance(31 * time.Second)
	page := p.look("verify", p.b.SignIn(home, name, password), 200, "")
	p.look("verify, no code", page.Form("code").Submit("code", "1"), 422, sallyport.CodeWrongCode)
	p.look("verify, wrong code", page.Form("code").Submit("code", "000000"), 403, sallyport.CodeWrongCode)
	for _, l := range page.Links() {
		if strings.Contains(l, "method=recovery") {
			u, err := page.URL.Parse(l)
			if err != nil {
				p.t.Fatal(err)
			}
			p.look("verify by recovery code", page.Follow(u.String()), 200, "")
		}
	}
	page.Verify(secret).Echoed()
	p.look("security info", p.b.Get(p.g.URL(sallyporttest.Portal, "/.sallyport/security-info")), 200, "")
	p.look("home", p.b.Get(p.g.URL(sallyporttest.Portal, "/")), 200, "")
	page = p.look("sign out", p.b.Get(p.g.URL(sallyporttest.Portal, "/.sallyport/sign-out")), 200, "")
	p.look("signed out", page.Form("csrf").Submit(), 200, "")
}

// refusals are the pages of errors, for a person who is signed in.
func (p *pages) refusals(name string) {
	g := p.g
	if _, err := g.Users().SetState(p.t.Context(), name, sallyport.StateDisabled); err != nil {
		p.t.Fatal(err)
	}
	p.b = p.browser()
	p.b.SignIn(g.URL(sallyporttest.App, "/"), name, password).Echoed()
	sallyporttest.Eventually(p.t, 10*time.Second, "the unhealthy app is noticed", func() bool {
		return p.b.Get(g.URL("ill.localhost", "/")).Status == http.StatusServiceUnavailable
	})
	for _, c := range []struct {
		name, address string
		status        int
		code          sallyport.Code
	}{
		{"denied", g.URL("denied.localhost", "/"), 403, sallyport.CodeNotAllowed},
		{"not found", g.URL(sallyporttest.Portal, "/nothing/here"), 404, sallyport.CodeNotFound},
		{"not found on an app's host", g.URL(sallyporttest.App, "/.sallyport/nothing"), 404, sallyport.CodeNotFound},
		{"502", g.URL("down.localhost", "/"), 502, sallyport.CodeUpstreamUnreachable},
		{"503", g.URL("ill.localhost", "/"), 503, sallyport.CodeUpstreamDown},
		{"504", g.URL("slow.localhost", "/slow"), 504, sallyport.CodeUpstreamTimeout},
		{"maintenance", g.URL("maintenance.localhost", "/"), 503, sallyport.CodeMaintenance},
		{"bad request", g.URL(sallyporttest.App, "/a%00b"), 400, sallyport.CodeBadRequest},
		{"bad return", g.URL(sallyporttest.Portal, "/.sallyport/sign-in?return=https%3A%2F%2Fevil.example%2F"), 400, sallyport.CodeBadReturn},
	} {
		p.look(c.name, p.b.Get(c.address), c.status, c.code)
	}
	// A host of nobody, which only a request that is made up can name.
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, g.URL(sallyporttest.App, "/"), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Host, req.Header = "nobody.localhost", p.b.Header.Clone()
	resp, err := p.b.Client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	p.look("421", &sallyporttest.Page{Status: resp.StatusCode, URL: req.URL, Header: resp.Header, Body: string(text)}, 421, sallyport.CodeMisdirected)
}
