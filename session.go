package sallyport

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// Kind is a kind of factor: a verification method, or a first factor.
type Kind string

// First factors and verification methods, by the ids of their family.
const (
	KindPassword  Kind = "password"     // first factor, judged by us or a directory
	KindFederated Kind = "federated"    // first factor, judged by an OIDC provider
	KindTOTP      Kind = "softwareOath" // authenticator app
	KindRecovery  Kind = "recovery"     // recovery code
)

// First reports whether k is a first factor.
func (k Kind) First() bool { return k == KindPassword || k == KindFederated }

// MFA reports whether k counts as a second factor.
func (k Kind) MFA() bool { return k == KindTOTP || k == KindRecovery }

// AMR is the authentication method reference (RFC 8176) sent upstream for k.
func (k Kind) AMR() string {
	switch k {
	case KindPassword:
		return "pwd"
	case KindFederated:
		return "fed"
	case KindTOTP, KindRecovery:
		return "otp"
	}
	return ""
}

// Proof is a factor already shown: by which method, and when. Only factors that
// were really performed become proofs; a trusted address or a remembered device
// never does.
type Proof struct {
	Kind     Kind      `json:"kind"`
	At       time.Time `json:"at"`
	MethodID MethodID  `json:"method,omitempty"`
}

// Strength names a set of methods that satisfies a demand. The empty strength
// is satisfied by any first factor.
type Strength string

// Strengths known to this version.
const (
	StrengthNone         Strength = ""
	StrengthSingleFactor Strength = "single-factor"
	StrengthMultifactor  Strength = "multifactor"
)

// StrengthOf returns the strength that the proofs reach together.
func StrengthOf(proofs []Proof) Strength {
	first := slices.ContainsFunc(proofs, func(p Proof) bool { return p.Kind.First() })
	second := slices.ContainsFunc(proofs, func(p Proof) bool { return p.Kind.MFA() })
	switch {
	case first && second:
		return StrengthMultifactor
	case first:
		return StrengthSingleFactor
	}
	return StrengthNone
}

// Meets reports whether s satisfies the demand d.
func (s Strength) Meets(d Strength) bool {
	rank := func(x Strength) int {
		switch x {
		case StrengthNone:
			return 0
		case StrengthSingleFactor:
			return 1
		case StrengthMultifactor:
			return 2
		}
		return 3 // unknown: as a demand never met, as a strength never reached
	}
	return rank(d) < 3 && rank(s) < 3 && rank(s) >= rank(d)
}

// VerifiedAt returns when the latest second factor was shown; zero if never.
func VerifiedAt(proofs []Proof) time.Time {
	return latest(proofs, Kind.MFA)
}

// FirstFactorAt returns when the latest first factor was shown; zero if never.
func FirstFactorAt(proofs []Proof) time.Time {
	return latest(proofs, Kind.First)
}

func latest(proofs []Proof, is func(Kind) bool) time.Time {
	var at time.Time
	for _, p := range proofs {
		if is(p.Kind) && p.At.After(at) {
			at = p.At
		}
	}
	return at
}

// Session is one single sign-on session: one person in one browser.
type Session struct {
	ID         SessionID
	UserID     UserID
	Provider   string   // identity provider of the first factor
	Groups     []string // qualified ("provider:group"), as of sign-in
	CreatedAt  time.Time
	LastSeenAt time.Time // written behind, at most once a minute
	ExpiresAt  time.Time // absolute limit
	RevokedAt  time.Time // zero: live
	Address    netip.Addr
	UserAgent  string
	// Browser is the hash of the flow cookie of its browser, so that the flows of
	// that browser end with it; zero if unknown.
	Browser TokenHash
}

// HostToken is what one host's cookie stands for: a session, and what was shown
// by the time this host was handed its token. It is raised only by a new one.
type HostToken struct {
	Hash      TokenHash
	SessionID SessionID
	Host      string // lower case, without port unless the public URL has one
	Proofs    []Proof
	DeviceID  DeviceID // remembered device that stood in for verification; "" if none
	CreatedAt time.Time
}

// Grant is a host token resolved: everything that the path of a request needs
// to know of the person, immutable, shared by requests and made anew when
// anything in it changes.
type Grant struct {
	Session Session
	User    User
	Token   HostToken
	// Registered reports whether the user has a verification method other than
	// recovery codes.
	Registered bool
	// RememberedUntil is when the token's remembered device ends; zero when there
	// is none or it is gone.
	RememberedUntil time.Time
	// Memo keeps what was derived for this grant (decisions, headers), so that it
	// lives and dies with it.
	Memo Memo
}

// Memo is a slot for one derived value. The zero Memo is empty.
type Memo struct{ v atomic.Pointer[any] }

// Load returns the value, nil if none.
func (m *Memo) Load() any {
	if p := m.v.Load(); p != nil {
		return *p
	}
	return nil
}

// Store replaces the value.
func (m *Memo) Store(v any) { m.v.Store(&v) }

// Device is a browser that its user asked us to remember.
type Device struct {
	ID         DeviceID
	UserID     UserID
	UserAgent  string
	Address    netip.Addr
	CreatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time
}

// Handoff is a one-time code that carries a session from the portal to an app
// host.
type Handoff struct {
	Hash      TokenHash // of the code
	State     TokenHash // of the state cookie on the app host, binding the browser
	Host      string
	ReturnURL string
	SessionID SessionID
	FlowID    FlowID
	Proofs    []Proof
	DeviceID  DeviceID
	ExpiresAt time.Time
}
