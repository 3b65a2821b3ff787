package proxy

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Causes of a refused path. They are for the log; the client sees SP-9003.
var (
	errPathForm    = errors.New("ambiguous path: not absolute, or too long")
	errPathSlash   = errors.New("ambiguous path: empty segment or encoded slash")
	errPathDots    = errors.New("ambiguous path: dot segment")
	errPathControl = errors.New("ambiguous path: control character, backslash or raw #")
	errPathDouble  = errors.New("ambiguous path: encoded twice")
	errPathTicket  = errors.New("ambiguous path: a cookieless ASP.NET ticket stands in it; switch cookieless sessions off in the app")
	errPathReading = errors.New("ambiguous path: servers that drop parameters, trailing dots or case would read it as a path of another route")
)

// maxPath is the longest path that is judged, in bytes.
const maxPath = 16 << 10

// cleanPath judges whether a path means the same to everyone who may read it
// between here and the app's file system, and returns it decoded. It changes
// nothing: what is judged is what u forwards. A path that could be read in two
// ways is refused.
func cleanPath(u *url.URL) (string, error) {
	path := u.Path
	if path == "" && u.Host != "" {
		path = "/" // "GET http://host HTTP/1.1"
	}
	if path == "" || path[0] != '/' || len(path) > maxPath || u.Opaque != "" {
		return "", errPathForm
	}
	if u.RawPath != "" {
		if err := checkRaw(u.RawPath); err != nil {
			return "", err
		}
	}
	for i := 0; i < len(u.RawQuery); i++ {
		if c := u.RawQuery[i]; c <= ' ' || c == 0x7f {
			return "", errPathControl // an HTTP/2 client can send what splits a request line
		}
	}
	start := 1
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			if c := path[i]; c < 0x20 || c == 0x7f || c == '\\' {
				return "", errPathControl
			} else if c == '%' && encodedTwice(path[i:]) {
				return "", errPathDouble
			}
			continue
		}
		if err := checkSegment(path[start:i], i == len(path)); err != nil {
			return "", err
		}
		start = i + 1
	}
	return path, nil
}

// checkRaw refuses what decoding would hide.
func checkRaw(raw string) error {
	for i := 0; i < len(raw); i++ {
		if raw[i] == '#' {
			return errPathControl
		}
		if raw[i] != '%' || i+2 >= len(raw) {
			continue
		}
		if c := raw[i+1]; (c == '2') && (raw[i+2]|0x20 == 'f') {
			return errPathSlash
		}
	}
	return nil
}

// checkSegment judges one decoded segment.
func checkSegment(s string, last bool) error {
	if s == "" {
		if last {
			return nil
		}
		return errPathSlash
	}
	switch s[0] {
	case '.', ' ', ';':
		if dots(s) {
			return errPathDots
		}
	case '(':
		if cookieless(s) {
			return errPathTicket
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return checkWide(s)
		}
	}
	return nil
}

// dots reports whether a segment is nothing but dots and spaces before its
// parameters. "..;x" is ".." to Tomcat; "..." and ".. " are ".." to Windows.
func dots(s string) bool {
	s, params, found := strings.Cut(s, ";")
	if s == "" {
		return found && params == "" // a lone ";" vanishes, and leaves "//"
	}
	return strings.Trim(s, ". ") == "" && strings.Contains(s, ".")
}

// cookieless recognises the segments that ASP.NET takes out of a path before
// anything is authorised: (S(id)), (F(ticket)), (A(x)S(y)), and the 24 letters
// of version 1.
func cookieless(s string) bool {
	if len(s) < 2 || s[len(s)-1] != ')' {
		return false
	}
	inner := s[1 : len(s)-1]
	if len(inner) == 24 && strings.Trim(inner, "abcdefghijklmnopqrstuvwxyz012345") == "" {
		return true
	}
	return len(inner) > 2 && isLetter(inner[0]) && inner[1] == '('
}

func isLetter(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }

// encodedTwice judges a "%" that is left after decoding: whoever decodes once
// more must not find anything with a meaning.
func encodedTwice(s string) bool {
	if len(s) >= 6 && s[1]|0x20 == 'u' && isHex(s[2]) && isHex(s[3]) && isHex(s[4]) && isHex(s[5]) {
		return true // %uXXXX of IIS
	}
	if len(s) < 3 || !isHex(s[1]) || !isHex(s[2]) {
		return false
	}
	switch c := unhex(s[1])<<4 | unhex(s[2]); {
	case c < 0x20, c >= 0x7f:
		return true
	default:
		return strings.IndexByte(`/\.%;?#:`, c) >= 0
	}
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// checkWide judges a segment that is not ASCII: overlong UTF-8 of a character
// with a meaning (%c0%ae is "." to old decoders), and look-alikes that make a
// dot segment. Other bytes pass, since apps use other encodings in their paths.
func checkWide(s string) error {
	for i := 0; i+1 < len(s); i++ {
		var c byte
		switch {
		case (s[i] == 0xC0 || s[i] == 0xC1) && s[i+1]&0xC0 == 0x80:
			c = s[i]&1<<6 | s[i+1]&0x3F
		case s[i] == 0xE0 && s[i+1]&0xFE == 0x80 && i+2 < len(s) && s[i+2]&0xC0 == 0x80:
			c = s[i+1]&1<<6 | s[i+2]&0x3F
		default:
			continue
		}
		if c < 0x20 || strings.IndexByte(`/\.%;`, c) >= 0 {
			return errPathControl
		}
	}
	if dots(narrow(s)) {
		return errPathDots
	}
	return nil
}

// reading returns how a lenient server may read a clean path: without path
// parameters, stream names, and the dots and spaces at the end of a segment,
// without what follows an encoded "?" or "#", and with wide characters narrowed.
// For almost every path it is the path itself.
func reading(path string) string {
	if plain(path) {
		return path
	}
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	slash := strings.HasSuffix(path, "/")
	var b strings.Builder
	for s := range strings.SplitSeq(narrow(path), "/") {
		s, _, _ = strings.Cut(s, ";")
		s, _, _ = strings.Cut(s, "::$")
		if s = strings.TrimRight(s, ". "); s != "" {
			b.WriteByte('/')
			b.WriteString(s)
		}
	}
	if slash || b.Len() == 0 {
		b.WriteByte('/')
	}
	return b.String()
}

// plain reports whether every server reads path alike, up to the case of ASCII
// letters.
func plain(path string) bool {
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c >= 0x80, c == ';', c == '?', c == '#', c == ':' && strings.HasPrefix(path[i:], "::$"):
			return false
		case c == '/' && i > 0 && (path[i-1] == '.' || path[i-1] == ' '):
			return false
		}
	}
	end := path[len(path)-1]
	return end != '.' && end != ' '
}

// narrow folds letters that some servers take for ASCII ones: fullwidth forms,
// look-alikes of dot and slash, and what upper-casing turns into ASCII.
func narrow(s string) string {
	ascii := true
	for i := 0; ascii && i < len(s); i++ {
		ascii = s[i] < utf8.RuneSelf
	}
	if ascii {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b.WriteByte(s[i]) // not UTF-8: left alone
			i++
			continue
		}
		i += n
		b.WriteRune(narrowRune(r))
	}
	return b.String()
}

func narrowRune(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
		return r // the case of ASCII letters is each route's own business
	case r >= 0xFF01 && r <= 0xFF5E:
		if r -= 0xFEE0; r == '\\' {
			return '/'
		}
		return r
	case r == 0x2024:
		return '.'
	case r == 0x2044, r == 0x2215, r == 0x29F8:
		return '/'
	case r == 0x2216, r == 0x29F5, r == 0x29F9:
		return '/'
	}
	return unicode.ToLower(unicode.ToUpper(r))
}
