package httperr

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"sallyport"
)

func TestFrom(t *testing.T) {
	cause := errors.New("disk")
	mine := New(418, sallyport.CodeBadRequest, cause)
	for _, c := range []struct {
		err    error
		status int
		code   sallyport.Code
	}{
		{mine, 418, sallyport.CodeBadRequest},
		{fmt.Errorf("doing: %w", mine), 418, sallyport.CodeBadRequest},
		{fmt.Errorf("reading: %w", sallyport.ErrUnavailable), 503, sallyport.CodeStoreUnavailable},
		{fmt.Errorf("both: %w", New(404, sallyport.CodeNotFound, sallyport.ErrUnavailable)), 404, sallyport.CodeNotFound},
		{cause, 500, sallyport.CodeInternal},
		{sallyport.ErrNotFound, 500, sallyport.CodeInternal},
	} {
		e := From(c.err)
		if e.Status != c.status || e.Code != c.code {
			t.Errorf("%v: %d %s, want %d %s", c.err, e.Status, e.Code, c.status, c.code)
		}
		if e != mine && e.Cause == nil {
			t.Errorf("%v: the cause is lost", c.err)
		}
	}
	if !errors.Is(mine, cause) {
		t.Error("the cause cannot be found")
	}
	if got := mine.Error(); got != "418 SP-9003: disk" {
		t.Errorf("Error() = %q", got)
	}
	if got := New(404, sallyport.CodeNotFound, nil).Error(); got != "404 SP-9005" {
		t.Errorf("Error() = %q", got)
	}
}

type pages struct{}

func (pages) Error(w http.ResponseWriter, _ *http.Request, e *Error) {
	w.WriteHeader(e.Status)
	_, _ = io.WriteString(w, string(e.Code))
}

// What went wrong is shown once, recorded once, and its cause never shown.
func TestHandle(t *testing.T) {
	var recorded []*Error
	record := func(_ *http.Request, e *Error) { recorded = append(recorded, e) }
	serve := func(h HandlerFunc, record func(*http.Request, *Error)) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		Handle(pages{}, record, h).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		return w
	}
	fail := func(http.ResponseWriter, *http.Request) error { return errors.New("SECRET") }
	if w := serve(fail, record); w.Code != 500 || w.Body.String() != "SP-9001" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if len(recorded) != 1 || recorded[0].Cause.Error() != "SECRET" {
		t.Errorf("recorded %v", recorded)
	}
	if w := serve(fail, nil); w.Code != 500 {
		t.Errorf("without a recorder: %d", w.Code)
	}
	fine := func(w http.ResponseWriter, _ *http.Request) error { _, err := io.WriteString(w, "fine"); return err }
	if w := serve(fine, record); w.Code != 200 || w.Body.String() != "fine" || len(recorded) != 1 {
		t.Errorf("%d %s, recorded %d", w.Code, w.Body, len(recorded))
	}
}
