package challenge_test

import (
	"net/http"
	"net/url"
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
	if n := w.count(audit.DeviceStolen, audit.Denied); n != 1 {
		t.Errorf("%d thefts in the log, want 1", n)
	}
	owner.get(portal + "/.sallyport/sign-out").submit()
	owner.signIn(app+"/", "alice").want(200, "Confirm it’s you")
}
