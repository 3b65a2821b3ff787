package challenge_test

import (
	"encoding/base32"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
)

func base32Text(b []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
}

// An employee whose state demands it signs in, registers an app, keeps recovery
// codes, and lands exactly where they wanted to go; the next day a code suffices.
func TestFirstDay(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateEnabled)
	b := w.browser()
	page := b.signIn(app+"/week/34?view=list&d=%E3%81%82", "alice").want(200, "Set up an authenticator app", "<svg", "Your organisation asks you")
	key := page.key()
	codes := page.submit("code", w.code(key), "name", "My phone").want(200, "shown only now")
	kept := codes.recoveryCodes()
	if len(kept) != 10 {
		t.Fatalf("%d recovery codes, want 10:\n%s", len(kept), codes.text())
	}
	done := codes.submit().want(200, "My phone", "10 recovery codes")
	home := done.submit().want(200, "hello alice at /week/34?view=list&d=%E3%81%82 with multifactor")
	if home.url.String() != app+"/week/34?view=list&d=%E3%81%82" {
		t.Errorf("landed at %s", home.url)
	}
	u, err := w.db.UserByName(t.Context(), "alice")
	must(t, err)
	if u.State != sallyport.StateEnforced {
		t.Errorf("state is %s after the registration, want enforced", u.State)
	}
	for kind, want := range map[audit.Kind]int{audit.SignInPassword: 1, audit.SignInRegister: 1, audit.MethodRegistered: 1,
		audit.StateChanged: 1, audit.RecoveryRenewed: 1, audit.SignInSummary: 1} {
		if n := w.count(kind, audit.Success); n != want {
			t.Errorf("%d events %s, want %d", n, kind, want)
		}
	}
	events := w.events()
	i := slices.IndexFunc(events, func(e audit.Event) bool { return e.Kind == audit.SignInSummary })
	if s := events[i]; len(s.Steps) != 2 || s.Route != "timesheet" || s.UserName != "alice" || s.Provider != "local" ||
		s.Method != sallyport.KindTOTP || s.Device != "My phone" || s.FlowID == "" || s.CorrelationID == "" || !s.Address.IsValid() {
		t.Errorf("summary lacks something: %+v", s)
	}

	w.wait(24 * time.Hour)
	b = w.browser()
	b.signIn(app+"/", "alice").want(200, "Confirm it’s you", "Enter a code to open Time & Sheets.", "192.0.2.1", "Recovery code").
		submit("code", w.code(key)).want(200, "hello alice at / with multifactor")

	w.wait(24 * time.Hour)
	b = w.browser()
	verify := b.signIn(app+"/", "alice")
	b.get(portal+"/.sallyport/verify?"+"method=recovery&flow="+flowOf(verify)).want(200, "Recovery code").
		submit("code", strings.ToUpper(kept[3])).want(200, "You have 9 recovery codes left").
		submit().want(200, "hello alice at / with multifactor")
}

func flowOf(a answer) string {
	_, v := a.form()
	return v.Get("flow")
}
