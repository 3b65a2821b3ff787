package proxy

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"time"

	"sallyport"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
	"sallyport/policy"
)

// Sessions finds out who asks. *session.Manager implements it.
type Sessions interface {
	// Load returns the grant of the request's host token; nil without an error
	// when there is none or it is no longer good.
	Load(r *http.Request) (*sallyport.Grant, error)
}

// Challenger asks a person for what a decision still needs.
type Challenger interface {
	// Begin sends a browser to the portal. The page to come back to is r's host
	// and URL; r is always a GET or HEAD (for another method, the page that the
	// request came from stands in).
	Begin(w http.ResponseWriter, r *http.Request, routeName string, d policy.Decision) error
}

// Metrics hears of every request once, when it is answered.
type Metrics interface {
	// Observe must not keep info. Status is what was sent, 499 when the client
	// had gone before; bytes are those of the body.
	Observe(info *reqctx.Info, status int, bytes int64, took time.Duration)
}

// Options are what a Proxy is built from. What is not said to be optional must
// be set.
type Options struct {
	// Routes are valid (see Validate), and their groups qualified.
	Routes []Route
	// TrustedProxies are the peers whose X-Forwarded-For and X-Forwarded-Proto
	// are believed. Empty: none.
	TrustedProxies []netip.Prefix
	// Portal is the origin of our own pages, "https://login.example.com". Its port
	// is the public port of every host that does not name another.
	Portal string
	// PortalHandler gets the requests to the portal's host, cleaned.
	PortalHandler http.Handler
	// Reserved serves /.sallyport/ on the hosts of routes.
	Reserved   http.Handler
	Sessions   Sessions
	Challenger Challenger
	Pages      httperr.Pages
	// Addresses classifies client addresses; nil trusts none.
	Addresses *policy.Addresses
	// Keys sign the assertions.
	Keys *Keys
	// Buffers for bodies, kept across reloads; nil: a new pool.
	Buffers httputil.BufferPool
	Log     *slog.Logger
	// Lines, when not nil, gets the one line of each request as JSON, in the form
	// of slog's JSON handler and in one write, in place of Log: a line a request
	// is the most expensive thing that the gateway adds to a proxied one.
	Lines   io.Writer
	Metrics Metrics          // nil: none
	Now     func() time.Time // nil: time.Now
}

func (o *Options) check() error {
	var missing string
	switch {
	case o.Portal == "":
		missing = "Portal"
	case o.PortalHandler == nil:
		missing = "PortalHandler"
	case o.Reserved == nil:
		missing = "Reserved"
	case o.Sessions == nil:
		missing = "Sessions"
	case o.Challenger == nil:
		missing = "Challenger"
	case o.Pages == nil:
		missing = "Pages"
	case o.Keys == nil:
		missing = "Keys"
	case o.Log == nil:
		missing = "Log"
	}
	if missing != "" {
		// A missing part refuses the start; nothing is switched off silently (C7).
		return &sallyport.FieldError{Path: missing, Msg: "the proxy cannot be built without it"}
	}
	return nil
}
