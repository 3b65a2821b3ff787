package storetest

import (
	"fmt"
	"time"

	"sallyport"
	"sallyport/audit"
)

// rule is the default of the gateway.
var rule = sallyport.Lockout{Denials: 10, ResetAfter: 10 * time.Minute, LockFor: time.Minute, LockMax: time.Hour}

var attemptTests = []contractTest{
	{"ten denials lock, and the eleventh is refused", attemptsLock},
	{"locks double to the longest, and only a success resets", attemptsDouble},
	{"ten quiet minutes reset the count, not the level", attemptsQuiet},
	{"a repeated wrong guess counts once", attemptsRepeat},
	{"lanes, kinds and people have counters of their own", attemptsLanes},
	{"AttemptState changes nothing", attemptState},
	{"Unlock and Lockouts", unlock},
	{"a rule of no denials never locks", attemptsOff},
}

// attempt is a guess of a password in the lane of strangers.
func (e *env) attempt(subject, guess string) sallyport.Attempt {
	return sallyport.Attempt{
		Subject: subject, Kind: sallyport.AttemptPassword, Lane: sallyport.LaneOther,
		Fingerprint: []byte(guess), At: e.now(), Rule: rule,
	}
}

func (e *env) charge(a sallyport.Attempt) sallyport.AttemptState {
	e.Helper()
	s, err := e.db.ChargeAttempt(e.ctx, a)
	e.ok(err)
	return s
}

// lock charges different guesses until the lane locks, and returns for how long.
func (e *env) lock(subject string) time.Duration {
	e.Helper()
	for i := range rule.Denials {
		s := e.charge(e.attempt(subject, fmt.Sprint(e.now(), i)))
		e.equal(s.Locked, false)
		e.equal(s.Left, rule.Denials-i-1)
		e.equal(s.Until.IsZero(), s.Left > 0)
		if s.Left == 0 {
			return s.Until.Sub(e.now())
		}
	}
	e.Fatal("the lane did not lock")
	return 0
}

func attemptsLock(e *env) {
	e.equal(e.lock("alice"), time.Minute)
	until := e.now().Add(time.Minute)
	e.clock.Advance(time.Minute - time.Microsecond)
	s := e.charge(e.attempt("alice", "right"))
	e.equal(s, sallyport.AttemptState{Locked: true, Until: until})
	e.clock.Advance(time.Microsecond)
	s = e.charge(e.attempt("alice", "right"))
	e.equal(s, sallyport.AttemptState{Left: 9})
}

// D15: growing delays.
func attemptsDouble(e *env) {
	for _, want := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		d := e.lock("alice")
		e.equal(d, time.Duration(want)*time.Minute)
		e.clock.Advance(d)
	}
	e.clock.Advance(24 * time.Hour)
	e.equal(e.lock("alice"), time.Hour) // quiet time forgives no level
	e.ok(e.db.ClearAttempts(e.ctx, "alice", sallyport.AttemptPassword, sallyport.LaneOther))
	e.equal(e.lock("alice"), time.Minute)
}

func attemptsQuiet(e *env) {
	for i := range 9 {
		e.charge(e.attempt("alice", fmt.Sprint(i)))
	}
	e.clock.Advance(10*time.Minute - time.Microsecond)
	e.equal(e.charge(e.attempt("alice", "0")).Left, 0) // the eighth before: counts again, and locks
	e.clock.Advance(time.Minute)
	for i := range 9 {
		e.charge(e.attempt("alice", fmt.Sprint(i)))
	}
	e.clock.Advance(10 * time.Minute)
	e.equal(e.charge(e.attempt("alice", "x")).Left, 9)
	e.ok(e.db.ClearAttempts(e.ctx, "alice", sallyport.AttemptPassword, sallyport.LaneOther))
	e.equal(e.charge(e.attempt("alice", "x")).Left, 9)
}

func attemptsRepeat(e *env) {
	for _, step := range []struct {
		guess string
		left  int
	}{
		{"a", 9}, {"a", 9}, {"b", 8}, {"c", 7}, {"a", 7}, {"b", 7}, {"c", 7},
		{"d", 6}, {"a", 5}, // a is the fourth by now
		{"", 4}, {"", 3}, // unknown guesses always count
	} {
		e.equal(e.charge(e.attempt("alice", step.guess)).Left, step.left)
	}
}

func attemptsLanes(e *env) {
	e.lock("alice")
	for _, change := range []func(*sallyport.Attempt){
		func(a *sallyport.Attempt) { a.Lane = sallyport.LaneTrusted },
		func(a *sallyport.Attempt) { a.Lane = sallyport.LaneDevice + ":1" },
		func(a *sallyport.Attempt) { a.Kind = sallyport.AttemptVerification },
		func(a *sallyport.Attempt) { a.Subject = "bob" },
	} {
		a := e.attempt("alice", "x")
		change(&a)
		e.equal(e.charge(a), sallyport.AttemptState{Left: 9})
	}
	e.ok(e.db.ClearAttempts(e.ctx, "alice", sallyport.AttemptPassword, sallyport.LaneTrusted))
	e.equal(e.charge(e.attempt("alice", "x")).Locked, true)
}

func attemptState(e *env) {
	for range 3 {
		s, err := e.db.AttemptState(e.ctx, e.attempt("alice", "x"))
		e.ok(err)
		e.equal(s, sallyport.AttemptState{Left: 10})
	}
	e.lock("alice")
	s, err := e.db.AttemptState(e.ctx, e.attempt("alice", "x"))
	e.ok(err)
	e.equal(s, sallyport.AttemptState{Locked: true, Until: e.now().Add(time.Minute)})
	e.clock.Advance(time.Minute)
	s, err = e.db.AttemptState(e.ctx, e.attempt("alice", "x"))
	e.ok(err)
	e.equal(s, sallyport.AttemptState{Left: 10})
}

func unlock(e *env) {
	e.lock("alice")
	e.lock("alice@example.com")
	e.lock("bob")
	subjects := []string{"alice", "alice@example.com", "nobody"}
	lanes, err := e.db.Lockouts(e.ctx, subjects, e.now())
	e.ok(err)
	e.equal(len(lanes), 2)
	e.equal(lanes[0], sallyport.LockedLane{Subject: "alice", Kind: sallyport.AttemptPassword, Lane: sallyport.LaneOther,
		Denials: 10, Until: e.now().Add(time.Minute)})
	e.ok(e.db.Unlock(e.ctx, subjects, e.event(audit.UserUnlocked)))
	lanes, err = e.db.Lockouts(e.ctx, subjects, e.now())
	e.ok(err)
	e.equal(len(lanes), 0)
	e.equal(e.charge(e.attempt("alice", "x")).Locked, false)
	e.equal(e.charge(e.attempt("bob", "x")).Locked, true)
	e.logged(audit.UserUnlocked)
}

func attemptsOff(e *env) {
	a := e.attempt("alice", "")
	a.Rule.Denials = 0
	for range 30 {
		s := e.charge(a)
		if s.Locked || s.Left <= 0 {
			e.Fatalf("locked by a rule that never locks: %+v", s)
		}
	}
}
