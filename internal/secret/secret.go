// Package secret holds values that must not be printed.
package secret

import (
	"fmt"
	"io"
)

// String is a secret text. Every way of printing, logging or marshalling it
// gives "[redacted]", or "" when it is empty. Compare two with Reveal and in
// constant time, not with ==.
type String struct {
	// A pointer, because fmt prints the unexported fields of other structs without
	// asking their methods: it shows an address then, not the text.
	v *string
}

const redacted = "[redacted]"

// New wraps s.
func New(s string) String {
	if s == "" {
		return String{}
	}
	return String{v: &s}
}

// Reveal returns the secret itself; call it only where it is used.
func (s String) Reveal() string {
	if s.v == nil {
		return ""
	}
	return *s.v
}

// Empty reports whether there is no secret.
func (s String) Empty() bool { return s.v == nil }

// String implements fmt.Stringer.
func (s String) String() string {
	if s.Empty() {
		return ""
	}
	return redacted
}

// GoString implements fmt.GoStringer, for %#v.
func (s String) GoString() string { return `secret.String("` + s.String() + `")` }

// Format implements fmt.Formatter: the verbs that are not for text, such as %d,
// do not ask String.
func (s String) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		_, _ = io.WriteString(f, s.GoString())
		return
	}
	_, _ = io.WriteString(f, s.String())
}

// MarshalText implements encoding.TextMarshaler, for JSON, YAML and slog.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *String) UnmarshalText(b []byte) error {
	*s = New(string(b))
	return nil
}

// IsZero lets encoders omit an empty secret.
func (s String) IsZero() bool { return s.Empty() }
