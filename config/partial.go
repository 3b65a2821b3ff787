package config

import (
	"fmt"
	"path/filepath"

	"sallyport"
)

// Partial is a routing file as far as it can be relied on, for commands that work
// on the store beside a running gateway. They must not fail in an emergency
// because of a typo in some route, or of a variable that only the gateway's own
// environment has. What a fault touches cannot be had: there is no setting here
// that the file does not give without a fault.
type Partial struct {
	// Faults are those that were passed over; none where the whole file is good.
	Faults Errors

	all   *Config // read with the faults left out; nothing faulty leaves it
	shape *shape
}

// LoadPartly reads a routing file for a command that needs `store` and `secrets`.
// The error is an Errors, as that of Load, when one of these is at fault, or may
// be what a misspelt key was meant to be: then a command would open another
// database than the gateway, and say that all is done.
func LoadPartly(path string, env Env) (*Partial, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, Errors{{File: path, Msg: err.Error(), Hint: "name the routing file with --config; `sallyport init` writes one to start from"}}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, Errors{{File: path, Msg: err.Error()}}
	}
	c, s, errs := read(path, abs, text, env)
	switch {
	case s == nil:
		return nil, errs
	case len(errs) == 0:
		return &Partial{all: c, shape: s}, nil
	}
	for _, section := range []string{"version", "store", "secrets"} {
		// bad[""] is a key that brings others in, of which nothing is known.
		if !s.usable(section) || s.bad[""] {
			return nil, errs
		}
	}
	return &Partial{Faults: errs, all: c, shape: s}, nil
}

// usable reports whether a setting at the top of the file is what its writer
// meant: no fault is in it. One that is not written has its default, unless some
// key of the file is unknown and may have been meant for it, or it stands written in
// another place, where nothing is judged.
func (s *shape) usable(key string) bool {
	return !s.faulty(key) && (s.nodes[key] != nil || !s.strays && !s.words[key])
}

// faulty reports a fault in a setting or in anything within it.
func (s *shape) faulty(path string) bool { return s.bad[path] || s.above[path] }

// ForStore returns what opening the database takes: `store`, `secrets` and, where
// it has no fault, `audit`; every other section has its defaults. audited is false
// where `audit` is at fault: then it is not known whether events go to a file too.
func (p *Partial) ForStore() (c *Config, audited bool) {
	c = Default()
	c.Version, c.Store, c.Secrets = p.all.Version, p.all.Store, p.all.Secrets
	c.origin.file = p.all.origin.file
	if audited = p.shape.usable("audit"); audited {
		c.Audit = p.all.Audit
	} else {
		c.Audit.Retention = 0 // a default might remove what the file means to keep
	}
	return c, audited
}

// DefaultState returns `mfa.default_state`; an error when `mfa` is at fault.
func (p *Partial) DefaultState() (sallyport.State, error) {
	if !p.shape.usable("mfa") {
		return "", fmt.Errorf("`mfa` has a fault, so it is not known in which state a new user begins: say it with --state, or mend the file")
	}
	return p.all.MFA.DefaultState, nil
}

// Local returns the identity entry of type local. sallyport.ErrNotFound when there
// is none, another error when it is at fault.
func (p *Partial) Local() (*Identity, error) {
	return p.entry("of type local", func(i int) bool { return p.written(i, "type") == TypeLocal })
}

// Provider returns the identity entry of a name. sallyport.ErrNotFound when there
// is none, another error when it is at fault.
func (p *Partial) Provider(name string) (*Identity, error) {
	return p.entry(fmt.Sprintf("called %q", name), func(i int) bool { return p.written(i, "name") == name })
}

func (p *Partial) entry(which string, is func(int) bool) (*Identity, error) {
	if p.shape.bad["identity"] {
		return nil, fmt.Errorf("`identity` has a fault, and this command needs the entry %s: mend it first", which)
	}
	var found *Identity
	for i := range p.all.Identity {
		if !is(i) {
			continue
		}
		if p.shape.faulty(index("identity", i)) {
			return nil, fmt.Errorf("the identity entry %s has a fault, and this command needs its settings: mend it first", which)
		}
		found = &p.all.Identity[i]
	}
	if found != nil {
		return found, nil
	}
	if p.shape.faulty("identity") {
		return nil, fmt.Errorf("no identity entry without a fault is %s", which)
	}
	return nil, fmt.Errorf("no identity entry is %s: %w", which, sallyport.ErrNotFound)
}

// written is the text of a key of an identity entry, whether or not the entry
// could be read.
func (p *Partial) written(i int, key string) string {
	if n := p.shape.nodes[join(index("identity", i), key)]; n != nil {
		return n.Value
	}
	return ""
}
