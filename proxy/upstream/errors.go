package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"sallyport"
	"sallyport/internal/httperr"
)

var (
	errNoHealthy  = errors.New("no healthy upstream")
	errStatus     = errors.New("the upstream's status is none of HTTP's")
	errClientGone = errors.New("the client has gone")
)

// dialError says that no connection came about, so nothing of the request was
// sent and another upstream may have it.
type dialError struct {
	tls bool
	err error
}

func (e *dialError) Error() string {
	if e.tls {
		return "TLS with the upstream: " + e.err.Error()
	}
	return "connecting to the upstream: " + e.err.Error()
}

func (e *dialError) Unwrap() error { return e.err }

// classify turns what went wrong with out into what the client is told. fault is
// what went wrong while the client was sending its body, nil if nothing did.
func classify(out *Request, fault, err error) *httperr.Error {
	var known *httperr.Error
	var dial *dialError
	switch {
	case errors.As(err, &known):
		return known
	case fault != nil:
		return clientError(fault)
	case out.HTTP.Context().Err() != nil:
		return httperr.New(StatusClientGone, "", fmt.Errorf("%w: %w", errClientGone, err))
	case errors.Is(err, errNoHealthy):
		e := httperr.New(http.StatusServiceUnavailable, sallyport.CodeUpstreamDown, err)
		e.RetryAfter = 10
		return e
	case timeout(err):
		return httperr.New(http.StatusGatewayTimeout, sallyport.CodeUpstreamTimeout, err)
	case errors.As(err, &dial) && dial.tls:
		return httperr.New(http.StatusBadGateway, sallyport.CodeUpstreamTLS, err)
	case errors.As(err, &dial):
		return httperr.New(http.StatusBadGateway, sallyport.CodeUpstreamUnreachable, err)
	}
	return httperr.New(http.StatusBadGateway, sallyport.CodeUpstreamBroken, err)
}

// clientError says what was wrong with the body that the client sent.
func clientError(err error) *httperr.Error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return httperr.New(http.StatusRequestEntityTooLarge, sallyport.CodeTooLarge, err)
	case timeout(err):
		return httperr.New(http.StatusRequestTimeout, sallyport.CodeBadRequest, fmt.Errorf("reading the request body: %w", err))
	}
	return httperr.New(http.StatusBadRequest, sallyport.CodeBadRequest, fmt.Errorf("reading the request body: %w", err))
}

func timeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}
