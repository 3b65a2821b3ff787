package storetest

import (
	"errors"
	"time"

	"sallyport"
	"sallyport/audit"
)

var userTests = []contractTest{
	{"CreateUser stores every field", createUserKeepsFields},
	{"UserByName finds name and address", userByName},
	{"names and addresses share one name space", oneNameSpace},
	{"CreateUser is whole or not at all", createUserAtomic},
	{"a name equal to the own address is fine", nameIsAddress},
	{"Users pages in order of folded names", usersPage},
	{"ChangeUser writes, records and tells", changeUser},
	{"ChangeUser without a difference writes nothing", changeUserNothing},
	{"ChangeUser with an error writes nothing", changeUserError},
	{"ChangeUser frees the old name", changeUserRenames},
	{"disabling sign-in ends sessions for good", disableEndsSessions},
	{"RecordSignIn notes the use and what is new", recordSignIn},
	{"RecordSignIn leaves an address that is taken", recordSignInTaken},
	{"DeleteUser removes all but the log", deleteUser},
	{"SetPassword ends what was granted before", setPassword},
	{"RequireReregister", requireReregister},
	{"RevokeUser", revokeUser},
	{"UpgradePasswordHash replaces only the old one", upgradePasswordHash},
}

func createUserKeepsFields(e *env) {
	u := e.user("alice")
	got, err := e.db.User(e.ctx, u.ID)
	e.ok(err)
	e.equal(got, u)
	_, err = e.db.User(e.ctx, "nobody")
	e.fails(err, sallyport.ErrNotFound)
}

func userByName(e *env) {
	u := e.user("Alice")
	for _, typed := range []string{"alice", "ALICE", "Alice@Example.com"} {
		folded, err := sallyport.FoldName(typed)
		e.ok(err)
		got, err := e.db.UserByName(e.ctx, folded)
		e.ok(err)
		e.equal(got.ID, u.ID)
	}
	_, err := e.db.UserByName(e.ctx, "bob")
	e.fails(err, sallyport.ErrNotFound)
}

func oneNameSpace(e *env) {
	e.user("alice")
	for _, u := range []sallyport.User{
		{Name: "ALICE"},
		{Name: "alice@example.com"},
		{Name: "bob", Email: "Alice"},
		{Name: "bob", Email: "ALICE@example.com"},
	} {
		u.ID, u.State = sallyport.UserID(sallyport.NewID()), sallyport.StateDisabled
		e.fails(e.db.CreateUser(e.ctx, u, nil), sallyport.ErrExists)
	}
}

func createUserAtomic(e *env) {
	link := sallyport.Link{Provider: "corp", Issuer: "https://idp", Subject: "1"}
	a := sallyport.User{ID: "a", Name: "alice", State: sallyport.StateDisabled}
	e.ok(e.db.CreateUser(e.ctx, a, []sallyport.Link{link}, e.event(audit.UserCreated)))
	b := sallyport.User{ID: "b", Name: "bob", State: sallyport.StateDisabled}
	e.fails(e.db.CreateUser(e.ctx, b, []sallyport.Link{link}, e.event(audit.UserCreated)), sallyport.ErrExists)
	_, err := e.db.UserByName(e.ctx, "bob")
	e.fails(err, sallyport.ErrNotFound)
	e.logged(audit.UserCreated)
	got, err := e.db.UserByLink(e.ctx, "corp", "https://idp", "1")
	e.ok(err)
	e.equal(got.ID, a.ID)
	if err := e.db.CreateUser(e.ctx, sallyport.User{ID: "c", Name: " ", State: sallyport.StateDisabled}, nil); !errors.Is(err, sallyport.ErrBadName) {
		e.Fatalf("an empty name: %v", err)
	}
	if err := e.db.CreateUser(e.ctx, sallyport.User{ID: "c", Name: "carol", State: "maybe"}, nil); err == nil {
		e.Fatal("an unknown state was accepted")
	}
}

func nameIsAddress(e *env) {
	u := sallyport.User{ID: "a", Name: "alice@example.com", Email: "Alice@Example.com", State: sallyport.StateDisabled}
	e.ok(e.db.CreateUser(e.ctx, u, nil))
	got, err := e.db.UserByName(e.ctx, "alice@example.com")
	e.ok(err)
	e.equal(got.ID, u.ID)
}

func usersPage(e *env) {
	for _, n := range []string{"Dora", "bob", "alice", "Carol"} {
		e.user(n)
	}
	page := func(after string, limit int) (names []string) {
		users, err := e.db.Users(e.ctx, after, limit)
		e.ok(err)
		for _, u := range users {
			names = append(names, u.Name)
		}
		return names
	}
	e.equal(page("", 0), []string{"alice", "bob", "Carol", "Dora"})
	e.equal(page("", 2), []string{"alice", "bob"})
	e.equal(page("bob", 2), []string{"Carol", "Dora"})
	e.equal(page("dora", 2), []string(nil))
}

func changeUser(e *env) {
	u, seq := e.user("alice"), e.seq()
	e.clock.Advance(time.Hour)
	got, err := e.db.ChangeUser(e.ctx, u.ID, func(u *sallyport.User) ([]audit.Event, error) {
		u.ID, u.CreatedAt = "other", time.Time{} // never change
		u.State = sallyport.StateEnforced
		return []audit.Event{e.event(audit.StateChanged)}, nil
	})
	e.ok(err)
	u.State, u.UpdatedAt = sallyport.StateEnforced, e.now()
	e.equal(got, u)
	again, err := e.db.User(e.ctx, u.ID)
	e.ok(err)
	e.equal(again, u)
	e.logged(audit.StateChanged)
	e.changed(seq, userChange(u.ID))
	_, err = e.db.ChangeUser(e.ctx, "nobody", func(*sallyport.User) ([]audit.Event, error) { return nil, nil })
	e.fails(err, sallyport.ErrNotFound)
}

func changeUserNothing(e *env) {
	u, seq := e.user("alice"), e.seq()
	got, err := e.db.ChangeUser(e.ctx, u.ID, func(*sallyport.User) ([]audit.Event, error) {
		return []audit.Event{e.event(audit.StateChanged)}, nil
	})
	e.ok(err)
	e.equal(got, u)
	e.logged()
	e.changed(seq)
}

func changeUserError(e *env) {
	u, seq := e.user("alice"), e.seq()
	refused := errors.New("refused")
	_, err := e.db.ChangeUser(e.ctx, u.ID, func(u *sallyport.User) ([]audit.Event, error) {
		u.State = sallyport.StateDisabled
		return []audit.Event{e.event(audit.StateChanged)}, refused
	})
	if !errors.Is(err, refused) {
		e.Fatalf("got %v, want the error of the function", err)
	}
	got, err := e.db.User(e.ctx, u.ID)
	e.ok(err)
	e.equal(got, u)
	e.logged()
	e.changed(seq)
}

func changeUserRenames(e *env) {
	a, b := e.user("alice"), e.user("bob")
	rename := func(id sallyport.UserID, name string) error {
		_, err := e.db.ChangeUser(e.ctx, id, func(u *sallyport.User) ([]audit.Event, error) {
			u.Name = name
			return nil, nil
		})
		return err
	}
	e.fails(rename(b.ID, "Alice"), sallyport.ErrExists)
	e.ok(rename(a.ID, "alicia"))
	e.ok(rename(b.ID, "Alice"))
	got, err := e.db.UserByName(e.ctx, "alice")
	e.ok(err)
	e.equal(got.ID, b.ID)
	got, err = e.db.UserByName(e.ctx, "alice@example.com")
	e.ok(err)
	e.equal(got.ID, a.ID)
}

func disableEndsSessions(e *env) {
	u := e.user("alice")
	s, k := e.session(u)
	f := e.flow(u.ID)
	set := func(off bool) {
		_, err := e.db.ChangeUser(e.ctx, u.ID, func(u *sallyport.User) ([]audit.Event, error) {
			u.SignInDisabled = off
			return nil, nil
		})
		e.ok(err)
	}
	set(true)
	e.noGrant(k.Hash)
	e.fails(e.db.FinishFlow(e.ctx, f), sallyport.ErrConflict)
	again, token := NewSession(u.ID, e.now())
	e.fails(e.db.CreateSession(e.ctx, again, token), sallyport.ErrDenied)
	set(false)
	e.noGrant(k.Hash)
	e.fails(e.db.AddToken(e.ctx, NewHostToken(s, "app.example.com", e.now())), sallyport.ErrNotFound)
}

func recordSignIn(e *env) {
	u := e.user("alice")
	link := sallyport.Link{Provider: "corp", Issuer: "https://idp", Subject: "1", UserID: u.ID, Username: "a", CreatedAt: e.now()}
	e.ok(e.db.CreateLink(e.ctx, link))
	seq := e.seq()
	e.clock.Advance(time.Minute)
	at := e.now()

	e.ok(e.db.RecordSignIn(e.ctx, u, link, at))
	e.changed(seq) // nothing that a session shows

	link.Username = "alice.smith"
	changed := u
	changed.Email, changed.DisplayName = "smith@example.com", "Alice Smith"
	e.ok(e.db.RecordSignIn(e.ctx, changed, link, at))
	e.changed(seq, userChange(u.ID))
	got, err := e.db.UserByName(e.ctx, "smith@example.com")
	e.ok(err)
	changed.LastSignInAt, changed.UpdatedAt = at, at
	e.equal(got, changed)
	links, err := e.db.Links(e.ctx, u.ID)
	e.ok(err)
	link.LastUsedAt = at
	e.equal(links, []sallyport.Link{link})
	_, err = e.db.UserByName(e.ctx, "alice@example.com")
	e.fails(err, sallyport.ErrNotFound)

	// No news is not a loss.
	e.ok(e.db.RecordSignIn(e.ctx, sallyport.User{ID: u.ID}, sallyport.Link{}, at))
	got, err = e.db.User(e.ctx, u.ID)
	e.ok(err)
	e.equal(got, changed)
	e.fails(e.db.RecordSignIn(e.ctx, sallyport.User{ID: "nobody"}, link, at), sallyport.ErrNotFound)
}

func recordSignInTaken(e *env) {
	a, b := e.user("alice"), e.user("bob")
	for _, taken := range []string{a.Email, "ALICE@EXAMPLE.COM", a.Name, "\x00"} {
		claim := b
		claim.Email = taken
		e.ok(e.db.RecordSignIn(e.ctx, claim, sallyport.Link{}, e.now()))
		got, err := e.db.User(e.ctx, b.ID)
		e.ok(err)
		e.equal(got.Email, b.Email)
	}
	got, err := e.db.UserByName(e.ctx, "alice@example.com")
	e.ok(err)
	e.equal(got.ID, a.ID)
}

func deleteUser(e *env) {
	u, bob := e.user("alice"), e.user("bob")
	_, k := e.session(u)
	_, bobs := e.session(bob)
	e.method(u, "phone")
	token := e.device(u)
	f := e.flow(u.ID)
	e.ok(e.db.CreateLink(e.ctx, sallyport.Link{Provider: "corp", Subject: "1", UserID: u.ID}))
	e.charge(e.attempt(string(u.ID), "1"))
	seq := e.seq()
	e.ok(e.db.DeleteUser(e.ctx, u.ID, e.event(audit.UserDeleted)))
	e.changed(seq, userChange(u.ID))
	e.logged(audit.UserDeleted)
	e.noGrant(k.Hash)
	e.grant(bobs.Hash)
	_, err := e.db.UserByName(e.ctx, "alice")
	e.fails(err, sallyport.ErrNotFound)
	_, err = e.db.UserByLink(e.ctx, "corp", "", "1")
	e.fails(err, sallyport.ErrNotFound)
	_, err = e.db.DeviceByToken(e.ctx, token, u.ID, e.now())
	e.fails(err, sallyport.ErrNotFound)
	_, err = e.db.Flow(e.ctx, f.ID, e.now())
	e.fails(err, sallyport.ErrNotFound)
	methods, err := e.db.Methods(e.ctx, u.ID)
	e.ok(err)
	e.equal(len(methods), 0)
	e.fails(e.db.DeleteUser(e.ctx, u.ID), sallyport.ErrNotFound)
	e.user("alice") // the name is free again
}

// endsTrust demands that op ends the user's session, device and pending sign-in,
// and nobody else's.
func endsTrust(e *env, u sallyport.User, op func() error) {
	bob := e.user("bob")
	_, k := e.session(u)
	_, bobs := e.session(bob)
	token, bobsToken := e.device(u), e.device(bob)
	f, bobsFlow := e.flow(u.ID), e.flow(bob.ID)
	seq := e.seq()
	e.ok(op())
	e.changed(seq, userChange(u.ID))
	e.noGrant(k.Hash)
	e.grant(bobs.Hash)
	_, err := e.db.DeviceByToken(e.ctx, token, u.ID, e.now())
	e.fails(err, sallyport.ErrNotFound)
	_, err = e.db.DeviceByToken(e.ctx, bobsToken, bob.ID, e.now())
	e.ok(err)
	e.fails(e.db.SaveFlow(e.ctx, f), sallyport.ErrConflict)
	e.ok(e.db.FinishFlow(e.ctx, bobsFlow))
}

func setPassword(e *env) {
	u := e.user("alice")
	_, err := e.db.PasswordHash(e.ctx, u.ID)
	e.fails(err, sallyport.ErrNotFound)
	endsTrust(e, u, func() error {
		return e.db.SetPassword(e.ctx, u.ID, "$argon2id$new", e.now(), e.event(audit.PasswordSet))
	})
	hash, err := e.db.PasswordHash(e.ctx, u.ID)
	e.ok(err)
	e.equal(hash, "$argon2id$new")
	e.logged(audit.PasswordSet)
	e.fails(e.db.SetPassword(e.ctx, "nobody", "x", e.now(), e.event(audit.PasswordSet)), sallyport.ErrNotFound)
	e.logged(audit.PasswordSet)
}

func requireReregister(e *env) {
	u := e.user("alice")
	e.method(u, "phone")
	e.ok(e.db.ReplaceRecoveryCodes(e.ctx, u.ID, [][]byte{{1}}, e.now()))
	endsTrust(e, u, func() error {
		return e.db.RequireReregister(e.ctx, u.ID, e.now(), e.event(audit.UserReregister))
	})
	got, err := e.db.User(e.ctx, u.ID)
	e.ok(err)
	e.equal(got.Reregister, true)
	methods, err := e.db.Methods(e.ctx, u.ID)
	e.ok(err)
	e.equal(len(methods), 0)
	left, err := e.db.RecoveryCodesLeft(e.ctx, u.ID)
	e.ok(err)
	e.equal(left, 0)
	e.logged(audit.UserReregister)
	e.fails(e.db.RequireReregister(e.ctx, "nobody", e.now()), sallyport.ErrNotFound)
}

func revokeUser(e *env) {
	u := e.user("alice")
	endsTrust(e, u, func() error {
		return e.db.RevokeUser(e.ctx, u.ID, e.now(), e.event(audit.UserRevoked))
	})
	e.logged(audit.UserRevoked)
	e.fails(e.db.RevokeUser(e.ctx, "nobody", e.now()), sallyport.ErrNotFound)
}

func upgradePasswordHash(e *env) {
	u := e.user("alice")
	e.ok(e.db.SetPassword(e.ctx, u.ID, "old", e.now()))
	_, k := e.session(u)
	e.ok(e.db.UpgradePasswordHash(e.ctx, u.ID, "other", "lost"))
	hash, err := e.db.PasswordHash(e.ctx, u.ID)
	e.ok(err)
	e.equal(hash, "old")
	e.ok(e.db.UpgradePasswordHash(e.ctx, u.ID, "old", "new"))
	hash, err = e.db.PasswordHash(e.ctx, u.ID)
	e.ok(err)
	e.equal(hash, "new")
	e.grant(k.Hash)
}
