package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"sallyport/web"
	"sallyport/web/webtest"
)

func TestPageHeaders(t *testing.T) {
	u := newUI(t, web.Config{}, `<h1>x</h1>`)
	w := draw(t, u, request("/p"), web.Page{Status: http.StatusTeapot, FormAction: []string{"https://app.example.com:8443"}})
	if w.Code != http.StatusTeapot {
		t.Errorf("status %d", w.Code)
	}
	for name, want := range map[string]string{
		"Content-Type":                 "text/html; charset=utf-8",
		"Cache-Control":                "no-store",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "same-origin",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Content-Language":             "en",
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; " +
			"form-action 'self' https://app.example.com:8443; frame-ancestors 'none'; base-uri 'none'",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if w.Header().Get("Permissions-Policy") == "" {
		t.Error("no Permissions-Policy")
	}
	contains(t, w.Body.String(), `<html lang="en">`, "<title>Continue · Sallyport</title>", `<main id="main"`)
}

// TestFormActionCannotWidenThePolicy (H1): a return origin that carries more than
// an origin would add directives, or sources, to the page's policy.
func TestFormActionCannotWidenThePolicy(t *testing.T) {
	u := newUI(t, web.Config{}, `x`)
	for _, o := range []string{"*", "https:", "https://a.example; script-src *", "https://a.example 'unsafe-inline'", "javascript:x",
		"https://a.example\r\nX-Evil: 1", "https://a.example/path", "https://user@a.example", "https://", "'none'", ""} {
		csp := draw(t, u, request("/"), web.Page{FormAction: []string{o}}).Header().Get("Content-Security-Policy")
		if !strings.Contains(csp, "form-action 'self';") || strings.Contains(csp, "unsafe") || strings.ContainsAny(csp, "\r\n*") {
			t.Errorf("%q made the policy %s", o, csp)
		}
	}
}

// TestNoHalfPages: a template that fails half-way leaves the answer untouched.
func TestNoHalfPages(t *testing.T) {
	u := newUI(t, web.Config{}, `<h1>before</h1>{{.Missing.Field}}`)
	w := httptest.NewRecorder()
	err := u.Render(w, request("/?lng=ja"), web.Page{Template: "test/page", TitleKey: "web.continue", Data: map[string]any{}})
	if err == nil || w.Body.Len() > 0 || len(w.Header()) > 0 {
		t.Errorf("got %v, %d bytes, headers %v; want an error and nothing written", err, w.Body.Len(), w.Header())
	}
	for _, p := range []web.Page{{Template: "test/nothing", TitleKey: "web.continue"}, {Template: "web/error", TitleKey: "no.such"}} {
		if err := u.Render(w, request("/"), p); err == nil || w.Body.Len() > 0 {
			t.Errorf("%+v: got %v, %d bytes", p, err, w.Body.Len())
		}
	}
}

func TestHeadHasNoBody(t *testing.T) {
	r := request("/")
	r.Method = http.MethodHead
	if w := draw(t, newUI(t, web.Config{}, `x`), r, web.Page{}); w.Body.Len() != 0 || w.Code != http.StatusOK {
		t.Errorf("%d with %d bytes", w.Code, w.Body.Len())
	}
}

// TestHostileNames (H5): names with markup in them, in every place where a page
// shows something that a person typed.
func TestHostileNames(t *testing.T) {
	u := newUI(t, web.Config{Name: `<evil>"' Corp`, SupportText: `<script>alert(1)</script>`}, `<h1>{{.}}</h1>
<a href="{{.}}" title="{{.}}">x</a>
{{field "Name" "username" "Label" . "Value" . "Help" . "Error" . "Class" . "Pattern" . "Autocomplete" .}}
{{field "Name" . "ID" . "Label" "x"}}
{{checkbox "Name" "c" "Label" . "Value" . "Help" .}}
{{alert "error" .}}{{steps 1 . .}}{{copyable "Text" . "Value" . "Label" . "Class" . "ID" .}}
{{t "test.hello" "Name" .}}<p title="{{t "test.hello" "Name" .}}">{{support}} {{brand}}</p>`, `hello = "Hello {{.Name}}"`)
	for _, name := range webtest.Hostile() {
		w := draw(t, u, request("/?"+"flow=%22%3E%3Cevil%3E"), web.Page{Data: name, User: name, CSRF: name, TitleKey: "test.hello", TitleArgs: map[string]any{"Name": name}})
		webtest.Inert(t, w.Body.String())
		if strings.Contains(name, "{{") && strings.Count(w.Body.String(), "{{t ") == 0 {
			t.Errorf("%q was run as a template", name)
		}
	}
}

// TestMisspeltFieldsAreErrors: an argument that a component does not know must
// not vanish, or an error would not be shown.
func TestMisspeltFieldsAreErrors(t *testing.T) {
	for _, tpl := range []string{`{{field "Name" "x" "Label" "x" "Eror" "wrong"}}`, `{{field "Name"}}`, `{{field "Name" 3}}`, `{{field 1 2}}`,
		`{{field "Maxlength" "9"}}`, `{{alert "bad" "x"}}`, `{{icon "none"}}`, `{{asset "none"}}`, `{{dict "a"}}`, `{{t "web.copy" "odd"}}`, `{{copyable "Txt" "x"}}`, `{{checkbox "Chekd" true}}`} {
		u := newUI(t, web.Config{}, tpl)
		if err := u.Render(httptest.NewRecorder(), request("/"), web.Page{Template: "test/page", TitleKey: "web.continue"}); err == nil {
			t.Errorf("%s was drawn", tpl)
		}
	}
}

func TestUnknownTextsAreFoundAtTheStart(t *testing.T) {
	for _, tpl := range []string{`{{t "no.such"}}`, `{{if .X}}{{range .Y}}{{alert "info" (t "no.such")}}{{end}}{{end}}`, `{{with .Z}}{{else}}{{t "no.such" "A" 1}}{{end}}`} {
		src := fstest.MapFS{"templates/p.html": {Data: []byte(`{{define "test/page"}}` + tpl + `{{end}}`)}}
		if _, err := web.New(web.Config{}, web.Options{}, src); err == nil || !strings.Contains(err.Error(), "no.such") {
			t.Errorf("%s: got %v", tpl, err)
		}
	}
}

func TestBadSourcesAreRefused(t *testing.T) {
	for name, src := range map[string]fstest.MapFS{
		"template":      {"templates/p.html": {Data: []byte(`{{define "x/y"}}{{if}}{{end}}`)}},
		"catalogue":     {"catalog/en.toml": {Data: []byte(`a = 1`)}},
		"text twice":    {"catalog/en.toml": {Data: []byte("[web]\ncopy = \"x\"")}},
		"not a plural":  {"catalog/en.toml": {Data: []byte("[a]\nother = \"x\"\nb = \"y\"")}},
		"text template": {"catalog/en.toml": {Data: []byte("[a]\nb = \"{{.x\"")}, "templates/p.html": {Data: []byte(`{{define "x/y"}}{{t "a.b"}}{{end}}`)}},
	} {
		if _, err := web.New(web.Config{}, web.Options{}, src); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSignOutNeedsBothUserAndToken(t *testing.T) {
	u := newUI(t, web.Config{}, `x`)
	with := draw(t, u, request("/"), web.Page{User: "Alice", CSRF: "tok"}).Body.String()
	contains(t, with, `action="/.sallyport/sign-out"`, `name="csrf" value="tok"`, "Alice")
	if s := draw(t, u, request("/"), web.Page{User: "Alice"}).Body.String(); strings.Contains(s, "sign-out") {
		t.Error("a sign-out form without its token")
	}
}
