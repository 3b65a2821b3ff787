package challenge_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"sallyport"
)

// E4: somebody signs out and leaves; in another tab a wizard is still open on its
// last pages, with every factor shown. Going on with it must not sign them in
// again, however the session ended.
func TestParkedFlowEndsWithTheSession(t *testing.T) {
	park := map[string]func(codes answer) answer{
		"recovery codes": func(codes answer) answer { return codes },
		"summary":        func(codes answer) answer { return codes.submit().want(200, "You are all set") },
	}
	end := map[string]func(w *world, b *browser, u sallyport.User){
		"signed out": func(_ *world, b *browser, _ sallyport.User) {
			b.get(portal+"/.sallyport/sign-out").want(200, "Sign out?").submit().want(200, "You are signed out")
		},
		"revoked by its ID": func(w *world, _ *browser, u sallyport.User) {
			live, err := w.db.Sessions(t.Context(), u.ID, w.clock.Now())
			must(t, err)
			for _, s := range live {
				must(t, w.db.RevokeSession(t.Context(), s.ID, w.clock.Now()))
			}
			w.sessions.Forget(u.ID)
		},
	}
	for at, park := range park {
		for how, end := range end {
			t.Run(at+", "+how, func(t *testing.T) {
				w := newWorld(t)
				u := w.user("alice", sallyport.StateEnabled)
				b := w.browser()
				register := b.signIn(app+"/", "alice")
				key := register.key()
				parked := park(register.submit("code", w.code(key)).want(200, "shown only now"))
				w.wait(time.Minute)
				b.signIn(app+"/", "alice").want(200, "Confirm it’s you").submit("code", w.code(key)).want(200, "hello alice")
				end(w, b, u)
				parked.submit().want(410, "SP-5002", "Start again")
				b.get(parked.url.String()).want(410, "SP-5002")
				b.get(app+"/").want(200, "Sign in", `name="password"`)
			})
		}
	}
}

// The page that says "you are signed out" is right: also for somebody who has no
// session yet, whether they come by the link or by the form.
func TestSignOutBeforeTheLastPage(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateEnabled)
	for _, how := range []string{"link", "form", "script"} {
		b := w.browser()
		page := b.signIn(app+"/", "alice").want(200, "Set up an authenticator app")
		_, form := page.form()
		switch how {
		case "link":
			b.get(portal+"/.sallyport/sign-out").want(200, "You are signed out")
		case "form":
			b.do(http.MethodPost, portal+"/.sallyport/sign-out", url.Values{"csrf": form["csrf"]}).want(200, "You are signed out")
		case "script": // of an app on a neighbouring host, to keep people out
			b.header.Set("Sec-Fetch-Mode", "no-cors")
			b.get(portal+"/.sallyport/sign-out").want(200, "You are signed out")
			b.header.Del("Sec-Fetch-Mode")
			b.get(page.url.String()).want(200, "Set up an authenticator app")
			continue
		}
		b.get(page.url.String()).want(410, "SP-5002")
	}
}

// A sign-in page that is open in another tab holds nothing of anybody and stays.
func TestOpenSignInPageOutlivesASignOut(t *testing.T) {
	w := newWorld(t)
	w.user("carol", sallyport.StateDisabled)
	b := w.browser()
	open := b.get(app+"/later").want(200, `name="password"`)
	b.signIn(app+"/", "carol").want(200, "hello")
	b.get(portal+"/.sallyport/sign-out").submit().want(200, "You are signed out")
	open.submit("username", "carol", "password", password).want(200, "hello carol at /later")
}
