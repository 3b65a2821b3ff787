package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sallyport"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
	"sallyport/web"
	"sallyport/web/webtest"
)

const correlation = "01890000-0000-7000-8000-000000000000"

func fail(u *web.UI, r *http.Request, e *httperr.Error) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	u.Error(w, r, e)
	return w
}

func TestErrorPageOfEveryCode(t *testing.T) {
	u := newUI(t, web.Config{Name: "Sallyport"}, "")
	seen := map[string]bool{}
	for _, code := range web.ErrorCodes() {
		for _, lang := range []string{"en", "ja"} {
			e := &httperr.Error{Status: http.StatusServiceUnavailable, Code: code, RetryAfter: 7, Cause: errors.New("dial tcp 10.0.0.5: secret cause")}
			w := fail(u, request("/?lng="+lang), e)
			body := w.Body.String()
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "7" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d, %v", code, w.Code, w.Header())
			}
			contains(t, body, `<html lang="`+lang+`">`, "<output>"+string(code)+"</output>", "<output>"+correlation+"</output>", `href="`+portal+`/"`, "7")
			if strings.Contains(body, "secret cause") || strings.Contains(body, "10.0.0.5") {
				t.Errorf("%s: the cause is on the page", code)
			}
			if strings.Contains(body, "&lt;no value&gt;") || strings.Contains(body, "SP-9001") && code != sallyport.CodeInternal {
				t.Errorf("%s: has no text of its own", code)
			}
			if lang == "ja" {
				webtest.Japanese(t, body, correlation)
			}
			seen[body[strings.Index(body, "<h1>"):strings.Index(body, "</h1>")]] = true
		}
	}
	if len(seen) < 70 {
		t.Errorf("only %d different titles", len(seen))
	}
}

func TestProgramsGetProblems(t *testing.T) {
	u := newUI(t, web.Config{}, "")
	for _, accept := range []string{"", "*/*", "application/json", "text/html;q=0", "text/*", "TEXT/HTML; q=0.0, */*"} {
		r := request("/", "Accept", accept)
		w := fail(u, r, &httperr.Error{Status: 403, Code: sallyport.CodeNotAllowed, Cause: errors.New("secret cause")})
		var p map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatalf("Accept %q: %v in %s", accept, err, w.Body)
		}
		want := map[string]any{"type": "about:blank", "title": "Forbidden", "status": 403.0, "code": "SP-4001", "correlation_id": correlation,
			"detail": "Your account may not open this application."}
		if w.Code != 403 || !equal(p, want) || w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("Accept %q: %d %v %v", accept, w.Code, p, w.Header())
		}
	}
	for _, accept := range []string{"text/html", "application/xhtml+xml;q=0.9", "image/png, TEXT/HTML;level=1;q=0.1"} {
		if got := fail(u, request("/", "Accept", accept), httperr.New(404, sallyport.CodeNotFound, nil)).Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
			t.Errorf("Accept %q gave %s", accept, got)
		}
	}
}

func TestErrorsThatShouldNotBe(t *testing.T) {
	u := newUI(t, web.Config{}, "")
	for name, e := range map[string]*httperr.Error{
		"nil":          nil,
		"no code":      {Status: 500},
		"unknown code": {Status: 500, Code: `SP-0000"><evil>`},
		"status 200":   {Status: 200, Code: sallyport.CodeInternal},
		"status 0":     {Code: sallyport.CodeInternal},
		"status 99999": {Status: 99999, Code: sallyport.CodeInternal},
	} {
		w := fail(u, request("/"), e)
		if w.Code != 500 {
			t.Errorf("%s: status %d", name, w.Code)
		}
		contains(t, w.Body.String(), "<output>SP-9001</output>")
		webtest.Inert(t, w.Body.String())
	}
}

// TestErrorForgetsTheHandlersHeaders: a length, encoding or location that the
// handler had set for its own answer would garble or redirect the error page.
func TestErrorForgetsTheHandlersHeaders(t *testing.T) {
	u := newUI(t, web.Config{}, "")
	w := httptest.NewRecorder()
	for name, v := range map[string]string{"Content-Length": "3", "Content-Encoding": "gzip", "Location": "https://evil.example/", "ETag": `"x"`,
		"Content-Disposition": "attachment", "Cache-Control": "public, max-age=99", "Content-Type": "image/png"} {
		w.Header().Set(name, v)
	}
	u.Error(w, request("/"), httperr.New(502, sallyport.CodeUpstreamUnreachable, nil))
	for _, name := range []string{"Content-Length", "Content-Encoding", "Location", "ETag", "Content-Disposition"} {
		if v := w.Header().Get(name); v != "" {
			t.Errorf("%s is still %q", name, v)
		}
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("headers %v", w.Header())
	}
}

// TestErrorPageRepeatsNothing (H5): path, query and headers of the request are
// not on the page as markup, whatever they are.
func TestErrorPageRepeatsNothing(t *testing.T) {
	u := newUI(t, web.Config{}, "")
	for _, s := range webtest.Hostile() {
		r := request("/", "User-Agent", "x")
		r.URL.Path, r.URL.RawQuery = "/"+s, s
		r.Host = s
		r = reqctx.With(r, &reqctx.Info{CorrelationID: s})
		webtest.Inert(t, fail(u, r, httperr.New(404, sallyport.CodeNotFound, errors.New(s))).Body.String())
	}
}

func TestTryAgainIsOfferedWhereItHelps(t *testing.T) {
	u := newUI(t, web.Config{}, "")
	for _, c := range []struct {
		verb   string
		status int
		want   bool
	}{{"GET", 502, true}, {"GET", 503, true}, {"GET", 429, true}, {"POST", 502, false}, {"GET", 403, false}, {"GET", 404, false}} {
		r := request("/")
		r.Method = c.verb
		if got := strings.Contains(fail(u, r, httperr.New(c.status, sallyport.CodeInternal, nil)).Body.String(), `href=""`); got != c.want {
			t.Errorf("%s %d: offered %v", c.verb, c.status, got)
		}
	}
}

// Home is the start page of the app on an app's host; but no page leads to itself,
// and a host that nobody knows has none.
func TestWhereErrorPagesLead(t *testing.T) {
	u := newUI(t, web.Config{}, "")
	for _, c := range []struct {
		host, path string
		code       sallyport.Code
		app        bool
	}{
		{"app.example.com", "/.sallyport/handoff", sallyport.CodeHandoff, true},
		{"app.example.com", "/", sallyport.CodeUpstreamUnreachable, false},
		{"login.example.com", "/x", sallyport.CodeNotFound, false},
		{"evil.example", "/x", sallyport.CodeMisdirected, false},
		{"", "/x", sallyport.CodeBadRequest, false},
	} {
		r := reqctx.With(request(c.path), &reqctx.Info{Host: c.host})
		body := fail(u, r, httperr.New(403, c.code, nil)).Body.String()
		want, not := `href="`+portal+`/"`, `href="/"`
		if c.app {
			want, not = not, want
		}
		contains(t, body, want)
		if strings.Contains(body, not) || c.app != strings.Contains(body, "start page of the app") {
			t.Errorf("%s%s leads elsewhere:\n%s", c.host, c.path, body)
		}
	}
}

type restart struct{ again string }

func (restart) Error() string   { return "secret cause" }
func (r restart) Again() string { return r.again }

// A cause that knows the way offers it first, and says nothing else.
func TestErrorPageStartsAnew(t *testing.T) {
	u := newUI(t, web.Config{}, "")
	cause := fmt.Errorf("refused: %w", restart{again: "/.sallyport/sign-in?return=https%3A%2F%2Fapp.example.com%2F&state=x"})
	body := fail(u, request("/"), httperr.New(503, sallyport.CodeProviderUnavailable, cause)).Body.String()
	contains(t, body, `<a class="button primary" href="/.sallyport/sign-in?return=https%3A%2F%2Fapp.example.com%2F&amp;state=x">Try again</a>`)
	if strings.Contains(body, `href=""`) || strings.Contains(body, "secret cause") {
		t.Error(body)
	}
}

// Long waits are told in minutes.
func TestRetryAfterInWords(t *testing.T) {
	u := newUI(t, web.Config{}, "")
	for seconds, want := range map[int]string{1: "wait 1 second before", 119: "wait 119 seconds", 120: "wait 2 minutes", 300: "wait 5 minutes", 301: "wait 6 minutes"} {
		e := &httperr.Error{Status: 503, Code: sallyport.CodeMaintenance, RetryAfter: seconds}
		contains(t, fail(u, request("/"), e).Body.String(), want)
	}
	e := &httperr.Error{Status: 503, Code: sallyport.CodeMaintenance, RetryAfter: 300}
	contains(t, fail(u, request("/?lng=ja"), e).Body.String(), "5分ほどお待ちください。")
}
