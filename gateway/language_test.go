package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"sallyport"
	"sallyport/sallyporttest"
)

// MFA.md 15: a cookie is known to one host only, so the last choice is the
// person's: made on any host, it holds on all of them, at once, and in the next
// browser.
func TestLanguageFollowsThePerson(t *testing.T) {
	echo := sallyporttest.Echo()
	g := sallyporttest.New(t, sallyporttest.Options{Upstream: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			panic(http.ErrAbortHandler)
		}
		echo.ServeHTTP(w, r)
	})})
	g.AddUser("alice", password, sallyport.StateDisabled)
	app, broken, home := g.URL(sallyporttest.App, "/"), g.URL(sallyporttest.App, "/broken"), g.URL(sallyporttest.Portal, "/")
	b := g.Browser()
	b.SignIn(app, "alice", password).Echoed()
	speaks := func(b *sallyporttest.Browser, address, lang string) {
		t.Helper()
		if p := b.Get(address); !strings.Contains(p.Body, `<html lang="`+lang+`"`) {
			t.Errorf("%s does not speak %s:\n%s", address, lang, p.Text())
		}
	}
	speaks(b, broken, "en")
	speaks(b, home+"?lng=ja", "ja")
	speaks(b, broken, "ja")
	speaks(b, broken+"?lng=en", "en")
	speaks(b, home, "en") // over the cookie of the portal
	speaks(b, home+"?lng=ja", "ja")
	for _, site := range []string{"cross-site", "same-site"} { // a link elsewhere, a script of an app
		b.Header.Set("Sec-Fetch-Site", site)
		b.Get(home + "?lng=en")
	}
	b.Header.Del("Sec-Fetch-Site")
	next := g.Browser()
	next.SignIn(app, "alice", password).Echoed()
	speaks(next, broken, "ja")
	if u, err := g.Users().Find(t.Context(), "alice"); err != nil || u.Language != "ja" {
		t.Errorf("the last choice is kept as %q (%v), want ja", u.Language, err)
	}
}
