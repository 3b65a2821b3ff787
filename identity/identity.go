// Package identity says what a first factor is. Its sub-packages prove who
// somebody is by a local password, a directory, or an OpenID provider.
package identity

import (
	"context"
	"errors"

	"sallyport"
)

// Provider is an identity provider: a PasswordProvider or a RedirectProvider.
type Provider interface {
	// Name is the entry's name in the config; it qualifies groups.
	Name() string
	// Label is what the sign-in page calls it.
	Label() string
}

// Account is a provider's account before its password was judged.
type Account struct {
	// Issuer and Subject identify it; Subject is "" when there is no such account.
	Issuer, Subject string
	// Login is the account's own name, folded, so that every way of typing it
	// gives the same Account. For one that is not Known it is what was typed,
	// folded and without a configured domain.
	Login string
	// Ref is for the provider that returned it (a DN, a user ID).
	Ref string
}

// Known reports whether there is such an account.
func (a Account) Known() bool { return a.Subject != "" }

// PasswordProvider judges a name and a password typed on our page.
type PasswordProvider interface {
	Provider
	// FindAccount resolves what was typed to one account and judges nothing. An
	// unknown name is no error: it returns an Account that is not Known. It
	// returns an error wrapping sallyport.ErrUnavailable when it cannot tell, and
	// sallyport.ErrBadName for what can be no name.
	FindAccount(ctx context.Context, login string) (Account, error)
	// CheckPassword judges the password. For an account that is not Known it
	// takes as long as for one that is, and answers ErrWrongPassword. An empty
	// password is always wrong and is never sent anywhere. After a correct
	// password it may answer *Refusal; else an error wraps
	// sallyport.ErrUnavailable.
	CheckPassword(ctx context.Context, account Account, password string) (*sallyport.Identity, error)
}

// ErrWrongPassword: the name or the password is wrong, and which one is not said.
var ErrWrongPassword = errors.New("wrong name or password")

// Refusal is a directory's reason to refuse an account whose password is right.
type Refusal struct {
	Code   sallyport.Code // CodePasswordExpired and its neighbours
	Detail string         // for the log
}

// Error implements error.
func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Detail }

// RedirectProvider sends the browser away and judges what it brings back.
type RedirectProvider interface {
	Provider
	// Redirects reports whether, as the only provider, it is gone to without a
	// sign-in page.
	Redirects() bool
	// Begin returns the address to send the browser to, and what Finish needs,
	// which the caller keeps in the flow (sealed) and never shows. redirectURL is
	// the callback on the portal; state binds the answer to the flow.
	Begin(ctx context.Context, redirectURL, state string) (location string, pending []byte, err error)
	// Finish judges the callback's query. The caller has already matched state and
	// browser. An error wraps ErrProviderRefused when the answer is wrong or an
	// error, sallyport.ErrUnavailable when the provider cannot be asked.
	Finish(ctx context.Context, redirectURL string, pending []byte, query map[string][]string) (*sallyport.Identity, error)
}

// ErrProviderRefused: the provider answered with an error or a wrong token.
var ErrProviderRefused = errors.New("identity provider refused")

// Prober is implemented by providers that depend on something that may be away.
type Prober interface {
	// Probe returns nil when the provider can be asked now.
	Probe(ctx context.Context) error
}
