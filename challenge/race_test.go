package challenge_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"sallyport"
	"sallyport/identity"
	"sallyport/identity/local"
)

// slowProvider lets something happen while a password is being judged.
type slowProvider struct {
	*local.Provider
	meanwhile *func()
}

func (p slowProvider) CheckPassword(ctx context.Context, a identity.Account, password string) (*sallyport.Identity, error) {
	id, err := p.Provider.CheckPassword(ctx, a, password)
	if f := *p.meanwhile; f != nil {
		*p.meanwhile = nil
		f()
	}
	return id, err
}

// E5: a sign-in whose password is being judged while the user gets a new one, or all
// sessions end, comes to nothing: no session, and no method that outlives the reset.
func TestTrustEndsWhileAPasswordIsJudged(t *testing.T) {
	reset := func(w *world, u sallyport.User) {
		hash, err := w.local.Hasher().Hash(t.Context(), "another password altogether")
		must(t, err)
		must(t, w.db.SetPassword(t.Context(), u.ID, hash, w.clock.Now()))
	}
	for name, end := range map[string]func(w *world, u sallyport.User){
		"new password": reset,
		"revoked":      func(w *world, u sallyport.User) { must(t, w.db.RevokeUser(t.Context(), u.ID, w.clock.Now())) },
		"signed out everywhere": func(w *world, u sallyport.User) {
			_, err := w.db.RevokeUserSessions(t.Context(), u.ID, "", w.clock.Now())
			must(t, err)
		},
	} {
		for _, state := range []sallyport.State{sallyport.StateDisabled, sallyport.StateEnabled} {
			t.Run(name+", "+string(state), func(t *testing.T) {
				var meanwhile func()
				w := newWorld(t, func(s *setup) {
					s.providers = func(l *local.Provider) []identity.Provider {
						return []identity.Provider{slowProvider{l, &meanwhile}}
					}
				})
				u := w.user("carol", state)
				form := w.browser().get(app + "/")
				meanwhile = func() {
					w.clock.Advance(time.Second)
					end(w, u)
				}
				form.submit("username", "carol", "password", password).want(200, `name="password"`)
				if live, err := w.db.Sessions(t.Context(), u.ID, w.clock.Now()); err != nil || len(live) != 0 {
					t.Errorf("%d sessions, %v", len(live), err)
				}
			})
		}
	}
}

// A sign-in after the reset is as good as any.
func TestSignInAfterANewPassword(t *testing.T) {
	w := newWorld(t)
	u := w.user("carol", sallyport.StateDisabled)
	must(t, w.db.RevokeUser(t.Context(), u.ID, w.clock.Now()))
	w.browser().signIn(app+"/", "carol").want(200, "hello carol")
}

// A device that was remembered with an app stands in for nothing once the app is
// deleted: whoever has the lost phone has its browser too.
func TestDeviceOfADeletedApp(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", sallyport.StateEnforced)
	key := w.withApp(u)
	finder := w.browser()
	finder.signIn(app+"/", "alice").submit("code", w.code(key), "remember", "1").want(200, "hello alice")
	methods, err := w.db.Methods(t.Context(), u.ID)
	must(t, err)
	w.withApp(u) // another one, which the owner has
	must(t, w.db.DeleteMethod(t.Context(), u.ID, methods[0].ID, false, "", nil))
	w.wait(time.Minute)
	finder.signIn(app+"/", "alice").want(200, "Confirm it’s you")
}

// D9: a link on some other site to the sign-out page ends nobody's sign-in, least of
// all on the page that shows the recovery codes once.
func TestForeignLinkToSignOut(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateEnabled)
	b := w.browser()
	register := b.signIn(app+"/", "alice")
	codes := register.submit("code", w.code(register.key())).want(200, "shown only now")
	for _, site := range []string{"cross-site", "same-site"} {
		b.header = http.Header{"Sec-Fetch-Site": {site}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}
		b.get(portal + "/.sallyport/sign-out").want(200)
	}
	b.header = http.Header{}
	codes.submit().want(200, "You are all set")
}
