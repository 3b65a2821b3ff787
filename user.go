package sallyport

import (
	"strings"
	"time"

	"golang.org/x/text/secure/precis"
)

// State is a user's per-user MFA state.
type State string

// The three states. Completing a registration moves enabled to enforced; access
// rules never change a state.
const (
	StateDisabled State = "disabled" // no MFA unless an access rule asks for it
	StateEnabled  State = "enabled"  // must register at the next sign-in
	StateEnforced State = "enforced" // MFA always
)

// Valid reports whether s is one of the three states.
func (s State) Valid() bool {
	return s == StateDisabled || s == StateEnabled || s == StateEnforced
}

// User is one person, whatever they type to sign in.
type User struct {
	ID          UserID
	Name        string // sign-in name as shown; unique under FoldName
	Email       string // "" if unknown; when set, unique under FoldName among names and addresses
	DisplayName string
	State       State
	// SignInDisabled refuses every sign-in and ends every session.
	SignInDisabled bool
	// Reregister is set when an admin asked the user to register again; the next
	// completed registration clears it.
	Reregister bool
	// Language is the user's last choice ("en", "ja"), "" if never chosen.
	Language     string
	CreatedAt    time.Time
	UpdatedAt    time.Time
	LastSignInAt time.Time // zero: never
	// TrustEndedAt is when factors shown until then stopped counting: a new password,
	// or all sessions ended. A sign-in that showed its first one before begins no
	// session. Zero: never.
	TrustEndedAt time.Time
}

// Label is the name to greet the user by.
func (u *User) Label() string {
	if u.DisplayName != "" {
		return u.DisplayName
	}
	return u.Name
}

// Link ties an account at an identity provider to a user. (Provider, Issuer,
// Subject) is unique; names and mail addresses never link.
type Link struct {
	Provider   string // the `name` of the identity entry
	Issuer     string // OIDC issuer, LDAP base DN, "local" for local users
	Subject    string // stable at the provider: `sub`, entryUUID or objectGUID, user ID
	UserID     UserID
	Username   string // as the provider last gave it, for display
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never
}

// Identity is what an identity provider says of a person after a first factor.
type Identity struct {
	Provider string
	Issuer   string
	Subject  string
	Username string
	Email    string
	Name     string
	// Groups are the provider's own names, unqualified.
	Groups []string
	// AMR are the provider's authentication method references, for the record
	// only: they never count as our verification.
	AMR []string
}

// QualifyGroups returns "provider:group" for each group.
func QualifyGroups(provider string, groups []string) []string {
	out := make([]string, len(groups))
	for i, g := range groups {
		out[i] = provider + ":" + g
	}
	return out
}

// FoldName maps a sign-in name or mail address to the form in which names are
// compared: PRECIS UsernameCaseMapped (RFC 8265, section 3.3). It returns
// ErrBadName for what that profile refuses and for more than 256 bytes.
func FoldName(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 256 {
		return "", ErrBadName
	}
	// A fullwidth or compatibility form of a name is the same person.
	f, err := precis.UsernameCaseMapped.String(s)
	if err != nil || f == "" {
		return "", ErrBadName
	}
	return f, nil
}
