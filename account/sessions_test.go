package account_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"sallyport"
	"sallyport/account"
	"sallyport/audit"
	"sallyport/store/storetest"
)

func TestDevices(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateDisabled)
	b.app(u, "Phone")
	br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
	for range 3 {
		b.signIn(u, sallyport.KindPassword).remember(u)
	}
	devices, err := b.db.Devices(t.Context(), u.ID, b.clock.Now())
	must(t, err)
	br.post(page+"/forget-device", "device", string(devices[0].ID)).expect(http.StatusSeeOther, page+"?notice=forgotten")
	br.post(page+"/forget-device", "device", string(devices[0].ID)).expect(http.StatusSeeOther, page+"?notice=gone")
	left, err := b.db.Devices(t.Context(), u.ID, b.clock.Now())
	must(t, err)
	if ev := b.events(audit.DeviceRemoved); len(left) != 2 || len(ev) != 1 || ev[0].Device != "Firefox on Linux" {
		t.Errorf("%d devices left, events %+v", len(left), ev)
	}
	br.post(page+"/forget-devices").expect(http.StatusSeeOther, page+"?notice=forgotten-all")
	if left, err = b.db.Devices(t.Context(), u.ID, b.clock.Now()); err != nil || len(left) != 0 {
		t.Errorf("%d devices left, %v", len(left), err)
	}
}

// TestSessions (E4): a session that is ended here is dead at once on this node.
func TestSessions(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateDisabled)
	b.app(u, "Phone")
	fresh := func() *browser { return b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP) }
	first, second, third := fresh(), fresh(), fresh()
	id := func(br *browser) string {
		g, err := b.sessions.Load(br.request(http.MethodGet, "/", nil))
		must(t, err)
		if g == nil {
			return ""
		}
		return string(g.Session.ID)
	}
	parked := storetest.NewFlow(u.ID, b.clock.Now()) // whoever was in the second may have another sign-in waiting
	must(t, b.db.CreateFlow(t.Context(), parked))
	first.post(page+"/end-session", "session", id(second)).expect(http.StatusSeeOther, page+"?notice=session-ended")
	if err := b.db.SaveFlow(t.Context(), parked); !errors.Is(err, sallyport.ErrConflict) {
		t.Errorf("a sign-in that waits outlives the session that was ended: %v", err)
	}
	if id(second) != "" || id(first) == "" || id(third) == "" {
		t.Error("the wrong session ended")
	}
	first.post(page+"/end-other-sessions").expect(http.StatusSeeOther, page+"?notice=sessions-ended")
	if id(third) != "" || id(first) == "" {
		t.Error("signing out all others kept one, or ended this one")
	}
	fourth := fresh()
	kept := first.cookies["__Host-sallyport"]
	first.post(page+"/end-all-sessions").expect(http.StatusSeeOther, "/.sallyport/sign-out")
	if first.cookies["__Host-sallyport"] != "" {
		t.Error("the cookie is still there")
	}
	first.cookies["__Host-sallyport"] = kept
	if id(first) != "" || id(fourth) != "" {
		t.Error("a session survived signing out everywhere")
	}
	fifth := fresh()
	fifth.post(page+"/end-session", "session", id(fifth)).expect(http.StatusSeeOther, "/.sallyport/sign-out")
	if id(fifth) != "" {
		t.Error("this session could not be ended")
	}
	if n := len(b.events(audit.SessionRevoked)); n != 3 {
		t.Errorf("%d events of ended sessions", n)
	}
	if n := len(b.events(audit.SignOut)); n != 1 {
		t.Errorf("%d sign-outs", n)
	}
}

// away is a store that cannot be reached.
type away struct{ account.Store }

func (away) Methods(context.Context, sallyport.UserID) ([]sallyport.Method, error) {
	return nil, errAway
}

var errAway = errors.Join(sallyport.ErrUnavailable, errors.New("disk gone"))

func TestStoreAway(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateDisabled)
	id := b.app(u, "Phone")
	br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
	b.store(away{b.db})
	for _, a := range []*answer{br.get(page), br.post(page+"/rename", "method", string(id), "name", "x"), br.post(page+"/delete", "method", string(id))} {
		if a.code != http.StatusServiceUnavailable {
			t.Errorf("%d, want 503", a.code)
		}
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	if _, err := account.New(account.Options{}); err == nil {
		t.Error("built from nothing")
	}
}
