package challenge_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/identity"
	"sallyport/identity/local"
)

// elsewhere is a redirect provider whose answers a test writes.
type elsewhere struct {
	name     string
	only     bool
	away     bool
	mu       sync.Mutex
	finished int
}

func (p *elsewhere) Name() string    { return p.name }
func (p *elsewhere) Label() string   { return "Partner Login" }
func (p *elsewhere) Redirects() bool { return p.only }

func (p *elsewhere) Begin(_ context.Context, redirectURL, state string) (string, []byte, error) {
	if p.away {
		return "", nil, fmt.Errorf("asking: %w", sallyport.ErrUnavailable)
	}
	q := url.Values{"redirect_uri": {redirectURL}, "state": {state}}
	return "https://id.partner.example/auth?" + q.Encode(), []byte("nonce of " + state), nil
}

func (p *elsewhere) Finish(_ context.Context, _ string, pending []byte, query map[string][]string) (*sallyport.Identity, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finished++
	if string(pending) != "nonce of "+query["state"][0] || len(query["code"]) == 0 || query["code"][0] == "bad" {
		return nil, fmt.Errorf("answer: %w", identity.ErrProviderRefused)
	}
	subject := query["code"][0]
	return &sallyport.Identity{Provider: p.name, Issuer: "https://id.partner.example", Subject: "sub-" + subject,
		Username: subject, Email: subject + "@partner.example", Name: "Ms " + subject, Groups: []string{"staff"}}, nil
}

func withElsewhere(p *elsewhere) func(*setup) {
	return func(s *setup) {
		s.providers = func(l *local.Provider) []identity.Provider {
			if p.only {
				return []identity.Provider{p}
			}
			return []identity.Provider{l, p}
		}
	}
}

// start follows the link to the provider and returns the callback to come back to.
func (b *browser) start(signIn answer) string {
	b.w.t.Helper()
	flow := flowOf(signIn)
	a := b.still().get(portal + "/.sallyport/sign-in/partners/start?flow=" + flow)
	return b.callback(a.location)
}

func (b *browser) callback(location string) string {
	b.w.t.Helper()
	u, err := url.Parse(location)
	must(b.w.t, err)
	if u.Host != "id.partner.example" {
		b.w.t.Fatalf("sent to %q, not to the provider", location)
	}
	return u.Query().Get("redirect_uri") + "?state=" + url.QueryEscape(u.Query().Get("state"))
}

// A first sign-in through a provider makes a record, with qualified groups, and
// the next one finds it.
func TestRedirectProvider(t *testing.T) {
	p := &elsewhere{name: "partners"}
	w := newWorld(t, withElsewhere(p))
	b := w.browser()
	page := b.get(app+"/x").want(200, "Sign in with Partner Login", "/start?flow=")
	b.get(b.start(page)+"&code=paula").want(200, "hello paula at /x with single-factor")
	u := mustUser(w, "paula")
	if u.State != sallyport.StateDisabled || u.Email != "paula@partner.example" || u.DisplayName != "Ms paula" {
		t.Errorf("record of a first sign-in: %+v", u)
	}
	sessions, err := w.db.Sessions(t.Context(), u.ID, w.clock.Now())
	must(t, err)
	if len(sessions) != 1 || len(sessions[0].Groups) != 1 || sessions[0].Groups[0] != "partners:staff" {
		t.Errorf("sessions %+v, want one with group partners:staff", sessions)
	}
	b = w.browser()
	b.get(b.start(b.get(app+"/x"))+"&code=paula").want(200, "hello paula")
	if again := mustUser(w, "paula"); again.ID != u.ID {
		t.Error("the second sign-in made a second record")
	}
}

// A provider alone that redirects is gone to without a page.
func TestOnlyRedirectProvider(t *testing.T) {
	p := &elsewhere{name: "partners", only: true}
	w := newWorld(t, withElsewhere(p))
	b := w.browser().still()
	for _, prefix := range []string{portal + "/.sallyport/sign-in", "/.sallyport/sign-in?flow=", "/.sallyport/sign-in/partners/start?flow=", "https://id.partner.example/auth"} {
		at := app + "/y"
		if prefix != portal+"/.sallyport/sign-in" {
			at = portal + b.w.next
		}
		a := b.get(at)
		if !strings.HasPrefix(a.location, prefix) {
			t.Fatalf("%s leads to %q, want %s…", at, a.location, prefix)
		}
		b.w.next = strings.TrimPrefix(a.location, portal)
	}
	w.browser().get(b.callback(b.w.next)+"&code=paula").want(403, "SP-5002")
	following := &browser{w: w, client: b.client, header: b.header}
	following.client.CheckRedirect = nil
	following.get(b.callback(b.w.next)+"&code=paula").want(200, "hello paula at /y")
}

// E8, login CSRF: elsewhere an attacker's own callback, opened in a victim's
// browser, signed the victim in as the attacker. A callback counts only in the
// browser that set out, for the journey it set out on, once.
func TestCallbackIsBound(t *testing.T) {
	p := &elsewhere{name: "partners"}
	w := newWorld(t, withElsewhere(p))
	mallory, victim := w.browser(), w.browser()
	trap := mallory.start(mallory.get(app + "/"))
	signIn := victim.get(app + "/")
	own := victim.start(signIn)

	victim.get(trap+"&code=mallory").want(403, "SP-5002")
	forged := own[:strings.LastIndex(own, ".")+1] + strings.Repeat("A", 43)
	victim.get(forged+"&code=mallory").want(403, "SP-5002")
	victim.get(strings.Replace(own, "?state=", "?state=x&state=", 1)+"&code=mallory").want(410, "SP-5002")
	victim.get(own+"&state=second&code=mallory").want(403, "SP-5002")
	victim.get(portal+"/.sallyport/sign-in/partners/callback").want(410, "SP-5002")
	victim.get(portal+"/.sallyport/sign-in/local/callback").want(404, "SP-9005")
	if p.finished != 0 {
		t.Fatalf("the provider was asked about %d answers that were not this journey's", p.finished)
	}
	victim.get(own+"&code=bad").want(403, "SP-1003", `href="/.sallyport/sign-in?return=https%3A%2F%2Fapp.example.com`)
	victim.get(own+"&code=victim").want(403, "SP-5002") // used up
	if p.finished != 1 {
		t.Errorf("one journey was judged %d times", p.finished)
	}
	second := victim.start(signIn)
	victim.get(own+"&code=victim").want(403, "SP-5002") // of the earlier journey
	victim.get(second+"&code=victim").want(200, "hello victim")
	if n := w.count(audit.SignInFederated, audit.Failure); n != 1 {
		t.Errorf("%d refused answers in the log, want 1", n)
	}
}

// A name or an address that belongs to somebody links nothing: elsewhere an
// account with a victim's address at another provider became the victim.
func TestCollisionLinksNothing(t *testing.T) {
	p := &elsewhere{name: "partners"}
	w := newWorld(t, withElsewhere(p))
	w.user("alice", sallyport.StateDisabled)
	b := w.browser()
	b.get(b.start(b.get(app+"/"))+"&code=ALICE").want(403, "SP-1005")
	events := w.events()
	last := events[len(events)-1]
	if last.Kind != audit.SignInFederated || last.Result != audit.Failure || !strings.Contains(last.After, "sallyport user link") ||
		!strings.Contains(last.After, `"sub-ALICE"`) {
		t.Errorf("the log does not tell the admin what to do: %+v", last)
	}
	if _, err := w.db.UserByLink(t.Context(), "partners", "https://id.partner.example", "sub-ALICE"); err == nil {
		t.Error("the account was linked")
	}
}

// A provider that is away is a page that says so, not an endless redirect.
func TestProviderAway(t *testing.T) {
	p := &elsewhere{name: "partners", away: true}
	w := newWorld(t, withElsewhere(p))
	b := w.browser()
	b.get(portal+"/.sallyport/sign-in/partners/start?flow="+flowOf(b.get(app+"/"))).want(503, "SP-1004", `href="/.sallyport/sign-in?return=https%3A%2F%2Fapp.example.com%2F&state=`)
}

// E6: a flow in which another person signs in keeps nothing of the first.
func TestAnotherPersonInOneFlow(t *testing.T) {
	w := newWorld(t)
	key := w.withApp(w.user("alice", sallyport.StateDisabled))
	w.user("bob", sallyport.StateEnforced)
	b := w.browser()
	b.signIn(app+"/", "alice").want(200)
	w.wait(6 * time.Minute)
	b.get(portal+"/.sallyport/security-info").submit("code", w.code(key)).want(200, "security info of alice")
	// Alice's session is verified. Bob, who must register, signs in after her.
	w.wait(6 * time.Minute)
	b.get(portal + "/.sallyport/sign-out").submit()
	b.signIn(app+"/", "bob").want(200, "Set up an authenticator app")
}

// The same where the flow stands at its sign-in page with somebody known: typing
// another name there makes it that person's, with nothing of the first.
func TestAnotherNameSignsInAgain(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", sallyport.StateDisabled)
	w.user("bob", sallyport.StateDisabled)
	b := w.browser()
	b.signIn(app+"/", "alice").want(200, "hello alice")
	_, err := w.db.ChangeUser(t.Context(), u.ID, func(u *sallyport.User) ([]audit.Event, error) {
		u.State = sallyport.StateEnabled
		return nil, nil
	})
	must(t, err)
	w.wait(6 * time.Minute)
	again := b.get(portal+"/.sallyport/sign-in?return="+portal+"/").want(200, "Sign in again")
	again.submit("username", "bob", "password", password).want(200, "You are signed in as bob")
	sessions, err := w.db.Sessions(t.Context(), u.ID, w.clock.Now())
	must(t, err)
	if len(sessions) != 0 {
		t.Errorf("alice has %d sessions in a browser that is bob's now", len(sessions))
	}
}
