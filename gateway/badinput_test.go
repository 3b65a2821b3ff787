package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sallyport"
	"sallyport/sallyporttest"
)

// ourPaths are the pages of the portal, with their addresses below /.sallyport/.
func ourPaths() []string {
	return []string{"/", "/.sallyport/sign-in", "/.sallyport/sign-in/local/start", "/.sallyport/sign-in/local/callback", "/.sallyport/sign-in/nobody/callback",
		"/.sallyport/verify", "/.sallyport/register", "/.sallyport/register/recovery-codes", "/.sallyport/register/recovery-codes/download",
		"/.sallyport/continue", "/.sallyport/sign-out", "/.sallyport/handoff", "/.sallyport/jwks.json", "/.sallyport/nothing", "/.sallyport/assets/nothing.css",
		"/.sallyport/security-info", "/.sallyport/security-info/add", "/.sallyport/security-info/rename", "/.sallyport/security-info/delete",
		"/.sallyport/security-info/recovery-codes", "/.sallyport/security-info/recovery-codes/download", "/.sallyport/security-info/forget-device",
		"/.sallyport/security-info/forget-devices", "/.sallyport/security-info/end-session", "/.sallyport/security-info/end-other-sessions",
		"/.sallyport/security-info/end-all-sessions"}
}

// garbage is what a broken or a hostile client may send in the place of a form.
func garbage() []body {
	const form, parts = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
	return []body{
		{form, ""}, {form, "%"}, {form, "csrf=%zz&flow=%00"}, {form, "csrf=\xff\xfe;flow"}, {form, "flow=a&flow=b"},
		{form, strings.Repeat("&", 3000)}, {form, strings.Repeat("=", 3000)}, {form, "csrf=" + strings.Repeat("a", 3000)},
		{form, "password=" + strings.Repeat("x", 5000)}, {form, strings.Repeat("a=b&", 100_000)},
		{parts, "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\ncut"}, {parts, "--x"}, {"multipart/form-data", "x"},
		{"application/json", `{"username":`}, {"application/json", strings.Repeat("[", 4000)}, {"\x7f", "x"}, {"", "\x00\x01\x02"}, {"text/plain", "csrf=a"},
	}
}

type body struct{ kind, text string }

// Garbage, cut and oversized forms on every page, from strangers and from somebody
// who is signed in, many at once: a plain refusal with a code and a correlation
// ID, nothing changed, and afterwards everything works.
func TestGarbageOnEveryPage(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{Server: "  limits: {form_bytes: 4096}\n"})
	g.AddUser("alice", password, sallyport.StateEnabled)
	member := g.Browser()
	secret, _, _ := member.SignIn(g.URL(sallyporttest.App, "/"), "alice", password).Register()
	before, err := g.Users().Show(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var sent, lost atomic.Int32
	for who, b := range map[string]*sallyporttest.Browser{"a stranger": g.Browser(), "alice": member} {
		wg.Go(func() {
			for _, path := range ourPaths() {
				for _, host := range []string{sallyporttest.Portal, sallyporttest.App} {
					if host == sallyporttest.App && (path == "/" || path == "/.sallyport/sign-out") {
						continue // the app's own, and a button that needs no form
					}
					for i, in := range garbage() {
						sent.Add(1)
						fault, answered := refused(b, g.URL(host, path), in)
						if !answered {
							lost.Add(1)
						} else if fault != "" {
							t.Errorf("%s, %s%s, form %d: %s", who, host, path, i, fault)
						}
					}
				}
			}
		})
	}
	wg.Wait()
	if lost.Load() > sent.Load()/20 {
		t.Errorf("%d of %d forms got no answer", lost.Load(), sent.Load())
	}
	if logged := g.Logged(); strings.Contains(logged, "panic") {
		t.Error("a handler panicked")
	}
	after, err := g.Users().Show(t.Context(), "alice")
	if err != nil || after.User.State != before.User.State || len(after.Methods) != len(before.Methods) {
		t.Errorf("alice was changed: %+v, %v", after, err)
	}
	member.Get(g.URL(sallyporttest.App, "/")).Echoed()
	g.Browser().SignIn(g.URL(sallyporttest.App, "/"), "alice", password).Verify(secret).Echoed()
}

// refused posts a body and says what is wrong with the answer, "" if nothing. Not
// answered: a server that has said no may close the connection on what still comes.
func refused(b *sallyporttest.Browser, address string, in body) (fault string, answered bool) {
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(in.text))
	if err != nil {
		return err.Error(), true
	}
	req.Header = b.Header.Clone()
	if in.kind != "\x7f" { // which no client can send
		req.Header.Set("Content-Type", in.kind)
	}
	resp, err := b.Client.Transport.RoundTrip(addCookies(b, req))
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", false
	}
	id := resp.Header.Get("X-Sallyport-Correlation")
	switch {
	case resp.StatusCode < 400 || resp.StatusCode > 499:
		return fmt.Sprintf("status %d", resp.StatusCode), true
	case strings.HasSuffix(address, "/jwks.json"):
		return "", true
	case id == "" || !strings.Contains(string(text), id):
		return fmt.Sprintf("%d without its correlation ID:\n%s", resp.StatusCode, text), true
	case !regexp.MustCompile(`SP-\d{4}`).Match(text):
		return fmt.Sprintf("%d without a code", resp.StatusCode), true
	}
	return "", true
}

func addCookies(b *sallyporttest.Browser, req *http.Request) *http.Request {
	for _, c := range b.Client.Jar.Cookies(req.URL) {
		req.AddCookie(c)
	}
	return req
}

// The limit of forms is the one that is written.
func TestFormLimitIsTheConfigured(t *testing.T) {
	for limit, want := range map[string]int{"4096": http.StatusRequestEntityTooLarge, "65536": http.StatusForbidden} {
		g := sallyporttest.New(t, sallyporttest.Options{Server: "  limits: {form_bytes: " + limit + "}\n"})
		f := g.Browser().Get(g.URL(sallyporttest.App, "/")).Form("password")
		p := f.Submit("username", "alice", "password", strings.Repeat("x", 200), "name", strings.Repeat("x", 5000))
		if p.Status != want {
			t.Errorf("a form of 5 KB under a limit of %s: %d, want %d", limit, p.Status, want)
		}
		if want == http.StatusRequestEntityTooLarge && p.ErrorCode() != sallyport.CodeTooLarge {
			t.Errorf("code %s", p.ErrorCode())
		}
	}
}

// Garbage in cookies and headers of a request to an app is refused or means
// nobody, and says so plainly; thousands at once cost no one else their session.
func TestGarbageHeaders(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	g.AddUser("alice", password, sallyport.StateDisabled)
	member := g.Browser()
	member.SignIn(g.URL(sallyporttest.App, "/"), "alice", password).Echoed()
	var wg sync.WaitGroup
	var answered atomic.Int32
	for name, values := range map[string][]string{
		"Cookie": {"__Host-sallyport=", "__Host-sallyport=%00", "__Host-sallyport=" + strings.Repeat("A", 30_000), strings.Repeat("__Host-sallyport=a; ", 1500),
			"__Host-sallyport-flow=x; __Host-sallyport-state=x; __Host-sallyport-lng=x; __Host-sallyport-device-x=x", "=;;=;\"", strings.Repeat(";", 30_000)},
		"Accept-Language": {strings.Repeat("ja,", 10_000), "\xff\xfe", ";q=;q=;", "ja-" + strings.Repeat("x-", 5000)},
		"Accept":          {strings.Repeat("text/html,", 3000) + "text/html", "text/html;q=NaN,text/html", "text/html;;;"},
		"X-Forwarded-For": {strings.Repeat("1.1.1.1,", 5000), "::::", "\xff"},
		"Forwarded":       {"for=\"[", strings.Repeat("for=x;", 5000)},
		"Origin":          {"null", "https://", "https://\xff", strings.Repeat("x", 30_000)},
		"Sec-Fetch-Site":  {"x", strings.Repeat("same-origin,", 1000)},
		"Authorization":   {"Basic", "Basic !!!", "Bearer " + strings.Repeat("a", 30_000)},
	} {
		for i, v := range values {
			wg.Go(func() {
				b := g.Browser()
				b.Header.Set(name, v)
				for _, address := range []string{g.URL(sallyporttest.App, "/"), g.URL(sallyporttest.Portal, "/.sallyport/sign-in"), g.URL(sallyporttest.Portal, "/.sallyport/security-info")} {
					p, err := b.Try(http.MethodGet, address, nil)
					if err != nil {
						continue // HTTP/2 itself refused it, as it does what is too large
					}
					answered.Add(1)
					if p.Status >= 500 || strings.Contains(p.Body, "X-Sallyport-User") {
						t.Errorf("%s %d, %s: %d\n%s", name, i, address, p.Status, p.Text())
					}
				}
			})
		}
	}
	wg.Wait()
	if answered.Load() < 60 {
		t.Errorf("only %d answers", answered.Load())
	}
	if strings.Contains(g.Logged(), "panic") {
		t.Error("a handler panicked")
	}
	member.Get(g.URL(sallyporttest.App, "/")).Echoed()
}
