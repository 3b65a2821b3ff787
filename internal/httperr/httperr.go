// Package httperr turns an error of a handler into one page (or one JSON
// problem) for the client and one cause for the log.
package httperr

import (
	"errors"
	"fmt"
	"net/http"

	"sallyport"
)

// Error is what a handler returns: a status and code for the client, a cause for
// the log.
type Error struct {
	Status int
	Code   sallyport.Code
	// Cause is logged and never shown.
	Cause error
	// RetryAfter, in seconds, is sent as a header when not 0.
	RetryAfter int
}

// New returns an Error.
func New(status int, code sallyport.Code, cause error) *Error {
	return &Error{Status: status, Code: code, Cause: cause}
}

// Error implements error.
func (e *Error) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("%d %s", e.Status, e.Code)
	}
	return fmt.Sprintf("%d %s: %v", e.Status, e.Code, e.Cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// From returns err as an *Error. A failed dependency is 503; what nobody foresaw
// is 500.
func From(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, sallyport.ErrUnavailable):
		return New(http.StatusServiceUnavailable, sallyport.CodeStoreUnavailable, err)
	}
	return New(http.StatusInternalServerError, sallyport.CodeInternal, err)
}

// Pages shows errors to people. Package web implements it.
type Pages interface {
	// Error writes the whole answer for e: a page to browsers, a problem (RFC
	// 9457) to others, with code and correlation ID.
	Error(w http.ResponseWriter, r *http.Request, e *Error)
}

// HandlerFunc is a handler that returns what went wrong instead of writing it.
// It must not return an error after it wrote.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Handle adapts h; record (which may be nil) gets every error once.
func Handle(pages Pages, record func(*http.Request, *Error), h HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		e := From(err)
		if record != nil {
			record(r, e)
		}
		pages.Error(w, r, e)
	})
}
