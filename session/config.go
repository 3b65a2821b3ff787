package session

import (
	"time"

	"sallyport"
)

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

const day = 24 * time.Hour

// Validate returns every fault of the section.
func (c Config) Validate() sallyport.FieldErrors {
	var faults sallyport.FieldErrors
	if c.Idle < time.Minute || c.Idle > 30*day {
		faults.Add("idle", "write 1m to 30d", "`idle` is out of range")
	}
	if c.Absolute < time.Minute || c.Absolute > 90*day {
		faults.Add("absolute", "write 1m to 90d", "`absolute` is out of range")
	} else if c.Absolute < c.Idle {
		faults.Add("absolute", "make it at least as long as `idle`", "a session would end before it could be idle")
	}
	return faults
}

// Validate returns every fault of the section.
func (c DeviceConfig) Validate() sallyport.FieldErrors {
	var faults sallyport.FieldErrors
	if c.Days < 0 || c.Days > 365 {
		faults.Add("days", "write 1 to 365, or 0 not to offer it", "`days` is out of range")
	}
	return faults
}
