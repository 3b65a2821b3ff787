package challenge

import (
	"fmt"
	"net/http"
	"slices"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/httperr"
	"sallyport/policy"
)

// Requirement is what the registration of somebody's first method needs besides a
// fresh first factor: nothing was registered yet that could prove who it is.
type Requirement string

// RequireTrustedLocation is a client address in `mfa.trusted_ips` or in a trusted
// location.
const RequireTrustedLocation Requirement = "trusted-location"

// RegistrationConfig is the `registration` section: who may register a first
// method.
type RegistrationConfig struct {
	// Require says what registering somebody's first method needs besides a fresh
	// sign-in, so that a stolen password alone is not enough to register with:
	// `trusted-location`, an address in `mfa.trusted_ips` or in a location with
	// `trusted: true`. People register there on the security-info page, since
	// sign-in asks for no method at such an address; anywhere else they are refused
	// with SP-3006. Further methods need a verification, wherever the person is.
	// Default: none.
	Require Requirement `yaml:"require,omitempty" json:"require,omitempty"`
}

// Validate returns every fault of the section. trusted says whether there is any
// trusted address.
func (c RegistrationConfig) Validate(trusted bool) sallyport.FieldErrors {
	var faults sallyport.FieldErrors
	switch {
	case c.Require == "":
	case c.Require != RequireTrustedLocation:
		faults.Add("require", "write `trusted-location`, or leave the key out", "unknown requirement %q", c.Require)
	case !trusted:
		faults.Add("require", "list addresses under `mfa.trusted_ips`, or give an entry of `locations` the key `trusted: true`",
			"nobody could register: there is no trusted location")
	}
	return faults
}

// Refuses reports whether a first method may not be registered from an address of
// that class. One that could not be told is not trusted.
func (c RegistrationConfig) Refuses(address policy.AddressClass) bool {
	return c.Require != "" && !address.Trusted
}

// Refusal is the decision on a first method where Refuses says so; reasons are
// those that led to the registration.
func (c RegistrationConfig) Refusal(address policy.AddressClass, reasons []sallyport.Reason) policy.Decision {
	return policy.Decision{Effect: policy.Deny, Rule: "registration.require", Code: sallyport.CodeRegisterElsewhere,
		Reasons: append(slices.Clip(reasons), sallyport.Reason{Name: "first-method-needs-" + string(c.Require), Detail: address.Location})}
}

// refusesFirst reports whether a first method may not be registered from where r
// comes from.
func (c *Challenge) refusesFirst(r *http.Request) bool {
	return c.cfg.Registration.Refuses(c.addresses.Class(client(r)))
}

// CheckFirst refuses to register somebody's first method from where r comes from,
// when `registration.require` says so, and records that it did. It asks the store
// whether it is the first: what the session remembers may be older.
func (c *Challenge) CheckFirst(r *http.Request, a Attempt) error {
	if !c.refusesFirst(r) {
		return nil
	}
	registered, err := c.registered(r.Context(), a.User.ID)
	if err != nil || registered {
		return err
	}
	d := c.cfg.Registration.Refusal(c.addresses.Class(client(r)), nil)
	refused := httperr.New(http.StatusForbidden, d.Code, fmt.Errorf("rule %s: %v", d.Rule, d.Reasons))
	if _, ok := c.newFlows.pass("first\x00"+string(a.User.ID), c.now()); !ok {
		return refused // recorded often enough; a page that a link can open must not fill the log
	}
	ev := c.registrationEvent(r, a, audit.MethodRegistered, audit.Denied)
	if a.Method != nil {
		ev.Method = a.Method.Kind()
	}
	ev.Rule, ev.Code, ev.Reason = d.Rule, d.Code, lastReason(d)
	if err := c.store.AppendEvents(r.Context(), ev); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return refused
}

// registrationEvent is an event of an attempt to register outside a flow.
func (c *Challenge) registrationEvent(r *http.Request, a Attempt, kind audit.Kind, result audit.Result) audit.Event {
	ev := c.requestEvent(r, c.now(), kind, result)
	ev.About(a.User)
	ev.SessionID = a.SessionID
	return ev
}
