// Package reqctx carries what is known of one request: filled along the way,
// logged once at its end.
package reqctx

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"sallyport"
)

// Info is the one structured event of a request. Only the goroutine that serves
// the request writes it.
type Info struct {
	CorrelationID string // UUIDv7, always ours
	Start         time.Time
	// Client is the true client address, behind trusted proxies; invalid when it
	// could not be told, which never counts as trusted.
	Client netip.Addr
	Scheme string // as the browser sees it: "https", or "http" for the redirect listener
	Host   string // normalised: lower case, no trailing dot, no default port
	Path   string // cleaned; what is judged and what is forwarded

	Route        string
	Upstream     string
	UserID       sallyport.UserID
	SessionID    sallyport.SessionID
	Language     string // the person's last choice; "" if unknown
	FlowID       sallyport.FlowID
	Decision     string // "allow", "deny", "require", "" for our own pages
	Rule         string
	Code         sallyport.Code
	Cause        error
	UpstreamTime time.Duration // to the first byte of its answer
}

// FromHere reports whether the person came by themselves or from one of our own
// pages, and not by a link or a script of another origin. Browsers that do not say
// are old ones.
func FromHere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return true
	}
	return false
}

type key struct{}

// With returns r with info attached.
func With(r *http.Request, info *Info) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), key{}, info))
}

// From returns the request's Info; never nil.
func From(ctx context.Context) *Info {
	if i, ok := ctx.Value(key{}).(*Info); ok {
		return i
	}
	return &Info{}
}
