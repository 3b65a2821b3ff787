package challenge_test

import (
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/challenge"
	"sallyport/store/storetest"
)

// D9 and D13's rule for codes: somebody with a stolen password registers an app of
// their own and waits on the wizard's last pages, until the owner finds that app on
// the security-info page and deletes it. It must then open nothing, nor leave
// recovery codes behind that do.
func TestDeletedMethodProvesNothing(t *testing.T) {
	for _, at := range []string{"recovery codes", "summary"} {
		t.Run(at, func(t *testing.T) {
			w := newWorld(t)
			u := w.user("alice", sallyport.StateEnabled)
			mallory := w.browser().signIn(app+"/", "alice")
			parked := mallory.submit("code", w.code(mallory.key())).want(200, "shown only now")
			kept := parked.recoveryCodes()
			if at == "summary" {
				parked = parked.submit().want(200, "You are all set")
			}
			methods, err := w.db.Methods(t.Context(), u.ID)
			must(t, err)
			own := w.withApp(u)
			must(t, w.db.DeleteMethod(t.Context(), u.ID, methods[0].ID, true, "", nil))

			if a := parked.b.get(parked.url.String()); at == "recovery codes" && strings.Contains(a.body, kept[0]) {
				t.Error("the recovery codes are still shown")
			}
			next := parked.submit().want(200, "Confirm it’s you")
			if n, err := w.db.RecoveryCodesLeft(t.Context(), u.ID); at == "recovery codes" && (err != nil || n != 0) {
				t.Errorf("%d recovery codes were left behind (%v)", n, err)
			}
			parked.b.get(app+"/").want(200, `name="password"`)
			next.submit("code", w.code(own)).want(200, "hello alice")
		})
	}
}

// The same where the admin has switched the method off meanwhile.
func TestMethodSwitchedOffProvesNothing(t *testing.T) {
	file := storetest.NewFile(t)
	w := newWorld(t, func(s *setup) { s.file = file })
	u := w.user("alice", sallyport.StateEnabled)
	page := w.browser().signIn(app+"/", "alice")
	key := page.key()
	codes := page.submit("code", w.code(key))
	kept := codes.recoveryCodes()
	codes.submit().submit().want(200, "hello alice")
	w.wait(time.Minute)

	b := w.browser()
	notice := b.get(portal+"/.sallyport/verify?method=recovery&flow="+flowOf(b.signIn(app+"/", "alice"))).
		submit("code", kept[0]).want(200, "You have 9 recovery codes left")
	after := w.node(file, func(s *setup) {
		s.config = func(c *challenge.Config) { c.Methods = []sallyport.Kind{sallyport.KindTOTP} }
	})
	notice.b = b.on(after)
	notice.submit().want(200, "Confirm it’s you").submit("code", w.code(key)).want(200, "hello "+u.Name)
}
