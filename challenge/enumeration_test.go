package challenge_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
)

// H2: elsewhere an answer, a status or a pause told who exists. Unknown, wrong,
// disabled and locked give one page; only the log tells them apart.
func TestSameAnswer(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateDisabled)
	w.user("disab", sallyport.StateDisabled)
	w.user("locke", sallyport.StateDisabled)
	_, err := w.db.ChangeUser(t.Context(), mustUser(w, "disab").ID, func(u *sallyport.User) ([]audit.Event, error) {
		u.SignInDisabled = true
		return nil, nil
	})
	must(t, err)
	page := w.browser().get(app + "/")
	for i := range 10 {
		page.submit("username", "locke", "password", fmt.Sprint("guess ", i))
	}
	vary := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}|value="[^"]*"`)
	var bodies []string
	for _, try := range []struct{ name, word, reason string }{
		{"alice", "wrong", "wrong-password"}, {"nobod", "wrong", "unknown-user"}, {"disab", "wrong", "sign-in-disabled"},
		{"disab", password, "sign-in-disabled"}, {"locke", "wrong", "locked-out"}, {"locke", password, "locked-out"},
		{"a\x01b", "wrong", "unknown-user"},
	} {
		a := page.submit("username", try.name, "password", try.word).want(403, "SP-1001")
		bodies = append(bodies, vary.ReplaceAllString(a.body, ""))
		events := w.events()
		if last := events[len(events)-1]; last.Reason != try.reason || last.Kind != audit.SignInPassword {
			t.Errorf("%s: the log says %s %q, want %q", try.name, last.Kind, last.Reason, try.reason)
		}
	}
	for i, b := range bodies[1:] {
		if b != bodies[0] {
			t.Errorf("answer %d differs from the first, of %d and %d bytes", i+1, len(b), len(bodies[0]))
		}
	}
}

// H2, the time: each kind of refusal takes as long as a wrong password, by the
// median of interleaved tries.
func TestSameTime(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateDisabled)
	w.user("disab", sallyport.StateDisabled)
	w.user("locke", sallyport.StateDisabled)
	_, err := w.db.ChangeUser(t.Context(), mustUser(w, "disab").ID, func(u *sallyport.User) ([]audit.Event, error) {
		u.SignInDisabled = true
		return nil, nil
	})
	must(t, err)
	page := w.browser().get(app + "/")
	for i := range 10 {
		page.submit("username", "locke", "password", fmt.Sprint("guess ", i))
	}
	for round := 1; ; round++ {
		off := w.compareTimes(page)
		if off == "" {
			return
		}
		t.Logf("round %d: %s", round, off)
		if round == 3 { // noise does not come three times
			t.Error(off)
			return
		}
	}
}

// compareTimes measures refusals and says which of them time gives away. They are
// interleaved, in a new order each time, so that what else the machine does falls
// on all alike.
func (w *world) compareTimes(page answer) string {
	w.t.Helper()
	names := []string{"alice", "nobod", "disab", "locke"}
	times := map[string][]time.Duration{}
	for i := range 41 {
		rand.Shuffle(len(names), func(a, b int) { names[a], names[b] = names[b], names[a] })
		for _, name := range names {
			start := time.Now()
			page.submit("username", name, "password", fmt.Sprint("wrong ", i)).want(403, "SP-1001")
			if i > 0 {
				times[name] = append(times[name], time.Since(start))
			}
		}
		for _, subject := range []string{string(mustUser(w, "alice").ID), "?\x00nobod"} {
			must(w.t, w.db.ClearAttempts(w.t.Context(), subject, sallyport.AttemptPassword, sallyport.LaneOther))
		}
	}
	median := func(name string) time.Duration {
		slices.Sort(times[name])
		return times[name][len(times[name])/2]
	}
	base := median("alice")
	for _, name := range []string{"nobod", "disab", "locke"} {
		if m := median(name); m < base*7/10 || m > base*14/10 {
			return fmt.Sprintf("%s takes %s, a wrong password %s", name, m, base)
		}
	}
	return ""
}

// H4: no password, code, key or token in any log at any level, nor in the audit
// log.
func TestNothingSecretInLogs(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateEnabled)
	b := w.browser()
	page := b.get(app + "/")
	page.submit("username", "alice", "password", "hunter2-wrong").want(403)
	register := page.submit("username", "alice", "password", password).want(200)
	key := register.key()
	register.submit("code", "000000")
	code := w.code(key)
	codes := register.submit("code", code)
	kept := codes.recoveryCodes()
	codes.submit().submit().want(200, "hello alice")
	text := w.log.String()
	for _, e := range w.events() {
		text += fmt.Sprintf("%+v\n", e)
	}
	secrets := append([]string{password, "hunter2-wrong", key, code}, kept...)
	for _, c := range b.client.Jar.Cookies(register.url) {
		secrets = append(secrets, c.Value)
	}
	for _, s := range secrets {
		if len(s) < 6 {
			t.Fatalf("%q is not much of a secret", s)
		}
		if regexp.MustCompile(`\b` + regexp.QuoteMeta(s) + `\b`).MatchString(text) {
			t.Errorf("%q is in a log", s)
		}
	}
}
