package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
	"sallyport/internal/seal"
	"sallyport/session"
	"sallyport/store"
)

const (
	portal = "https://login.example.com"
	app    = "https://app.example.com"
	other  = "https://other.example.com"
)

// world is a manager over a real store, with a clock.
type world struct {
	t    testing.TB
	db   *store.DB
	m    *session.Manager
	now  time.Time
	user sallyport.User
}

func newWorld(t testing.TB) *world {
	t.Helper()
	keys, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
	now := func() time.Time { return w.now }
	w.db, err = store.Open(t.Context(), store.Config{SQLite: filepath.Join(t.TempDir(), "s.db")},
		store.Options{Keys: keys, Create: true, Now: now, Node: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	w.m, err = session.New(session.Config{}, session.DeviceConfig{Days: 14}, w.db,
		session.Options{Portal: portal, Keys: keys, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.user = w.addUser("alice")
	return w
}

func (w *world) addUser(name string) sallyport.User {
	w.t.Helper()
	u := sallyport.User{ID: sallyport.UserID(sallyport.NewID()), Name: name, State: sallyport.StateEnforced, CreatedAt: w.now, UpdatedAt: w.now}
	if err := w.db.CreateUser(w.t.Context(), u, nil); err != nil {
		w.t.Fatal(err)
	}
	return u
}

// browser keeps cookies for each origin.
type browser struct {
	w   *world
	jar map[string]map[string]string
}

func (w *world) browser() *browser { return &browser{w: w, jar: map[string]map[string]string{}} }

// request makes a request as the proxy hands it on: cleaned, with its context.
func (b *browser) request(method, address string, form url.Values) *http.Request {
	r := httptest.NewRequest(method, address, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.jar[r.URL.Host] {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return reqctx.With(r, &reqctx.Info{Host: r.URL.Host, Client: netip.MustParseAddr("192.0.2.1"), Scheme: "https"})
}

// keep takes the cookies of an answer.
func (b *browser) keep(address string, rec *httptest.ResponseRecorder) {
	u, _ := url.Parse(address)
	for _, c := range rec.Result().Cookies() {
		if b.jar[u.Host] == nil {
			b.jar[u.Host] = map[string]string{}
		}
		if c.MaxAge < 0 {
			delete(b.jar[u.Host], c.Name)
		} else {
			b.jar[u.Host][c.Name] = c.Value
		}
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") {
			b.w.t.Errorf("cookie %s is not locked down: %+v (E2)", c.Name, c)
		}
	}
}

func (b *browser) load(address string) (*sallyport.Grant, error) {
	return b.w.m.Load(b.request("GET", address, nil))
}

func (b *browser) mustLoad(address string) *sallyport.Grant {
	b.w.t.Helper()
	g, err := b.load(address)
	if err != nil || g == nil {
		b.w.t.Fatalf("no session at %s: %v", address, err)
	}
	return g
}

func (b *browser) signIn(u sallyport.User, kinds ...sallyport.Kind) *sallyport.Grant {
	b.w.t.Helper()
	s := session.SignIn{User: u, Provider: "local"}
	for _, k := range kinds {
		s.Proofs = append(s.Proofs, sallyport.Proof{Kind: k, At: b.w.now})
	}
	rec := httptest.NewRecorder()
	g, err := b.w.m.SignIn(rec, b.request("POST", portal+"/", nil), s)
	if err != nil {
		b.w.t.Fatal(err)
	}
	b.keep(portal, rec)
	return g
}

// handoff asks for a hand-off from the portal to an address; the browser has
// been at the app host first.
func (b *browser) handoff(g *sallyport.Grant, address string) string {
	b.w.t.Helper()
	rec := httptest.NewRecorder()
	state := b.w.m.State(rec, b.request("GET", address, nil))
	b.keep(address, rec)
	loc, err := b.w.m.Handoff(b.w.t.Context(), g, &sallyport.Flow{ID: "f", ReturnURL: address, State: state})
	if err != nil {
		b.w.t.Fatal(err)
	}
	return loc
}

func (b *browser) redeem(location string) (string, error) {
	rec := httptest.NewRecorder()
	target, err := b.w.m.Redeem(rec, b.request("GET", location, nil))
	if err == nil {
		b.keep(location, rec)
	}
	return target, err
}

func codeOf(err error) sallyport.Code {
	var e *httperr.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestHandoffCarriesASession(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	g := b.signIn(w.user, sallyport.KindPassword, sallyport.KindTOTP)
	loc := b.handoff(g, app+"/a/b?c=d")
	if target, err := b.redeem(loc); err != nil || target != app+"/a/b?c=d" {
		t.Fatalf("redeemed %q, %v", target, err)
	}
	if got := b.mustLoad(app + "/"); got.Session.ID != g.Session.ID || sallyport.StrengthOf(got.Token.Proofs) != sallyport.StrengthMultifactor {
		t.Errorf("the app host's grant is %+v", got)
	}
}

// D5, E8: a hand-off code works once, in the browser and on the host it was made
// for, in time; and it dies at its first redemption, right or wrong.
func TestHandoffIsBound(t *testing.T) {
	w := newWorld(t)
	for name, wrong := range map[string]func(b *browser, loc string) (string, error){
		"another browser": func(b *browser, loc string) (string, error) {
			thief := w.browser()
			rec := httptest.NewRecorder()
			w.m.State(rec, thief.request("GET", app, nil))
			thief.keep(app, rec)
			return thief.redeem(loc)
		},
		"no state cookie": func(b *browser, loc string) (string, error) { return w.browser().redeem(loc) },
		"another host": func(b *browser, loc string) (string, error) {
			b.jar["other.example.com"] = b.jar["app.example.com"]
			return b.redeem(strings.Replace(loc, app, other, 1))
		},
		"too late": func(b *browser, loc string) (string, error) {
			w.now = w.now.Add(61 * time.Second)
			return b.redeem(loc)
		},
		"signed out meanwhile": func(b *browser, loc string) (string, error) {
			if err := w.m.SignOut(httptest.NewRecorder(), b.request("POST", portal+"/", nil)); err != nil {
				t.Fatal(err)
			}
			return b.redeem(loc)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			loc := b.handoff(b.signIn(w.user, sallyport.KindPassword), app+"/")
			if _, err := wrong(b, loc); codeOf(err) != sallyport.CodeHandoff {
				t.Fatalf("redeemed by %s: %v", name, err)
			}
			if _, err := b.redeem(loc); codeOf(err) != sallyport.CodeHandoff {
				t.Fatalf("the code survived a wrong redemption: %v", err)
			}
		})
	}
}

func TestHandoffOnceUnderContention(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	loc := b.handoff(b.signIn(w.user, sallyport.KindPassword), app+"/")
	var wg sync.WaitGroup
	won := make(chan string, 20)
	for range 20 {
		r := b.request("GET", loc, nil)
		wg.Go(func() {
			if _, err := w.m.Redeem(httptest.NewRecorder(), r); err == nil {
				won <- "won"
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d of 20 redeemed the same code", len(won))
	}
}

// E1: the token changes at sign-in and at each elevation; the old one is dead; a
// planted one is never adopted.
func TestTokenRotates(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	planted := "cGxhbnRlZA"
	b.jar["login.example.com"] = map[string]string{"__Host-sallyport": planted}
	first := b.signIn(w.user, sallyport.KindPassword)
	before := b.jar["login.example.com"]["__Host-sallyport"]
	if before == planted || before == "" {
		t.Fatal("a planted cookie was adopted")
	}
	old := w.browser()
	old.jar["login.example.com"] = map[string]string{"__Host-sallyport": before}
	old.mustLoad(portal) // and into the cache

	// A verification alone raises the same session under a new token.
	s := session.SignIn{User: w.user, Provider: "local", Proofs: []sallyport.Proof{{Kind: sallyport.KindTOTP, At: w.now.Add(time.Second)}}}
	rec := httptest.NewRecorder()
	raised, err := w.m.SignIn(rec, b.request("POST", portal+"/", nil), s)
	if err != nil {
		t.Fatal(err)
	}
	b.keep(portal, rec)
	if raised.Session.ID != first.Session.ID {
		t.Errorf("the session changed its sid at elevation")
	}
	if sallyport.StrengthOf(raised.Token.Proofs) != sallyport.StrengthMultifactor {
		t.Errorf("elevation lost the first factor: %+v", raised.Token.Proofs)
	}
	if b.jar["login.example.com"]["__Host-sallyport"] == before {
		t.Error("the token did not rotate at elevation")
	}
	if g, _ := old.load(portal); g != nil {
		t.Error("the token from before the elevation still works")
	}

	// A new first factor begins a new session, and the old one ends.
	w.now = w.now.Add(time.Minute)
	again := b.signIn(w.user, sallyport.KindPassword, sallyport.KindTOTP)
	if again.Session.ID == first.Session.ID {
		t.Error("a new sign-in kept the old session")
	}
	// Another user's sign-in in this browser ends it too.
	bob := w.addUser("bob")
	b.signIn(bob, sallyport.KindPassword)
	if g := b.mustLoad(portal); g.User.ID != bob.ID {
		t.Errorf("the browser is %s, want bob", g.User.Name)
	}
	live, err := w.db.Sessions(t.Context(), w.user.ID, w.now)
	if err != nil || len(live) != 0 {
		t.Errorf("alice still has %d sessions (%v)", len(live), err)
	}
}

// A host's token stays as strong as it was handed; the portal's elevation does
// not raise it.
func TestHostTokenIsRaisedOnlyByHandoff(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	g := b.signIn(w.user, sallyport.KindPassword)
	if _, err := b.redeem(b.handoff(g, app+"/")); err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	g, err := w.m.SignIn(rec, b.request("POST", portal, nil), session.SignIn{User: w.user,
		Proofs: []sallyport.Proof{{Kind: sallyport.KindTOTP, At: w.now}}})
	if err != nil {
		t.Fatal(err)
	}
	b.keep(portal, rec)
	if got := b.mustLoad(app); sallyport.StrengthOf(got.Token.Proofs) != sallyport.StrengthSingleFactor {
		t.Errorf("the app host's token rose by itself: %+v", got.Token.Proofs)
	}
	if _, err := b.redeem(b.handoff(g, app+"/")); err != nil {
		t.Fatal(err)
	}
	if got := b.mustLoad(app); sallyport.StrengthOf(got.Token.Proofs) != sallyport.StrengthMultifactor {
		t.Errorf("the hand-off did not raise it: %+v", got.Token.Proofs)
	}
}

// E4: signing out on any host ends the session on every host.
func TestSignOutEverywhere(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	g := b.signIn(w.user, sallyport.KindPassword)
	if _, err := b.redeem(b.handoff(g, app+"/")); err != nil {
		t.Fatal(err)
	}
	b.mustLoad(app)
	ev := audit.New(w.now, audit.SignOut, audit.Success)
	if err := w.m.SignOut(httptest.NewRecorder(), b.request("POST", app+"/", nil), ev); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{app, portal} {
		if g, err := b.load(address); g != nil || err != nil {
			t.Errorf("%s still has a session (%v)", address, err)
		}
	}
}

// E4: a sign-in that waits in another tab of the browser ends with the session,
// also where the sign-out comes from an app host, which does not see the portal's
// flow cookie, and where the session had ended before. Elsewhere a wizard left open
// on its last page signed the person in again.
func TestSignOutEndsFlows(t *testing.T) {
	w := newWorld(t)
	for _, host := range []string{app, portal, "portal without a session"} {
		b, other := w.browser(), w.browser()
		parked := func(b *browser) *sallyport.Flow {
			rec := httptest.NewRecorder()
			f := &sallyport.Flow{ID: sallyport.FlowID(sallyport.NewID()), UserID: w.user.ID,
				Browser:   w.m.Browser(rec, b.request("GET", portal+"/", nil)).Hash,
				CreatedAt: w.now, ExpiresAt: w.now.Add(15 * time.Minute), Version: 1}
			b.keep(portal, rec)
			if err := w.db.CreateFlow(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			return f
		}
		mine, others := parked(b), parked(other)
		if host == "portal without a session" {
			host = portal
		} else if _, err := b.redeem(b.handoff(b.signIn(w.user, sallyport.KindPassword), app+"/")); err != nil {
			t.Fatal(err)
		}
		if err := w.m.SignOut(httptest.NewRecorder(), b.request("POST", host+"/", nil)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.db.Flow(t.Context(), mine.ID, w.now); !errors.Is(err, sallyport.ErrNotFound) {
			t.Errorf("signed out at %s: a flow of the browser lives on (%v)", host, err)
		}
		if _, err := w.db.Flow(t.Context(), others.ID, w.now); err != nil {
			t.Errorf("signed out at %s: another browser lost its flow: %v", host, err)
		}
	}
}

func TestIdleAndAbsoluteLimits(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn(w.user, sallyport.KindPassword)
	for range 3 { // activity keeps it
		w.now = w.now.Add(50 * time.Minute)
		w.m.Poll(t.Context())
		b.mustLoad(portal)
		w.m.Flush(t.Context())
	}
	w.now = w.now.Add(62*time.Minute + time.Second)
	w.m.Poll(t.Context())
	if g, err := b.load(portal); g != nil || err != nil {
		t.Errorf("idle for over an hour and still signed in (%v)", err)
	}
	ended, err := w.db.Events(t.Context(), audit.Filter{Kind: audit.SessionExpired})
	if err != nil || len(ended) != 1 || ended[0].UserName != w.user.Name || ended[0].UserID != w.user.ID || ended[0].SessionID == "" {
		t.Errorf("the log says of the end: %+v (%v)", ended, err)
	}
	b = w.browser()
	b.signIn(w.user, sallyport.KindPassword)
	for range 13 {
		w.now = w.now.Add(55 * time.Minute)
		w.m.Poll(t.Context())
		_, _ = b.load(portal)
		w.m.Flush(t.Context())
	}
	w.now = w.now.Add(10 * time.Minute)
	w.m.Poll(t.Context())
	if g, err := b.load(portal); g != nil || err != nil {
		t.Errorf("signed in for over 12 hours (%v)", err)
	}
}

// The store away: what was good at the last look goes on for the grace period,
// everything else is refused and never anonymous.
func TestStoreAway(t *testing.T) {
	w := newWorld(t)
	b, b2 := w.browser(), w.browser()
	b.signIn(w.user, sallyport.KindPassword)
	b2.signIn(w.user, sallyport.KindPassword)
	b.mustLoad(portal)
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(30 * time.Second)
	w.m.Poll(t.Context())
	b.mustLoad(portal)
	if g, err := b2.load(portal); g != nil || !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("a session that is not cached: %v, %v, want unavailable", g, err)
	}
	w.now = w.now.Add(31 * time.Second)
	if g, err := b.load(portal); g != nil || !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("after the grace period: %v, %v, want unavailable", g, err)
	}
}

// E2, F2, F5: cookies that are forged, cut, longer, doubled, of another host, or
// thousands: no session, bounded work, no panic.
func TestHostileCookies(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn(w.user, sallyport.KindPassword)
	good := b.jar["login.example.com"]["__Host-sallyport"]
	flow := httptest.NewRecorder()
	w.m.Browser(flow, b.request("GET", portal, nil))
	lines := map[string][]string{
		"cut":             {"__Host-sallyport=" + good[:len(good)-1]},
		"longer":          {"__Host-sallyport=" + good + "A"},
		"changed":         {"__Host-sallyport=" + flip(good)},
		"empty":           {"__Host-sallyport="},
		"huge":            {"__Host-sallyport=" + strings.Repeat("A", 1<<20)},
		"doubled":         {"__Host-sallyport=" + good + "; __Host-sallyport=" + good},
		"tossed before":   {"__Host-sallyport=AAAA; __Host-sallyport=" + good},
		"tossed after":    {"__Host-sallyport=" + good, "__Host-sallyport=AAAA"},
		"other case":      {"__host-sallyport=" + good},
		"another cookie":  {"__Host-sallyport=" + flow.Result().Cookies()[0].Value},
		"thousands":       {strings.Repeat("__Host-sallyport=A; ", 50_000)},
		"thousands more":  {strings.Repeat("a=b;", 200_000)},
		"nothing but ;;;": {strings.Repeat(";", 100_000)},
	}
	for name, cookie := range lines {
		r := reqctx.With(httptest.NewRequest("GET", portal, nil), &reqctx.Info{Host: "login.example.com"})
		r.Header["Cookie"] = cookie
		start := time.Now()
		if g, err := w.m.Load(r); g != nil || err != nil {
			t.Errorf("%s: %v, %v", name, g, err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
	r := reqctx.With(httptest.NewRequest("GET", app, nil), &reqctx.Info{Host: "app.example.com"})
	r.Header["Cookie"] = []string{"__Host-sallyport=" + good}
	if g, _ := w.m.Load(r); g != nil {
		t.Error("the portal's cookie opens an app host")
	}
}

func flip(s string) string {
	c := byte('A')
	if s[len(s)/2] == c {
		c = 'B'
	}
	return s[:len(s)/2] + string(c) + s[len(s)/2+1:]
}

// H1: forms of another origin, without the browser's cookie, or with another
// browser's token are refused.
func TestForms(t *testing.T) {
	w := newWorld(t)
	b, thief := w.browser(), w.browser()
	for _, x := range []*browser{b, thief} {
		rec := httptest.NewRecorder()
		w.m.Browser(rec, x.request("GET", portal, nil))
		x.keep(portal, rec)
	}
	token := func(x *browser) string {
		return w.m.Browser(httptest.NewRecorder(), x.request("GET", portal, nil)).CSRF
	}
	check := func(name string, want sallyport.Code, r *http.Request) {
		t.Helper()
		if got := codeOf(w.m.CheckForm(r)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	form := func(csrf ...string) url.Values { return url.Values{"csrf": csrf} }
	check("good", "", b.request("POST", portal+"/x", form(token(b))))
	check("none", sallyport.CodeForgedForm, b.request("POST", portal+"/x", url.Values{}))
	check("another browser's", sallyport.CodeForgedForm, b.request("POST", portal+"/x", form(token(thief))))
	check("twice", sallyport.CodeForgedForm, b.request("POST", portal+"/x", form(token(b), token(b))))
	check("in the query", sallyport.CodeForgedForm, b.request("POST", portal+"/x?csrf="+token(b), url.Values{}))
	check("no cookie", sallyport.CodeForgedForm, w.browser().request("POST", portal+"/x", form(token(b))))
	cross := b.request("POST", portal+"/x", form(token(b)))
	cross.Header.Set("Sec-Fetch-Site", "cross-site")
	check("cross-site", sallyport.CodeForgedForm, cross)
	sibling := b.request("POST", portal+"/x", form(token(b)))
	sibling.Header.Set("Sec-Fetch-Site", "same-site")
	check("from an app host", sallyport.CodeForgedForm, sibling)
	old := b.request("POST", portal+"/x", form(token(b)))
	old.Header.Set("Origin", "https://evil.example")
	check("foreign origin", sallyport.CodeForgedForm, old)
}

// D7: a remembered-device token rotates; the one before it still skips for 60 s;
// later its use kills the device and is reported.
func TestRememberedDevice(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	remember := func() {
		rec := httptest.NewRecorder()
		if err := w.m.Remember(rec, b.request("POST", portal, nil), w.user.ID); err != nil {
			t.Fatal(err)
		}
		b.keep(portal, rec)
	}
	use := func(x *browser, u sallyport.User) *sallyport.Device {
		rec := httptest.NewRecorder()
		d, err := w.m.UseDevice(rec, x.request("POST", portal, nil), u.ID,
			audit.New(w.now, audit.DeviceUsed, audit.Success), audit.New(w.now, audit.DeviceStolen, audit.Denied))
		if err != nil {
			t.Fatal(err)
		}
		x.keep(portal, rec)
		return d
	}
	copyOf := func(x *browser) *browser {
		c := w.browser()
		c.jar["login.example.com"] = map[string]string{}
		for k, v := range x.jar["login.example.com"] {
			c.jar["login.example.com"][k] = v
		}
		return c
	}
	remember()
	if use(b, w.addUser("bob")) != nil {
		t.Error("alice's device was taken for bob's")
	}
	stolen := copyOf(b)
	if use(b, w.user) == nil {
		t.Fatal("the remembered device was not known")
	}
	tab := copyOf(stolen)
	if use(tab, w.user) == nil {
		t.Error("a parallel tab with the token from a moment ago was refused")
	}
	w.now = w.now.Add(time.Minute + time.Second)
	if use(b, w.user) == nil {
		t.Fatal("the rotated token was not known")
	}
	w.now = w.now.Add(time.Minute + time.Second)
	if use(stolen, w.user) != nil {
		t.Error("a stolen token that was rotated out still skips verification")
	}
	if use(b, w.user) != nil {
		t.Error("the device survived the use of a stolen token")
	}
	events, err := w.db.Events(t.Context(), audit.Filter{Kind: audit.DeviceStolen})
	if err != nil || len(events) == 0 {
		t.Errorf("the theft was not reported (%v)", err)
	}

	// Revoked, and after the end of its days.
	remember()
	if err := w.db.RevokeUser(t.Context(), w.user.ID, w.now); err != nil {
		t.Fatal(err)
	}
	if use(b, w.user) != nil {
		t.Error("a revoked device still skips")
	}
	remember()
	w.now = w.now.Add(14*24*time.Hour + time.Second)
	if use(b, w.user) != nil {
		t.Error("a device skips after its days")
	}
}

// Many readers and changes at once: run with -race.
func TestConcurrentLoads(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn(w.user, sallyport.KindPassword)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for range 8 {
		r := b.request("GET", portal, nil)
		wg.Go(func() {
			for range 200 {
				if g, err := w.m.Load(r); err != nil || g == nil {
					t.Errorf("%v %v", g, err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			w.m.Forget(w.user.ID)
			w.m.Poll(ctx)
			w.m.Flush(ctx)
		}
	})
	wg.Wait()
}

func BenchmarkLoad(b *testing.B) {
	w := newWorld(b)
	br := w.browser()
	br.signIn(w.user, sallyport.KindPassword)
	r := br.request("GET", portal, nil)
	b.ReportAllocs()
	for b.Loop() {
		if g, err := w.m.Load(r); g == nil || err != nil {
			b.Fatal(fmt.Sprint(g, err))
		}
	}
}

// FuzzCookie: whatever stands in the header, Load neither panics nor lets in.
func FuzzCookie(f *testing.F) {
	w := newWorld(f)
	for _, s := range []string{"__Host-sallyport=AAAA", "__Host-sallyport=;;=", "a=b; __Host-sallyport=\"x\"", "__Host-sallyport-flow=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r := reqctx.With(httptest.NewRequest("GET", portal, nil), &reqctx.Info{Host: "login.example.com"})
		r.Header["Cookie"] = []string{line}
		if g, err := w.m.Load(r); g != nil || err != nil {
			t.Fatalf("%q: %v %v", line, g, err)
		}
		w.m.Browser(httptest.NewRecorder(), r)
	})
}

// E5: a session that was revoked a moment ago, while a node still had it cached,
// cannot be raised into a new one.
func TestRevokedSessionIsNotRaised(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn(w.user, sallyport.KindPassword, sallyport.KindTOTP)
	b.mustLoad(portal)
	if err := w.db.RevokeUser(t.Context(), w.user.ID, w.now); err != nil {
		t.Fatal(err)
	}
	b.mustLoad(portal) // not polled yet
	_, err := w.m.SignIn(httptest.NewRecorder(), b.request("POST", portal, nil), session.SignIn{User: w.user,
		Proofs: []sallyport.Proof{{Kind: sallyport.KindTOTP, At: w.now.Add(time.Second)}}})
	if codeOf(err) != sallyport.CodeSessionExpired {
		t.Fatalf("raising a revoked session: %v", err)
	}
	if live, err := w.db.Sessions(t.Context(), w.user.ID, w.now); err != nil || len(live) != 0 {
		t.Errorf("%d sessions after the revocation (%v)", len(live), err)
	}
}

// E5: what a flow of one session has gathered begins no session once that one has
// ended, not even when the node no longer knows it.
func TestEndedSessionIsNotBegunAnew(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	g := b.signIn(w.user, sallyport.KindPassword)
	proofs := slices.Concat(g.Token.Proofs, []sallyport.Proof{{Kind: sallyport.KindTOTP, At: w.now}})
	if err := w.db.RevokeSession(t.Context(), g.Session.ID, w.now); err != nil {
		t.Fatal(err)
	}
	w.m.Poll(t.Context())
	_, err := w.m.SignIn(httptest.NewRecorder(), b.request("POST", portal, nil), session.SignIn{User: w.user, Proofs: proofs, Raises: g.Session.ID})
	if codeOf(err) != sallyport.CodeSessionExpired {
		t.Fatalf("beginning an ended session anew: %v", err)
	}
	if live, err := w.db.Sessions(t.Context(), w.user.ID, w.now); err != nil || len(live) != 0 {
		t.Errorf("%d sessions (%v)", len(live), err)
	}
}
