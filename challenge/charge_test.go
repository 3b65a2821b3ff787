package challenge_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/challenge"
	"sallyport/challenge/totp"
	"sallyport/store/storetest"
)

// A code that is right is no guess, even where it leads nowhere: the form of an
// app that was added before, sent again and again, must not lock its owner out of
// the next sign-in. A wrong one counts in the same place.
func TestRightCodesAreNotCharged(t *testing.T) {
	for name, test := range map[string]struct {
		before func(*world, challenge.Attempt, *http.Request) challenge.Attempt
		want   error
	}{
		"added before": {func(w *world, a challenge.Attempt, r *http.Request) challenge.Attempt {
			_, err := w.c.Register(r, a)
			must(t, err)
			return a
		}, sallyport.ErrExists},
		"one too many": {func(w *world, a challenge.Attempt, _ *http.Request) challenge.Attempt {
			for i := range 5 {
				must(t, w.db.RegisterMethod(t.Context(), sallyport.Method{ID: sallyport.MethodID(sallyport.NewID()), UserID: a.User.ID,
					Kind: sallyport.KindTOTP, Name: fmt.Sprint("app ", i), Secret: []byte("12345678901234567890")}, 5, nil))
			}
			return a
		}, &challenge.CodeFault{Code: sallyport.CodeTooManyMethods, Left: -1}},
		"session ended": {func(w *world, a challenge.Attempt, _ *http.Request) challenge.Attempt {
			s, k := storetest.NewSession(a.User.ID, w.clock.Now())
			must(t, w.db.CreateSession(t.Context(), s, k))
			must(t, w.db.RevokeSession(t.Context(), s.ID, w.clock.Now()))
			a.SessionID = s.ID
			return a
		}, sallyport.ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.user("alice", sallyport.StateDisabled)
			app := totp.New(w.db, "x")
			pending, err := app.Propose(u)
			must(t, err)
			show, err := app.Show(u, pending)
			must(t, err)
			r := httptest.NewRequest(http.MethodPost, portal+"/", nil)
			right := w.code(show.(totp.Proposal).KeyPlain)
			a := test.before(w, challenge.Attempt{User: u, Method: app, Pending: pending, Typed: right}, r)
			left := func() int {
				st, err := w.db.AttemptState(t.Context(), sallyport.Attempt{Subject: string(u.ID), Kind: sallyport.AttemptVerification,
					Lane: sallyport.LaneOther, At: w.clock.Now(), Rule: sallyport.Lockout{Denials: 10, ResetAfter: time.Hour, LockFor: time.Minute, LockMax: time.Hour}})
				must(t, err)
				return st.Left
			}
			for range 10 {
				_, err := w.c.Register(r, a)
				var fault *challenge.CodeFault
				if !errors.Is(err, test.want) && (!errors.As(err, &fault) || fault.Error() != test.want.Error()) {
					t.Fatalf("got %v, want %v", err, test.want)
				}
			}
			if n := left(); n != 10 {
				t.Errorf("right codes left %d of 10 tries", n)
			}
			a.Typed = "000000"
			if right == a.Typed {
				a.Typed = "111111"
			}
			if _, err = w.c.Register(r, a); err == nil || left() != 9 {
				t.Errorf("a wrong code (%v) left %d of 10 tries, want 9", err, left())
			}
			if n := w.count(audit.LockedOut, audit.Denied); n != 0 {
				t.Errorf("%d lockouts", n)
			}
		})
	}
}
