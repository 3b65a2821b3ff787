package storetest

import (
	"time"

	"sallyport"
	"sallyport/audit"
)

var methodTests = []contractTest{
	{"RegisterMethod stores every field and promotes", registerMethod},
	{"RegisterMethod keeps to the limit", registerMethodLimit},
	{"UseMethod takes a counter once", useMethod},
	{"RenameMethod is the owner's", renameMethod},
	{"DeleteMethod is the owner's, and keeps the last", deleteMethod},
	{"DeleteMethod ends the other sessions that it proved", deleteMethodSessions},
	{"a recovery code works once", useRecoveryCode},
	{"ReplaceRecoveryCodes voids the earlier ones", replaceRecoveryCodes},
	{"ReplaceRecoveryCodes brings no set back", oldRecoveryCodes},
	{"security info changes in live sessions only", changeInSession},
}

// method registers an authenticator app of the user.
func (e *env) method(u sallyport.User, name string) sallyport.Method {
	e.Helper()
	m := sallyport.Method{
		ID: sallyport.MethodID(sallyport.NewID()), UserID: u.ID, Kind: sallyport.KindTOTP, Name: name,
		Secret: []byte("JBSWY3DPEHPK3PXP"), CreatedAt: e.now(),
	}
	e.ok(e.db.RegisterMethod(e.ctx, m, 5, nil))
	return m
}

func registerMethod(e *env) {
	u := e.user("alice") // state enabled
	e.ok(e.db.RequireReregister(e.ctx, u.ID, e.now()))
	seq := e.seq()
	m := sallyport.Method{
		ID: "m", UserID: u.ID, Kind: sallyport.KindTOTP, Name: "phone", Secret: []byte("secret"), Counter: 7, Drift: -1,
		CreatedAt: e.now(),
	}
	var promotions []bool
	events := func(promoted bool) []audit.Event {
		promotions = append(promotions, promoted)
		return []audit.Event{e.event(audit.MethodRegistered)}
	}
	e.ok(e.db.RegisterMethod(e.ctx, m, 5, events))
	got, err := e.db.Methods(e.ctx, u.ID)
	e.ok(err)
	e.equal(got, []sallyport.Method{m})
	after, err := e.db.User(e.ctx, u.ID)
	e.ok(err)
	e.equal(after.State, sallyport.StateEnforced)
	e.equal(after.Reregister, false)
	e.changed(seq, userChange(u.ID))
	e.clock.Advance(time.Second)
	m.ID, m.CreatedAt = "m2", e.now()
	e.ok(e.db.RegisterMethod(e.ctx, m, 5, events))
	e.equal(promotions, []bool{true, false})
	e.logged(audit.MethodRegistered, audit.MethodRegistered)
	got, err = e.db.Methods(e.ctx, u.ID)
	e.ok(err)
	e.equal([]sallyport.MethodID{got[0].ID, got[1].ID}, []sallyport.MethodID{"m", "m2"}) // oldest first

	m.ID, m.UserID = "m3", "nobody"
	e.fails(e.db.RegisterMethod(e.ctx, m, 5, events), sallyport.ErrNotFound)
}

func registerMethodLimit(e *env) {
	u := e.user("alice")
	m := e.method(u, "first")
	first := m.ID
	m.ID = "second"
	e.fails(e.db.RegisterMethod(e.ctx, m, 1, nil), sallyport.ErrLimit)
	e.fails(e.db.RegisterMethod(e.ctx, m, 0, nil), sallyport.ErrLimit)
	m.ID = first // the same form twice is no method too many
	e.fails(e.db.RegisterMethod(e.ctx, m, 1, nil), sallyport.ErrExists)
	m.ID, m.Kind = "second", "other" // has a limit of its own
	e.ok(e.db.RegisterMethod(e.ctx, m, 1, nil))
	got, err := e.db.Methods(e.ctx, u.ID)
	e.ok(err)
	e.equal(len(got), 2)
}

func useMethod(e *env) {
	u := e.user("alice")
	m := e.method(u, "phone")
	e.ok(e.db.UseMethod(e.ctx, m.ID, 100, 2, e.now()))
	e.fails(e.db.UseMethod(e.ctx, m.ID, 100, 2, e.now()), sallyport.ErrUsed)
	e.fails(e.db.UseMethod(e.ctx, m.ID, 99, 2, e.now()), sallyport.ErrUsed)
	e.ok(e.db.UseMethod(e.ctx, m.ID, 101, -1, e.now()))
	got, err := e.db.Methods(e.ctx, u.ID)
	e.ok(err)
	m.Counter, m.Drift, m.LastUsedAt = 101, -1, e.now()
	e.equal(got, []sallyport.Method{m})
	e.fails(e.db.UseMethod(e.ctx, "nothing", 1, 0, e.now()), sallyport.ErrNotFound)
}

func renameMethod(e *env) {
	u, mallory := e.user("alice"), e.user("mallory")
	m := e.method(u, "phone")
	e.fails(e.db.RenameMethod(e.ctx, mallory.ID, m.ID, "x", e.event(audit.MethodRenamed)), sallyport.ErrNotFound)
	e.ok(e.db.RenameMethod(e.ctx, u.ID, m.ID, "work phone", e.event(audit.MethodRenamed)))
	got, err := e.db.Methods(e.ctx, u.ID)
	e.ok(err)
	m.Name = "work phone"
	e.equal(got, []sallyport.Method{m})
	e.logged(audit.MethodRenamed)
}

func deleteMethod(e *env) {
	u, mallory := e.user("alice"), e.user("mallory")
	a, b := e.method(u, "phone"), e.method(u, "tablet")
	codes := sallyport.Method{ID: "codes", UserID: u.ID, Kind: sallyport.KindRecovery, CreatedAt: e.now()}
	e.ok(e.db.RegisterMethod(e.ctx, codes, 1, nil))
	deleted := func(int) []audit.Event { return []audit.Event{e.event(audit.MethodDeleted)} }
	seq := e.seq()
	e.fails(e.db.DeleteMethod(e.ctx, mallory.ID, a.ID, false, "", deleted), sallyport.ErrNotFound)
	e.ok(e.db.DeleteMethod(e.ctx, u.ID, a.ID, true, "", deleted))
	e.changed(seq, userChange(u.ID))
	// Recovery codes are no method to be left with.
	e.fails(e.db.DeleteMethod(e.ctx, u.ID, b.ID, true, "", deleted), sallyport.ErrLastMethod)
	got, err := e.db.Methods(e.ctx, u.ID)
	e.ok(err)
	e.equal(len(got), 2)
	e.ok(e.db.DeleteMethod(e.ctx, u.ID, b.ID, false, "", deleted))
	e.fails(e.db.DeleteMethod(e.ctx, u.ID, b.ID, false, "", nil), sallyport.ErrNotFound)
	e.logged(audit.MethodDeleted, audit.MethodDeleted)
}

// deleteMethodSessions: who deletes a lost phone must not leave its finder signed
// in, nor sign everybody else out.
func deleteMethodSessions(e *env) {
	u, bob := e.user("alice"), e.user("bob")
	lost, other := e.method(u, "lost"), e.method(u, "other")
	session := func(u sallyport.User, m sallyport.MethodID) (sallyport.SessionID, sallyport.TokenHash) {
		s, k := NewSession(u.ID, e.now())
		k.Proofs = append(k.Proofs, sallyport.Proof{Kind: sallyport.KindTOTP, At: e.now(), MethodID: m})
		e.ok(e.db.CreateSession(e.ctx, s, k))
		return s.ID, k.Hash
	}
	mine, here := session(u, lost.ID)
	_, finder := session(u, lost.ID)
	_, byOther := session(u, other.ID)
	_, byNone := session(u, "")
	_, bobs := session(bob, lost.ID)
	seq, ended := e.seq(), -1
	e.ok(e.db.DeleteMethod(e.ctx, u.ID, lost.ID, true, mine, func(n int) []audit.Event {
		ended = n
		return nil
	}))
	e.equal(ended, 1)
	e.changed(seq, userChange(u.ID))
	for hash, want := range map[sallyport.TokenHash]error{here: nil, finder: sallyport.ErrNotFound, byOther: nil, byNone: nil, bobs: nil} {
		_, err := e.db.Grant(e.ctx, hash, e.now())
		if want == nil {
			e.ok(err)
		} else {
			e.fails(err, want)
		}
	}
	e.ok(e.db.DeleteMethod(e.ctx, u.ID, other.ID, false, "", nil)) // by a command: no session is spared
	_, err := e.db.Grant(e.ctx, byOther, e.now())
	e.fails(err, sallyport.ErrNotFound)
}

func useRecoveryCode(e *env) {
	u, mallory := e.user("alice"), e.user("mallory")
	e.ok(e.db.ReplaceRecoveryCodes(e.ctx, u.ID, [][]byte{{1}, {2}}, e.now(), e.event(audit.RecoveryRenewed)))
	e.fails(e.db.UseRecoveryCode(e.ctx, mallory.ID, []byte{1}, e.now()), sallyport.ErrNotFound)
	e.fails(e.db.UseRecoveryCode(e.ctx, u.ID, []byte{3}, e.now()), sallyport.ErrNotFound)
	e.ok(e.db.UseRecoveryCode(e.ctx, u.ID, []byte{1}, time.Time{}))
	e.fails(e.db.UseRecoveryCode(e.ctx, u.ID, []byte{1}, e.now()), sallyport.ErrUsed)
	left, err := e.db.RecoveryCodesLeft(e.ctx, u.ID)
	e.ok(err)
	e.equal(left, 1)
	e.logged(audit.RecoveryRenewed)
}

func replaceRecoveryCodes(e *env) {
	u := e.user("alice")
	e.ok(e.db.ReplaceRecoveryCodes(e.ctx, u.ID, [][]byte{{1}, {2}}, e.now()))
	e.clock.Advance(time.Second)
	e.ok(e.db.ReplaceRecoveryCodes(e.ctx, u.ID, [][]byte{{3}, {4}, {5}}, e.now()))
	e.fails(e.db.UseRecoveryCode(e.ctx, u.ID, []byte{1}, e.now()), sallyport.ErrNotFound)
	left, err := e.db.RecoveryCodesLeft(e.ctx, u.ID)
	e.ok(err)
	e.equal(left, 3)
	e.fails(e.db.ReplaceRecoveryCodes(e.ctx, "nobody", [][]byte{{1}}, e.now()), sallyport.ErrNotFound)
}

// oldRecoveryCodes: a pending set that is confirmed again, or after a newer one,
// would make codes work that were used.
func oldRecoveryCodes(e *env) {
	u, bob := e.user("alice"), e.user("bob")
	first := e.now()
	e.ok(e.db.ReplaceRecoveryCodes(e.ctx, u.ID, [][]byte{{1}, {2}}, first, e.event(audit.RecoveryRenewed)))
	e.ok(e.db.UseRecoveryCode(e.ctx, u.ID, []byte{1}, e.now()))
	e.clock.Advance(time.Minute)
	renew := func(made time.Time, hashes ...[]byte) error {
		return e.db.ReplaceRecoveryCodes(e.ctx, u.ID, hashes, made, e.event(audit.RecoveryRenewed))
	}
	e.fails(renew(first, []byte{1}, []byte{2}), sallyport.ErrExists)
	e.fails(renew(first, []byte{3}, []byte{4}), sallyport.ErrUsed) // another of that moment
	e.fails(renew(first.Add(-time.Microsecond), []byte{3}, []byte{4}), sallyport.ErrUsed)
	e.fails(renew(time.Time{}, []byte{3}), sallyport.ErrUsed)
	e.fails(e.db.UseRecoveryCode(e.ctx, u.ID, []byte{1}, e.now()), sallyport.ErrUsed)
	e.ok(renew(e.now(), []byte{3}, []byte{4}))
	e.fails(renew(first, []byte{1}, []byte{2}), sallyport.ErrUsed)
	e.fails(e.db.UseRecoveryCode(e.ctx, u.ID, []byte{1}, e.now()), sallyport.ErrNotFound)
	e.ok(e.db.ReplaceRecoveryCodes(e.ctx, bob.ID, [][]byte{{1}}, first)) // of another user
	e.logged(audit.RecoveryRenewed, audit.RecoveryRenewed)
}

// changeInSession: a node that has not heard of a revocation yet asks for changes
// in the name of a session that has ended.
func changeInSession(e *env) {
	u := e.user("alice")
	m := e.method(u, "phone")
	s, k := NewSession(u.ID, e.now())
	e.ok(e.db.CreateSession(e.ctx, s, k))
	event := func(kind audit.Kind) audit.Event {
		ev := e.event(kind)
		ev.SessionID = s.ID
		return ev
	}
	added := sallyport.Method{UserID: u.ID, Kind: sallyport.KindTOTP, Name: "new", Secret: []byte("x"), CreatedAt: e.now()}
	changes := func(id sallyport.MethodID) []error {
		added.ID = id
		e.clock.Advance(time.Second)
		return []error{
			e.db.RegisterMethod(e.ctx, added, 5, func(bool) []audit.Event { return []audit.Event{event(audit.MethodRegistered)} }),
			e.db.RenameMethod(e.ctx, u.ID, m.ID, "renamed by "+string(id), event(audit.MethodRenamed)),
			e.db.ReplaceRecoveryCodes(e.ctx, u.ID, [][]byte{[]byte(id)}, e.now(), event(audit.RecoveryRenewed)),
			e.db.DeleteMethod(e.ctx, u.ID, m.ID, false, s.ID, func(int) []audit.Event { return []audit.Event{event(audit.MethodDeleted)} }),
		}
	}
	e.ok(e.db.RevokeSession(e.ctx, s.ID, e.now()))
	for _, err := range changes("a") {
		e.fails(err, sallyport.ErrExpired)
	}
	e.logged()
	got, err := e.db.Methods(e.ctx, u.ID)
	e.ok(err)
	e.equal(got, []sallyport.Method{m})
	left, err := e.db.RecoveryCodesLeft(e.ctx, u.ID)
	e.ok(err)
	e.equal(left, 0)

	s, k = NewSession(u.ID, e.now())
	e.ok(e.db.CreateSession(e.ctx, s, k))
	for _, err := range changes("b") {
		e.ok(err)
	}
	e.clock.Advance(s.ExpiresAt.Sub(e.now())) // the absolute limit
	for _, err := range changes("c")[:1] {
		e.fails(err, sallyport.ErrExpired)
	}
}
