package storetest

import (
	"time"

	"sallyport"
	"sallyport/audit"
)

var flowTests = []contractTest{
	{"CreateFlow stores every field", createFlow},
	{"Flow ends at its expiry", flowExpires},
	{"SaveFlow wins once per version", saveFlow},
	{"FinishFlow ends it once", finishFlow},
	{"ExpireFlows removes the expired with a summary", expireFlows},
	{"EndFlows ends those of one browser", endFlows},
	{"EndUserFlows ends those of one user", endUserFlows},
	{"FlowEvents returns one flow's events in order", flowEvents},
}

// NewFlow returns a flow of 15 minutes with every field set.
func NewFlow(user sallyport.UserID, now time.Time) *sallyport.Flow {
	return &sallyport.Flow{
		ID: sallyport.FlowID(sallyport.NewID()), Browser: NewHash(), ReturnURL: "https://app.example.com/x?y=z", Route: "app",
		State: NewHash(), Need: sallyport.Need{Strength: sallyport.StrengthMultifactor, Fresh: time.Minute, Cause: "state-enforced"},
		Step: "verify", UserID: user, Provider: "staff", Groups: []string{"staff:clerks"},
		Proofs:   []sallyport.Proof{{Kind: sallyport.KindPassword, At: now}},
		DeviceID: "device", Remember: true, Lane: sallyport.LaneTrusted, Data: []byte("pending secret"), Resume: "opaque",
		CreatedAt: now, ExpiresAt: now.Add(15 * time.Minute), Version: 1,
	}
}

func (e *env) flow(user sallyport.UserID) *sallyport.Flow {
	e.Helper()
	f := NewFlow(user, e.now())
	e.ok(e.db.CreateFlow(e.ctx, f))
	return f
}

func createFlow(e *env) {
	f := NewFlow("alice", e.now())
	e.ok(e.db.CreateFlow(e.ctx, f, e.event(audit.SignInPassword)))
	got, err := e.db.Flow(e.ctx, f.ID, e.now())
	e.ok(err)
	e.equal(got, f)
	e.logged(audit.SignInPassword)
	e.fails(e.db.CreateFlow(e.ctx, f), sallyport.ErrExists)
	_, err = e.db.Flow(e.ctx, "nothing", e.now())
	e.fails(err, sallyport.ErrNotFound)
}

func flowExpires(e *env) {
	f := e.flow("")
	_, err := e.db.Flow(e.ctx, f.ID, f.ExpiresAt.Add(-time.Microsecond))
	e.ok(err)
	_, err = e.db.Flow(e.ctx, f.ID, f.ExpiresAt)
	e.fails(err, sallyport.ErrNotFound)
}

func saveFlow(e *env) {
	f := e.flow("")
	stale := *f
	f.UserID, f.Step, f.Data = "alice", "done", []byte("other")
	e.ok(e.db.SaveFlow(e.ctx, f, e.event(audit.SignInVerify)))
	e.equal(f.Version, int64(2))
	got, err := e.db.Flow(e.ctx, f.ID, e.now())
	e.ok(err)
	e.equal(got, f)
	stale.Step = "stale"
	e.fails(e.db.SaveFlow(e.ctx, &stale, e.event(audit.SignInVerify)), sallyport.ErrConflict)
	e.equal(stale.Version, int64(1))
	got, err = e.db.Flow(e.ctx, f.ID, e.now())
	e.ok(err)
	e.equal(got, f)
	e.ok(e.db.SaveFlow(e.ctx, f))
	e.logged(audit.SignInVerify)
}

func finishFlow(e *env) {
	f := e.flow("alice")
	stale := *f
	stale.Version--
	e.fails(e.db.FinishFlow(e.ctx, &stale, e.event(audit.SignInSummary)), sallyport.ErrConflict)
	e.ok(e.db.FinishFlow(e.ctx, f, e.event(audit.SignInSummary)))
	e.fails(e.db.FinishFlow(e.ctx, f, e.event(audit.SignInSummary)), sallyport.ErrConflict)
	e.fails(e.db.SaveFlow(e.ctx, f), sallyport.ErrConflict)
	_, err := e.db.Flow(e.ctx, f.ID, e.now())
	e.fails(err, sallyport.ErrNotFound)
	e.logged(audit.SignInSummary)
}

func expireFlows(e *env) {
	old := e.flow("alice")
	e.clock.Advance(10 * time.Minute)
	young := e.flow("bob")
	e.clock.Advance(5 * time.Minute)
	var seen []sallyport.Flow
	n, err := e.db.ExpireFlows(e.ctx, e.now(), func(f *sallyport.Flow) []audit.Event {
		seen = append(seen, *f)
		ev := e.event(audit.SignInSummary)
		ev.FlowID = f.ID
		return []audit.Event{ev}
	})
	e.ok(err)
	e.equal(n, 1)
	old.Data = nil
	e.equal(seen, []sallyport.Flow{*old})
	e.logged(audit.SignInSummary)
	e.fails(e.db.FinishFlow(e.ctx, old), sallyport.ErrConflict)
	_, err = e.db.Flow(e.ctx, young.ID, e.now())
	e.ok(err)
	n, err = e.db.ExpireFlows(e.ctx, e.now(), nil)
	e.ok(err)
	e.equal(n, 0)
}

func flowEvents(e *env) {
	f := NewFlow("alice", e.now())
	kinds := []audit.Kind{audit.SignInPassword, audit.SignInVerify, audit.SignInSummary}
	for _, k := range kinds {
		mine, other := e.event(k), e.event(k)
		mine.FlowID, other.FlowID = f.ID, "other"
		e.ok(e.db.AppendEvents(e.ctx, other, mine))
	}
	got, err := e.db.FlowEvents(e.ctx, f.ID)
	e.ok(err)
	e.equal(len(got), len(kinds))
	for i := range got {
		e.equal(got[i].Kind, kinds[i])
		e.equal(got[i].FlowID, f.ID)
	}
}

// live reports whether a flow can still be loaded.
func (e *env) live(f *sallyport.Flow) bool {
	e.Helper()
	_, err := e.db.Flow(e.ctx, f.ID, e.now())
	if err != nil {
		e.fails(err, sallyport.ErrNotFound)
	}
	return err == nil
}

// A flow whose steps are being taken at that moment ends too: what was loaded
// before can be neither saved nor finished.
func endFlows(e *env) {
	mine, bobs, elsewhere, nobodys := e.flow("alice"), NewFlow("bob", e.now()), e.flow("alice"), NewFlow("", e.now())
	bobs.Browser, nobodys.Browser = mine.Browser, mine.Browser
	e.ok(e.db.CreateFlow(e.ctx, bobs))
	e.ok(e.db.CreateFlow(e.ctx, nobodys))
	e.ok(e.db.EndFlows(e.ctx, mine.Browser, e.now()))
	e.ok(e.db.EndFlows(e.ctx, sallyport.TokenHash{}, e.now()))
	e.equal([]bool{e.live(mine), e.live(bobs), e.live(elsewhere), e.live(nobodys)}, []bool{false, false, true, true})
	e.fails(e.db.SaveFlow(e.ctx, mine), sallyport.ErrConflict)
	e.fails(e.db.FinishFlow(e.ctx, bobs), sallyport.ErrConflict)
	n, err := e.db.ExpireFlows(e.ctx, e.now(), nil) // with their last event, as any
	e.ok(err)
	e.equal(n, 2)
}

func endUserFlows(e *env) {
	mine, elsewhere, bobs := e.flow("alice"), e.flow("alice"), e.flow("bob")
	e.ok(e.db.EndUserFlows(e.ctx, "alice", e.now()))
	e.equal([]bool{e.live(mine), e.live(elsewhere), e.live(bobs)}, []bool{false, false, true})
	e.fails(e.db.SaveFlow(e.ctx, mine), sallyport.ErrConflict)
}

func revokeSessionFlows(e *env) {
	mine, elsewhere := e.flow("alice"), e.flow("alice")
	s, k := NewSession(e.user("alice").ID, e.now())
	s.Browser = mine.Browser
	e.ok(e.db.CreateSession(e.ctx, s, k))
	unknown, k := NewSession(s.UserID, e.now())
	e.ok(e.db.CreateSession(e.ctx, unknown, k))
	e.ok(e.db.RevokeSession(e.ctx, unknown.ID, e.now()))
	e.equal([]bool{e.live(mine), e.live(elsewhere)}, []bool{true, true})
	e.ok(e.db.RevokeSession(e.ctx, s.ID, e.now()))
	e.equal([]bool{e.live(mine), e.live(elsewhere)}, []bool{false, true})
	e.fails(e.db.SaveFlow(e.ctx, mine), sallyport.ErrConflict)
}
