package challenge_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
)

// D4: elsewhere 100 guesses sent at once were all judged before the first was
// counted. Exactly as many as the rule allows are judged, and the right code
// comes too late.
func TestParallelGuesses(t *testing.T) {
	w := newWorld(t)
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	right := w.code(key)
	pages := make([]answer, 10)
	for i := range pages {
		pages[i] = w.browser().signIn(app+"/", "alice").want(200, "Confirm it’s you")
	}
	var wg sync.WaitGroup
	for i := range 100 {
		guess := fmt.Sprintf("%06d", i)
		if guess == right || guess == codeAt(t, key, w.clock.Now().Add(30*time.Second)) || guess == codeAt(t, key, w.clock.Now().Add(-30*time.Second)) {
			guess = "999999"
		}
		wg.Go(func() { pages[i%10].submit("code", guess) })
	}
	wg.Wait()
	judged, refused := 0, 0
	for _, e := range w.events() {
		switch {
		case e.Kind == audit.SignInVerify && e.Reason == "wrong-code":
			judged++
		case e.Kind == audit.SignInVerify && e.Reason == "locked-out" && e.Method == sallyport.KindTOTP:
			refused++
		}
	}
	if judged != 10 || refused != 90 {
		t.Errorf("%d guesses judged and %d refused, want 10 and 90", judged, refused)
	}
	pages[0].submit("code", right).want(403, "SP-2003", "Locked for a short while", "Try again after")
	if n := w.count(audit.LockedOut, audit.Denied); n != 1 {
		t.Errorf("%d lockouts in the log, want 1", n)
	}
	w.wait(61 * time.Second)
	pages[0].b.get(pages[0].url.String()).want(200, "Confirm it’s you").submit("code", w.code(key)).want(200, "hello alice")
}

// The same for passwords, with the answer of a wrong one to the very end.
func TestParallelPasswords(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateDisabled)
	pages := make([]answer, 10)
	for i := range pages {
		pages[i] = w.browser().get(app+"/").want(200, "Sign in")
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() { pages[i%10].submit("username", "alice", "password", fmt.Sprint("guess ", i)) })
	}
	wg.Wait()
	reasons := map[string]int{}
	for _, e := range w.events() {
		if e.Kind == audit.SignInPassword {
			reasons[e.Reason]++
		}
	}
	if reasons["wrong-password"] != 10 || reasons["locked-out"] != 90 {
		t.Errorf("judged and refused: %v, want 10 and 90", reasons)
	}
	pages[0].submit("username", "alice", "password", password).want(403, "SP-1001")
	w.wait(61 * time.Second)
	pages[0].submit("username", "alice", "password", password).want(200, "hello alice")
}

// The same wrong password typed again counts once: a password manager with an old
// password does not lock its owner out.
func TestSameWrongPassword(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateDisabled)
	page := w.browser().get(app + "/")
	for range 30 {
		page.submit("username", "alice", "password", "last year's").want(403, "SP-1001")
	}
	page.submit("username", "alice", "password", password).want(200, "hello alice")
}

// The page says how many tries are left when they get few.
func TestTriesLeft(t *testing.T) {
	w := newWorld(t)
	w.withApp(w.user("alice", sallyport.StateEnforced))
	page := w.browser().signIn(app+"/", "alice")
	for range 6 {
		if a := page.submit("code", "123456").want(403, "SP-2001"); a.code() == "" || containsAny(a.text(), "tries left", "try left") {
			t.Fatalf("remaining tries shown too early:\n%s", a.text())
		}
	}
	page.submit("code", "123456").want(403, "3 tries left")
	page.submit("code", "123456").want(403, "2 tries left")
	page.submit("code", "123456").want(403, "1 try left")
	page.submit("code", "123456").want(403, "SP-2003", "about 1 minute")
}
