// Package secret holds values that must not be printed.
package secret

// String is a secret text. Every way of printing, logging or marshalling it
// gives "[redacted]", or "" when it is empty.
type String struct{ v string }

const redacted = "[redacted]"

// New wraps s.
func New(s string) String { return String{v: s} }

// Reveal returns the secret itself; call it only where it is used.
func (s String) Reveal() string { return s.v }

// Empty reports whether there is no secret.
func (s String) Empty() bool { return s.v == "" }

// String implements fmt.Stringer.
func (s String) String() string {
	if s.v == "" {
		return ""
	}
	return redacted
}

// GoString implements fmt.GoStringer, for %#v.
func (s String) GoString() string { return `secret.String("` + s.String() + `")` }

// MarshalText implements encoding.TextMarshaler, for JSON, YAML and slog.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *String) UnmarshalText(b []byte) error {
	s.v = string(b)
	return nil
}

// IsZero lets encoders omit an empty secret.
func (s String) IsZero() bool { return s.v == "" }
