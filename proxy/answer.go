package proxy

import (
	"errors"
	"net/http"
	"strings"

	"sallyport"
	"sallyport/internal/httperr"
)

var errConnectionAuth = errors.New("the upstream asks for NTLM or Negotiate, which signs in a connection and not a request: " +
	"on a connection that users share, the next one would be signed in as the last. Switch the app to another form of sign-in, such as the identity headers")

// cleanAnswer is the upstream's header on its way to the client: an upstream can
// set no cookie of ours, speak for us, or sign people out of other apps.
func cleanAnswer(_ int, h http.Header) error {
	for name, values := range h {
		switch {
		case foldedPrefix(name, ours):
			delete(h, name)
		case len(name) == len("Set-Cookie") && name == "Set-Cookie":
			foreignSetCookies(h, values)
		case equalFoldASCII(name, "Clear-Site-Data"):
			delete(h, name)
		case name == "Service-Worker-Allowed" && widens(values):
			delete(h, name)
		case name == "Www-Authenticate":
			for _, v := range values {
				if connectionAuth(v) {
					return httperr.New(http.StatusBadGateway, sallyport.CodeUpstreamBroken, errConnectionAuth)
				}
			}
		}
	}
	return nil
}

// cleanTrailer does the same to the fields after a body.
func cleanTrailer(h http.Header) {
	for name := range h {
		bare := strings.TrimPrefix(name, http.TrailerPrefix)
		if foldedPrefix(bare, ours) || equalFoldASCII(bare, "Set-Cookie") || equalFoldASCII(bare, "Clear-Site-Data") || equalFoldASCII(bare, "Www-Authenticate") {
			delete(h, name)
		}
	}
}

// foreignSetCookies drops the Set-Cookie lines of our names.
func foreignSetCookies(h http.Header, values []string) {
	kept := values[:0]
	for _, v := range values {
		if !isOurName(v) {
			kept = append(kept, v)
		}
	}
	if len(kept) == 0 {
		delete(h, "Set-Cookie")
		return
	}
	h["Set-Cookie"] = kept
}

// widens reports whether a Service-Worker-Allowed value would let a script of the
// app answer for our pages.
func widens(values []string) bool {
	for _, v := range values {
		if v = strings.Trim(v, " \t"); v == "" || strings.HasPrefix(ReservedPrefix, v) || !strings.HasPrefix(v, "/") || strings.ContainsAny(v, `%\.`) {
			return true
		}
	}
	return false
}

// serviceWorker reports whether r fetches a script to be installed as a service
// worker that would answer for our pages on this host: one under our own path,
// or one whose folder is the root.
func serviceWorker(r *http.Request, path string) bool {
	v, ok := r.Header["Service-Worker"]
	if !ok || len(v) == 0 {
		return false
	}
	return reserved(path) || strings.LastIndexByte(path, '/') == 0
}
