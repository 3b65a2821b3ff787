package sallyport

import (
	"errors"
	"fmt"
	"strings"
)

// Error kinds. Packages wrap them with %w; one edge translates them for people.
var (
	ErrNotFound    = errors.New("not found")
	ErrExists      = errors.New("exists already")
	ErrConflict    = errors.New("changed meanwhile")
	ErrUsed        = errors.New("used already")
	ErrExpired     = errors.New("expired")
	ErrLimit       = errors.New("limit reached")
	ErrLastMethod  = errors.New("the last method that policy demands")
	ErrUnavailable = errors.New("unavailable") // a dependency is away: deny, and say so
	ErrBadName     = errors.New("not a usable name")
	ErrDenied      = errors.New("denied")
)

// FieldError is a fault in one setting, found by a package's Validate; package
// config finds its place in the file.
type FieldError struct {
	Path string // dotted, with indexes: "routes[2].upstream"
	Msg  string // what is wrong
	Hint string // what to write instead; may be empty
}

// Error implements error.
func (e *FieldError) Error() string {
	if e.Hint == "" {
		return fmt.Sprintf("%s: %s", e.Path, e.Msg)
	}
	return fmt.Sprintf("%s: %s (%s)", e.Path, e.Msg, e.Hint)
}

// FieldErrors are all the faults that a Validate found.
type FieldErrors []*FieldError

// Add appends a fault.
func (e *FieldErrors) Add(path, hint, format string, args ...any) {
	*e = append(*e, &FieldError{Path: path, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// Under returns the faults with prefix put before each path.
func (e FieldErrors) Under(prefix string) FieldErrors {
	out := make(FieldErrors, len(e))
	for i, f := range e {
		p := prefix
		if f.Path != "" && f.Path[0] != '[' {
			p += "."
		}
		out[i] = &FieldError{Path: p + f.Path, Msg: f.Msg, Hint: f.Hint}
	}
	return out
}

// Error implements error: one fault a line.
func (e FieldErrors) Error() string {
	lines := make([]string, len(e))
	for i, f := range e {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}
