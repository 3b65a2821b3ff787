package challenge_test

import (
	"testing"
	"time"

	"sallyport"
	"sallyport/challenge"
)

// 15: a language that is chosen on the way in is the person's from then on, also in
// another browser and over an older choice that a browser keeps.
func TestChosenLanguageIsKept(t *testing.T) {
	w := newWorld(t)
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	first := w.browser()
	page := first.get(portal+"/?lng=ja").want(200, "サインイン", `lang="ja"`)
	page.submit("username", "alice", "password", password).want(200, "ご本人の確認").submit("code", w.code(key)).want(200, `lang="ja"`)
	if u := mustUser(w, "alice"); u.Language != "ja" {
		t.Fatalf("the choice was kept as %q, want ja", u.Language)
	}
	w.wait(time.Minute)

	second := w.browser()
	page = second.get(app+"/").want(200, `lang="en"`) // nobody is known yet
	verify := page.submit("username", "alice", "password", password).want(200, "ご本人の確認")
	verify.submit("code", w.code(key)).want(200, "hello alice")
	second.get(portal+"/").want(200, `lang="ja"`)

	w.wait(time.Minute)
	third := w.browser()
	page = third.get(app + "/")
	third.get(page.url.String()+"&lng=xx").want(200, `lang="en"`)
	verify = page.submit("username", "alice", "password", password).want(200, "ご本人の確認")
	third.get(verify.url.String()+"&lng=xx").want(200, "ご本人の確認")
	verify = third.get(verify.url.String()+"&lng=en").want(200, "Confirm it’s you")
	verify.submit("code", "123456").want(403, "Confirm it’s you")
	verify.submit("code", w.code(key)).want(200, "hello alice")
	if u := mustUser(w, "alice"); u.Language != "en" {
		t.Errorf("the last choice was kept as %q, want en", u.Language)
	}
	w.wait(time.Second)
	first.get(portal+"/").want(200, `lang="en"`)
}

// A choice is written into the flow, before anybody is known: not as often as a
// stranger likes.
func TestChoicesAreThrottled(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.config = func(c *challenge.Config) { c.Throttle = challenge.ThrottleConfig{PerAddress: 1, PerPerson: 1} }
	})
	b := w.browser()
	page := b.get(app+"/").want(200, "Sign in")
	for i := range 40 {
		lng := []string{"ja", "en"}[i%2]
		b.get(page.url.String()+"&lng="+lng).want(200, `lang="`+lng+`"`)
	}
	f, err := w.db.Flow(t.Context(), sallyport.FlowID(flowOf(page)), w.clock.Now())
	must(t, err)
	if f.Version > 12 {
		t.Errorf("the flow was written %d times", f.Version)
	}
}
