package identity

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"sallyport"
)

// MaxText is the longest text, in bytes, that Text lets through; longer ones are
// cut.
const MaxText = 1024

// Text makes a provider's text fit for pages, headers and logs: trimmed, at most
// MaxText bytes, and with control characters and invalid UTF-8 replaced by
// U+FFFD. They are replaced and not dropped, because "adm\x00in" must not become
// the name of somebody else.
func Text(s string) string {
	if len(s) > MaxText {
		s = s[:MaxText]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if r, _ := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && s != "" {
			s = s[:len(s)-1]
		}
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return utf8.RuneError
		}
		return r
	}, s))
}

// Unavailable wraps cause and sallyport.ErrUnavailable: the provider cannot be
// asked now. The text is for the log.
func Unavailable(provider string, cause error) error {
	if errors.Is(cause, sallyport.ErrUnavailable) {
		return cause
	}
	return fmt.Errorf("identity provider %s: %w: %w", provider, sallyport.ErrUnavailable, cause)
}
