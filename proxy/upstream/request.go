package upstream

import (
	"net/http"
	"time"
)

// Field is one header that is set on its way out, in canonical form. Values is
// shared between requests and never written to.
type Field struct {
	Name   string
	Values []string
}

// Request is one request on its way out, with what the upstream is told besides.
type Request struct {
	// HTTP is the client's request, cleaned. Its method, path, query and body go
	// out as they are; its headers without those that belong to one connection.
	HTTP *http.Request
	// Start of the time that FirstByte measures.
	Start time.Time
	// Client, Proto and Host become X-Forwarded-For, -Proto and -Host. An empty
	// Client sends no X-Forwarded-For.
	Client, Proto, Host string
	// Cookies are the Cookie header lines that go out; those of HTTP do not.
	Cookies []string
	// Fields and then Own are set last, so that nothing the client sent can remove
	// them. Fields is shared between requests, Own is this request's; an Own
	// without a name is none.
	Fields []Field
	Own    [2]Field
	// Answer sees the status and header of every answer before the client does,
	// interim ones (1xx) too, and may change the header. An error (usually a
	// *httperr.Error) refuses a final answer and becomes Forward's; for an
	// interim one it is ignored.
	Answer func(status int, header http.Header) error
	// Trailer does the same to the fields after the body; the names may carry
	// http.TrailerPrefix.
	Trailer func(header http.Header)

	// Forward fills in what follows.

	// Upstream is the address that was asked, host and port.
	Upstream string
	// FirstByte is the time until the header of the answer was there.
	FirstByte time.Duration
	// Status of the answer, 0 when there was none; 101 is known only here.
	Status int
}

// sets reports whether Fields or Own have a header of this name, in canonical form.
func (out *Request) sets(name string) bool {
	for i := range out.Fields {
		if out.Fields[i].Name == name {
			return true
		}
	}
	for i := range out.Own {
		if out.Own[i].Name == name {
			return true
		}
	}
	return false
}

// Forwarder is the outgoing half in one function, so that what stands behind it
// can be replaced.
type Forwarder interface {
	// Forward sends out to an upstream and streams its answer into w. An error is
	// a *httperr.Error, and then nothing was written to w; status 499 means that
	// the client has gone and nobody is left to tell. When an answer breaks after
	// it began, Forward panics with http.ErrAbortHandler, so that the client sees
	// a broken answer and not a short one.
	Forward(w http.ResponseWriter, out *Request) error
}

// StatusClientGone is the status of an error that nobody will read.
const StatusClientGone = 499
