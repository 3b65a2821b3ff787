package challenge_test

import (
	"fmt"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/challenge"
)

// D6: elsewhere every way to write a name had a counter of its own, so that
// guesses could be spread over them. All of these are one person.
func TestOneCounterPerPerson(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateDisabled)
	names := []string{"alice", "ALICE", "Alice", `CORP\alice`, `corp\ALICE`, "alice@example.com", "ALICE@EXAMPLE.COM",
		"alice@mail.example", "Alice@Mail.Example", "ａｌｉｃｅ"}
	page := w.browser().get(app + "/")
	for i, name := range names {
		page.submit("username", name, "password", fmt.Sprint("guess ", i)).want(403, "SP-1001")
	}
	if n := w.count(audit.LockedOut, audit.Denied); n != 1 {
		t.Errorf("ten guesses under ten names made %d lockouts, want 1", n)
	}
	locked, err := w.db.Lockouts(t.Context(), []string{string(mustUser(w, "alice").ID)}, w.clock.Now())
	must(t, err)
	if len(locked) != 1 || locked[0].Lane != sallyport.LaneOther || locked[0].Kind != sallyport.AttemptPassword {
		t.Errorf("the lock is not on the person, where an admin finds it: %+v", locked)
	}
	for _, name := range names {
		page.submit("username", name, "password", password).want(403, "SP-1001")
	}
	w.wait(time.Minute + time.Second)
	page.submit("username", names[3], "password", password).want(200, "hello alice")
}

// The same for names that nobody has: otherwise a lock would tell who exists.
func TestOneCounterPerStranger(t *testing.T) {
	w := newWorld(t)
	page := w.browser().get(app + "/")
	for i, name := range []string{"nobody", "NOBODY", `CORP\nobody`, "nobody@example.com", "ｎobody"} {
		for j := range 2 {
			page.submit("username", name, "password", fmt.Sprint("guess ", i, j)).want(403, "SP-1001")
		}
	}
	if n := w.count(audit.LockedOut, audit.Denied); n != 1 {
		t.Errorf("ten guesses made %d lockouts, want 1", n)
	}
}

// Password and code have counters of their own.
func TestSeparateCounters(t *testing.T) {
	w := newWorld(t)
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	page := w.browser().get(app + "/")
	for i := range 9 {
		page.submit("username", "alice", "password", fmt.Sprint("guess ", i))
	}
	verify := page.submit("username", "alice", "password", password).want(200, "Confirm it’s you")
	for range 9 {
		verify.submit("code", "123456").want(403)
	}
	verify.submit("code", w.code(key)).want(200, "hello alice")
}

// 6.1 and D15: strangers cannot lock a person out. Guesses from the street lock
// the lane of strangers; a trusted address and a remembered device go on.
func TestLockoutLanes(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.trusted = []string{"10.0.0.0/8"} })
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	known := w.browser()
	known.signIn(app+"/", "alice").submit("code", w.code(key), "remember", "1").want(200, "hello alice")

	street := w.browser().get(app + "/")
	for i := range 12 {
		street.submit("username", "alice", "password", fmt.Sprint("guess ", i)).want(403, "SP-1001")
	}
	street.submit("username", "alice", "password", password).want(403, "SP-1001")

	office := w.browser()
	office.header.Set("Test-Address", "10.1.2.3")
	office.signIn(app+"/", "alice").want(200, "hello alice") // trusted: no code

	known.get(portal + "/.sallyport/sign-out").submit().want(200)
	known.signIn(app+"/", "alice").want(200, "hello alice") // remembered: no code

	lanes := map[string]bool{}
	for _, e := range w.events() {
		if e.Kind == audit.LockedOut {
			lanes[e.Reason] = true
		}
	}
	if len(lanes) != 1 || !lanes["password in lane other"] {
		t.Errorf("locked lanes: %v, want only that of strangers", lanes)
	}
}

// Locks grow: 1, 2, 4 … 60 minutes, until a success.
func TestLockGrows(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateDisabled)
	guess := 0
	for _, minutes := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		for range 10 {
			guess++
			page := w.browser().get(app + "/")
			page.submit("username", "alice", "password", fmt.Sprint("guess ", guess)).want(403)
		}
		w.wait(time.Duration(minutes)*time.Minute - time.Second)
		w.browser().signIn(app+"/", "alice").want(403, "SP-1001")
		w.wait(2 * time.Second)
	}
	w.browser().signIn(app+"/", "alice").want(200, "hello alice")
}

// 6.2: one address, or one person, gets only so many attempts a minute, and is
// told how long to wait.
func TestThrottle(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.config = func(c *challenge.Config) { c.Throttle = challenge.ThrottleConfig{PerAddress: 5, PerPerson: 3} }
	})
	w.user("alice", sallyport.StateDisabled)
	page := w.browser().get(app + "/")
	for i := range 3 {
		page.submit("username", "alice", "password", fmt.Sprint("guess ", i)).want(403, "SP-1001")
	}
	a := page.submit("username", "ALICE", "password", password).want(429, "SP-1002")
	if a.header.Get("Retry-After") != "20" {
		t.Errorf("Retry-After is %q, want 20", a.header.Get("Retry-After"))
	}
	page.submit("username", "bob", "password", "x").want(403, "SP-1001")
	page.submit("username", "carol", "password", "x").want(429, "SP-1002")
	other := w.browser()
	other.header.Set("Test-Address", "192.0.2.77")
	other.get(app+"/").submit("username", "carol", "password", "x").want(403, "SP-1001")
	w.wait(21 * time.Second)
	page.submit("username", "alice", "password", password).want(200, "hello alice")
}
