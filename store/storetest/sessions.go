package storetest

import (
	"net/netip"
	"time"

	"sallyport"
	"sallyport/audit"
)

var sessionTests = []contractTest{
	{"Grant brings session, user and token", grantKeepsFields},
	{"Grant tells of methods and remembered devices", grantFacts},
	{"Grant ends at the absolute limit", grantExpires},
	{"a revoked session grants nothing, whatever tokens it has", grantRevoked},
	{"CreateSession of nobody", createSessionNobody},
	{"CreateSession needs a first factor that still counts", createSessionTrust},
	{"CreateSession with a failing part creates nothing", createSessionAtomic},
	{"RotateToken replaces exactly that token", rotateToken},
	{"AddToken replaces the host's earlier one", addToken},
	{"TouchSessions never lowers", touchSessions},
	{"RevokeSession ends tokens and hand-offs", revokeSession},
	{"RevokeSession ends the flows of its browser", revokeSessionFlows},
	{"RevokeUserSessions spares one", revokeUserSessions},
	{"Sessions lists the live ones, latest first", sessionsList},
}

func grantKeepsFields(e *env) {
	u := e.user("alice")
	s, k := NewSession(u.ID, e.now())
	s.Address = netip.MustParseAddr("2001:db8::1")
	s.Browser = NewHash()
	k.DeviceID = "some-device"
	k.Proofs = append(k.Proofs, sallyport.Proof{Kind: sallyport.KindTOTP, At: e.now(), MethodID: "m"})
	e.ok(e.db.CreateSession(e.ctx, s, k, e.event(audit.SignInPassword)))
	g := e.grant(k.Hash)
	e.equal(g.Session, s)
	e.equal(g.User, u)
	e.equal(g.Token, k)
	e.equal(g.Registered, false)
	e.equal(g.RememberedUntil.IsZero(), true)
	e.logged(audit.SignInPassword)
	e.noGrant(NewHash())
}

func grantFacts(e *env) {
	u, bob := e.user("alice"), e.user("bob")
	token := e.device(u)
	d, err := e.db.DeviceByToken(e.ctx, token, u.ID, e.now())
	e.ok(err)
	s, k := NewSession(u.ID, e.now())
	k.DeviceID = d.ID
	e.ok(e.db.CreateSession(e.ctx, s, k))
	e.ok(e.db.ReplaceRecoveryCodes(e.ctx, u.ID, [][]byte{{1}}, e.now()))
	e.equal(e.grant(k.Hash).Registered, false) // recovery codes do not count
	e.method(u, "phone")
	g := e.grant(k.Hash)
	e.equal(g.Registered, true)
	e.equal(g.RememberedUntil, d.ExpiresAt)
	e.ok(e.db.RemoveDevice(e.ctx, u.ID, d.ID))
	e.equal(e.grant(k.Hash).RememberedUntil.IsZero(), true)

	// Another user's device does not help.
	token = e.device(bob)
	d, err = e.db.DeviceByToken(e.ctx, token, bob.ID, e.now())
	e.ok(err)
	s, k = NewSession(u.ID, e.now())
	k.DeviceID = d.ID
	e.ok(e.db.CreateSession(e.ctx, s, k))
	e.equal(e.grant(k.Hash).RememberedUntil.IsZero(), true)
}

func grantExpires(e *env) {
	s, k := e.session(e.user("alice"))
	e.clock.Advance(s.ExpiresAt.Sub(e.now()) - time.Microsecond)
	e.grant(k.Hash)
	e.clock.Advance(time.Microsecond)
	e.noGrant(k.Hash)
	e.fails(e.db.AddToken(e.ctx, NewHostToken(s, "app.example.com", e.now())), sallyport.ErrNotFound)
}

func grantRevoked(e *env) {
	s, k := NewSession(e.user("alice").ID, e.now())
	s.RevokedAt = e.now()
	e.ok(e.db.CreateSession(e.ctx, s, k))
	e.noGrant(k.Hash)
}

func createSessionNobody(e *env) {
	s, k := NewSession("nobody", e.now())
	e.fails(e.db.CreateSession(e.ctx, s, k, e.event(audit.SignInPassword)), sallyport.ErrNotFound)
	e.logged()
}

func createSessionTrust(e *env) {
	for _, end := range []func(sallyport.UserID) error{
		func(id sallyport.UserID) error { return e.db.SetPassword(e.ctx, id, "hash", e.now()) },
		func(id sallyport.UserID) error { return e.db.RevokeUser(e.ctx, id, e.now()) },
		func(id sallyport.UserID) error {
			_, err := e.db.RevokeUserSessions(e.ctx, id, "", e.now())
			return err
		},
	} {
		u := e.user(sallyport.NewID())
		s, k := NewSession(u.ID, e.now())
		k.Proofs = []sallyport.Proof{{Kind: sallyport.KindPassword, At: e.now().Add(-time.Second)}}
		e.ok(end(u.ID))
		e.fails(e.db.CreateSession(e.ctx, s, k), sallyport.ErrExpired)
		k.Proofs[0].At = e.now()
		e.ok(e.db.CreateSession(e.ctx, s, k))
		e.equal(e.grant(k.Hash).User.TrustEndedAt.IsZero(), false)
	}
}

func createSessionAtomic(e *env) {
	u := e.user("alice")
	_, first := e.session(u)
	s, k := NewSession(u.ID, e.now())
	k.Hash = first.Hash
	e.fails(e.db.CreateSession(e.ctx, s, k, e.event(audit.SignInPassword)), sallyport.ErrExists)
	e.logged()
	sessions, err := e.db.Sessions(e.ctx, u.ID, e.now())
	e.ok(err)
	e.equal(len(sessions), 1)
}

func rotateToken(e *env) {
	u := e.user("alice")
	s, k := e.session(u)
	other, _ := e.session(u)
	seq := e.seq()
	next := NewHostToken(s, k.Host, e.now())
	e.ok(e.db.RotateToken(e.ctx, k.Hash, next, e.event(audit.SignInVerify)))
	e.noGrant(k.Hash)
	e.equal(e.grant(next.Hash).Token, next)
	e.changed(seq, sessionChange(s.ID))
	e.logged(audit.SignInVerify)
	e.fails(e.db.RotateToken(e.ctx, k.Hash, NewHostToken(s, k.Host, e.now())), sallyport.ErrNotFound)
	e.fails(e.db.RotateToken(e.ctx, next.Hash, NewHostToken(s, "app.example.com", e.now())), sallyport.ErrNotFound)
	e.fails(e.db.RotateToken(e.ctx, next.Hash, NewHostToken(other, k.Host, e.now())), sallyport.ErrNotFound)
	e.ok(e.db.RevokeSession(e.ctx, s.ID, e.now()))
	e.fails(e.db.RotateToken(e.ctx, next.Hash, NewHostToken(s, k.Host, e.now())), sallyport.ErrNotFound)
}

func addToken(e *env) {
	s, portal := e.session(e.user("alice"))
	seq := e.seq()
	first := NewHostToken(s, "app.example.com", e.now())
	e.ok(e.db.AddToken(e.ctx, first))
	e.changed(seq) // nobody can hold anything of it yet
	second := NewHostToken(s, "app.example.com", e.now())
	e.ok(e.db.AddToken(e.ctx, second))
	e.changed(seq, sessionChange(s.ID))
	e.noGrant(first.Hash)
	e.grant(second.Hash)
	e.grant(portal.Hash)
	e.ok(e.db.RevokeSession(e.ctx, s.ID, e.now()))
	e.fails(e.db.AddToken(e.ctx, NewHostToken(s, "b.example.com", e.now())), sallyport.ErrNotFound)
}

func touchSessions(e *env) {
	s, k := e.session(e.user("alice"))
	later := e.now().Add(time.Minute)
	e.ok(e.db.TouchSessions(e.ctx, map[sallyport.SessionID]time.Time{s.ID: later, "gone": later}))
	e.equal(e.grant(k.Hash).Session.LastSeenAt, later)
	e.ok(e.db.TouchSessions(e.ctx, map[sallyport.SessionID]time.Time{s.ID: e.now()}))
	e.equal(e.grant(k.Hash).Session.LastSeenAt, later)
	e.ok(e.db.TouchSessions(e.ctx, nil))
}

func revokeSession(e *env) {
	s, k := e.session(e.user("alice"))
	app := NewHostToken(s, "app.example.com", e.now())
	e.ok(e.db.AddToken(e.ctx, app))
	h := e.handoff(s)
	seq := e.seq()
	e.ok(e.db.RevokeSession(e.ctx, s.ID, e.now(), e.event(audit.SignOut)))
	e.noGrant(k.Hash)
	e.noGrant(app.Hash)
	_, err := e.db.TakeHandoff(e.ctx, h.Hash, e.now())
	e.fails(err, sallyport.ErrNotFound)
	e.ok(e.db.RevokeSession(e.ctx, s.ID, e.now(), e.event(audit.SignOut)))
	e.ok(e.db.RevokeSession(e.ctx, "gone", e.now(), e.event(audit.SignOut)))
	e.logged(audit.SignOut)
	e.changed(seq, sessionChange(s.ID))
	e.fails(e.db.CreateHandoff(e.ctx, NewHandoff(s, e.now())), sallyport.ErrNotFound)
}

func revokeUserSessions(e *env) {
	u, bob := e.user("alice"), e.user("bob")
	_, first := e.session(u)
	keep, kept := e.session(u)
	_, bobs := e.session(bob)
	seq := e.seq()
	n, err := e.db.RevokeUserSessions(e.ctx, u.ID, keep.ID, time.Time{}, e.event(audit.SessionRevoked))
	e.ok(err)
	e.equal(n, 1)
	e.noGrant(first.Hash)
	e.grant(kept.Hash)
	e.grant(bobs.Hash)
	e.changed(seq, userChange(u.ID))
	n, err = e.db.RevokeUserSessions(e.ctx, u.ID, "", e.now())
	e.ok(err)
	e.equal(n, 1)
	e.noGrant(kept.Hash)
	e.logged(audit.SessionRevoked)
}

func sessionsList(e *env) {
	u := e.user("alice")
	var made []sallyport.Session
	for range 3 {
		s, _ := e.session(u)
		made = append(made, s)
		e.clock.Advance(time.Hour)
	}
	e.ok(e.db.RevokeSession(e.ctx, made[1].ID, e.now()))
	e.session(e.user("bob"))
	got, err := e.db.Sessions(e.ctx, u.ID, e.now())
	e.ok(err)
	e.equal(got, []sallyport.Session{made[2], made[0]})
	got, err = e.db.Sessions(e.ctx, u.ID, made[0].ExpiresAt)
	e.ok(err)
	e.equal(got, []sallyport.Session{made[2]})
}

var handoffTests = []contractTest{
	{"TakeHandoff returns it once", takeHandoff},
	{"an expired hand-off dies at its redemption", takeHandoffExpired},
	{"a hand-off of an ended session opens nothing", takeHandoffEnded},
}

// NewHandoff returns a hand-off of 60 seconds.
func NewHandoff(s sallyport.Session, now time.Time) sallyport.Handoff {
	return sallyport.Handoff{
		Hash: NewHash(), State: NewHash(), Host: "app.example.com", ReturnURL: "https://app.example.com/a?b=c",
		SessionID: s.ID, FlowID: "flow", DeviceID: "device", ExpiresAt: now.Add(time.Minute),
		Proofs: []sallyport.Proof{{Kind: sallyport.KindPassword, At: now}},
	}
}

func (e *env) handoff(s sallyport.Session) sallyport.Handoff {
	e.Helper()
	h := NewHandoff(s, e.now())
	e.ok(e.db.CreateHandoff(e.ctx, h))
	return h
}

func takeHandoff(e *env) {
	s, _ := e.session(e.user("alice"))
	h := e.handoff(s)
	got, err := e.db.TakeHandoff(e.ctx, h.Hash, e.now())
	e.ok(err)
	e.equal(got, h)
	_, err = e.db.TakeHandoff(e.ctx, h.Hash, e.now())
	e.fails(err, sallyport.ErrNotFound)
	_, err = e.db.TakeHandoff(e.ctx, NewHash(), e.now())
	e.fails(err, sallyport.ErrNotFound)
}

func takeHandoffExpired(e *env) {
	s, _ := e.session(e.user("alice"))
	h := e.handoff(s)
	_, err := e.db.TakeHandoff(e.ctx, h.Hash, h.ExpiresAt)
	e.fails(err, sallyport.ErrExpired)
	_, err = e.db.TakeHandoff(e.ctx, h.Hash, e.now())
	e.fails(err, sallyport.ErrNotFound)
}

func takeHandoffEnded(e *env) {
	s, _ := e.session(e.user("alice"))
	h := NewHandoff(s, e.now())
	h.ExpiresAt = s.ExpiresAt.Add(time.Hour)
	e.ok(e.db.CreateHandoff(e.ctx, h))
	got, err := e.db.TakeHandoff(e.ctx, h.Hash, s.ExpiresAt)
	e.fails(err, sallyport.ErrExpired)
	e.equal(got, sallyport.Handoff{})
}
