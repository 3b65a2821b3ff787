package challenge

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"sallyport"
	"sallyport/audit"
	"sallyport/identity"
	"sallyport/internal/httperr"
)

// firstFactor takes the outcome of a first factor into the flow and moves on.
func (x *run) firstFactor(id *sallyport.Identity, kind sallyport.Kind) error {
	user, err := x.resolve(id, kind)
	if err != nil {
		return err
	}
	ctx := x.r.Context()
	if user.SignInDisabled && kind == sallyport.KindPassword {
		// Disabled between the look before and now: the same answer as always.
		return x.refuse(kind, user, "sign-in-disabled")
	}
	link := sallyport.Link{Provider: id.Provider, Issuer: id.Issuer, Subject: id.Subject, UserID: user.ID, Username: id.Username}
	if id.Name != "" {
		user.DisplayName = id.Name
	}
	if _, err := sallyport.FoldName(id.Email); err == nil {
		user.Email = id.Email
	}
	if err := x.c.store.RecordSignIn(ctx, user, link, x.now); err != nil {
		return fmt.Errorf("recording a sign-in: %w", err)
	}
	if x.f.UserID != user.ID {
		x.forget() // nothing of another person stays in the flow (E6)
	}
	x.f.UserID, x.f.Provider = user.ID, id.Provider
	x.f.Groups = x.c.groups(id.Provider, id.Groups)
	x.f.Proofs = withProof(x.f.Proofs, sallyport.Proof{Kind: kind, At: x.now})
	x.f.DeviceID = ""
	x.data.Session, x.data.Provider, x.data.State, x.data.Pending = "", "", sallyport.TokenHash{}, nil
	x.user = user
	ev := x.stepEvent(eventKind(kind), audit.Success)
	ev.Method = kind
	x.events = append(x.events, ev)
	return x.advance()
}

// withProof adds p; an earlier first factor makes room for a new one, and takes
// the verifications that belonged to it along.
func withProof(proofs []sallyport.Proof, p sallyport.Proof) []sallyport.Proof {
	if p.Kind.First() {
		return []sallyport.Proof{p}
	}
	var out []sallyport.Proof
	for _, q := range proofs {
		if q.Kind != p.Kind || q.MethodID != p.MethodID {
			out = append(out, q)
		}
	}
	return append(out, p)
}

func eventKind(kind sallyport.Kind) audit.Kind {
	if kind == sallyport.KindFederated {
		return audit.SignInFederated
	}
	return audit.SignInPassword
}

// resolve returns the user of an identity: the linked one, or a new record for an
// account seen for the first time. A name or address that belongs to somebody
// links nothing: only an admin does.
func (x *run) resolve(id *sallyport.Identity, kind sallyport.Kind) (sallyport.User, error) {
	ctx := x.r.Context()
	user, err := x.c.store.UserByLink(ctx, id.Provider, id.Issuer, id.Subject)
	if !errors.Is(err, sallyport.ErrNotFound) {
		return user, err
	}
	user, err = x.create(ctx, id)
	if errors.Is(err, sallyport.ErrExists) {
		// Another sign-in of the same account may have made it just now.
		if linked, err2 := x.c.store.UserByLink(ctx, id.Provider, id.Issuer, id.Subject); err2 == nil {
			return linked, nil
		}
	}
	switch {
	case err == nil:
		return user, nil
	case errors.Is(err, sallyport.ErrExists), errors.Is(err, sallyport.ErrBadName):
		return user, x.notLinked(id, kind, err)
	}
	return user, fmt.Errorf("creating a user: %w", err)
}

// create makes the record of an account that signs in for the first time.
func (x *run) create(ctx context.Context, id *sallyport.Identity) (sallyport.User, error) {
	name := id.Username
	if _, err := sallyport.FoldName(name); err != nil {
		name = id.Email
	}
	u := sallyport.User{ID: sallyport.UserID(sallyport.NewID()), Name: name, Email: id.Email, DisplayName: id.Name,
		State: x.c.cfg.DefaultState, CreatedAt: x.now, UpdatedAt: x.now}
	if _, err := sallyport.FoldName(name); err != nil {
		return u, err
	}
	if _, err := sallyport.FoldName(u.Email); err != nil {
		u.Email = "" // not an address that could be compared; the name suffices
	}
	ev := x.event(audit.UserCreated, audit.Success)
	ev.About(u)
	ev.Provider, ev.Actor, ev.Reason, ev.After = id.Provider, "system", "first-sign-in", "state "+string(u.State)
	link := sallyport.Link{Provider: id.Provider, Issuer: id.Issuer, Subject: id.Subject, UserID: u.ID,
		Username: id.Username, CreatedAt: x.now}
	return u, x.c.store.CreateUser(ctx, u, []sallyport.Link{link}, ev)
}

// notLinked refuses an account whose name or address is taken, and tells the
// admin in the log what to type if both are one person.
func (x *run) notLinked(id *sallyport.Identity, kind sallyport.Kind, cause error) error {
	ev := x.stepEvent(eventKind(kind), audit.Failure)
	ev.Provider, ev.UserName, ev.Email = id.Provider, clip(id.Username), clip(id.Email)
	ev.UserID, ev.Name = "", clip(id.Name)
	ev.Method, ev.Code, ev.Reason = kind, sallyport.CodeAccountNotLinked, "account-not-linked"
	ev.After = fmt.Sprintf("to let this account in as an existing user: sallyport user link NAME --provider %q --issuer %q --subject %q",
		clip(id.Provider), clip(id.Issuer), clip(id.Subject))
	if err := x.c.store.AppendEvents(x.r.Context(), ev); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	x.c.log.Warn("a sign-in was refused because its name or address belongs to another account; `sallyport user link` links them",
		"provider", id.Provider, "subject", id.Subject, "flow_id", x.f.ID)
	return httperr.New(http.StatusForbidden, sallyport.CodeAccountNotLinked, cause)
}

// refusal answers a provider's reason to refuse an account whose password is
// right.
func (x *run) refusal(provider string, user sallyport.User, login string, refused *identity.Refusal) error {
	ev := x.stepEvent(audit.SignInPassword, audit.Denied)
	ev.Provider, ev.Method, ev.Code = provider, sallyport.KindPassword, refused.Code
	ev.Reason = "refused-by-provider: " + clip(refused.Detail)
	ev.UserName = clip(login)
	if user.ID != "" {
		ev.About(user)
	}
	if err := x.c.store.AppendEvents(x.r.Context(), ev); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return httperr.New(http.StatusForbidden, refused.Code, refused)
}
