package proxy

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"sallyport"
)

// meaning lists, folded, the headers that mean something to the protocol, to
// browsers or to us: an identity header of such a name would take theirs away or
// change where a request goes.
var meaning = [...]string{
	"CONNECTION", "PROXY_CONNECTION", "KEEP_ALIVE", "PROXY_AUTHENTICATE", "PROXY_AUTHORIZATION", "TE", "TRAILER",
	"TRANSFER_ENCODING", "UPGRADE", "HOST", "COOKIE", "SET_COOKIE", "AUTHORIZATION", "WWW_AUTHENTICATE", "FORWARDED",
	"VIA", "EXPECT", "MAX_FORWARDS", "DATE", "ORIGIN", "REFERER", "USER_AGENT", "RANGE", "CACHE_CONTROL", "PRAGMA",
	"SERVICE_WORKER", "X_REQUESTED_WITH", "PROXY", "DNT", "PRIORITY",
	"X_HTTP_METHOD_OVERRIDE", "X_HTTP_METHOD", "X_METHOD_OVERRIDE", "X_ORIGINAL_URL", "X_REWRITE_URL", "X_REAL_IP",
}

// meaningPrefixes are the same for whole families.
var meaningPrefixes = [...]string{"CONTENT_", "ACCEPT", "IF_", "SEC_", "X_FORWARDED", "ACCESS_CONTROL_", "HTTP2_"}

// headers checks `identity.headers`.
func headers(faults *sallyport.FieldErrors, at string, h map[string]string) {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		place := at + "." + name
		folded := foldName(name)
		switch {
		case !httpguts.ValidHeaderFieldName(name) || len(name) > maxFolded:
			faults.Add(place, "use letters, digits and -, at most 64", "%q is not a header name", name)
		case strings.HasPrefix(folded, ours):
			faults.Add(place, "leave it out: the X-Sallyport-* set is always sent", "%q is a name of the gateway's own", name)
		case taken(folded):
			faults.Add(place, "use a name such as X-Remote-User", "%q has a meaning of its own", http.CanonicalHeaderKey(name))
		case seen[folded] != "":
			faults.Add(place, "keep one of the two", "%q and %q are one header to many apps", seen[folded], name)
		}
		seen[folded] = name
		if fact := h[name]; !slices.Contains(facts[:], fact) {
			faults.Add(place, "one of "+strings.Join(facts[:], ", "), "%s", unknownFact(fact))
		}
	}
}

func unknownFact(fact string) string {
	if fact == "" {
		return "no fact is named"
	}
	return fmt.Sprintf("%q is not a fact that can be sent", fact)
}

func taken(folded string) bool {
	return slices.Contains(meaning[:], folded) ||
		slices.ContainsFunc(meaningPrefixes[:], func(p string) bool { return strings.HasPrefix(folded, p) })
}
