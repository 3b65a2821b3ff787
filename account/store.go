package account

import (
	"context"
	"time"

	"sallyport"
	"sallyport/audit"
)

// Store is what the security-info page needs of the store, beside what package
// challenge offers. Every method that takes events writes them in the same
// transaction as its change. Where they name a session that has ended, those
// that change methods or codes change nothing: sallyport.ErrExpired.
type Store interface {
	// Methods returns a user's registered methods, oldest first.
	Methods(ctx context.Context, user sallyport.UserID) ([]sallyport.Method, error)
	RenameMethod(ctx context.Context, user sallyport.UserID, id sallyport.MethodID, name string, events ...audit.Event) error
	// DeleteMethod deletes a method, and ends the sessions that it proved but by: in
	// one of them may sit whoever has the lost phone. events is told how many.
	DeleteMethod(ctx context.Context, user sallyport.UserID, id sallyport.MethodID, keepOne bool, by sallyport.SessionID, events func(ended int) []audit.Event) error
	RecoveryCodesLeft(ctx context.Context, user sallyport.UserID) (int, error)
	// ReplaceRecoveryCodes sets the codes to the set of the moment made;
	// sallyport.ErrExists for the set in force, ErrUsed for any other that is not
	// newer.
	ReplaceRecoveryCodes(ctx context.Context, user sallyport.UserID, hashes [][]byte, made time.Time, events ...audit.Event) error
	// Sessions returns a user's live sessions, latest first.
	Sessions(ctx context.Context, user sallyport.UserID, now time.Time) ([]sallyport.Session, error)
	// RevokeUserSessions ends all sessions of a user but except ("" for none).
	RevokeUserSessions(ctx context.Context, user sallyport.UserID, except sallyport.SessionID, at time.Time, events ...audit.Event) (int, error)
	// EndUserFlows ends what the user is signing in to in any browser.
	EndUserFlows(ctx context.Context, user sallyport.UserID, at time.Time) error
	// RevokeSession ends one session.
	RevokeSession(ctx context.Context, id sallyport.SessionID, at time.Time, events ...audit.Event) error
	// Devices returns a user's remembered devices, latest first.
	Devices(ctx context.Context, user sallyport.UserID, now time.Time) ([]sallyport.Device, error)
	// RemoveDevice forgets one device of the user, with a ChangeUser;
	// sallyport.ErrNotFound.
	RemoveDevice(ctx context.Context, user sallyport.UserID, id sallyport.DeviceID, events ...audit.Event) error
	// RemoveDevices forgets all of them and returns how many.
	RemoveDevices(ctx context.Context, user sallyport.UserID, events ...audit.Event) (int, error)
}
