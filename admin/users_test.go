package admin_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/admin"
	"sallyport/audit"
	"sallyport/store"
	"sallyport/store/storetest"
)

// bench is a store with the operations on its users.
type bench struct {
	*testing.T
	clock *storetest.Clock
	db    *store.DB
	users *admin.Users
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, clock: storetest.NewClock()}
	b.db = storetest.New(t, b.clock.Now)
	b.users = admin.NewUsers(b.db, b.clock.Now, "admin:root", "because")
	return b
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// add adds a user with a local password.
func (b *bench) add(name string) sallyport.User {
	b.Helper()
	u, err := b.users.Add(b.Context(), admin.NewUser{Name: name, Email: name + "@example.com", DisplayName: "Display " + name,
		State: sallyport.StateEnabled, Password: &admin.Password{Provider: "staff", Hash: "$hash$"}})
	b.ok(err)
	return u
}

// since returns the events after seq, oldest first.
func (b *bench) since(seq int64) []audit.Event {
	b.Helper()
	all, err := b.db.Events(b.Context(), audit.Filter{})
	b.ok(err)
	slices.Reverse(all)
	return slices.DeleteFunc(all, func(e audit.Event) bool { return e.Seq <= seq })
}

// session opens a session that began with a provider.
func (b *bench) session(u sallyport.User, provider string) {
	b.Helper()
	s, k := storetest.NewSession(u.ID, b.clock.Now())
	s.Provider = provider
	b.ok(b.db.CreateSession(b.Context(), s, k))
}

// TestEveryActionIsAudited (MFA.md 10.2): who did what to whom, why, and what it
// was before and after. Secrets never.
func TestEveryActionIsAudited(t *testing.T) {
	ctx := t.Context()
	type want struct {
		kind                    audit.Kind
		provider, before, after string
	}
	const had = "enabled, recovery codes: 2, sessions: 1, lockouts: 1"
	other := sallyport.Link{Provider: "partners", Issuer: "https://id.example.com", Subject: "42"}
	for name, test := range map[string]struct {
		act  func(*bench) error
		want []want
	}{
		"add": {func(b *bench) error { b.add("bob"); return nil },
			[]want{{audit.UserCreated, "", "", "enabled"}, {audit.PasswordSet, "", "", ""}}},
		"set-state": {func(b *bench) error { _, err := b.users.SetState(ctx, "alice", sallyport.StateEnforced); return err },
			[]want{{audit.StateChanged, "", "enabled", "enforced"}}},
		"disable": {func(b *bench) error { _, err := b.users.SetSignIn(ctx, "alice", false); return err },
			[]want{{audit.UserChanged, "", "sign-in allowed", "sign-in disabled"}, {audit.UserRevoked, "", "", ""}}},
		"set-password": {func(b *bench) error {
			return b.users.SetPassword(ctx, "alice", admin.Password{Provider: "staff", Hash: "$other$"})
		}, []want{{audit.PasswordSet, "", "", ""}}},
		"a first password": {func(b *bench) error {
			return b.users.SetPassword(ctx, "alice", admin.Password{Provider: "second", Hash: "$other$"})
		}, []want{{audit.UserLinked, "second", "", "ID"}, {audit.PasswordSet, "", "", ""}}},
		"link": {func(b *bench) error { return b.users.Link(ctx, "alice", other) },
			[]want{{audit.UserLinked, "partners", "", "https://id.example.com 42"}}},
		"unlink":             {func(b *bench) error { return b.users.Unlink(ctx, "alice", "staff", "") }, []want{{audit.UserUnlinked, "staff", "local ID", ""}}},
		"unlock":             {func(b *bench) error { return b.users.Unlock(ctx, "alice") }, []want{{audit.UserUnlocked, "", had, ""}}},
		"require-reregister": {func(b *bench) error { return b.users.RequireReregister(ctx, "alice") }, []want{{audit.UserReregister, "", had, ""}}},
		"revoke":             {func(b *bench) error { return b.users.Revoke(ctx, "alice") }, []want{{audit.UserRevoked, "", had, ""}}},
		"delete":             {func(b *bench) error { return b.users.Delete(ctx, "alice") }, []want{{audit.UserDeleted, "", had, ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			u := b.add("alice")
			seq := b.since(0)[1].Seq
			b.session(u, "staff")
			b.ok(b.db.ReplaceRecoveryCodes(ctx, u.ID, [][]byte{{1}, {2}}, b.clock.Now()))
			_, err := b.db.ChargeAttempt(ctx, sallyport.Attempt{Subject: string(u.ID), Kind: sallyport.AttemptPassword, Lane: sallyport.LaneOther,
				At: b.clock.Now(), Rule: sallyport.Lockout{Denials: 1, ResetAfter: time.Hour, LockFor: time.Hour, LockMax: time.Hour}})
			b.ok(err)
			b.ok(test.act(b))
			events := b.since(seq)
			if len(events) != len(test.want) {
				t.Fatalf("events %+v, want %+v", events, test.want)
			}
			for i, ev := range events {
				got := want{ev.Kind, ev.Provider, strings.ReplaceAll(ev.Before, string(u.ID), "ID"), strings.ReplaceAll(ev.After, string(u.ID), "ID")}
				if got != test.want[i] {
					t.Errorf("event %+v, want %+v", got, test.want[i])
				}
				whom := "alice"
				if name == "add" {
					whom = "bob"
				}
				if ev.Actor != "admin:root" || ev.Reason != "because" || ev.Result != audit.Success || ev.Time.IsZero() || ev.UserID == "" ||
					ev.UserName != whom || ev.Name != "Display "+whom || ev.Email != whom+"@example.com" {
					t.Errorf("who, whom or why is missing: %+v", ev)
				}
			}
			b.ok(b.db.VerifyChain(ctx))
		})
	}
}

// TestActionsDoWhatTheySay: each action, seen in what the store holds afterwards.
func TestActionsDoWhatTheySay(t *testing.T) {
	ctx, b := t.Context(), newBench(t)
	u := b.add("alice")
	b.ok(b.users.Link(ctx, "alice@EXAMPLE.com", sallyport.Link{Provider: "partners", Issuer: "x", Subject: "42"}))
	show := func() admin.Details {
		t.Helper()
		d, err := b.users.Show(ctx, string(u.ID))
		b.ok(err)
		return d
	}
	app := func() {
		b.ok(b.db.RegisterMethod(ctx, sallyport.Method{ID: sallyport.MethodID(sallyport.NewID()), UserID: u.ID, Kind: sallyport.KindTOTP,
			Name: "phone", Secret: []byte("secret")}, 5, nil))
		b.ok(b.db.ReplaceRecoveryCodes(ctx, u.ID, [][]byte{{1}, {2}}, b.clock.Now()))
	}
	app()
	if d := show(); len(d.Links) != 2 || len(d.Methods) != 1 || d.Methods[0].Secret != nil || d.RecoveryCodes != 2 {
		t.Errorf("shown: %+v", d)
	}

	// Setting a state deletes nothing (1.3), and says no to one that is none.
	if _, err := b.users.SetState(ctx, "alice", "sometimes"); err == nil {
		t.Error("a state that is none was set")
	}
	_, err := b.users.SetState(ctx, "alice", sallyport.StateDisabled)
	b.ok(err)
	if d := show(); d.User.State != sallyport.StateDisabled || len(d.Methods) != 1 || d.RecoveryCodes != 2 {
		t.Errorf("after set-state: %+v", d)
	}

	// Unlinking ends the sessions that began there, and asks which where it must.
	b.session(u, "staff")
	b.session(u, "partners")
	b.ok(b.users.Link(ctx, "alice", sallyport.Link{Provider: "partners", Issuer: "x", Subject: "43"}))
	if err := b.users.Unlink(ctx, "alice", "partners", ""); err == nil {
		t.Error("one of two links was removed without being named")
	}
	b.ok(b.users.Unlink(ctx, "alice", "partners", "42"))
	if d := show(); len(d.Links) != 2 || len(d.Sessions) != 1 || d.Sessions[0].Provider != "staff" {
		t.Errorf("after unlink: %+v", d)
	}

	// Lockouts of the person, and of an account before it was linked.
	rule := sallyport.Lockout{Denials: 1, ResetAfter: time.Hour, LockFor: time.Hour, LockMax: time.Hour}
	for _, subject := range []string{string(u.ID), "partners\x0043"} {
		_, err := b.db.ChargeAttempt(ctx, sallyport.Attempt{Subject: subject, Kind: sallyport.AttemptVerification, Lane: sallyport.LaneOther,
			At: b.clock.Now(), Rule: rule})
		b.ok(err)
	}
	if d := show(); len(d.Locked) != 2 {
		t.Errorf("%d lockouts are shown, want 2", len(d.Locked))
	}
	b.ok(b.users.Unlock(ctx, "alice"))
	if d := show(); len(d.Locked) != 0 {
		t.Errorf("after unlock: %+v", d.Locked)
	}

	b.ok(b.users.RequireReregister(ctx, "alice"))
	if d := show(); !d.User.Reregister || len(d.Methods) != 0 || d.RecoveryCodes != 0 || len(d.Sessions) != 0 {
		t.Errorf("after require-reregister: %+v", d)
	}
	for name, act := range map[string]func() error{
		"revoke":       func() error { return b.users.Revoke(ctx, "alice") },
		"set-password": func() error { return b.users.SetPassword(ctx, "alice", admin.Password{Provider: "staff", Hash: "$2$"}) },
		"disable":      func() error { _, err := b.users.SetSignIn(ctx, "alice", false); return err },
	} {
		_, err := b.users.SetSignIn(ctx, "alice", true)
		b.ok(err)
		b.session(u, "staff")
		b.ok(act())
		if d := show(); len(d.Sessions) != 0 {
			t.Errorf("a session survived %s", name)
		}
	}
	b.ok(b.users.Delete(ctx, "alice"))
	if _, err := b.users.Show(ctx, string(u.ID)); !errors.Is(err, sallyport.ErrNotFound) {
		t.Errorf("after delete: %v", err)
	}
}

// TestAddRefuses: names, addresses and states that are none, and what belongs to
// somebody; nothing is left behind.
func TestAddRefuses(t *testing.T) {
	ctx, b := t.Context(), newBench(t)
	b.add("alice")
	good := admin.NewUser{Name: "bob", Email: "bob@example.com", State: sallyport.StateDisabled}
	for name, spoil := range map[string]func(*admin.NewUser){
		"no name":             func(n *admin.NewUser) { n.Name = "  " },
		"a control in a name": func(n *admin.NewUser) { n.Name = "b\x1bob" },
		"not an address":      func(n *admin.NewUser) { n.Email = "Bob <bob@example.com>" },
		"no state":            func(n *admin.NewUser) { n.State = "" },
		"a line in the name":  func(n *admin.NewUser) { n.DisplayName = "Bob\nadmin" },
		"a name in use":       func(n *admin.NewUser) { n.Name = "ALICE" },
		"an address in use":   func(n *admin.NewUser) { n.Email = "Alice@Example.com" },
		"an address as name":  func(n *admin.NewUser) { n.Name = "alice@example.com" },
	} {
		n := good
		spoil(&n)
		if _, err := b.users.Add(ctx, n); err == nil {
			t.Errorf("%s: added", name)
		}
	}
	all, err := b.users.List(ctx, "", 0)
	b.ok(err)
	if len(all) != 1 {
		t.Errorf("%d users, want alice alone", len(all))
	}
}

// TestNoActionWithoutItsEvent: where the audit log cannot be written, the action
// does not happen.
func TestNoActionWithoutItsEvent(t *testing.T) {
	ctx, b := t.Context(), newBench(t)
	u := b.add("alice")
	b.session(u, "staff")
	users := admin.NewUsers(b.db, func() time.Time { return time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) }, "admin:root", "")
	for name, act := range map[string]func() error{
		"set-state": func() error { _, err := users.SetState(ctx, "alice", sallyport.StateDisabled); return err },
		"revoke":    func() error { return users.Revoke(ctx, "alice") },
		"delete":    func() error { return users.Delete(ctx, "alice") },
	} {
		if act() == nil { // no such year in JSON: the event cannot be written
			t.Errorf("%s without its event", name)
		}
	}
	d, err := b.users.Show(ctx, "alice")
	b.ok(err)
	if d.User.State != sallyport.StateEnabled || len(d.Sessions) != 1 {
		t.Errorf("done nevertheless: %+v", d)
	}
}
