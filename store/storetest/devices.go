package storetest

import (
	"time"

	"sallyport"
	"sallyport/audit"
)

var deviceTests = []contractTest{
	{"a current token is rotated", deviceRotates},
	{"a rotated token is graced for a minute", deviceGrace},
	{"a lost answer is issued again", deviceLostAnswer},
	{"a void token betrays its thief", deviceVoidToken},
	{"a stolen token kills the device", deviceStolen},
	{"an old copy still betrays its thief", deviceStolenOld},
	{"another user's token is not found and stays", deviceOfAnother},
	{"an expired device is not found", deviceExpired},
	{"Devices lists and RemoveDevice forgets", devicesList},
	{"RemoveDevices forgets all of one user", removeDevices},
}

// device remembers a device of the user for 14 days and returns its token.
func (e *env) device(u sallyport.User) sallyport.TokenHash {
	e.Helper()
	token := NewHash()
	e.ok(e.db.CreateDevice(e.ctx, sallyport.Device{
		ID: sallyport.DeviceID(sallyport.NewID()), UserID: u.ID, UserAgent: "Browser/1",
		CreatedAt: e.now(), ExpiresAt: e.now().Add(14 * 24 * time.Hour),
	}, token))
	return token
}

// use presents a token and demands an outcome; it returns the next token.
func (e *env) use(u sallyport.User, token sallyport.TokenHash, want sallyport.DeviceOutcome) sallyport.TokenHash {
	e.Helper()
	next := NewHash()
	_, got, err := e.db.UseDevice(e.ctx, sallyport.DeviceUse{Token: token, Next: next, UserID: u.ID, Now: e.now()},
		audit.Event{}, e.event(audit.DeviceStolen))
	if want == sallyport.DeviceRefused {
		e.fails(err, sallyport.ErrNotFound)
	} else {
		e.ok(err)
	}
	e.equal(got, want)
	return next
}

func deviceRotates(e *env) {
	u := e.user("alice")
	token := e.device(u)
	before, err := e.db.DeviceByToken(e.ctx, token, u.ID, e.now())
	e.ok(err)
	e.clock.Advance(time.Hour)
	next := NewHash()
	d, outcome, err := e.db.UseDevice(e.ctx, sallyport.DeviceUse{Token: token, Next: next, UserID: u.ID, Now: e.now()},
		e.event(audit.SignInSkip), e.event(audit.DeviceStolen))
	e.ok(err)
	e.equal(outcome, sallyport.DeviceRotated)
	before.LastUsedAt = e.now()
	e.equal(d, before)
	e.logged(audit.SignInSkip)
	got, err := e.db.DeviceByToken(e.ctx, next, u.ID, e.now())
	e.ok(err)
	e.equal(got, before)
	e.use(u, next, sallyport.DeviceRotated)
	e.use(u, NewHash(), sallyport.DeviceRefused)
}

func deviceGrace(e *env) {
	u := e.user("alice")
	token := e.device(u)
	next := e.use(u, token, sallyport.DeviceRotated)
	e.clock.Advance(time.Minute)
	e.use(u, token, sallyport.DeviceGrace)
	e.use(u, token, sallyport.DeviceGrace)
	_, err := e.db.DeviceByToken(e.ctx, token, u.ID, e.now())
	e.ok(err)
	e.use(u, next, sallyport.DeviceRotated) // grace changed nothing
	e.clock.Advance(time.Microsecond)
	_, err = e.db.DeviceByToken(e.ctx, token, u.ID, e.now())
	e.fails(err, sallyport.ErrNotFound)
}

func deviceLostAnswer(e *env) {
	u := e.user("alice")
	token := e.device(u)
	e.use(u, token, sallyport.DeviceRotated) // and the answer never came
	e.clock.Advance(2 * time.Minute)
	again := e.use(u, token, sallyport.DeviceRotated)
	e.use(u, token, sallyport.DeviceGrace) // a minute anew
	e.clock.Advance(2 * time.Minute)
	e.use(u, again, sallyport.DeviceRotated)
	e.logged()
}

// D7: a thief who uses an old copy before its successor was seen gets a token, as
// after a lost answer; the owner's own then betrays that two browsers share the
// device, and neither goes on.
func deviceVoidToken(e *env) {
	u := e.user("alice")
	token := e.device(u)
	owners := e.use(u, token, sallyport.DeviceRotated)
	e.clock.Advance(2 * time.Minute)
	thiefs := e.use(u, token, sallyport.DeviceRotated)
	e.use(u, owners, sallyport.DeviceStolen)
	e.use(u, thiefs, sallyport.DeviceRefused)
	e.use(u, token, sallyport.DeviceRefused)
}

// D7: whoever uses a copy after the owner went on is reported, and neither goes
// on without verification.
func deviceStolen(e *env) {
	u := e.user("alice")
	token := e.device(u)
	next := e.use(u, token, sallyport.DeviceRotated)
	last := e.use(u, next, sallyport.DeviceRotated)
	seq := e.seq()
	e.clock.Advance(time.Minute + time.Microsecond)
	e.use(u, token, sallyport.DeviceStolen)
	e.logged(audit.DeviceStolen)
	e.changed(seq, userChange(u.ID))
	for _, dead := range []sallyport.TokenHash{token, next, last} {
		e.use(u, dead, sallyport.DeviceRefused)
	}
	devices, err := e.db.Devices(e.ctx, u.ID, e.now())
	e.ok(err)
	e.equal(len(devices), 0)
}

func deviceStolenOld(e *env) {
	u := e.user("alice")
	copied := e.device(u)
	token := copied
	for range 20 {
		token = e.use(u, token, sallyport.DeviceRotated)
		e.clock.Advance(time.Hour)
	}
	e.use(u, copied, sallyport.DeviceStolen)
}

func deviceOfAnother(e *env) {
	u, mallory := e.user("alice"), e.user("mallory")
	token := e.device(u)
	e.use(mallory, token, sallyport.DeviceRefused)
	_, err := e.db.DeviceByToken(e.ctx, token, mallory.ID, e.now())
	e.fails(err, sallyport.ErrNotFound)
	next := e.use(u, token, sallyport.DeviceRotated)
	e.clock.Advance(time.Hour)
	e.use(mallory, token, sallyport.DeviceRefused)
	e.use(u, next, sallyport.DeviceRotated)
}

func deviceExpired(e *env) {
	u := e.user("alice")
	token := e.device(u)
	next := e.use(u, token, sallyport.DeviceRotated)
	e.clock.Advance(14 * 24 * time.Hour)
	e.use(u, next, sallyport.DeviceRefused)
	e.use(u, token, sallyport.DeviceRefused)
	_, err := e.db.DeviceByToken(e.ctx, next, u.ID, e.now())
	e.fails(err, sallyport.ErrNotFound)
	devices, err := e.db.Devices(e.ctx, u.ID, e.now())
	e.ok(err)
	e.equal(len(devices), 0)
	d := sallyport.Device{ID: "d", UserID: "nobody", ExpiresAt: e.now().Add(time.Hour)}
	e.fails(e.db.CreateDevice(e.ctx, d, NewHash()), sallyport.ErrNotFound)
}

func devicesList(e *env) {
	u, bob := e.user("alice"), e.user("bob")
	first := e.device(u)
	e.clock.Advance(time.Hour)
	second := e.device(u)
	e.device(bob)
	a, err := e.db.DeviceByToken(e.ctx, first, u.ID, e.now())
	e.ok(err)
	b, err := e.db.DeviceByToken(e.ctx, second, u.ID, e.now())
	e.ok(err)
	got, err := e.db.Devices(e.ctx, u.ID, e.now())
	e.ok(err)
	e.equal(got, []sallyport.Device{b, a})
	seq := e.seq()
	e.fails(e.db.RemoveDevice(e.ctx, bob.ID, a.ID, e.event(audit.DeviceRemoved)), sallyport.ErrNotFound)
	e.ok(e.db.RemoveDevice(e.ctx, u.ID, a.ID, e.event(audit.DeviceRemoved)))
	e.changed(seq, userChange(u.ID))
	e.logged(audit.DeviceRemoved)
	e.use(u, first, sallyport.DeviceRefused)
	e.use(u, second, sallyport.DeviceRotated)
}

func removeDevices(e *env) {
	u, bob := e.user("alice"), e.user("bob")
	e.device(u)
	token := e.device(u)
	bobs := e.device(bob)
	n, err := e.db.RemoveDevices(e.ctx, u.ID, e.event(audit.DeviceRemoved))
	e.ok(err)
	e.equal(n, 2)
	e.use(u, token, sallyport.DeviceRefused)
	e.use(bob, bobs, sallyport.DeviceRotated)
	e.logged(audit.DeviceRemoved)
}
