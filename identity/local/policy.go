package local

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/secure/precis"
)

// Bounds of a password, in characters after Normalize.
const (
	defaultMinLength = 8
	maxMinLength     = 64
	maxLength        = 256
	maxBytes         = 4 * maxLength
)

// commonPasswords is a gzipped list, one a line, in lower case and sorted; its
// source and licence are in common.LICENSE. It is unpacked for each check, which
// takes a few milliseconds, instead of staying in memory for ever.
//
//go:embed common.txt.gz
var commonPasswords []byte

// ErrNotText means that a password holds what cannot be typed reliably.
var ErrNotText = errors.New("password is not usable text")

// Normalize prepares a password for hashing by the OpaqueString profile (RFC
// 8265, section 4.2): NFC, and every space a plain one, so that the composed and
// decomposed forms and the wide space of input methods match. It keeps case and
// width. The error is ErrNotText for control characters, invalid UTF-8, an empty
// password and one over 1024 bytes.
func Normalize(password string) (string, error) {
	if password == "" || len(password) > maxBytes || !utf8.ValidString(password) {
		return "", ErrNotText
	}
	s, err := precis.OpaqueString.String(password)
	if err != nil || s == "" {
		return "", ErrNotText
	}
	return s, nil
}

// Reason says why a new password is refused. The values are stable: texts for
// people are keyed by them.
type Reason string

// The reasons.
const (
	TooShort     Reason = "too-short"
	TooLong      Reason = "too-long"
	Common       Reason = "common"
	ContainsName Reason = "contains-name"
	NotText      Reason = "not-text"
)

// PolicyError is why a new password is refused.
type PolicyError struct {
	Reason Reason
	// Min and Max are the allowed lengths in characters.
	Min, Max int
}

// Error implements error, for an administrator's terminal.
func (e *PolicyError) Error() string {
	switch e.Reason {
	case TooShort:
		return fmt.Sprintf("the password is too short: at least %d characters", e.Min)
	case TooLong:
		return fmt.Sprintf("the password is too long: at most %d characters", e.Max)
	case Common:
		return "the password is one of those that are guessed first"
	case ContainsName:
		return "the password contains the user's name or address"
	}
	return "the password holds characters that cannot be typed reliably"
}

// Check judges a new password against the rule; nil means that it is good. names
// are the user's own: sign-in name, address, name as shown. A caller that wants
// an error must compare the result with nil first.
func (p PasswordPolicy) Check(password string, names ...string) *PolicyError {
	low := p.MinLength
	if low == 0 {
		low = defaultMinLength
	}
	refuse := func(r Reason) *PolicyError { return &PolicyError{Reason: r, Min: low, Max: maxLength} }
	switch {
	case password == "":
		return refuse(TooShort)
	case len(password) > maxBytes:
		return refuse(TooLong)
	}
	plain, err := Normalize(password)
	if err != nil {
		return refuse(NotText)
	}
	length := utf8.RuneCountInString(plain)
	switch {
	case length < low:
		return refuse(TooShort)
	case length > maxLength:
		return refuse(TooLong)
	case containsName(plain, names):
		return refuse(ContainsName)
	case !p.AllowCommon && common(plain):
		return refuse(Common)
	}
	return nil
}

// containsName reports whether the password holds a part of a name: of at least
// three letters, or two where a letter carries as much as in Chinese and
// Japanese names. Very short parts would refuse good passwords by chance.
func containsName(plain string, names []string) bool {
	fold := cases.Fold()
	folded := fold.String(plain)
	for _, name := range names {
		for _, part := range nameParts(fold.String(name)) {
			least := 3
			if strings.ContainsFunc(part, func(r rune) bool {
				return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
			}) {
				least = 2
			}
			if utf8.RuneCountInString(part) >= least && strings.Contains(folded, part) {
				return true
			}
		}
	}
	return false
}

// nameParts returns the name, what stands before its last @, and the words of
// that. The domain of an address is the company's and no part of a name.
func nameParts(name string) []string {
	name = strings.TrimSpace(name)
	local := name
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		local = name[:i]
	}
	words := strings.FieldsFunc(local, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return append(words, name, local)
}

// common reports whether a password is in the bundled list, whatever its case,
// or becomes so without up to five digits and signs at its end: "Password2026!"
// is guessed as soon as "password".
func common(plain string) bool {
	folded := strings.ToLower(plain)
	wanted := map[string]bool{folded: true}
	stem := folded
	for range 5 {
		r, size := utf8.DecodeLastRuneInString(stem)
		if unicode.IsLetter(r) || size == 0 {
			break
		}
		stem = stem[:len(stem)-size]
		if len(stem) >= 4 {
			wanted[stem] = true
		}
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(commonPasswords))
	if err != nil {
		return true // a damaged build refuses rather than lets pass
	}
	lines := bufio.NewScanner(unpacked)
	for lines.Scan() {
		if wanted[string(lines.Bytes())] {
			return true
		}
	}
	return lines.Err() != nil
}
