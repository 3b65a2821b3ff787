package session

import (
	"context"
	"time"

	"sallyport"
	"sallyport/audit"
)

// Store is what sessions need of the store. Every method that takes events
// writes them in the same transaction as its change; when the events cannot be
// written, nothing changes. All methods return an error that wraps
// sallyport.ErrUnavailable when the store is away.
type Store interface {
	// CreateSession inserts a session with its first host token (the portal's).
	// sallyport.ErrDenied: the user may not sign in. sallyport.ErrExpired: the
	// token's first factor was shown before the user's TrustEndedAt.
	CreateSession(ctx context.Context, s sallyport.Session, t sallyport.HostToken, events ...audit.Event) error
	// RotateToken replaces the token stored under old by t, of the same session
	// and host, and records a ChangeSession. Exactly one of several concurrent
	// calls with the same old succeeds; the others get sallyport.ErrNotFound.
	RotateToken(ctx context.Context, old sallyport.TokenHash, t sallyport.HostToken, events ...audit.Event) error
	// AddToken inserts an app host's token for a live session; an earlier token of
	// the same session and host is removed. sallyport.ErrNotFound when the session
	// is revoked or gone.
	AddToken(ctx context.Context, t sallyport.HostToken, events ...audit.Event) error
	// Grant resolves a host token to a Grant, with the user as of now, groups of
	// the session, Registered, and RememberedUntil (zero when the device has been
	// removed or expired). sallyport.ErrNotFound when there is no such token, the
	// session is revoked, its absolute limit has passed, or the user is gone.
	Grant(ctx context.Context, hash sallyport.TokenHash, now time.Time) (*sallyport.Grant, error)
	// TouchSessions raises last-seen times; it never lowers one.
	TouchSessions(ctx context.Context, seen map[sallyport.SessionID]time.Time) error
	// RevokeSession ends one session and its tokens and hand-offs, with a
	// ChangeSession, and the flows of its browser as EndFlows does. Revoking twice
	// is no error.
	RevokeSession(ctx context.Context, id sallyport.SessionID, at time.Time, events ...audit.Event) error
	// EndFlows ends the flows of a browser in which somebody is known: none of
	// their steps can be saved or finished any more.
	EndFlows(ctx context.Context, browser sallyport.TokenHash, at time.Time) error

	// CreateHandoff stores a hand-off code.
	CreateHandoff(ctx context.Context, h sallyport.Handoff) error
	// TakeHandoff removes and returns the hand-off, whether or not it is still
	// good for the caller: it dies at its first redemption, right or wrong. Exactly
	// one of several concurrent calls gets it; the others sallyport.ErrNotFound.
	// An expired one, or one of a revoked session, is removed and
	// sallyport.ErrExpired returned.
	TakeHandoff(ctx context.Context, hash sallyport.TokenHash, now time.Time) (sallyport.Handoff, error)

	// CreateDevice stores a remembered device with the hash of its first token.
	CreateDevice(ctx context.Context, d sallyport.Device, token sallyport.TokenHash, events ...audit.Event) error
	// UseDevice judges a presented device token, in one transaction:
	//   current token, of this user, not expired: it is rotated to next (DeviceRotated);
	//   the token before it, within 60 s of the rotation: DeviceGrace, nothing changes;
	//   the same, later, while the successor was never presented: it is reissued,
	//   next becomes current and the lost successor void (DeviceRotated); presenting
	//   the void one is DeviceStolen;
	//   the same, later, after its successor was presented: the device is removed
	//   with a ChangeUser and the theft event (DeviceStolen);
	//   anything else: sallyport.ErrNotFound (another user's token too, and it stays).
	// used is appended when the token was rotated or graced, stolen when the device
	// was removed; the store fills in nothing but the node.
	UseDevice(ctx context.Context, u sallyport.DeviceUse, used, stolen audit.Event) (sallyport.Device, sallyport.DeviceOutcome, error)
	// DeviceByToken returns the device whose current or graced token this is, of
	// this user and not expired; it changes nothing. sallyport.ErrNotFound.
	DeviceByToken(ctx context.Context, token sallyport.TokenHash, user sallyport.UserID, now time.Time) (sallyport.Device, error)
	// Changes returns the changes after seq in order, and the highest sequence
	// number there is. It is cheap when nothing changed.
	Changes(ctx context.Context, after int64) ([]sallyport.Change, int64, error)
	// Sweep removes what has expired: sessions past their limits (also those idle
	// since before idleSince), tokens, hand-offs, devices, old changes. It returns
	// how many rows went.
	Sweep(ctx context.Context, now, idleSince time.Time) (int, error)
}

// DeviceUse is one presentation of a remembered-device token.
type DeviceUse = sallyport.DeviceUse

// DeviceOutcome is what a presented device token was.
type DeviceOutcome = sallyport.DeviceOutcome

// Outcomes; the zero value grants nothing.
const (
	DeviceRefused = sallyport.DeviceRefused
	DeviceStolen  = sallyport.DeviceStolen
	DeviceGrace   = sallyport.DeviceGrace
	DeviceRotated = sallyport.DeviceRotated
)
