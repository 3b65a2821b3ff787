// Package policy decides. Facts go in, a Decision with its reasons comes out;
// nothing here does I/O, and the zero Decision denies.
package policy

import (
	"slices"

	"sallyport"
)

// Effect is what happens to a request.
type Effect uint8

// Effects. The zero value denies.
const (
	Deny    Effect = iota // nothing the person can do now would help
	Require               // something is still needed: see Decision.Need
	Allow
)

// String returns "deny", "require" or "allow".
func (e Effect) String() string {
	switch e {
	case Allow:
		return "allow"
	case Require:
		return "require"
	}
	return "deny"
}

// MarshalText implements encoding.TextMarshaler.
func (e Effect) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// Decision is the answer, with every reason in the order it was looked at.
type Decision struct {
	Effect  Effect             `json:"effect"`
	Need    sallyport.Need     `json:"need,omitzero"`
	Rule    string             `json:"rule"`
	Code    sallyport.Code     `json:"code,omitempty"`
	Reasons []sallyport.Reason `json:"reasons"`
	// Skipped names what made verification unnecessary: "trusted-address",
	// "remembered-device", "state-disabled", or "".
	Skipped string `json:"skipped,omitempty"`
}

// Target is what the route says of the asked path.
type Target struct {
	// Route is the route's name; "" is the portal.
	Route string
	// Label is what people call the app; "" where nobody was told.
	Label string
	// Public: the path is written down as readable by anyone.
	Public bool
	// Users and Groups who may enter at all; both empty: any signed-in user.
	// Users are folded names or addresses, groups are qualified.
	Users  []string
	Groups []string
}

// Facts are all that a decision may depend on. Their zero value is the least
// that can be known, and never widens access.
type Facts struct {
	Target Target
	// SignedIn: a first factor was shown and the session is live.
	SignedIn bool
	// UserName and UserEmail are folded.
	UserName       string
	UserEmail      string
	State          sallyport.State
	SignInDisabled bool
	Locked         bool // in the lane of this request; only asked during sign-in
	Groups         []string
	Strength       sallyport.Strength // reached by proofs
	Registered     bool
	Reregister     bool
	Address        AddressClass
	// Remembered: a remembered device of this user stands in for verification.
	Remembered bool
}

// Decide judges f. It is pure: equal facts give equal decisions.
func Decide(f Facts) Decision {
	d := &decider{}
	switch {
	case f.Target.Public:
		d.because("public-path", "")
		return d.allow("public")
	case !f.SignedIn:
		d.because("not-signed-in", "")
		return d.require("first-factor", sallyport.Need{FirstFactor: true})
	}
	d.because("signed-in", f.UserName)
	switch {
	case f.SignInDisabled:
		d.because("sign-in-disabled", "")
		return d.deny("user", sallyport.CodeUserDenied)
	case f.Locked:
		d.because("locked-out", "")
		return d.deny("lockout", sallyport.CodeVerificationLocked)
	case !d.entitled(f):
		return d.deny("allow", sallyport.CodeNotAllowed)
	}
	return d.verification(f)
}

type decider struct{ reasons []sallyport.Reason }

func (d *decider) because(name, detail string) {
	d.reasons = append(d.reasons, sallyport.Reason{Name: name, Detail: detail})
}

func (d *decider) allow(rule string) Decision {
	return Decision{Effect: Allow, Rule: rule, Reasons: d.reasons}
}

func (d *decider) skip(rule string) Decision {
	return Decision{Effect: Allow, Rule: rule, Reasons: d.reasons, Skipped: rule}
}

func (d *decider) deny(rule string, code sallyport.Code) Decision {
	return Decision{Effect: Deny, Rule: rule, Code: code, Reasons: d.reasons}
}

func (d *decider) require(rule string, need sallyport.Need) Decision {
	return Decision{Effect: Require, Rule: rule, Need: need, Reasons: d.reasons}
}

// entitled says whether the route lets this user in at all.
func (d *decider) entitled(f Facts) bool {
	t := f.Target
	if len(t.Users) == 0 && len(t.Groups) == 0 {
		d.because("any-signed-in-user", "")
		return true
	}
	if f.UserName != "" && slices.Contains(t.Users, f.UserName) || f.UserEmail != "" && slices.Contains(t.Users, f.UserEmail) {
		d.because("user-allowed", f.UserName)
		return true
	}
	for _, g := range t.Groups {
		if g != "" && slices.Contains(f.Groups, g) {
			d.because("group-allowed", g)
			return true
		}
	}
	d.because("not-in-allow", "")
	return false
}

// verification applies the per-user state and what may stand in for a second
// factor, in the order of the product's rules.
func (d *decider) verification(f Facts) Decision {
	switch f.State {
	case sallyport.StateDisabled:
		d.because("state-disabled", "")
		return d.skip("state-disabled")
	case sallyport.StateEnabled, sallyport.StateEnforced:
		d.because("state-"+string(f.State), "")
	default:
		d.because("state-unknown", string(f.State))
		return d.deny("state", sallyport.CodeNoRule)
	}
	if f.Strength.Meets(sallyport.StrengthMultifactor) {
		d.because("verified", string(f.Strength))
		return d.allow("state-" + string(f.State))
	}
	d.because("not-verified", "")
	if f.Address.Trusted {
		d.because("trusted-address", f.Address.Location)
		return d.skip("trusted-address")
	}
	d.because("address-not-trusted", f.Address.Location)
	if f.Remembered {
		d.because("remembered-device", "")
		return d.skip("remembered-device")
	}
	need := sallyport.Need{Strength: sallyport.StrengthMultifactor, Cause: "state-" + string(f.State)}
	if !f.Registered {
		d.because("nothing-registered", "")
		need.Register = true
		if f.Reregister {
			need.Cause = "admin-request"
		}
	}
	return d.require("state-"+string(f.State), need)
}
