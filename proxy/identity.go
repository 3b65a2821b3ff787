package proxy

import (
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"sallyport"
	"sallyport/proxy/upstream"
)

// The identity headers that every upstream gets.
const (
	headerUser      = "X-Sallyport-User"
	headerEmail     = "X-Sallyport-Email"
	headerName      = "X-Sallyport-Name"
	headerGroups    = "X-Sallyport-Groups"
	headerMethods   = "X-Sallyport-Methods"
	headerSession   = "X-Sallyport-Session"
	headerAssertion = "X-Sallyport-Assertion"
	// headerCorrelation is on every request out and every answer back.
	headerCorrelation = "X-Sallyport-Correlation"
)

// facts are what `identity.headers` may name, in the order of the manual.
var facts = [...]string{"username", "email", "name", "groups", "user_id", "methods", "session"}

// extraHeader is one entry of a route's identity.headers.
type extraHeader struct{ name, fact string }

// extraHeaders returns the configured headers in a fixed order.
func extraHeaders(c Identity) []extraHeader {
	out := make([]extraHeader, 0, len(c.Headers))
	for name, fact := range c.Headers {
		out = append(out, extraHeader{name: http.CanonicalHeaderKey(name), fact: fact})
	}
	slices.SortFunc(out, func(a, b extraHeader) int { return strings.Compare(a.name, b.name) })
	return out
}

// identityFields makes the headers that say who asks. A fact without a value
// sends no header; the client's own of that name is gone all the same.
func identityFields(g *sallyport.Grant, extra []extraHeader) []upstream.Field {
	var fields []upstream.Field
	add := func(name, fact string) {
		if v := factValue(g, fact); v != "" {
			fields = append(fields, upstream.Field{Name: name, Values: []string{v}})
		}
	}
	add(headerUser, "username")
	add(headerEmail, "email")
	add(headerName, "name")
	add(headerGroups, "groups")
	add(headerMethods, "methods")
	add(headerSession, "session")
	for _, e := range extra {
		add(e.name, e.fact)
	}
	return slices.Clip(fields)
}

func factValue(g *sallyport.Grant, fact string) string {
	switch fact {
	case "username":
		return headerValue(g.User.Name, "")
	case "email":
		return headerValue(g.User.Email, "")
	case "name":
		return headerValue(g.User.DisplayName, "")
	case "groups":
		groups := make([]string, len(g.Session.Groups))
		for i, name := range g.Session.Groups {
			groups[i] = headerValue(name, ",")
		}
		return strings.Join(groups, ",")
	case "user_id":
		return headerValue(string(g.User.ID), "")
	case "methods":
		return strings.Join(methods(g.Token.Proofs), ",")
	case "session":
		return headerValue(string(g.Session.ID), "")
	}
	return ""
}

// methods are the authentication method references (RFC 8176) of the proofs, each
// once, in the order they were shown.
func methods(proofs []sallyport.Proof) []string {
	var out []string
	for _, p := range proofs {
		if m := p.Kind.AMR(); m != "" && !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

const hexDigits = "0123456789ABCDEF"

// headerValue encodes a value for a header: UTF-8, percent-encoded as in RFC 3986
// wherever it is not printable ASCII, and "%" itself too, so that the way back is
// unambiguous. Line breaks and other control characters, which a directory may
// hold and which would begin a header of their own, become spaces. also lists
// further characters to encode: the comma within a group's name.
func headerValue(s, also string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r < 0x20 || r == 0x7f:
			b.WriteByte(' ')
		case r == utf8.RuneError && n == 1:
			b.WriteString("%EF%BF%BD") // not UTF-8: the replacement character
		case r == '%' || r >= utf8.RuneSelf || strings.ContainsRune(also, r):
			for _, c := range []byte(s[i : i+n]) {
				b.WriteByte('%')
				b.WriteByte(hexDigits[c>>4])
				b.WriteByte(hexDigits[c&15])
			}
		default:
			b.WriteByte(s[i])
		}
		i += n
	}
	return strings.Trim(b.String(), " ")
}
