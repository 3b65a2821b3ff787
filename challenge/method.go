package challenge

import (
	"context"
	"errors"
	"time"

	"sallyport"
)

// Method is one kind of verification method: how a user verifies with it, and
// how one is registered. It knows nothing of flows, pages or counters, so that
// the sign-in wizard and the security-info page use the same one; who calls
// Verify or Register has charged the attempt before (see Challenge.Register).
type Method interface {
	// Kind is what this is.
	Kind() sallyport.Kind
	// Ready reports whether the user can verify with it now.
	Ready(ctx context.Context, user sallyport.UserID) (bool, error)
	// Clean brings a typed code into the form in which it is judged: width, spaces
	// and hyphens do not matter. false: it can be no code of this kind, and nothing
	// needs to be charged or judged.
	Clean(typed string) (code string, ok bool)
	// Verify judges a cleaned code and consumes it, so that it works exactly once.
	// It returns ErrWrongCode; an error wrapping sallyport.ErrUsed when the code
	// is right but was used already; or one wrapping sallyport.ErrUnavailable.
	Verify(ctx context.Context, user sallyport.UserID, code string, now time.Time) (Use, error)
	// VerifyTemplate is the page that asks for a code; its data is a VerifyPage.
	VerifyTemplate() string

	// Propose begins a registration: a new secret that nothing has stored yet. The
	// caller keeps it sealed until Register.
	Propose(user sallyport.User) (pending []byte, err error)
	// Show returns what the registration page needs of a pending secret. It fails
	// for anything that Propose did not make.
	Show(user sallyport.User, pending []byte) (any, error)
	// RegisterTemplate is the registration page; its data is a RegisterPage.
	RegisterTemplate() string
	// Register judges the code typed back and stores the method. It returns
	// ErrWrongCode; what Registration.Claim returned; or an error wrapping one of
	// sallyport.ErrExists (the same pending secret was registered before), ErrUsed
	// (recovery codes: a newer set is in force), ErrLimit, ErrExpired (the session
	// that the events name has ended) or ErrUnavailable.
	Register(ctx context.Context, r Registration) (sallyport.Method, error)
}

// ErrWrongCode: the code is not right, and nothing more is said.
var ErrWrongCode = errors.New("wrong code")

// Use is a verification that succeeded.
type Use struct {
	MethodID sallyport.MethodID
	Name     string // of the method, as its user calls it; may be empty
	// Left is how many codes remain where they are counted, else -1.
	Left int
}

// Registration is one attempt to complete a registration.
type Registration struct {
	User    sallyport.User
	First   bool   // refused with sallyport.ErrLimit where the user has one already
	Pending []byte // from Propose
	Code    string // cleaned; methods that need no code ignore it
	Name    string // given by the user; "" takes the method's own
	// Now is the moment of the attempt; for recovery codes the moment of the set,
	// when it was proposed, whenever it is confirmed.
	Now time.Time
	// Claim, when not nil, is called once the code was found right and before
	// anything is stored; an error stops there. It lets one of several concurrent
	// submissions win.
	Claim func() error
	// Record makes the events that are written with the method.
	Record Record
}
