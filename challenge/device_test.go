package challenge_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
)

// 4.3 and 5.4: the box is not ticked; ticked, the device skips verification, for
// that user, until its days are over.
func TestRememberedDevice(t *testing.T) {
	w := newWorld(t)
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	bobKey := w.withApp(w.user("bobby", sallyport.StateEnforced))
	b := w.browser()
	again := func(name string) answer {
		w.wait(time.Minute)
		b.get(portal + "/.sallyport/sign-out").submit()
		return b.signIn(app+"/", name)
	}
	b.signIn(app+"/", "alice").want(200, "14 days").submit("code", w.code(key)).want(200, "hello alice")
	again("alice").want(200, "Confirm it’s you").submit("code", w.code(key), "remember", "1").want(200, "hello alice")
	again("alice").want(200, "hello alice at / with single-factor")
	again("bobby").want(200, "Confirm it’s you").submit("code", w.code(bobKey)).want(200, "hello bobby")
	again("alice").want(200, "hello alice")
	w.wait(15 * 24 * time.Hour)
	b.signIn(app+"/", "alice").want(200, "Confirm it’s you")
	if n := w.count(audit.DeviceRemembered, audit.Success); n != 1 {
		t.Errorf("%d devices remembered in the log, want 1", n)
	}
	if n := w.checkDeviceEvents(audit.DeviceUsed); n != 2 {
		t.Errorf("%d uses of a device in the log, want 2", n)
	}
}

// checkDeviceEvents demands that what the log says of devices names alice, and a
// sign-in of which there is more (10.1). It returns how many such events there are.
func (w *world) checkDeviceEvents(kind audit.Kind) (n int) {
	w.t.Helper()
	events := w.events()
	for _, e := range events {
		if e.Kind != kind {
			continue
		}
		n++
		inFlow := slices.ContainsFunc(events, func(s audit.Event) bool { return e.FlowID != "" && s.FlowID == e.FlowID && s.Kind != kind })
		if e.UserName != "alice" || e.UserID == "" || e.Email == "" || !inFlow || e.CorrelationID == "" || !e.Address.IsValid() || e.UserAgent == "" {
			w.t.Errorf("event of a device: %+v", e)
		}
	}
	return n
}

// D7: a copied token that is used after its owner used theirs kills the device and
// is reported; both are asked for a code.
func TestStolenDevice(t *testing.T) {
	w := newWorld(t)
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	owner := w.browser()
	owner.signIn(app+"/", "alice").submit("code", w.code(key), "remember", "1").want(200, "hello alice")
	host, err := url.Parse(portal)
	must(t, err)
	thief := w.browser()
	for _, c := range owner.client.Jar.Cookies(host) {
		if strings.Contains(c.Name, "device") {
			thief.client.Jar.SetCookies(host, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/", Secure: true}})
		}
	}
	for range 2 { // its successor has been seen
		w.wait(2 * time.Minute)
		owner.get(portal + "/.sallyport/sign-out").submit()
		owner.signIn(app+"/", "alice").want(200, "hello alice")
	}
	w.wait(2 * time.Minute)
	thief.signIn(app+"/", "alice").want(200, "Confirm it’s you")
	if n := w.checkDeviceEvents(audit.DeviceStolen); n != 1 || w.count(audit.DeviceStolen, audit.Denied) != 1 {
		t.Errorf("%d thefts in the log, want 1", n)
	}
	owner.get(portal + "/.sallyport/sign-out").submit()
	owner.signIn(app+"/", "alice").want(200, "Confirm it’s you")
}
