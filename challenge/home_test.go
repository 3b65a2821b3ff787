package challenge_test

import (
	"testing"
	"time"

	"sallyport"
)

// The portal's start page says whom it takes a person for, however long ago they
// verified, and leads those it does not know to the sign-in and back.
func TestHome(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateDisabled)
	b := w.browser()
	page := b.get(portal+"/").want(200, "Sign in", `name="password"`)
	home := page.submit("username", "alice", "password", password).want(200, "You are signed in as")
	if home.url.String() != portal+"/" {
		t.Errorf("the sign-in ends at %s", home.url)
	}
	w.wait(10 * time.Minute)
	b.get(portal+"/").want(200, "alice", `href="/.sallyport/security-info"`, `href="/.sallyport/sign-out"`)
	b.get(portal+"/.sallyport/sign-out").want(200, "Sign out?", `href="/"`).submit().
		want(200, "You are signed out", `href="`+portal+`/"`)
	b.get(portal+"/").want(200, `name="password"`)
}

// A name that was left empty is the page's own, in the person's language.
func TestDefaultNameOfAnApp(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateEnabled)
	b := w.browser()
	b.header.Set("Accept-Language", "ja")
	page := b.signIn(app+"/", "alice").want(200, "認証アプリの設定")
	done := page.submit("code", w.code(page.key()), "name", " ").submit().want(200, ">認証アプリ</p></div>")
	done.submit().want(200, "hello alice")
}
