package admin

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"sallyport"
	"sallyport/audit"
)

// Users are the operations on users. Every change is audited in its own
// transaction with the actor and the reason.
type Users struct {
	store  Store
	now    func() time.Time
	actor  string
	reason string
}

// NewUsers returns the operations as performed by actor ("admin:root") for a
// reason, which may be empty.
func NewUsers(store Store, now func() time.Time, actor, reason string) *Users {
	return &Users{store: store, now: now, actor: actor, reason: reason}
}

// Password is a local password about to be set, checked and hashed by the
// identity provider of the local users.
type Password struct {
	Provider string // name of the local identity entry
	Hash     string // PHC string
}

// NewUser says who is to be added.
type NewUser struct {
	Name        string
	Email       string
	DisplayName string
	State       sallyport.State
	Password    *Password // nil: the user signs in elsewhere, after being linked
}

// Add creates a user. sallyport.ErrExists when the name or the address belongs to
// somebody, in whatever case or Unicode form.
func (u *Users) Add(ctx context.Context, n NewUser) (sallyport.User, error) {
	now := u.now().UTC()
	user := sallyport.User{ID: sallyport.UserID(sallyport.NewID()), Name: strings.TrimSpace(n.Name),
		Email: strings.TrimSpace(n.Email), DisplayName: strings.TrimSpace(n.DisplayName),
		State: n.State, CreatedAt: now, UpdatedAt: now}
	if err := checkUser(user); err != nil {
		return user, err
	}
	ev := u.event(now, audit.UserCreated, user)
	ev.After = string(user.State)
	var links []sallyport.Link
	if n.Password != nil {
		links = append(links, localLink(n.Password.Provider, user, now))
	}
	if err := u.store.CreateUser(ctx, user, links, ev); err != nil {
		return user, u.taken(ctx, user, err)
	}
	if n.Password == nil {
		return user, nil
	}
	pw := u.event(now, audit.PasswordSet, user)
	if err := u.store.SetPassword(ctx, user.ID, n.Password.Hash, now, pw); err != nil {
		// Without its password the user could never sign in: take both back.
		gone := u.event(now, audit.UserDeleted, user)
		gone.Reason = "password could not be stored"
		return user, errors.Join(fmt.Errorf("adding %s: %w", user.Name, err), u.store.DeleteUser(ctx, user.ID, gone))
	}
	return user, nil
}

// taken says who has the name or the address already, where that is why a user
// could not be added.
func (u *Users) taken(ctx context.Context, user sallyport.User, err error) error {
	if errors.Is(err, sallyport.ErrExists) {
		for _, name := range []string{user.Name, user.Email} {
			if other, found := u.Find(ctx, name); found == nil {
				return &told{fmt.Sprintf("there is a user %s already; `sallyport user show %s` shows who that is, `sallyport user set-password` gives them another password",
					other.Name, name), err}
			}
		}
	}
	return fmt.Errorf("adding %s: %w", user.Name, err)
}

// told is an error in words for an admin, which says nothing of its cause.
type told struct {
	words string
	cause error
}

// Error implements error.
func (t *told) Error() string { return t.words }

// Unwrap returns the cause.
func (t *told) Unwrap() error { return t.cause }

func checkUser(user sallyport.User) error {
	if _, err := sallyport.FoldName(user.Name); err != nil {
		return fmt.Errorf("name %q: %w", user.Name, err)
	}
	if user.Email != "" {
		a, err := mail.ParseAddress(user.Email)
		if err != nil || a.Address != user.Email {
			return fmt.Errorf("%q is not a mail address: %w", user.Email, sallyport.ErrBadName)
		}
	}
	if !user.State.Valid() {
		return fmt.Errorf("state %q: write disabled, enabled or enforced", user.State)
	}
	if len(user.DisplayName) > 256 || strings.ContainsFunc(user.DisplayName, isControl) {
		return fmt.Errorf("display name %q: %w", user.DisplayName, sallyport.ErrBadName)
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func localLink(provider string, user sallyport.User, now time.Time) sallyport.Link {
	return sallyport.Link{Provider: provider, Issuer: LocalIssuer, Subject: string(user.ID),
		UserID: user.ID, Username: user.Name, CreatedAt: now}
}

// LocalIssuer is the issuer of links to local passwords.
const LocalIssuer = "local"

// Find returns the user of a name, an address or an ID.
func (u *Users) Find(ctx context.Context, name string) (sallyport.User, error) {
	folded, err := sallyport.FoldName(name)
	if err != nil {
		return sallyport.User{}, fmt.Errorf("user %q: %w", name, err)
	}
	user, err := u.store.UserByName(ctx, folded)
	if errors.Is(err, sallyport.ErrNotFound) {
		if byID, err2 := u.store.User(ctx, sallyport.UserID(strings.TrimSpace(name))); err2 == nil {
			return byID, nil
		}
		return user, &told{fmt.Sprintf("there is no user %q; `sallyport user list` shows all", name), err}
	}
	if err != nil {
		return user, fmt.Errorf("user %q: %w", name, err)
	}
	return user, nil
}

// List returns users in order of their names, after the given one; limit 0: all.
func (u *Users) List(ctx context.Context, after string, limit int) ([]sallyport.User, error) {
	return u.store.Users(ctx, after, limit)
}

// Details are all that the store knows of a user, without any secret.
type Details struct {
	User          sallyport.User
	Links         []sallyport.Link
	Methods       []sallyport.Method // without their secrets
	RecoveryCodes int
	Sessions      []sallyport.Session
	Devices       []sallyport.Device
	Locked        []sallyport.LockedLane
}

// Show returns a user's details.
func (u *Users) Show(ctx context.Context, name string) (Details, error) {
	user, err := u.Find(ctx, name)
	if err != nil {
		return Details{}, err
	}
	return u.details(ctx, user)
}

func (u *Users) details(ctx context.Context, user sallyport.User) (Details, error) {
	d, now := Details{User: user}, u.now()
	var errs [6]error
	d.Links, errs[0] = u.store.Links(ctx, user.ID)
	d.Methods, errs[1] = u.store.Methods(ctx, user.ID)
	d.RecoveryCodes, errs[2] = u.store.RecoveryCodesLeft(ctx, user.ID)
	d.Sessions, errs[3] = u.store.Sessions(ctx, user.ID, now)
	d.Devices, errs[4] = u.store.Devices(ctx, user.ID, now)
	d.Locked, errs[5] = u.store.Lockouts(ctx, subjects(user, d.Links), now)
	for i := range d.Methods {
		d.Methods[i].Secret = nil
	}
	return d, errors.Join(errs[:]...)
}

// subjects are the names under which attempts of a user may be counted: the user,
// and the accounts before they were linked.
func subjects(user sallyport.User, links []sallyport.Link) []string {
	out := []string{string(user.ID)}
	for _, l := range links {
		out = append(out, l.Provider+"\x00"+l.Subject)
	}
	return out
}

// SetState sets the per-user MFA state. It deletes nothing.
func (u *Users) SetState(ctx context.Context, name string, state sallyport.State) (sallyport.User, error) {
	if !state.Valid() {
		return sallyport.User{}, fmt.Errorf("state %q: write disabled, enabled or enforced", state)
	}
	user, err := u.Find(ctx, name)
	if err != nil {
		return user, err
	}
	return u.store.ChangeUser(ctx, user.ID, func(x *sallyport.User) ([]audit.Event, error) {
		ev := u.event(u.now().UTC(), audit.StateChanged, *x)
		ev.Before, ev.After = string(x.State), string(state)
		x.State = state
		return []audit.Event{ev}, nil
	})
}

// SetSignIn allows or refuses every sign-in of a user; refusing ends open sessions.
func (u *Users) SetSignIn(ctx context.Context, name string, allowed bool) (sallyport.User, error) {
	user, err := u.Find(ctx, name)
	if err != nil {
		return user, err
	}
	user, err = u.store.ChangeUser(ctx, user.ID, func(x *sallyport.User) ([]audit.Event, error) {
		ev := u.event(u.now().UTC(), audit.UserChanged, *x)
		ev.Before, ev.After = signIn(!x.SignInDisabled), signIn(allowed)
		x.SignInDisabled = !allowed
		return []audit.Event{ev}, nil
	})
	if err != nil || allowed {
		return user, err
	}
	return user, u.store.RevokeUser(ctx, user.ID, u.now().UTC(), u.event(u.now().UTC(), audit.UserRevoked, user))
}

func signIn(allowed bool) string {
	if allowed {
		return "sign-in allowed"
	}
	return "sign-in disabled"
}

// SetPassword sets a local password, and ends the user's sessions and remembered
// devices. A user without a local account gets one.
func (u *Users) SetPassword(ctx context.Context, name string, p Password) error {
	user, err := u.Find(ctx, name)
	if err != nil {
		return err
	}
	links, err := u.store.Links(ctx, user.ID)
	if err != nil {
		return err
	}
	now, linked := u.now().UTC(), false
	for _, l := range links {
		linked = linked || l.Provider == p.Provider
	}
	if !linked {
		l := localLink(p.Provider, user, now)
		ev := u.event(now, audit.UserLinked, user)
		ev.Provider, ev.After = l.Provider, l.Subject
		if err := u.store.CreateLink(ctx, l, ev); err != nil {
			return err
		}
	}
	return u.store.SetPassword(ctx, user.ID, p.Hash, now, u.event(now, audit.PasswordSet, user))
}

// Link ties an account at a provider to a user.
func (u *Users) Link(ctx context.Context, name string, l sallyport.Link) error {
	user, err := u.Find(ctx, name)
	if err != nil {
		return err
	}
	now := u.now().UTC()
	l.UserID, l.CreatedAt = user.ID, now
	ev := u.event(now, audit.UserLinked, user)
	ev.Provider, ev.After = l.Provider, l.Issuer+" "+l.Subject
	if err := u.store.CreateLink(ctx, l, ev); err != nil {
		return fmt.Errorf("linking %s at %s to %s: %w", l.Subject, l.Provider, user.Name, err)
	}
	return nil
}

// Unlink removes a link; the sessions that began with that provider end. subject
// may be empty when the user has one account at the provider.
func (u *Users) Unlink(ctx context.Context, name, provider, subject string) error {
	user, err := u.Find(ctx, name)
	if err != nil {
		return err
	}
	links, err := u.store.Links(ctx, user.ID)
	if err != nil {
		return err
	}
	var found []sallyport.Link
	for _, l := range links {
		if l.Provider == provider && (subject == "" || l.Subject == subject) {
			found = append(found, l)
		}
	}
	switch len(found) {
	case 0:
		return fmt.Errorf("%s has no such account at %s: %w", user.Name, provider, sallyport.ErrNotFound)
	case 1:
	default:
		return fmt.Errorf("%s has %d accounts at %s: say which with --subject", user.Name, len(found), provider)
	}
	now := u.now().UTC()
	ev := u.event(now, audit.UserUnlinked, user)
	ev.Provider, ev.Before = provider, found[0].Issuer+" "+found[0].Subject
	return u.store.DeleteLink(ctx, user.ID, provider, found[0].Subject, now, ev)
}

// Unlock ends all lockouts of a user.
func (u *Users) Unlock(ctx context.Context, name string) error {
	return u.act(ctx, name, audit.UserUnlocked, func(user sallyport.User, now time.Time, ev audit.Event) error {
		links, err := u.store.Links(ctx, user.ID)
		if err != nil {
			return err
		}
		return u.store.Unlock(ctx, subjects(user, links), ev)
	})
}

// RequireReregister deletes the user's authenticator apps and recovery codes, ends
// their sessions and remembered devices, and makes them register again.
func (u *Users) RequireReregister(ctx context.Context, name string) error {
	return u.act(ctx, name, audit.UserReregister, func(user sallyport.User, now time.Time, ev audit.Event) error {
		return u.store.RequireReregister(ctx, user.ID, now, ev)
	})
}

// Revoke ends all sessions and remembered devices of a user.
func (u *Users) Revoke(ctx context.Context, name string) error {
	return u.act(ctx, name, audit.UserRevoked, func(user sallyport.User, now time.Time, ev audit.Event) error {
		return u.store.RevokeUser(ctx, user.ID, now, ev)
	})
}

// Delete removes a user and all that is theirs but the audit log.
func (u *Users) Delete(ctx context.Context, name string) error {
	return u.act(ctx, name, audit.UserDeleted, func(user sallyport.User, _ time.Time, ev audit.Event) error {
		return u.store.DeleteUser(ctx, user.ID, ev)
	})
}

func (u *Users) act(ctx context.Context, name string, kind audit.Kind, do func(sallyport.User, time.Time, audit.Event) error) error {
	user, err := u.Find(ctx, name)
	if err != nil {
		return err
	}
	now := u.now().UTC()
	ev := u.event(now, kind, user)
	// What cannot be read (a damaged secret) must not keep an admin from removing it.
	d, _ := u.details(ctx, user)
	ev.Before = d.describe()
	return do(user, now, ev)
}

// describe says what an action is about to take away, for the log.
func (d Details) describe() string {
	parts := []string{string(d.User.State)}
	for _, p := range []struct {
		n    int
		what string
	}{{len(d.Methods), "methods"}, {d.RecoveryCodes, "recovery codes"}, {len(d.Sessions), "sessions"},
		{len(d.Devices), "remembered devices"}, {len(d.Locked), "lockouts"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", p.what, p.n))
		}
	}
	return strings.Join(parts, ", ")
}

func (u *Users) event(now time.Time, kind audit.Kind, user sallyport.User) audit.Event {
	ev := audit.New(now, kind, audit.Success)
	ev.Actor, ev.Reason = u.actor, u.reason
	ev.About(user)
	return ev
}
