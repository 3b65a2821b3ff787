package local

// Config is an `identity` entry of type `local`.
type Config struct {
	// Domains that may stand around a name: with `CORP` and `example.com` here,
	// `CORP\alice` and `alice@example.com` are `alice`. Default: none.
	Domains []string `yaml:"domains,omitempty" json:"domains,omitempty"`
	// Password is the rule for new passwords.
	Password PasswordPolicy `yaml:"password,omitempty" json:"password,omitzero"`
	// Hash sets the cost of argon2id.
	Hash HashCost `yaml:"hash,omitempty" json:"hash,omitzero"`
}

// PasswordPolicy is `identity[].password`.
type PasswordPolicy struct {
	// MinLength in characters. Default: 8. Range: 8 to 64.
	MinLength int `yaml:"min_length,omitempty" json:"min_length,omitempty"`
	// AllowCommon switches off the check against the bundled list of common
	// passwords. Default: false.
	AllowCommon bool `yaml:"allow_common,omitempty" json:"allow_common,omitempty"`
}

// HashCost is `identity[].hash`.
type HashCost struct {
	// Time is the number of passes. Default: 2. Range: 1 to 16.
	Time int `yaml:"time,omitempty" json:"time,omitempty"`
	// MemoryMiB of one hash. Default: 19. Range: 8 to 1024.
	MemoryMiB int `yaml:"memory_mib,omitempty" json:"memory_mib,omitempty"`
	// Parallel is how many hashes may run at once; the others wait. Default: the
	// number of processors.
	Parallel int `yaml:"parallel,omitempty" json:"parallel,omitempty"`
}
