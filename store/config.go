package store

import (
	"time"

	"sallyport"
)

// Config is the `store` section.
type Config struct {
	// SQLite is the path of the database file. Default: `sallyport.db` beside the
	// routing file.
	SQLite string `yaml:"sqlite,omitempty" json:"sqlite,omitempty"`
	// Grace is how long sessions that were valid at the last poll go on while the
	// store is away. Default: 60s. Range: 0 to 10m.
	Grace time.Duration `yaml:"grace,omitempty" json:"grace,omitempty"`
}

// Validate returns every fault of the section.
func (c Config) Validate() sallyport.FieldErrors {
	var faults sallyport.FieldErrors
	if c.Grace < 0 || c.Grace > 10*time.Minute {
		faults.Add("grace", "write 0s to 10m", "`grace` is out of range")
	}
	return faults
}
