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
	ResetAfter time.Duration `yaml:"reset_after,omitempty" json:"reset_after,omitempty"`
	// LockFor is the length of the first lock; each further one doubles until a
	// success. Default: 1m.
	LockFor time.Duration `yaml:"lock_for,omitempty" json:"lock_for,omitempty"`
	// LockMax is the longest lock. Default: 1h.
	LockMax time.Duration `yaml:"lock_max,omitempty" json:"lock_max,omitempty"`
}

// ThrottleConfig is `mfa.throttle`: how often one address may try, whoever it
// says it is.
type ThrottleConfig struct {
	// PerAddress is how many sign-in and code attempts one address may make in a
	// minute, in bursts of as many. Default: 60. Range: 1 to 100000.
	PerAddress int `yaml:"per_address,omitempty" json:"per_address,omitempty"`
	// PerPerson is the same for one person. Default: 20.
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
	// RememberDays is how long a remembered device lasts; 0 does not offer it.
	RememberDays int
	// Portal is the origin of our pages, "https://login.example.com".
	Portal string
}
