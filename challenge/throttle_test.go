package challenge_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sallyport"
	"sallyport/challenge"
)

func throttleOf(n int, trusted ...string) func(*setup) {
	return func(s *setup) {
		s.trusted = trusted
		s.config = func(c *challenge.Config) { c.Throttle = challenge.ThrottleConfig{PerAddress: 100_000, PerPerson: n} }
	}
}

// D15: strangers who type a person's name as fast as they are let keep nobody out.
// What they use up is the bucket of strangers; a trusted address and a remembered
// device have their own.
func TestPasswordThrottleLanes(t *testing.T) {
	w := newWorld(t, throttleOf(4, "10.0.0.0/8"))
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	known := w.browser()
	known.signIn(app+"/", "alice").submit("code", w.code(key), "remember", "1").want(200, "hello alice")
	known.get(portal + "/.sallyport/sign-out").submit()

	for i := range 12 { // each from an address of its own
		street := w.browser()
		street.header.Set("Test-Address", fmt.Sprintf("192.0.2.%d", 10+i))
		want := 403
		if i >= 3 { // one of four is gone to alice herself
			want = 429
		}
		street.get(app+"/").submit("username", "alice", "password", fmt.Sprint("guess ", i)).want(want)
	}
	w.browser().signIn(app+"/", "alice").want(429, "SP-1002")

	office := w.browser()
	office.header.Set("Test-Address", "10.1.2.3")
	office.signIn(app+"/", "alice").want(200, "hello alice")
	known.signIn(app+"/", "alice").want(200, "hello alice")
}

// D15, for codes: whoever stole a password can type codes as fast as they are let;
// the owner's own device and office still get theirs judged. And no lane gives
// more guesses than the lockout does.
func TestCodeThrottleLanes(t *testing.T) {
	w := newWorld(t, throttleOf(4, "10.0.0.0/8"))
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	info := portal + "/.sallyport/security-info" // asks for a code in every lane
	verify := func(address string) answer {
		b := w.browser()
		b.header.Set("Test-Address", address)
		return b.signIn(info, "alice").want(200, "Before you see or change")
	}
	known := w.browser()
	known.signIn(app+"/", "alice").submit("code", w.code(key), "remember", "1").want(200, "hello alice")
	w.wait(time.Minute)

	street, office := verify("192.0.2.66"), verify("10.1.2.3")
	for i := range 8 {
		want, code := 403, "SP-2001"
		if i >= 4 {
			want, code = 429, "SP-2005"
		}
		street.submit("code", "123456").want(want, code)
	}
	w.wait(5 * time.Minute)
	owner := known.get(info).want(200, "Before you see or change")
	for range 5 {
		street.submit("code", "123456")
	}
	street.submit("code", w.code(key)).want(429, "SP-2005")
	owner.submit("code", w.code(key)).want(200, "security info of alice")
	w.wait(time.Minute)
	for range 5 {
		street.submit("code", "123456")
	}
	office.submit("code", w.code(key)).want(200, "security info of alice")

	// The lockout of the lane stands behind the throttle.
	for range 20 {
		street.submit("code", "123456")
		w.wait(time.Minute / 4)
	}
	judged := 0
	for _, e := range w.events() {
		if e.Reason == "wrong-code" && e.Address.String() == "192.0.2.66" {
			judged++
		}
	}
	if judged > 20 {
		t.Errorf("%d guesses were judged, more than two rounds of the lockout", judged)
	}
}

// H2: a name that somebody has and one that nobody has are throttled alike, with
// every way to write them: else the throttle would tell who exists.
func TestThrottleTellsNothing(t *testing.T) {
	w := newWorld(t, throttleOf(2))
	w.user("alice", sallyport.StateDisabled)
	answers := func(name string) []string {
		var out []string
		page := w.browser().get(app + "/")
		for _, typed := range []string{name, name + "@mail.example", name, name + "@example.com", name, `CORP\` + name,
			name + "@mail.example", name + "@mail.example"} {
			a := page.submit("username", typed, "password", fmt.Sprint("guess ", len(out)))
			out = append(out, fmt.Sprint(a.status, a.code(), a.header.Get("Retry-After")))
		}
		return out
	}
	known, unknown := answers("alice"), answers("nobod")
	if !slices.Equal(known, unknown) {
		t.Errorf("a known name:   %q\nan unknown one: %q", known, unknown)
	}
	if !slices.Contains(known, "429SP-100230") {
		t.Errorf("nothing was throttled: %q", known)
	}
}

// 6.2: an address that tries codes of many people is slowed down too.
func TestCodeThrottlePerAddress(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.config = func(c *challenge.Config) { c.Throttle = challenge.ThrottleConfig{PerAddress: 8, PerPerson: 100_000} }
	})
	var pages []answer
	for _, name := range []string{"alice", "bobby"} {
		w.withApp(w.user(name, sallyport.StateEnforced))
		pages = append(pages, w.browser().signIn(app+"/", name).want(200, "Confirm it’s you"))
	}
	for i := range 8 { // two of eight went to the passwords
		want := 403
		if i >= 6 {
			want = 429
		}
		pages[i%2].submit("code", "123456").want(want)
	}
	pages[0].b.header.Set("Test-Address", "192.0.2.99")
	pages[0].submit("code", "123456").want(403, "SP-2001")
}
