package challenge

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxTyped bounds what is looked at of a typed code.
const maxTyped = 64

// NormalizeCode brings a typed code into one form: compatibility characters
// (the full-width digits of a Japanese input method) become plain ones, letters
// become lower case, and spaces, hyphens and invisible characters go. What is too
// long to be a code becomes "".
func NormalizeCode(typed string) string {
	if len(typed) > maxTyped*3 {
		return ""
	}
	var b strings.Builder
	for _, c := range norm.NFKC.String(typed) {
		switch {
		case unicode.IsSpace(c), unicode.Is(unicode.Dash, c), unicode.Is(unicode.Cf, c),
			c == 'ー', c == '・', c == '.': // what keyboards put where a hyphen was meant
		default:
			b.WriteRune(unicode.ToLower(c))
		}
	}
	if b.Len() > maxTyped {
		return ""
	}
	return b.String()
}
