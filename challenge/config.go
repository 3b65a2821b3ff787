package challenge

import (
	"time"

	"sallyport"
)

// LockoutConfig is `mfa.lockout`: the rule of the counters of wrong passwords
// and wrong codes, per person and lane.
type LockoutConfig struct {
	// Denials in a row that lock. Default: 10. Range: 1 to 100.
	Denials int `yaml:"denials,omitempty" json:"denials,omitempty"`
	// ResetAfter is the quiet time after which the count is 0 again. Default: 10m.
	// Range: 1s to 24h.
	ResetAfter time.Duration `yaml:"reset_after,omitempty" json:"reset_after,omitempty"`
	// LockFor is the length of the first lock; each further one doubles until a
	// success. Default: 1m. Range: 1s to 24h.
	LockFor time.Duration `yaml:"lock_for,omitempty" json:"lock_for,omitempty"`
	// LockMax is the longest lock. Default: 1h. Range: 1s to 24h, at least
	// `lock_for`.
	LockMax time.Duration `yaml:"lock_max,omitempty" json:"lock_max,omitempty"`
}

// ThrottleConfig is `mfa.throttle`: how often one address, and one person, may
// try.
type ThrottleConfig struct {
	// PerAddress is how many sign-in and code attempts one address may make in a
	// minute, in bursts of as many. Default: 60. Range: 1 to 100000.
	PerAddress int `yaml:"per_address,omitempty" json:"per_address,omitempty"`
	// PerPerson is the same for one person in one lane (this remembered device,
	// trusted addresses, everybody else), so that a stranger's attempts do not slow
	// the person down where they are known. Default: 20. Range: 1 to 100000.
	PerPerson int `yaml:"per_person,omitempty" json:"per_person,omitempty"`
}

// Config is what the flows need of the `mfa` section and others.
type Config struct {
	// Issuer is the name that an authenticator app shows.
	Issuer string
	// Methods that are switched on, most secure first.
	Methods []sallyport.Kind
	// DefaultState of users seen for the first time.
	DefaultState sallyport.State
	Lockout      LockoutConfig
	Throttle     ThrottleConfig
	Registration RegistrationConfig
	// RememberDays is how long a remembered device lasts; 0 does not offer it.
	RememberDays int
	// Portal is the origin of our pages, "https://login.example.com".
	Portal string
}

// Validate returns every fault of the section.
func (c LockoutConfig) Validate() sallyport.FieldErrors {
	var faults sallyport.FieldErrors
	if c.Denials < 1 || c.Denials > 100 {
		faults.Add("denials", "write 1 to 100", "`denials` is out of range")
	}
	for _, d := range []struct {
		key string
		d   time.Duration
	}{{"reset_after", c.ResetAfter}, {"lock_for", c.LockFor}, {"lock_max", c.LockMax}} {
		if d.d < time.Second || d.d > 24*time.Hour {
			faults.Add(d.key, "write 1s to 24h", "`%s` is out of range", d.key)
		}
	}
	if c.LockMax < c.LockFor {
		faults.Add("lock_max", "make it at least as long as `lock_for`", "the longest lock is shorter than the first")
	}
	return faults
}

// Validate returns every fault of the section.
func (c ThrottleConfig) Validate() sallyport.FieldErrors {
	var faults sallyport.FieldErrors
	if c.PerAddress < 1 || c.PerAddress > maxPerMinute {
		faults.Add("per_address", "write 1 to 100000", "`per_address` is out of range")
	}
	if c.PerPerson < 1 || c.PerPerson > maxPerMinute {
		faults.Add("per_person", "write 1 to 100000", "`per_person` is out of range")
	}
	return faults
}

const maxPerMinute = 100_000
