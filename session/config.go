package session

import "time"

// Config is the `session` section.
type Config struct {
	// Idle ends a session that has made no request for this long. Default: 1h.
	// Range: 1m to 30 days.
	Idle time.Duration `yaml:"idle,omitempty" json:"idle,omitempty"`
	// Absolute ends a session this long after sign-in, however busy it is.
	// Default: 12h. Range: 1m to 90 days, at least `idle`.
	Absolute time.Duration `yaml:"absolute,omitempty" json:"absolute,omitempty"`
}

// DeviceConfig is `mfa.remember_device`.
type DeviceConfig struct {
	// Days for which "don't ask again on this device" holds. Default: 0, which
	// does not offer it. Range: 0 to 365.
	Days int `yaml:"days,omitempty" json:"days,omitempty"`
}
