package admin

import (
	"context"
	"time"

	"sallyport"
	"sallyport/audit"
)

// Store is what administration needs of the store. Every method that takes
// events writes them in the same transaction as its change; when the audit
// record cannot be written, nothing changes.
type Store interface {
	// Users returns users in order of their folded names, after the given one, at
	// most limit (0: all).
	Users(ctx context.Context, after string, limit int) ([]sallyport.User, error)
	User(ctx context.Context, id sallyport.UserID) (sallyport.User, error)
	UserByName(ctx context.Context, folded string) (sallyport.User, error)
	CreateUser(ctx context.Context, u sallyport.User, links []sallyport.Link, events ...audit.Event) error
	ChangeUser(ctx context.Context, id sallyport.UserID, change func(*sallyport.User) ([]audit.Event, error)) (sallyport.User, error)
	// DeleteUser removes a user and all that is theirs but the audit log.
	DeleteUser(ctx context.Context, id sallyport.UserID, events ...audit.Event) error

	Links(ctx context.Context, user sallyport.UserID) ([]sallyport.Link, error)
	// CreateLink adds a link; sallyport.ErrExists when it belongs to somebody.
	CreateLink(ctx context.Context, l sallyport.Link, events ...audit.Event) error
	// DeleteLink removes a link of the user, with a ChangeUser, and ends the
	// sessions that began with that provider; sallyport.ErrNotFound.
	DeleteLink(ctx context.Context, user sallyport.UserID, provider, subject string, at time.Time, events ...audit.Event) error

	// SetPassword sets a local user's password hash and ends all their sessions
	// and remembered devices.
	SetPassword(ctx context.Context, user sallyport.UserID, hash string, at time.Time, events ...audit.Event) error
	// RequireReregister deletes the user's authenticator apps and recovery codes,
	// remembered devices and sessions, and sets Reregister.
	RequireReregister(ctx context.Context, user sallyport.UserID, at time.Time, events ...audit.Event) error
	// RevokeUser ends all sessions and remembered devices of the user.
	RevokeUser(ctx context.Context, user sallyport.UserID, at time.Time, events ...audit.Event) error
	// Unlock clears all attempt counters of the subjects.
	Unlock(ctx context.Context, subjects []string, events ...audit.Event) error
	// Lockouts returns the lanes of the subjects that are locked now.
	Lockouts(ctx context.Context, subjects []string, now time.Time) ([]sallyport.LockedLane, error)

	Methods(ctx context.Context, user sallyport.UserID) ([]sallyport.Method, error)
	RecoveryCodesLeft(ctx context.Context, user sallyport.UserID) (int, error)
	Sessions(ctx context.Context, user sallyport.UserID, now time.Time) ([]sallyport.Session, error)
	Devices(ctx context.Context, user sallyport.UserID, now time.Time) ([]sallyport.Device, error)

	// Events returns audit events, latest first.
	Events(ctx context.Context, f audit.Filter) ([]audit.Event, error)
	AppendEvents(ctx context.Context, events ...audit.Event) error
	// Backup writes a consistent copy to file (mode 0600) while others work, and
	// marks it as a copy, so that its first start forgets sessions and devices.
	// It refuses to overwrite.
	Backup(ctx context.Context, file string, events ...audit.Event) error
}

// LockedLane is one locked lane of a person.
type LockedLane = sallyport.LockedLane
