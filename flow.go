package sallyport

import "time"

// Reason is one named ground of a decision, for people and for machines.
type Reason struct {
	// Name is stable, in lower-case words with hyphens: "trusted-address".
	Name string `json:"name"`
	// Detail says which one: the location, the group, the state.
	Detail string `json:"detail,omitempty"`
}

// String returns "name" or "name (detail)".
func (r Reason) String() string {
	if r.Detail == "" {
		return r.Name
	}
	return r.Name + " (" + r.Detail + ")"
}

// Need is what a decision still demands of a person.
type Need struct {
	// FirstFactor: nobody is signed in.
	FirstFactor bool `json:"first_factor,omitempty"`
	// Strength to reach by verification; "" demands none.
	Strength Strength `json:"strength,omitempty"`
	// Register: a method must be registered before Strength can be reached.
	Register bool `json:"register,omitempty"`
	// Fresh, when not zero, is the oldest acceptable verification (or first
	// factor, where no method is registered).
	Fresh time.Duration `json:"fresh,omitempty"`
	// Cause says why, for the page of an interrupt: "state-enabled",
	// "state-enforced", "admin-request", "security-info".
	Cause string `json:"cause,omitempty"`
}

// Zero reports whether nothing is needed.
func (n Need) Zero() bool { return !n.FirstFactor && n.Strength == "" && !n.Register && n.Fresh == 0 }

// Flow is a pending sign-in: what is needed, what is done, where to return. It
// lives on the server and belongs to the browser that began it.
type Flow struct {
	ID FlowID
	// Browser is the hash of the flow cookie of the browser that began it; every
	// step checks it.
	Browser TokenHash
	// ReturnURL is an absolute URL on the portal or on a configured route, checked
	// when the flow began.
	ReturnURL string
	// Route is the name of the route of ReturnURL; "" for the portal.
	Route string
	// State is the hash of the app host's state cookie; zero for the portal.
	State TokenHash
	Need  Need
	// Step is what the person sees next: see package challenge.
	Step string
	// UserID, Provider and Groups are known after the first factor.
	UserID   UserID
	Provider string
	Groups   []string
	Proofs   []Proof
	// DeviceID is the remembered device that stood in for verification.
	DeviceID DeviceID
	// Remember: the person ticked "don't ask again on this device".
	Remember bool
	// Lane of the attempt counters this flow runs in.
	Lane Lane
	// Data belongs to the current step (a pending secret, an OIDC nonce); the
	// store seals it.
	Data []byte
	// Resume is an opaque value for other packages.
	Resume    string
	CreatedAt time.Time
	ExpiresAt time.Time
	// Version is compared and raised by every save, so that a step happens once.
	Version int64
}

// Method is one registered verification method of a user.
type Method struct {
	ID     MethodID
	UserID UserID
	Kind   Kind
	Name   string // given by the user, 1 to 64 characters
	// Secret is the method's own encoding of what it must keep; the store seals it.
	Secret []byte
	// Counter is the last time step (or counter) that was accepted; no code of
	// this or an earlier step is accepted again.
	Counter int64
	// Drift is the learned clock difference in steps.
	Drift      int
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never
}

// Lane separates attempt counters, so that strangers cannot lock a person out.
type Lane string

// The lanes.
const (
	LaneDevice  Lane = "device"  // this remembered device; the ID follows after a colon
	LaneTrusted Lane = "trusted" // trusted addresses
	LaneOther   Lane = "other"   // everybody else
)

// AttemptKind says which counter an attempt is charged to.
type AttemptKind string

// Passwords and verification have counters of their own.
const (
	AttemptPassword     AttemptKind = "password"
	AttemptVerification AttemptKind = "verification"
)

// Lockout is the rule of the attempt counters.
type Lockout struct {
	Denials    int           // consecutive denials that lock; 0 never locks
	ResetAfter time.Duration // quiet time after which the count is 0 again
	LockFor    time.Duration // first lock; each further one doubles
	LockMax    time.Duration // longest lock
}

// Attempt is one guess about to be judged.
type Attempt struct {
	// Subject is the person: a user ID, or for somebody not known to the store
	// "provider\x00subject" or "?\x00folded name".
	Subject string
	Kind    AttemptKind
	Lane    Lane
	// Fingerprint is a keyed hash of the guess; repeating one of the last three
	// wrong ones counts once. Empty: every attempt counts.
	Fingerprint []byte
	At          time.Time
	Rule        Lockout
}

// AttemptState is a counter after an attempt was charged.
type AttemptState struct {
	// Locked: the attempt must be refused unjudged.
	Locked bool
	// Until is the end of the lock, when Locked or when this attempt, if wrong,
	// was the one that locked.
	Until time.Time
	// Left is how many further wrong attempts this lane bears before it locks.
	Left int
}

// LockedLane is one locked lane of a person.
type LockedLane struct {
	Subject string      `json:"subject"`
	Kind    AttemptKind `json:"kind"`
	Lane    Lane        `json:"lane"`
	Denials int         `json:"denials"`
	Until   time.Time   `json:"until"`
}

// Change tells nodes that something open sessions must see has happened.
type Change struct {
	Seq  int64
	Kind ChangeKind
	// ID of the user or session; "" for all.
	ID string
}

// ChangeKind says what changed.
type ChangeKind string

// What changes.
const (
	ChangeUser    ChangeKind = "user"    // state, links, methods, devices, sessions of one user
	ChangeSession ChangeKind = "session" // one session was revoked or raised
	ChangeKeys    ChangeKind = "keys"    // signing keys
)

// SigningKey signs assertions. Exactly one is active at a time; the others are
// published until they retire.
type SigningKey struct {
	KID       string
	PKCS8     []byte // private key; the store seals it
	CreatedAt time.Time
	// ActiveAt is when signing with it begins; it is published before.
	ActiveAt time.Time
	// RetireAt is when it leaves the JWKS.
	RetireAt time.Time
}
