package reqctx

import (
	"context"
	"net/http/httptest"
	"testing"
)

func TestWithAndFrom(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	info := &Info{CorrelationID: "x"}
	with := With(r, info)
	if From(with.Context()) != info {
		t.Error("another Info came back")
	}
	if From(r.Context()).CorrelationID != "" {
		t.Error("the original request was changed")
	}
	inner, cancel := context.WithCancel(with.Context())
	defer cancel()
	if From(inner) != info {
		t.Error("a derived context lost it")
	}
}

// Without an Info there is one to write to, of nobody else.
func TestFromNothing(t *testing.T) {
	a, b := From(context.Background()), From(context.Background())
	if a == nil || a == b {
		t.Fatal("want a fresh Info each time")
	}
	if a.Client.IsValid() || a.UserID != "" || a.Decision != "" {
		t.Errorf("an empty Info claims something: %+v", a)
	}
}
