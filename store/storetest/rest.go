package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"sallyport"
	"sallyport/audit"
)

var keyTests = []contractTest{
	{"CreateSigningKey makes one where one is due", createSigningKey},
	{"DeleteSigningKeys removes the retired", deleteSigningKeys},
}

// NewSigningKey returns a key that becomes active at a time.
func NewSigningKey(kid string, active time.Time) sallyport.SigningKey {
	return sallyport.SigningKey{KID: kid, PKCS8: []byte("private " + kid), CreatedAt: active, ActiveAt: active,
		RetireAt: active.Add(48 * time.Hour)}
}

func createSigningKey(e *env) {
	first, second := NewSigningKey("b", e.now()), NewSigningKey("a", e.now().Add(24*time.Hour))
	e.ok(e.db.CreateSigningKey(e.ctx, first, time.Time{}, e.event(audit.KeyRotated)))
	e.fails(e.db.CreateSigningKey(e.ctx, NewSigningKey("x", e.now()), time.Time{}, e.event(audit.KeyRotated)), sallyport.ErrExists)
	seq := e.seq()
	e.ok(e.db.CreateSigningKey(e.ctx, second, first.ActiveAt))
	e.changed(seq, sallyport.Change{Kind: sallyport.ChangeKeys})
	e.fails(e.db.CreateSigningKey(e.ctx, NewSigningKey("x", second.ActiveAt), first.ActiveAt), sallyport.ErrExists)
	keys, err := e.db.SigningKeys(e.ctx)
	e.ok(err)
	e.equal(keys, []sallyport.SigningKey{first, second})
	e.logged(audit.KeyRotated)
}

func deleteSigningKeys(e *env) {
	first, second := NewSigningKey("a", e.now()), NewSigningKey("b", e.now().Add(24*time.Hour))
	e.ok(e.db.CreateSigningKey(e.ctx, first, time.Time{}))
	e.ok(e.db.CreateSigningKey(e.ctx, second, first.ActiveAt))
	seq := e.seq()
	e.ok(e.db.DeleteSigningKeys(e.ctx, first.RetireAt))
	e.changed(seq)
	e.ok(e.db.DeleteSigningKeys(e.ctx, first.RetireAt.Add(time.Microsecond)))
	e.changed(seq, sallyport.Change{Kind: sallyport.ChangeKeys})
	keys, err := e.db.SigningKeys(e.ctx)
	e.ok(err)
	e.equal(keys, []sallyport.SigningKey{second})
}

var changeTests = []contractTest{
	{"Changes returns each once and in order", changesInOrder},
	{"Changes tells a caller too far behind that all changed", changesBehind},
}

func changesInOrder(e *env) {
	a, b := e.user("alice"), e.user("bob")
	seq := e.seq()
	e.changed(seq)
	for _, id := range []sallyport.UserID{b.ID, a.ID, b.ID} {
		e.ok(e.db.RevokeUser(e.ctx, id, e.now()))
	}
	seq = e.changed(seq, userChange(b.ID), userChange(a.ID), userChange(b.ID))
	e.changed(seq)
	e.changed(seq-1, userChange(b.ID)) // nothing is used up
}

func changesBehind(e *env) {
	all := []sallyport.Change{{Kind: sallyport.ChangeUser}, {Kind: sallyport.ChangeSession}, {Kind: sallyport.ChangeKeys}}
	u := e.user("alice")
	for range 3 {
		e.ok(e.db.RevokeUser(e.ctx, u.ID, e.now()))
	}
	seq := e.seq()
	e.equal(seq, int64(3))
	e.changed(seq+5, all...) // a restored backup: our number is of the future
	e.clock.Advance(48 * time.Hour)
	_, err := e.db.Sweep(e.ctx, e.now(), time.Time{})
	e.ok(err)
	e.equal(e.seq(), seq) // the highest number is not forgotten
	e.changed(seq-1, userChange(u.ID))
	e.changed(seq-2, all...) // the second is gone, and might have been anything
}

var auditTests = []contractTest{
	{"events keep every field", eventFields},
	{"Events filters", eventsFilter},
	{"Events pages, latest first", eventsPage},
	{"sinks hear of what was committed, in order", sinksHear},
	{"the chain verifies", chainVerifies},
}

func eventFields(e *env) {
	ev := audit.Event{
		ID: sallyport.NewID(), Time: e.now(), Kind: audit.SignInSummary, Result: audit.Denied, Reason: "wrong-code",
		Code: sallyport.CodeWrongCode, CorrelationID: "c", FlowID: "f", SessionID: "s", Actor: "user", UserID: "u",
		UserName: "<alice> & \u2028 \x00 \x1b[31m", Name: "Alice", Email: "a@example.com", Route: "app", Client: "browser",
		UserAgent: "=cmd()", Address: netip.MustParseAddr("192.0.2.1"), Place: "office", Node: "other", Provider: "staff",
		Method: sallyport.KindTOTP, Device: "phone", Duration: time.Second, Demanded: "multifactor", Rule: "r", Skipped: "no",
		Before: "b", After: "a", Steps: []audit.Step{{Time: e.now(), Method: sallyport.KindTOTP, Result: audit.Failure}},
	}
	plain := e.event(audit.NodeStarted)
	e.ok(e.db.AppendEvents(e.ctx, ev, plain))
	got, err := e.db.Events(e.ctx, audit.Filter{})
	e.ok(err)
	e.equal(len(got), 2)
	e.equal(got[0].Node, "test") // the store's own, where none was given
	if got[1].Hash == "" || got[0].PrevHash != got[1].Hash || got[0].Seq != got[1].Seq+1 {
		e.Fatalf("not linked: %+v", got)
	}
	ev.Seq, ev.PrevHash, ev.Hash = got[1].Seq, got[1].PrevHash, got[1].Hash
	e.equal(got[1], ev)
}

func eventsFilter(e *env) {
	u := e.user("Alice")
	add := func(change func(*audit.Event)) {
		ev := e.event(audit.SignInVerify)
		change(&ev)
		e.ok(e.db.AppendEvents(e.ctx, ev))
		e.clock.Advance(time.Minute)
	}
	start := e.now()
	add(func(ev *audit.Event) { ev.UserID, ev.Reason = u.ID, "0" })
	add(func(ev *audit.Event) { ev.UserName, ev.Reason = "alice", "1" })
	add(func(ev *audit.Event) { ev.Result, ev.FlowID, ev.Reason = audit.Failure, "f", "2" })
	add(func(ev *audit.Event) { ev.Kind, ev.CorrelationID, ev.Reason = audit.SignOut, "c", "3" })
	for _, test := range []struct {
		f    audit.Filter
		want string
	}{
		{audit.Filter{}, "3210"},
		{audit.Filter{User: string(u.ID)}, "0"},
		{audit.Filter{User: "alice"}, "10"},
		{audit.Filter{User: "nobody"}, ""},
		{audit.Filter{User: ""}, "3210"},
		{audit.Filter{Result: audit.Failure}, "2"},
		{audit.Filter{Kind: audit.SignOut}, "3"},
		{audit.Filter{FlowID: "f"}, "2"},
		{audit.Filter{CorrelationID: "c"}, "3"},
		{audit.Filter{Since: start.Add(time.Minute), Until: start.Add(3 * time.Minute)}, "21"},
		{audit.Filter{User: "alice", Since: start.Add(time.Minute), Result: audit.Success}, "1"},
		{audit.Filter{User: "' OR 1=1 --"}, ""},
	} {
		events, err := e.db.Events(e.ctx, test.f)
		e.ok(err)
		got := ""
		for _, ev := range events {
			got += ev.Reason
		}
		if got != test.want {
			e.Errorf("%+v: got %q, want %q", test.f, got, test.want)
		}
	}
}

func eventsPage(e *env) {
	for i := range 5 {
		ev := e.event(audit.SignOut)
		ev.Reason = fmt.Sprint(i)
		e.ok(e.db.AppendEvents(e.ctx, ev))
	}
	var got string
	f := audit.Filter{Limit: 2}
	for {
		events, err := e.db.Events(e.ctx, f)
		e.ok(err)
		if len(events) == 0 {
			break
		}
		for _, ev := range events {
			got += ev.Reason
		}
		f.Before = events[len(events)-1].Seq
	}
	e.equal(got, "43210")
}

func sinksHear(e *env) {
	u := e.user("alice")
	e.ok(e.db.RevokeUser(e.ctx, u.ID, e.now(), e.event(audit.UserRevoked), e.event(audit.SessionRevoked)))
	e.fails(e.db.RevokeUser(e.ctx, "nobody", e.now(), e.event(audit.UserRevoked)), sallyport.ErrNotFound)
	e.ok(e.db.AppendEvents(e.ctx, e.event(audit.NodeStopped)))
	heard := e.sink.Events()
	stored, err := e.db.Events(e.ctx, audit.Filter{})
	e.ok(err)
	e.equal(len(heard), 3)
	for i := range heard {
		e.equal(heard[i], stored[len(stored)-1-i])
	}
}

func chainVerifies(e *env) {
	e.ok(e.db.VerifyChain(e.ctx)) // an empty log too
	for range 10 {
		e.ok(e.db.AppendEvents(e.ctx, e.event(audit.SignOut), e.event(audit.SignInSkip)))
	}
	e.ok(e.db.VerifyChain(e.ctx))
}

var sweepTests = []contractTest{
	{"Sweep removes what has expired and nothing else", sweep},
	{"Sweep keeps locks of known people", sweepCounters},
	{"Sweep ends the log after 90 days and the chain still verifies", sweepAudit},
}

func sweep(e *env) {
	u := e.user("alice")
	_, idle := e.session(u)
	gone, _ := e.session(u)
	e.ok(e.db.RevokeSession(e.ctx, gone.ID, e.now()))
	e.clock.Advance(time.Hour)
	s, live := e.session(u)
	h := e.handoff(s)
	token := e.device(u)
	n, err := e.db.Sweep(e.ctx, e.now(), time.Time{})
	e.ok(err)
	e.equal(n, 1) // the revoked one
	e.grant(idle.Hash)
	n, err = e.db.Sweep(e.ctx, e.now(), e.now().Add(-time.Minute))
	e.ok(err)
	e.equal(n, 1)
	e.noGrant(idle.Hash)
	e.grant(live.Hash)
	_, err = e.db.TakeHandoff(e.ctx, h.Hash, e.now())
	e.ok(err)
	e.handoff(s)
	e.clock.Advance(14 * 24 * time.Hour)
	n, err = e.db.Sweep(e.ctx, e.now(), time.Time{})
	e.ok(err)
	e.equal(n, 2) // session (with its hand-off) and device; the one change stays as the last
	_, err = e.db.DeviceByToken(e.ctx, token, u.ID, e.now())
	e.fails(err, sallyport.ErrNotFound)
}

func sweepCounters(e *env) {
	u := e.user("alice")
	e.lock(string(u.ID))
	e.lock("?\x00stranger")
	e.clock.Advance(31 * 24 * time.Hour)
	n, err := e.db.Sweep(e.ctx, e.now(), time.Time{})
	e.ok(err)
	e.equal(n, 1)
	e.equal(e.lock(string(u.ID)), 2*time.Minute)
	e.equal(e.lock("?\x00stranger"), time.Minute)
}

func sweepAudit(e *env) {
	for range 5 {
		e.ok(e.db.AppendEvents(e.ctx, e.event(audit.SignOut)))
	}
	e.clock.Advance(60 * 24 * time.Hour)
	e.ok(e.db.AppendEvents(e.ctx, e.event(audit.NodeStarted)))
	e.clock.Advance(31 * 24 * time.Hour)
	n, err := e.db.Sweep(e.ctx, e.now(), time.Time{})
	e.ok(err)
	e.equal(n, 5)
	e.logged(audit.NodeStarted)
	e.ok(e.db.VerifyChain(e.ctx))
	e.clock.Advance(90 * 24 * time.Hour)
	_, err = e.db.Sweep(e.ctx, e.now(), time.Time{})
	e.ok(err)
	e.logged()
	e.ok(e.db.VerifyChain(e.ctx))
	e.ok(e.db.AppendEvents(e.ctx, e.event(audit.NodeStopped)))
	e.ok(e.db.VerifyChain(e.ctx))
}

var errorTests = []contractTest{
	{"an ended context is unavailable, and changes nothing", errorsContext},
	{"a closed store is unavailable", errorsClosed},
}

func errorsContext(e *env) {
	u := e.user("alice")
	_, k := e.session(u)
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	_, err := e.db.Grant(ctx, k.Hash, e.now())
	e.fails(err, sallyport.ErrUnavailable)
	if !errors.Is(err, context.Canceled) {
		e.Fatalf("the cause is lost: %v", err)
	}
	e.fails(e.db.RevokeUser(ctx, u.ID, e.now()), sallyport.ErrUnavailable)
	s, err := e.db.ChargeAttempt(ctx, e.attempt("alice", "x"))
	e.fails(err, sallyport.ErrUnavailable)
	e.equal(s.Locked, true) // in doubt, refused
	s, err = e.db.AttemptState(ctx, e.attempt("alice", "x"))
	e.fails(err, sallyport.ErrUnavailable)
	e.equal(s.Locked, true)
	_, _, err = e.db.Changes(ctx, 0)
	e.fails(err, sallyport.ErrUnavailable)
	e.grant(k.Hash)
	_, _, err = e.db.Changes(e.ctx, 0)
	e.ok(err)
}

func errorsClosed(e *env) {
	e.ok(e.db.Ping(e.ctx))
	u := e.user("alice")
	e.ok(e.db.Close())
	e.fails(e.db.Ping(e.ctx), sallyport.ErrUnavailable)
	_, err := e.db.User(e.ctx, u.ID)
	e.fails(err, sallyport.ErrUnavailable)
	_, err = e.db.Events(e.ctx, audit.Filter{})
	e.fails(err, sallyport.ErrUnavailable)
	_, _, err = e.db.Changes(e.ctx, 0)
	e.fails(err, sallyport.ErrUnavailable)
	e.fails(e.db.RevokeUser(e.ctx, u.ID, e.now()), sallyport.ErrUnavailable)
	e.fails(e.db.VerifyChain(e.ctx), sallyport.ErrUnavailable)
}
