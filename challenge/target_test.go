package challenge_test

import (
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"sallyport/internal/reqctx"
	"sallyport/policy"
	"sallyport/session"
)

// E3: elsewhere return targets that a parser took for a path and a browser for
// another host made open redirects of sign-in pages.
var evilTargets = []string{
	"//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, `/\/evil.example`, "%2f%2fevil.example",
	"https:evil.example", "https:/evil.example", "https:///evil.example", `https:\\evil.example`, `https://\evil.example`,
	"http://app.example.com/", "HTTPS://app.example.com/", "javascript:alert(1)", "data:text/html,x", "otpauth://x",
	"https://evil.example/", "https://evil-app.example.com/", "https://app.example.com.evil.example/", "https://evilapp.example.com/",
	"https://app.example.com@evil.example/", "https://evil.example@app.example.com/", "https://user:pw@app.example.com/",
	"https://app.example.com%2eevil.example/", "https://app.example.com%00.evil.example/", "https://app.example.com\\.evil.example/",
	"https://app.example.com\t.evil.example/", "https://app.exam\nple.com/", "\thttps://app.example.com/", " https://app.example.com/",
	"https://app.example.com/\r\nSet-Cookie: x=1", "https://app.example.com:8443/", "https://app.example.com:/", "https://app.example.com./",
	"https://app.example.com//evil.example", `https://app.example.com/\evil.example`, "https://app.example.com/.sallyport/handoff?code=x",
	"https://login.example.com/.sallyport/sign-in?return=x", "https://login.example.com/.sallyport/sign-out",
	"https://login.example.com/.sallyport/SIGN-OUT", "https://login.example.com/.sallyport/Sign-In/x/start", "https://login.example.com/.SALLYPORT/sign-out",
	"https://app.example.com/.SallyPort/handoff?code=x",
	"https://login.example.com/.sallyport/verify", "https://login.example.com/elsewhere", "https://login.example.com//evil.example",
	"https://login.example.com/.sallyport/x/../sign-out", "https://login.example.com/.sallyport/%73ign-out", "https://login.example.com:443/",
	"https://аpp.example.com/", "https://app。example.com/", "https://[::1]/", "", "/", "app.example.com", "?", "https://",
	"https://app.example.com/" + strings.Repeat("a", 5000),
}

func TestOpenRedirects(t *testing.T) {
	w := newWorld(t)
	b := w.browser().still()
	state := strings.Repeat("A", 42) + "E"
	for _, target := range evilTargets {
		a := b.get(portal + "/.sallyport/sign-in?state=" + state + "&return=" + url.QueryEscape(target))
		if a.status != 400 || a.code() != "SP-5005" {
			t.Errorf("%q: %d %s to %q, want 400 SP-5005", target, a.status, a.code(), a.location)
		}
	}
	for _, target := range []string{app + "/", app, app + "/a%2Fb;c?x=//evil.example&y=%5C#top", portal + "/", portal + "/.sallyport/security-info?x=1"} {
		a := b.get(portal + "/.sallyport/sign-in?state=" + state + "&return=" + url.QueryEscape(target))
		if a.status != 303 || !strings.HasPrefix(a.location, "/.sallyport/sign-in?flow=") {
			t.Errorf("%q: %d to %q, want a flow", target, a.status, a.location)
		}
	}
}

// Where the app host was asked for something odd, what comes back is still a
// target that the portal takes.
func TestReturnSurvives(t *testing.T) {
	w := newWorld(t)
	w.user("alice", "disabled")
	for _, path := range []string{"/a b?q=\"x\" y", "/日本?名=値", "/x?redirect=//evil.example", "/" + strings.Repeat("x", 5000)} {
		r := httptest.NewRequest("GET", "https://app.example.com/", nil)
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
		r.Header.Set("Accept", "text/html")
		r = reqctx.With(r, &reqctx.Info{Host: "app.example.com", Client: netip.MustParseAddr("192.0.2.1")})
		rec := httptest.NewRecorder()
		must(t, w.c.Begin(rec, r, "timesheet", policy.Decision{}))
		a := w.browser().get(rec.Result().Header.Get("Location"))
		a.want(200, "to go on to Time & Sheets")
	}
	// And a program gets no redirect.
	r := httptest.NewRequest("GET", "https://app.example.com/api", nil)
	r.Header.Set("Accept", "application/json")
	if err := w.c.Begin(httptest.NewRecorder(), r, "timesheet", policy.Decision{}); err == nil || !strings.Contains(err.Error(), "SP-5006") {
		t.Errorf("a program got %v, want 401 SP-5006", err)
	}
}

// FuzzReturnTarget: whatever is asked for, the browser is sent to a configured
// host or nowhere.
func FuzzReturnTarget(f *testing.F) {
	for _, s := range evilTargets {
		f.Add(s)
	}
	f.Add(app + "/a?b=c#d")
	f.Add(portal + "/.sallyport/security-info")
	w := newWorld(f)
	w.user("alice", "disabled")
	b := w.browser()
	b.signIn(portal+"/", "alice").want(200, "You are signed in")
	b = b.still()
	state := strings.Repeat("A", 42) + "E"
	f.Fuzz(func(t *testing.T, target string) {
		w.t = t
		a := b.get(portal + "/.sallyport/sign-in?state=" + state + "&return=" + url.QueryEscape(target))
		if a.status == 400 {
			return
		}
		if a.status != 303 {
			t.Fatalf("%q: status %d", target, a.status)
		}
		to := a.location
		for _, c := range to {
			if c == '\\' || c > unicode.MaxASCII || unicode.IsControl(c) || c == ' ' {
				t.Fatalf("%q: sent to %q", target, to)
			}
		}
		switch {
		case strings.HasPrefix(to, app+session.HandoffPath+"?code="):
		case strings.HasPrefix(to, "https://payroll.example.com/"):
		case strings.HasPrefix(to, portal+"/"):
			if strings.HasPrefix(to, portal+"//") {
				t.Fatalf("%q: sent to %q", target, to)
			}
		default:
			t.Fatalf("%q: sent to %q", target, to)
		}
	})
}
