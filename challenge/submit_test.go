package challenge_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/store/storetest"
)

// D2: an empty, partial, malformed or repeated submission never advances a flow,
// and what cannot be a code is not even counted.
func TestSubmissionsThatAdvanceNothing(t *testing.T) {
	w := newWorld(t)
	w.withApp(w.user("alice", sallyport.StateEnforced))
	b := w.browser()
	page := b.get(app+"/").want(200, "Sign in")
	page.submit().want(422, "Enter your user name", "Enter your password", "aria-describedby")
	page.submit("username", "alice").want(422, "Enter your password")
	page.submit("password", password).want(422, "Enter your user name")
	page.submit("username", "alice", "password", password, "provider", "nobody").want(400, "SP-9003")
	if n := len(w.events()); n != 0 {
		t.Errorf("%d events of submissions that tried nothing", n)
	}
	verify := page.submit("username", "alice", "password", password).want(200, "Confirm it’s you")
	for _, code := range []string{"", " ", "12345", "1234567", "abcdef", "12 34", strings.Repeat("1", 5000), "٠١٢٣٤٥", "\x00\x00"} {
		verify.submit("code", code).want(422, "Enter the 6 digits", "SP-2001", "Request ID")
	}
	verify.submit("code", "123456", "method", "password").want(422, "cannot be used")
	verify.submit("code", "123456", "method", "sms").want(422, "cannot be used")
	if n := w.count(audit.SignInVerify, audit.Failure); n != 0 {
		t.Errorf("%d attempts counted that were none", n)
	}
	// D16: two values of one field.
	to, form := verify.form()
	form["code"] = []string{"123456", "654321"}
	b.do(http.MethodPost, to, form).want(400, "SP-9003")
	// The query is not the form.
	form.Del("code")
	b.do(http.MethodPost, to+"&code=123456", form).want(422, "Enter the 6 digits")
}

// D2: two nodes that get the same right password, or the same right code of a
// registration, in the same moment move the flow on once.
func TestDoubleSubmitOnTwoNodes(t *testing.T) {
	file := storetest.NewFile(t)
	w := newWorld(t, func(s *setup) { s.file = file })
	other := w.node(file)
	w.user("alice", sallyport.StateEnabled)
	b := w.browser()
	page := b.get(app + "/")
	to, form := page.form()
	form.Set("username", "alice")
	form.Set("password", password)
	both := func(to string, form url.Values) {
		var wg sync.WaitGroup
		for _, node := range []*browser{b.on(w), b.on(other)} {
			wg.Go(func() { node.still().do(http.MethodPost, to, form).want(303) })
		}
		wg.Wait()
	}
	both(to, form)
	if n := w.count(audit.SignInPassword, audit.Success); n != 1 {
		t.Errorf("one sign-in is in the log %d times", n)
	}
	register := b.get(portal+"/.sallyport/register?flow="+form.Get("flow")).want(200, "Set up an authenticator app")
	key := register.key()
	to, form = register.form()
	form.Set("code", w.code(key))
	both(to, form)
	methods, err := w.db.Methods(t.Context(), mustUser(w, "alice").ID)
	must(t, err)
	if len(methods) != 1 {
		t.Errorf("one registration stored %d methods", len(methods))
	}
	if n := w.count(audit.SignInRegister, audit.Success); n != 1 {
		t.Errorf("one registration is in the log %d times", n)
	}
}

// H1 and G6: forms without this browser's token, from another origin, too large,
// of another kind or sent by another verb are refused before anything is judged.
func TestForgedForms(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateDisabled)
	b := w.browser()
	page := b.get(app + "/")
	to, form := page.form()
	form.Set("username", "alice")
	form.Set("password", password)
	for _, csrf := range []string{"", "x", w.browserToken()} {
		forged := url.Values{}
		for k, v := range form {
			forged[k] = v
		}
		forged.Set("csrf", csrf)
		b.do(http.MethodPost, to, forged).want(403, "SP-5003")
	}
	cross := &browser{w: w, client: b.client, header: http.Header{"Accept": {"text/html"}, "Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}}
	cross.do(http.MethodPost, to, form).want(403, "SP-5003")
	big := url.Values{"flow": form["flow"], "csrf": form["csrf"], "username": {strings.Repeat("a", 70_000)}, "password": {"x"}}
	b.do(http.MethodPost, to, big).want(413, "SP-9006")
	for _, verb := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
		if a := b.do(verb, to, nil).want(405, "SP-9007"); a.header.Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("%s: Allow is %q", verb, a.header.Get("Allow"))
		}
	}
	for _, path := range []string{"/.sallyport/sign-out", "/.sallyport/verify", "/.sallyport/register", "/.sallyport/continue",
		"/.sallyport/register/recovery-codes", "/.sallyport/register/recovery-codes/download"} {
		b.do(http.MethodPost, portal+path, url.Values{"flow": form["flow"]}).want(403, "SP-5003")
	}
	if n := len(w.events()); n != 0 {
		t.Errorf("%d events of forged forms", n)
	}
	b.do(http.MethodPost, to, form).want(200, "hello alice")
}

// browserToken is the csrf token of another browser.
func (w *world) browserToken() string {
	_, form := w.browser().get(app + "/").form()
	return form.Get("csrf")
}

// Garbage where a flow or a state is expected gives a page, never a panic or a
// flow.
func TestGarbageFlows(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for _, flow := range []string{"x", strings.Repeat("a", 36), strings.Repeat("é", 18), sallyport.NewID(), strings.Repeat("z", 9000)} {
		for _, path := range []string{"sign-in", "verify", "register", "continue", "register/recovery-codes"} {
			b.get(portal+"/.sallyport/"+path+"?flow="+url.QueryEscape(flow)).want(410, "SP-5002")
		}
	}
	for _, state := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("=", 43), "%00"} {
		a := b.still().get(portal + "/.sallyport/sign-in?return=" + url.QueryEscape(app+"/z") + "&state=" + state)
		if a.status != 303 || a.location != app+"/z" {
			t.Errorf("state %q: %d to %q, want the app host to begin anew", state, a.status, a.location)
		}
	}
	w.wait(time.Hour)
}
