// Package audit defines the events of the audit log and where they go. The log
// itself is the store's: an event that belongs to a change is written in the
// change's transaction, and sinks hear of it after the commit.
package audit

import (
	"net/netip"
	"time"

	"sallyport"
)

// Event is one record. Times are UTC. Secrets never appear in it.
type Event struct {
	// Seq, PrevHash and Hash are set by the store: the place in the chain.
	Seq    int64     `json:"seq,omitempty"`
	ID     string    `json:"id"` // UUIDv7
	Time   time.Time `json:"time"`
	Kind   Kind      `json:"kind"`
	Result Result    `json:"result"`
	// Reason is a stable short name of why, such as "wrong-password".
	Reason        string              `json:"reason,omitempty"`
	Code          sallyport.Code      `json:"code,omitempty"`
	CorrelationID string              `json:"correlation_id,omitempty"`
	FlowID        sallyport.FlowID    `json:"flow_id,omitempty"`
	SessionID     sallyport.SessionID `json:"session_id,omitempty"`
	// Actor is who did it: "user", "admin:NAME" (the operating system's account
	// for commands), or "system".
	Actor string `json:"actor,omitempty"`
	// User is whom it concerns; UserName is what was typed when nobody is known.
	UserID   sallyport.UserID `json:"user_id,omitempty"`
	UserName string           `json:"user_name,omitempty"`
	Name     string           `json:"name,omitempty"`
	Email    string           `json:"email,omitempty"`

	Route     string     `json:"route,omitempty"`
	Client    string     `json:"client,omitempty"` // "browser" or "non-browser"
	UserAgent string     `json:"user_agent,omitempty"`
	Address   netip.Addr `json:"address,omitzero"`
	Place     string     `json:"place,omitempty"` // named location
	// Node and NodeAddress say which process wrote it; the store fills them in.
	Node        string     `json:"node,omitempty"`
	NodeAddress netip.Addr `json:"node_address,omitzero"`

	Provider string         `json:"provider,omitempty"`
	Method   sallyport.Kind `json:"method,omitempty"`
	// Device is the method's name or a masked number.
	Device   string        `json:"device,omitempty"`
	Duration time.Duration `json:"duration_ns,omitempty"`
	// Demanded is the strength that was demanded and Rule what demanded it.
	Demanded string `json:"demanded,omitempty"`
	Rule     string `json:"rule,omitempty"`
	// Skipped is what made verification unnecessary.
	Skipped string `json:"skipped,omitempty"`
	// Before and After describe a change.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Steps are the parts of a summary.
	Steps []Step `json:"steps,omitempty"`

	PrevHash string `json:"prev_hash,omitempty"`
	Hash     string `json:"hash,omitempty"`
}

// Step is one verification step within a summary.
type Step struct {
	Time     time.Time      `json:"time"`
	Method   sallyport.Kind `json:"method"`
	Device   string         `json:"device,omitempty"`
	Result   Result         `json:"result"`
	Reason   string         `json:"reason,omitempty"`
	Duration time.Duration  `json:"duration_ns,omitempty"`
}

// Result is how it ended.
type Result string

// Results. An interrupt (must register, must verify) is not a failure.
const (
	Success   Result = "success"
	Failure   Result = "failure"
	Denied    Result = "denied"
	Interrupt Result = "interrupt"
	Expired   Result = "expired"
)

// Kind says what happened; "noun.verb".
type Kind string

// The kinds of this version.
const (
	SignInPassword   Kind = "sign-in.password"  // a first factor judged by us or a directory
	SignInFederated  Kind = "sign-in.federated" // a first factor judged by an OIDC provider
	SignInVerify     Kind = "sign-in.verify"    // one verification step
	SignInRegister   Kind = "sign-in.register"  // one registration step of an interrupt
	SignInSkip       Kind = "sign-in.skip"      // verification was not asked, and why
	SignInSummary    Kind = "sign-in.summary"   // the end of a flow
	SignOut          Kind = "session.sign-out"
	SessionRevoked   Kind = "session.revoke"
	SessionExpired   Kind = "session.expire"
	DeviceRemembered Kind = "device.remember"
	DeviceRemoved    Kind = "device.remove"
	DeviceUsed       Kind = "device.use"    // stood in for a verification
	DeviceStolen     Kind = "device.stolen" // a rotated-out token was used again
	MethodRegistered Kind = "method.register"
	MethodRenamed    Kind = "method.rename"
	MethodDeleted    Kind = "method.delete"
	RecoveryRenewed  Kind = "recovery.renew"
	StateChanged     Kind = "user.state"
	UserCreated      Kind = "user.create"
	UserChanged      Kind = "user.change"
	UserDeleted      Kind = "user.delete"
	UserLinked       Kind = "user.link"
	UserUnlinked     Kind = "user.unlink"
	UserUnlocked     Kind = "user.unlock"
	UserReregister   Kind = "user.require-reregister"
	UserRevoked      Kind = "user.revoke"
	PasswordSet      Kind = "user.password"
	LockedOut        Kind = "user.lockout"
	ConfigReloaded   Kind = "config.reload"
	NodeStarted      Kind = "node.start"
	NodeStopped      Kind = "node.stop"
	KeyRotated       Kind = "key.rotate"
	BackupMade       Kind = "store.backup"
	BackupRestored   Kind = "store.restore"
)

// New returns an event with its ID, time, kind and result set.
func New(now time.Time, kind Kind, result Result) Event {
	return Event{ID: sallyport.NewID(), Time: now.UTC(), Kind: kind, Result: result}
}

// About says whom the event concerns.
func (e *Event) About(u sallyport.User) {
	e.UserID, e.UserName, e.Name, e.Email = u.ID, u.Name, u.DisplayName, u.Email
}

// Sink receives events after they are in the store. It must not block for long
// and must not keep the slice.
type Sink interface {
	Emit(events []Event)
}

// Filter selects events; zero fields do not restrict.
type Filter struct {
	User          string // user ID or name, exactly
	Since         time.Time
	Until         time.Time
	Result        Result
	Kind          Kind
	FlowID        sallyport.FlowID
	CorrelationID string
	Before        int64 // events with a lower Seq, for reading on; 0: from the latest
	Limit         int   // 0: 1000
}
