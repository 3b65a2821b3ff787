package session_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/internal/seal"
	"sallyport/session"
)

// Without grace no session goes on when the store is away, not even for a moment.
func TestNoGrace(t *testing.T) {
	w := newWorld(t)
	keys, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	w.m, err = session.New(session.Config{}, session.DeviceConfig{}, w.db,
		session.Options{Portal: portal, Keys: keys, Grace: -1, Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	b.signIn(w.user, sallyport.KindPassword)
	b.mustLoad(portal)
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	if g, err := b.load(portal); g != nil || !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("%v, %v, want unavailable", g, err)
	}
}
