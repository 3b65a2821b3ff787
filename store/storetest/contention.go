package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/store"
)

// Pair opens the same empty store twice, as two nodes would.
type Pair func(t testing.TB, now func() time.Time) (a, b *store.DB)

// Contention tests what two nodes may do to the same row in the same
// millisecond (D5, D4).
func Contention(t *testing.T, open Pair) {
	tests := []struct {
		name string
		run  func(*nodes)
	}{
		{"a counter of a method is accepted once", contendMethod},
		{"a recovery code is accepted once", contendRecovery},
		{"a hand-off is redeemed once", contendHandoff},
		{"a flow is finished once", contendFinish},
		{"a flow is saved once per version", contendSave},
		{"a token is rotated once", contendRotate},
		{"a remembered-device token is rotated once", contendDevice},
		{"100 parallel guesses count as 100", contendAttempts},
		{"the limit of methods holds", contendLimit},
		{"a name belongs to one user", contendName},
		{"one signing key is made", contendKey},
		{"the audit chain does not fork", contendChain},
		{"a change is seen by the other node", contendChanges},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			clock := NewClock()
			a, b := open(t, clock.Now)
			test.run(&nodes{env: &env{T: t, db: a, clock: clock, ctx: t.Context()}, b: b})
		})
	}
}

// nodes is an env with a second node.
type nodes struct {
	*env
	b *store.DB
}

// race calls fn n times at once, on both nodes in turn, and demands that exactly
// one succeeds and all others fail with kind.
func (e *nodes) race(n int, kind error, fn func(db *store.DB, i int) error) {
	e.Helper()
	errs := e.parallel(n, fn)
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, kind):
			e.Errorf("a loser got %v, want %v", err, kind)
		}
	}
	if won != 1 {
		e.Errorf("%d of %d succeeded, want 1", won, n)
	}
}

func (e *nodes) parallel(n int, fn func(db *store.DB, i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			db := e.db
			if i%2 == 1 {
				db = e.b
			}
			<-start
			errs[i] = fn(db, i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func contendMethod(e *nodes) {
	m := e.method(e.user("alice"), "phone")
	e.race(20, sallyport.ErrUsed, func(db *store.DB, _ int) error {
		return db.UseMethod(e.ctx, m.ID, 5, 0, e.now())
	})
}

func contendRecovery(e *nodes) {
	u := e.user("alice")
	e.ok(e.db.ReplaceRecoveryCodes(e.ctx, u.ID, [][]byte{{1}}, e.now()))
	e.race(20, sallyport.ErrUsed, func(db *store.DB, _ int) error {
		return db.UseRecoveryCode(e.ctx, u.ID, []byte{1}, e.now())
	})
}

func contendHandoff(e *nodes) {
	s, _ := e.session(e.user("alice"))
	h := e.handoff(s)
	e.race(20, sallyport.ErrNotFound, func(db *store.DB, _ int) error {
		_, err := db.TakeHandoff(e.ctx, h.Hash, e.now())
		return err
	})
}

func contendFinish(e *nodes) {
	f := e.flow("alice")
	e.race(20, sallyport.ErrConflict, func(db *store.DB, _ int) error {
		mine := *f
		return db.FinishFlow(e.ctx, &mine)
	})
}

func contendSave(e *nodes) {
	f := e.flow("alice")
	e.race(20, sallyport.ErrConflict, func(db *store.DB, _ int) error {
		mine := *f
		return db.SaveFlow(e.ctx, &mine)
	})
}

func contendRotate(e *nodes) {
	s, k := e.session(e.user("alice"))
	e.race(20, sallyport.ErrNotFound, func(db *store.DB, _ int) error {
		return db.RotateToken(e.ctx, k.Hash, NewHostToken(s, k.Host, e.now()))
	})
}

func contendDevice(e *nodes) {
	u := e.user("alice")
	token := e.device(u)
	var rotated, graced atomic.Int32
	for _, err := range e.parallel(20, func(db *store.DB, _ int) error {
		_, outcome, err := db.UseDevice(e.ctx,
			sallyport.DeviceUse{Token: token, Next: NewHash(), UserID: u.ID, Now: e.now()}, audit.Event{}, audit.Event{})
		switch outcome {
		case sallyport.DeviceRotated:
			rotated.Add(1)
		case sallyport.DeviceGrace:
			graced.Add(1)
		}
		return err
	}) {
		e.ok(err)
	}
	e.equal([]int32{rotated.Load(), graced.Load()}, []int32{1, 19})
}

// D4: the lock cannot be outrun.
func contendAttempts(e *nodes) {
	var judged atomic.Int32
	for _, err := range e.parallel(100, func(db *store.DB, i int) error {
		s, err := db.ChargeAttempt(e.ctx, e.attempt("alice", fmt.Sprint(i)))
		if err == nil && !s.Locked {
			judged.Add(1)
		}
		return err
	}) {
		e.ok(err)
	}
	e.equal(judged.Load(), int32(rule.Denials))
}

func contendLimit(e *nodes) {
	u := e.user("alice")
	e.race(10, sallyport.ErrLimit, func(db *store.DB, i int) error {
		return db.RegisterMethod(e.ctx, sallyport.Method{
			ID: sallyport.MethodID(fmt.Sprint(i)), UserID: u.ID, Kind: sallyport.KindTOTP,
		}, 1, nil)
	})
}

func contendName(e *nodes) {
	e.race(10, sallyport.ErrExists, func(db *store.DB, i int) error {
		return db.CreateUser(e.ctx, sallyport.User{
			ID: sallyport.UserID(fmt.Sprint(i)), Name: "Alice", State: sallyport.StateDisabled,
		}, nil)
	})
}

func contendKey(e *nodes) {
	e.race(10, sallyport.ErrExists, func(db *store.DB, i int) error {
		return db.CreateSigningKey(e.ctx, NewSigningKey(fmt.Sprint(i), e.now()), time.Time{})
	})
}

func contendChain(e *nodes) {
	for _, err := range e.parallel(60, func(db *store.DB, _ int) error {
		return db.AppendEvents(e.ctx, e.event(audit.SignOut), e.event(audit.SignInSkip))
	}) {
		e.ok(err)
	}
	e.ok(e.db.VerifyChain(e.ctx))
	e.ok(e.b.VerifyChain(e.ctx))
	events, err := e.b.Events(e.ctx, audit.Filter{})
	e.ok(err)
	e.equal(len(events), 120)
}

func contendChanges(e *nodes) {
	u := e.user("alice")
	s, k := e.session(u)
	changes := func(after int64) ([]sallyport.Change, int64) {
		c, seq, err := e.b.Changes(context.WithoutCancel(e.ctx), after)
		e.ok(err)
		return c, seq
	}
	_, seq := changes(0)
	for range 3 { // also when nothing happened in between
		c, _ := changes(seq)
		e.equal(len(c), 0)
	}
	e.ok(e.db.RevokeSession(e.ctx, s.ID, e.now()))
	c, next := changes(seq)
	e.equal(c, []sallyport.Change{{Seq: next, Kind: sallyport.ChangeSession, ID: string(s.ID)}})
	_, err := e.b.Grant(e.ctx, k.Hash, e.now())
	e.fails(err, sallyport.ErrNotFound)
	e.ok(e.b.RevokeUser(e.ctx, u.ID, e.now())) // and its own
	c, _ = changes(next)
	e.equal(len(c), 1)
}
