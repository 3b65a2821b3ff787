package challenge

import (
	"context"
	"time"

	"sallyport"
	"sallyport/audit"
)

// Store is what flows and verification need of the store. Every method that
// takes events writes them in the same transaction as its change. All methods
// return an error that wraps sallyport.ErrUnavailable when the store is away.
type Store interface {
	// CreateFlow inserts a flow; Data is sealed.
	CreateFlow(ctx context.Context, f *sallyport.Flow, events ...audit.Event) error
	// Flow returns a flow that has not expired, else sallyport.ErrNotFound.
	Flow(ctx context.Context, id sallyport.FlowID, now time.Time) (*sallyport.Flow, error)
	// SaveFlow writes f if its Version is still the stored one, and raises it;
	// else sallyport.ErrConflict, and nothing changes.
	SaveFlow(ctx context.Context, f *sallyport.Flow, events ...audit.Event) error
	// FinishFlow removes a flow of that version. Exactly one of several concurrent
	// calls succeeds; the others get sallyport.ErrConflict.
	FinishFlow(ctx context.Context, f *sallyport.Flow, events ...audit.Event) error
	// ExpireFlows removes up to 1000 expired flows; summary makes the event of
	// each, written in the same transaction.
	ExpireFlows(ctx context.Context, now time.Time, summary func(*sallyport.Flow) []audit.Event) (int, error)
	// FlowEvents returns the events of one flow in order, for its summary.
	FlowEvents(ctx context.Context, id sallyport.FlowID) ([]audit.Event, error)

	// User returns a user by ID; sallyport.ErrNotFound.
	User(ctx context.Context, id sallyport.UserID) (sallyport.User, error)
	// UserByLink returns the user of an account at a provider;
	// sallyport.ErrNotFound when nobody has linked it.
	UserByLink(ctx context.Context, provider, issuer, subject string) (sallyport.User, error)
	// UserByName returns the user with that folded name or address;
	// sallyport.ErrNotFound.
	UserByName(ctx context.Context, folded string) (sallyport.User, error)
	// CreateUser inserts a user with links. sallyport.ErrExists when the folded
	// name, the folded address, or a link belongs to somebody; nothing changes.
	CreateUser(ctx context.Context, u sallyport.User, links []sallyport.Link, events ...audit.Event) error
	// RecordSignIn notes a successful first factor: the user's and the link's last
	// use, the link's username, and a changed display name or address of the user
	// (an address that belongs to somebody else is left as it was).
	RecordSignIn(ctx context.Context, u sallyport.User, link sallyport.Link, at time.Time) error
	// ChangeUser reads a user, lets change alter a copy, and writes it with the
	// events that change returns and a ChangeUser, all in one transaction. A nil
	// error and no difference writes nothing.
	ChangeUser(ctx context.Context, id sallyport.UserID, change func(*sallyport.User) ([]audit.Event, error)) (sallyport.User, error)

	// ChargeAttempt charges one attempt before it is judged, atomically, so that
	// 100 parallel guesses count as 100 and none outruns the lock: when the lane
	// is locked it returns Locked and charges nothing; else it counts a denial,
	// and locks when the count reaches the rule's. The caller clears the counter
	// when the guess was right.
	ChargeAttempt(ctx context.Context, a sallyport.Attempt) (sallyport.AttemptState, error)
	// AttemptState reads a lane's state and changes nothing.
	AttemptState(ctx context.Context, a sallyport.Attempt) (sallyport.AttemptState, error)
	// ClearAttempts sets one lane's count and lock level to zero after a success.
	ClearAttempts(ctx context.Context, subject string, kind sallyport.AttemptKind, lane sallyport.Lane) error

	// Methods returns a user's registered methods, oldest first, with their
	// secrets opened.
	Methods(ctx context.Context, user sallyport.UserID) ([]sallyport.Method, error)
	// RegisterMethod inserts a method, at most max of its kind for the user
	// (sallyport.ErrLimit), clears Reregister and moves state enabled to enforced.
	// events is told whether the state moved. sallyport.ErrExists when a method of
	// that ID was stored before, also where one more would be too many;
	// sallyport.ErrExpired when an event names a session that has ended. Nothing
	// changes then.
	RegisterMethod(ctx context.Context, m sallyport.Method, max int, events func(promoted bool) []audit.Event) error
	// UseMethod accepts a counter (time step) if it is greater than the last one,
	// and stores it with the drift; else sallyport.ErrUsed. Exactly one of several
	// concurrent calls with the same counter succeeds.
	UseMethod(ctx context.Context, id sallyport.MethodID, counter int64, drift int, at time.Time) error
	// RenameMethod renames; sallyport.ErrNotFound when it is not this user's.
	RenameMethod(ctx context.Context, user sallyport.UserID, id sallyport.MethodID, name string, events ...audit.Event) error
	// DeleteMethod deletes a method. With keepOne it refuses to delete the last
	// one that is not a recovery code (sallyport.ErrLastMethod). The sessions that it
	// proved end with it, but not by, the one in which it is deleted ("" for none);
	// events is told how many.
	DeleteMethod(ctx context.Context, user sallyport.UserID, id sallyport.MethodID, keepOne bool, by sallyport.SessionID, events func(ended int) []audit.Event) error

	// ReplaceRecoveryCodes sets a user's recovery codes, given as keyed hashes, to
	// the set of the moment made: when it was proposed, not when it is confirmed, so
	// that one confirmed again brings no used code back. sallyport.ErrExists for the
	// set in force; sallyport.ErrUsed for any other that is not newer;
	// sallyport.ErrExpired as for RegisterMethod. Nothing changes then.
	ReplaceRecoveryCodes(ctx context.Context, user sallyport.UserID, hashes [][]byte, made time.Time, events ...audit.Event) error
	// UseRecoveryCode consumes one; sallyport.ErrUsed when it was used,
	// sallyport.ErrNotFound when there is none such.
	UseRecoveryCode(ctx context.Context, user sallyport.UserID, hash []byte, at time.Time) error
	// RecoveryCodesLeft counts the unused ones.
	RecoveryCodesLeft(ctx context.Context, user sallyport.UserID) (int, error)

	// AppendEvents writes events that belong to no other change.
	AppendEvents(ctx context.Context, events ...audit.Event) error
}
