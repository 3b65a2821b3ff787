package demoapp

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxNameBytes      = 180
	maxExtensionBytes = 20
)

// cleanName turns the file name a client sent into one that is safe to show, to
// link and to offer for saving. No path on our disk is ever made from it; what it
// protects is the machine of whoever downloads the file.
func cleanName(name string) string {
	name = strings.ToValidUTF8(name, "_")
	// Browsers of 2006 send whole paths (C:\Documents\a.txt), attackers send ../../.
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return -1 // NUL and line ends; marks that show "exe.txt" for "txt.exe"
		case strings.ContainsRune(`<>:"|?*`, r):
			return '_' // not allowed in file names on Windows
		default:
			return r
		}
	}, name)
	name = trimName(name)
	if len(name) > maxNameBytes {
		ext := path.Ext(name)
		if len(ext) > maxExtensionBytes {
			ext = ""
		}
		name = trimName(cutBytes(strings.TrimSuffix(name, ext), maxNameBytes-len(ext))) + ext
	}
	if name == "" {
		return "unnamed"
	}
	return name
}

// trimName drops what Windows would drop silently; it also leaves nothing of "..".
func trimName(name string) string {
	return strings.TrimLeftFunc(strings.TrimRightFunc(name, func(r rune) bool {
		return r == '.' || unicode.IsSpace(r)
	}), unicode.IsSpace)
}

// cutBytes shortens s to at most n bytes without cutting a character in two.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// freeName returns name, or "name (2)", "name (3)" … before the extension: the
// first that is not taken.
func freeName(name string, taken func(string) bool) string {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("%s (%d)%s", stem, n, ext)
	}
	return name
}

// attachment is the Content-Disposition that offers a file under its name: a plain
// filename for old clients and, where that loses something, filename* of RFC 6266
// with the encoding of RFC 8187. mime.FormatMediaType writes only the latter,
// which leaves old clients without a name.
func attachment(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) {
			return '_' // some clients decode percent signs here, some do not unescape
		}
		return r
	}, name)
	if plain == name {
		return fmt.Sprintf(`attachment; filename="%s"`, plain)
	}
	return fmt.Sprintf(`attachment; filename="%s"; filename*=UTF-8''%s`, plain, encodeExtValue(name))
}

// encodeExtValue percent-encodes every byte that is not an attr-char of RFC 8187.
func encodeExtValue(s string) string {
	const attrChars = "!#$&+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(attrChars, s[i]) >= 0 {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}
