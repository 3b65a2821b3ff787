package proxy

import (
	"net/http"
	"strings"
)

// ours begins the names that only we may speak, folded.
const ours = "X_SALLYPORT"

// strangers are folded names that are taken from every request: apps and
// frameworks route, authorise or log by them. What of them is true we set anew.
var strangers = [...]string{
	"FORWARDED", "X_REAL_IP", "X_CLIENT_IP", "X_CLUSTER_CLIENT_IP", "X_REMOTE_IP", "X_REMOTE_ADDR",
	"X_ORIGINATING_IP", "CLIENT_IP", "TRUE_CLIENT_IP", "CF_CONNECTING_IP", "X_PROXYUSER_IP",
	"X_ORIGINAL_URL", "X_ORIGINAL_URI", "X_ORIGINAL_METHOD", "X_ORIGINAL_HOST", "X_REWRITE_URL",
	"X_HTTP_METHOD_OVERRIDE", "X_HTTP_METHOD", "X_METHOD_OVERRIDE", "X_HOST", "FRONT_END_HTTPS",
	"PROXY", // becomes HTTP_PROXY in CGI programs
	"HTTP2_SETTINGS",
}

// maxFolded bounds the names that are looked up; longer ones are only compared by
// prefix.
const maxFolded = 64

// stripper knows which inbound headers could be taken for ours. It is immutable.
type stripper struct{ names map[string]struct{} }

// newStripper takes the identity headers of all routes: a name that one app
// trusts is stripped on the way to all of them.
func newStripper(routes []Route) *stripper {
	s := &stripper{names: map[string]struct{}{}}
	for _, n := range strangers {
		s.names[n] = struct{}{}
	}
	for _, r := range routes {
		for name := range r.Identity.Headers {
			s.names[foldName(name)] = struct{}{}
		}
	}
	return s
}

// strip removes such headers from h, whatever their case and punctuation: CGI and
// WSGI read X_Sallyport_User and X-Sallyport.User as one variable.
func (s *stripper) strip(h http.Header) {
	for name := range h {
		if s.drops(name) {
			delete(h, name)
		}
	}
}

func (s *stripper) drops(name string) bool {
	if foldedPrefix(name, ours) || foldedPrefix(name, "X_FORWARDED") {
		return true
	}
	if len(name) > maxFolded {
		return false
	}
	var buf [maxFolded]byte
	_, found := s.names[string(appendFold(buf[:0], name))]
	return found
}

// foldName folds a header name: letters in upper case, all but letters and digits
// as "_".
func foldName(name string) string { return string(appendFold(nil, name)) }

func appendFold(dst []byte, name string) []byte {
	for i := 0; i < len(name); i++ {
		dst = append(dst, foldByte(name[i]))
	}
	return dst
}

func foldByte(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z':
		return c - 0x20
	case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return c
	}
	return '_'
}

// foldedPrefix reports whether the folded name begins with prefix.
func foldedPrefix(name, prefix string) bool {
	if len(name) < len(prefix) {
		return false
	}
	for i := 0; i < len(prefix); i++ {
		if foldByte(name[i]) != prefix[i] {
			return false
		}
	}
	return true
}

// limitUpgrade lets a request switch protocols only to WebSocket, and only one
// that can be no other: after "h2c" (golang/go#80416) or anything else, further
// requests would ride on a connection that nobody looks at.
func limitUpgrade(r *http.Request) {
	h := r.Header
	if _, ok := h["Upgrade"]; !ok {
		return
	}
	if websocket(r) {
		h["Upgrade"] = []string{"websocket"}
		return
	}
	delete(h, "Upgrade")
	delete(h, "Connection")
}

func websocket(r *http.Request) bool {
	up := r.Header["Upgrade"]
	return r.ProtoMajor == 1 && r.Method == http.MethodGet && r.ContentLength == 0 &&
		len(up) == 1 && equalFoldASCII(up[0], "websocket") && hasToken(r.Header["Connection"], "upgrade")
}

// hasToken reports whether a comma-separated header holds a token.
func hasToken(lines []string, token string) bool {
	for _, l := range lines {
		for t := range strings.SplitSeq(l, ",") {
			if equalFoldASCII(strings.Trim(t, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// dropConnectionAuth removes credentials that would authenticate a connection
// and not a request: the connection is shared, and the next user on it would be
// this one.
func dropConnectionAuth(h http.Header) {
	for _, v := range h["Authorization"] {
		if connectionAuth(v) {
			delete(h, "Authorization")
			return
		}
	}
}

// connectionAuth reports whether a header value names NTLM or Negotiate as one of
// its schemes.
func connectionAuth(v string) bool {
	for part := range strings.SplitSeq(v, ",") {
		scheme := strings.TrimLeft(part, " \t")
		if i := strings.IndexAny(scheme, " \t"); i >= 0 {
			scheme = scheme[:i]
		}
		if equalFoldASCII(scheme, "ntlm") || equalFoldASCII(scheme, "negotiate") || equalFoldASCII(scheme, "kerberos") {
			return true
		}
	}
	return false
}
