package local

import (
	"context"
	"errors"
	"fmt"

	"sallyport"
	"sallyport/identity"
)

// Issuer is the issuer of every local account.
const Issuer = "local"

// Provider checks local users. It implements identity.PasswordProvider and is
// safe for concurrent use.
type Provider struct {
	name, label string
	policy      PasswordPolicy
	domains     identity.Domains
	hasher      *Hasher
	store       Store
}

var _ identity.PasswordProvider = (*Provider)(nil)

// New returns the provider of one config entry. The error is what Validate
// found.
func New(name, label string, cfg Config, store Store) (*Provider, error) {
	if faults := cfg.Validate(); len(faults) > 0 {
		return nil, faults
	}
	domains, err := identity.NewDomains(cfg.Domains)
	if err != nil {
		return nil, err
	}
	hasher, err := NewHasher(cfg.Hash)
	if err != nil {
		return nil, err
	}
	return &Provider{name: name, label: label, policy: cfg.Password, domains: domains, hasher: hasher, store: store}, nil
}

// Name implements identity.Provider.
func (p *Provider) Name() string { return p.name }

// Label implements identity.Provider.
func (p *Provider) Label() string { return p.label }

// Hasher returns the provider's hasher, so that its bound holds for all hashes
// of the process.
func (p *Provider) Hasher() *Hasher { return p.hasher }

// CheckPolicy judges a new password; see PasswordPolicy.Check.
func (p *Provider) CheckPolicy(password string, names ...string) *PolicyError {
	return p.policy.Check(password, names...)
}

// FindAccount implements identity.PasswordProvider. Users without a local
// password are not known here. A name that means one user by its domain and
// another by their address means nobody.
func (p *Provider) FindAccount(ctx context.Context, login string) (identity.Account, error) {
	folded, err := sallyport.FoldName(login)
	if err != nil {
		return identity.Account{}, err
	}
	name := p.domains.Cut(folded)
	unknown := identity.Account{Issuer: Issuer, Login: name}
	user, err := p.lookup(ctx, name)
	if err != nil {
		return identity.Account{}, err
	}
	if name != folded {
		other, err := p.lookup(ctx, folded)
		switch {
		case err != nil:
			return identity.Account{}, err
		case user.ID == "":
			user = other
		case other.ID != "" && other.ID != user.ID:
			return unknown, nil
		}
	}
	if user.ID == "" {
		return unknown, nil
	}
	switch _, err := p.store.PasswordHash(ctx, user.ID); {
	case errors.Is(err, sallyport.ErrNotFound):
		return unknown, nil
	case err != nil:
		return identity.Account{}, p.away("read a password hash", err)
	}
	own, err := sallyport.FoldName(user.Name)
	if err != nil {
		return identity.Account{}, p.away("fold the name of user "+string(user.ID), err)
	}
	return identity.Account{Issuer: Issuer, Subject: string(user.ID), Login: own, Ref: string(user.ID)}, nil
}

// lookup returns the user with that folded name or address, the zero User if
// there is none.
func (p *Provider) lookup(ctx context.Context, folded string) (sallyport.User, error) {
	u, err := p.store.UserByName(ctx, folded)
	if errors.Is(err, sallyport.ErrNotFound) {
		return sallyport.User{}, nil
	}
	if err != nil {
		return sallyport.User{}, p.away("look up a user", err)
	}
	return u, nil
}

// CheckPassword implements identity.PasswordProvider. It does not look at
// SignInDisabled: that is judged alike for all providers, after the first
// factor.
func (p *Provider) CheckPassword(ctx context.Context, account identity.Account, password string) (*sallyport.Identity, error) {
	if password == "" {
		return nil, identity.ErrWrongPassword
	}
	user, hash, err := p.load(ctx, account)
	if err != nil {
		return nil, err
	}
	if hash == "" {
		if err := p.hasher.Waste(ctx, password); err != nil {
			return nil, p.away("check a password", err)
		}
		return nil, identity.ErrWrongPassword
	}
	ok, outdated, err := p.hasher.Check(ctx, hash, password)
	if err != nil {
		return nil, p.away("check a password", err)
	}
	if !ok {
		return nil, identity.ErrWrongPassword
	}
	if outdated {
		if err := p.upgrade(ctx, user.ID, hash, password); err != nil {
			return nil, err
		}
	}
	return &sallyport.Identity{
		Provider: p.name, Issuer: Issuer, Subject: string(user.ID),
		Username: user.Name, Email: user.Email, Name: user.DisplayName,
	}, nil
}

// load returns the account's user and hash; an empty hash when it has none, or
// the user is gone or renamed since FindAccount.
func (p *Provider) load(ctx context.Context, account identity.Account) (sallyport.User, string, error) {
	if !account.Known() || account.Issuer != Issuer {
		return sallyport.User{}, "", nil
	}
	user, err := p.lookup(ctx, account.Login)
	if err != nil || user.ID == "" || string(user.ID) != account.Subject {
		return sallyport.User{}, "", err
	}
	hash, err := p.store.PasswordHash(ctx, user.ID)
	if errors.Is(err, sallyport.ErrNotFound) {
		return sallyport.User{}, "", nil
	}
	if err != nil {
		return sallyport.User{}, "", p.away("read a password hash", err)
	}
	return user, hash, nil
}

// upgrade replaces a hash that was made at a lower cost. Somebody else who
// changed it meanwhile wins.
func (p *Provider) upgrade(ctx context.Context, user sallyport.UserID, old, password string) error {
	hash, err := p.hasher.Hash(ctx, password)
	if err != nil {
		return p.away("renew a password hash", err)
	}
	err = p.store.UpgradePasswordHash(ctx, user, old, hash)
	if err != nil && !errors.Is(err, sallyport.ErrConflict) && !errors.Is(err, sallyport.ErrNotFound) {
		return p.away("renew a password hash", err)
	}
	return nil
}

func (p *Provider) away(what string, err error) error {
	return identity.Unavailable(p.name, fmt.Errorf("%s: %w", what, err))
}
