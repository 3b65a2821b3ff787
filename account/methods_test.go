package account_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/session"
)

func TestAddAnApp(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateEnabled)
	br := b.signIn(u, sallyport.KindPassword)
	before := br.cookies["__Host-sallyport"]
	add := br.get(page+"/add").expect(http.StatusOK, "")
	flow, key := add.input("flow"), add.key()
	wrong := br.post(page+"/add", "flow", flow, "code", "000000", "name", "My phone")
	if wrong.code/100 != 4 || wrong.key() != key || wrong.input("name") != "My phone" {
		t.Fatalf("a wrong code gave %d; the same key and name must stand on the page\n%s", wrong.code, wrong.body)
	}
	if got := b.methodNames(u); len(got) != 0 {
		t.Fatalf("a wrong code stored %q", got)
	}
	br.post(page+"/add", "flow", wrong.input("flow"), "code", b.code(key), "name", " My phone ").expect(http.StatusSeeOther, page+"?notice=added")
	if got := b.methodNames(u); !slices.Equal(got, []string{"My phone"}) {
		t.Errorf("methods %q", got)
	}
	if br.cookies["__Host-sallyport"] == before {
		t.Error("the session was raised without a new token (E1)")
	}
	// The code typed back was a verification: the next page asks for none.
	br.get(page).expect(http.StatusOK, "")
	ev := b.events(audit.MethodRegistered)
	if len(ev) != 1 || ev[0].UserID != u.ID || ev[0].Device != "My phone" || ev[0].SessionID == "" || ev[0].Address != br.address {
		t.Errorf("events %+v", ev)
	}
	after, err := b.db.User(t.Context(), u.ID)
	must(t, err)
	if after.State != sallyport.StateEnforced {
		t.Errorf("state %s, want enforced", after.State)
	}
}

// TestAddedTwice: the form of a registration, sent again by a double click or a
// reload, registers nothing more and says what the first one did.
func TestAddedTwice(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateDisabled)
	br := b.signIn(u, sallyport.KindPassword)
	add := br.get(page + "/add")
	again := func() *answer {
		return br.post(page+"/add", "flow", add.input("flow"), "code", b.code(add.key()), "name", "Phone")
	}
	again().expect(http.StatusSeeOther, page+"?notice=added")
	again().expect(http.StatusSeeOther, page+"?notice=added")
	b.advance(30 * time.Second)
	again().expect(http.StatusSeeOther, page+"?notice=added") // with the next code too
	for _, name := range []string{"2", "3", "4", "5"} {       // also where no more would fit
		b.app(u, name)
	}
	for range 3 { // as often as it takes a guesser to be locked out
		again().expect(http.StatusSeeOther, page+"?notice=added")
	}
	if got := b.methodNames(u); !slices.Equal(got, []string{"Phone", "2", "3", "4", "5"}) || len(b.events(audit.MethodRegistered)) != 1 {
		t.Errorf("methods %q, %d events", got, len(b.events(audit.MethodRegistered)))
	}
}

// TestPendingRegistrationBelongsToOneSession (D10): the sealed form of a
// registration opens for nobody else, in no other session, and not for ever:
// else an attacker's app could be slipped into a victim's form.
func TestPendingRegistrationBelongsToOneSession(t *testing.T) {
	b := newBench(t)
	alice, mallory := b.user("alice", sallyport.StateDisabled), b.user("mallory", sallyport.StateDisabled)
	evil := b.signIn(mallory, sallyport.KindPassword).get(page + "/add")
	br := b.signIn(alice, sallyport.KindPassword)
	mine := br.get(page + "/add")
	second := b.signIn(alice, sallyport.KindPassword)
	post := func(br *browser, a *answer, flow string) *answer {
		return br.post(page+"/add", "flow", flow, "code", b.code(a.key()), "name", "Evil")
	}
	for name, a := range map[string]*answer{
		"another user's": post(br, evil, evil.input("flow")),
		"session":        post(second, mine, mine.input("flow")),
		"cut":            post(br, mine, mine.input("flow")[:40]),
		"longer":         post(br, mine, mine.input("flow")+"AAAA"),
		"empty":          post(br, mine, ""),
		"plain":          post(br, mine, "eyJraW5kIjoic29mdHdhcmVPYXRoIn0"),
		"huge":           post(br, mine, strings.Repeat("A", 60<<10)),
	} {
		if a.code != http.StatusGone || !strings.Contains(a.body, "SP-3001") {
			t.Errorf("%s: %d", name, a.code)
		}
	}
	b.advance(16 * time.Minute)
	w := newRecorder()
	_, err := b.sessions.SignIn(w, br.request(http.MethodGet, "/", nil), sessionOf(alice, b.clock.Now().Add(-time.Hour), sallyport.Proof{Kind: sallyport.KindTOTP, At: b.clock.Now()}))
	must(t, err)
	br.keep(w.Result())
	b.app(alice, "Phone") // so that the verification just now counts
	if a := post(br, mine, mine.input("flow")); a.code != http.StatusGone {
		t.Errorf("after 16 minutes: %d", a.code)
	}
	codes := br.get(page+"/recovery-codes").expect(http.StatusOK, "")
	if a := br.post(page+"/add", "flow", codes.input("flow"), "code", "000000"); a.code/100 != 4 {
		t.Errorf("recovery codes as an app: %d", a.code)
	}
	if a := br.post(page+"/recovery-codes", "flow", br.get(page+"/add").input("flow")); a.code != http.StatusGone {
		t.Errorf("an app as recovery codes: %d", a.code)
	}
	if got := b.methodNames(alice); !slices.Equal(got, []string{"Phone"}) {
		t.Errorf("methods %q", got)
	}
}

// TestGuessesAtRegistrationCount (D3): registration is a surface where codes can
// be tried, and locks like any other.
func TestGuessesAtRegistrationCount(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateDisabled)
	br := b.signIn(u, sallyport.KindPassword)
	add := br.get(page + "/add")
	for _, code := range []string{"000001", "000002", "000003"} {
		br.post(page+"/add", "flow", add.input("flow"), "code", code)
	}
	a := br.post(page+"/add", "flow", add.input("flow"), "code", b.code(add.key()))
	if a.code != http.StatusForbidden || !strings.Contains(a.body, "SP-2003") || len(b.methodNames(u)) != 0 {
		t.Errorf("the right code after three wrong ones gave %d, methods %q", a.code, b.methodNames(u))
	}
}

// TestOwnThingsOnly (D9, H6): IDs in forms that belong to somebody else change
// nothing, whatever the page would have offered.
func TestOwnThingsOnly(t *testing.T) {
	b := newBench(t)
	alice, mallory := b.user("alice", sallyport.StateDisabled), b.user("mallory", sallyport.StateDisabled)
	id := b.app(alice, "Phone")
	b.app(mallory, "Mine")
	victim := b.signIn(alice, sallyport.KindPassword, sallyport.KindTOTP)
	victim.remember(alice)
	devices, err := b.db.Devices(t.Context(), alice.ID, b.clock.Now())
	must(t, err)
	sessions, err := b.db.Sessions(t.Context(), alice.ID, b.clock.Now())
	must(t, err)
	br := b.signIn(mallory, sallyport.KindPassword, sallyport.KindTOTP)
	for path, field := range map[string][2]string{
		"/rename":        {"method", string(id)},
		"/delete":        {"method", string(id)},
		"/forget-device": {"device", string(devices[0].ID)},
		"/end-session":   {"session", string(sessions[0].ID)},
	} {
		br.post(page+path, field[0], field[1], "name", "Evil").expect(http.StatusSeeOther, page+"?notice=gone")
		br.post(page+path, field[0], "", "name", "Evil").expect(http.StatusSeeOther, page+"?notice=gone")
		br.post(page+path, "name", "Evil").expect(http.StatusSeeOther, page+"?notice=gone")
	}
	br.post(page+"/forget-devices").expect(http.StatusSeeOther, page+"?notice=forgotten-all")
	br.post(page+"/end-other-sessions").expect(http.StatusSeeOther, page+"?notice=sessions-ended")
	br.post(page+"/end-all-sessions").expect(http.StatusSeeOther, "/.sallyport/sign-out")
	if got := b.methodNames(alice); !slices.Equal(got, []string{"Phone"}) {
		t.Errorf("methods %q", got)
	}
	if left, err := b.db.Devices(t.Context(), alice.ID, b.clock.Now()); err != nil || len(left) != 1 {
		t.Errorf("%d devices, %v", len(left), err)
	}
	b.sessions.Poll(t.Context())
	victim.get(page).expect(http.StatusOK, "")
}

func TestRename(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateDisabled)
	id := b.app(u, "Phone")
	br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
	for _, name := range []string{"", "   ", "\t\n", strings.Repeat("あ", 65), "a\x00b", "a\nb", "a\u202eb", "\xff\xfe"} {
		if a := br.post(page+"/rename", "method", string(id), "name", name); a.code != http.StatusUnprocessableEntity || !strings.Contains(a.body, `aria-invalid="true"`) {
			t.Errorf("%q: %d", name, a.code)
		}
	}
	if got := b.methodNames(u); !slices.Equal(got, []string{"Phone"}) || len(b.events(audit.MethodRenamed)) != 0 {
		t.Errorf("methods %q", got)
	}
	name := strings.Repeat("あ", 64)
	br.post(page+"/rename", "method", string(id), "name", "  "+name+" ").expect(http.StatusSeeOther, page+"?notice=renamed")
	ev := b.events(audit.MethodRenamed)
	if got := b.methodNames(u); !slices.Equal(got, []string{name}) || len(ev) != 1 || ev[0].Before != "Phone" || ev[0].After != name {
		t.Errorf("methods %q, events %+v", got, ev)
	}
}

// TestLastMethodStays (H6): the last method that the state demands cannot be
// deleted, by the page or by a form that the page did not offer, and not by two
// tabs at once.
func TestLastMethodStays(t *testing.T) {
	for _, state := range []sallyport.State{sallyport.StateEnabled, sallyport.StateEnforced} {
		b := newBench(t)
		u := b.user("alice", state)
		first := b.app(u, "Phone")
		br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
		if strings.Contains(br.get(page).body, "/delete") {
			t.Error("the page offers to delete the last method")
		}
		a := br.post(page+"/delete", "method", string(first))
		if a.code != http.StatusConflict || !strings.Contains(a.body, "SP-3004") {
			t.Errorf("%s: %d", state, a.code)
		}
		second := b.app(u, "Tablet")
		var wg sync.WaitGroup
		for _, id := range []sallyport.MethodID{first, second} {
			tab := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
			wg.Go(func() { tab.post(page+"/delete", "method", string(id)) })
		}
		wg.Wait()
		if got := b.methodNames(u); len(got) != 1 {
			t.Errorf("%s: methods are now %q", state, got)
		}
		if ev := b.events(audit.MethodDeleted); len(ev) != 1 {
			t.Errorf("%d events", len(ev))
		}
	}
	b := newBench(t)
	u := b.user("bob", sallyport.StateDisabled)
	id := b.app(u, "Phone")
	br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
	br.post(page+"/delete", "method", string(id)).expect(http.StatusSeeOther, page+"?notice=deleted")
	if len(b.methodNames(u)) != 0 {
		t.Error("nothing demands it, and still it could not be deleted")
	}
}

func TestRenewRecoveryCodes(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateEnforced)
	b.app(u, "Phone")
	must(t, b.db.ReplaceRecoveryCodes(t.Context(), u.ID, [][]byte{{1}}, b.clock.Now()))
	b.advance(time.Second)
	br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
	a := br.get(page+"/recovery-codes").expect(http.StatusOK, "")
	if n := strings.Count(a.body, "<li><code>"); n != 10 {
		t.Errorf("%d codes on the page", n)
	}
	if left, err := b.db.RecoveryCodesLeft(t.Context(), u.ID); err != nil || left != 1 {
		t.Errorf("looking at new codes replaced the old ones: %d, %v", left, err)
	}
	file := br.post(page+"/recovery-codes/download", "flow", a.input("flow")).expect(http.StatusOK, "")
	if !strings.HasPrefix(file.header.Get("Content-Disposition"), "attachment") || file.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", file.header)
	}
	_, rest, _ := strings.Cut(a.body, "<li><code>")
	code, _, ok := strings.Cut(rest, "<")
	if !ok || !strings.Contains(file.body, code) {
		t.Errorf("the file lacks %q: %s", code, file.body)
	}
	br.post(page+"/recovery-codes", "flow", a.input("flow")).expect(http.StatusSeeOther, page+"?notice=codes")
	if left, err := b.db.RecoveryCodesLeft(t.Context(), u.ID); err != nil || left != 10 || len(b.events(audit.RecoveryRenewed)) != 1 {
		t.Errorf("%d codes left, %v", left, err)
	}
	method := b.methods[1]
	clean, _ := method.Clean(code)
	if _, err := method.Verify(t.Context(), u.ID, clean, b.clock.Now()); err != nil {
		t.Errorf("a new code does not work: %v", err)
	}
	for _, s := range []string{code, clean} {
		if strings.Contains(b.logged.String(), s) {
			t.Error("a code is in the log (H4)")
		}
	}
	none := b.signIn(b.user("bob", sallyport.StateDisabled), sallyport.KindPassword)
	if a := none.get(page + "/recovery-codes"); a.code != http.StatusForbidden {
		t.Errorf("codes for somebody with no method: %d", a.code)
	}
}

// TestRecoveryCodesAreRenewedOnce: the page carries its codes sealed until they
// are kept. Sent again, it would make codes work that were used since.
func TestRecoveryCodesAreRenewedOnce(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateEnforced)
	b.app(u, "Phone")
	br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
	open := func() (flow, code string) {
		b.advance(time.Second)
		a := br.get(page+"/recovery-codes").expect(http.StatusOK, "")
		_, rest, _ := strings.Cut(a.body, "<li><code>")
		code, _, _ = strings.Cut(rest, "<")
		code, _ = b.methods[1].Clean(code)
		return a.input("flow"), code
	}
	works := func(code string) bool {
		_, err := b.methods[1].Verify(t.Context(), u.ID, code, b.clock.Now())
		return err == nil
	}
	never, _ := open()
	first, code := open()
	second, other := open()
	br.post(page+"/recovery-codes", "flow", first).expect(http.StatusSeeOther, page+"?notice=codes")
	if !works(code) || works(code) {
		t.Fatal("a code works exactly once")
	}
	br.post(page+"/recovery-codes", "flow", first).expect(http.StatusSeeOther, page+"?notice=codes") // a double click
	if works(code) {
		t.Error("a page sent twice brought a used code back")
	}
	stale := func(flow string) {
		t.Helper()
		if a := br.post(page+"/recovery-codes", "flow", flow); a.code != http.StatusGone || !strings.Contains(a.body, "SP-3001") {
			t.Errorf("an older set: %d", a.code)
		}
	}
	stale(never)
	br.post(page+"/recovery-codes", "flow", second).expect(http.StatusSeeOther, page+"?notice=codes")
	stale(first)
	if works(code) || !works(other) {
		t.Error("an older set took the place of the newest")
	}
	if n := len(b.events(audit.RecoveryRenewed)); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

// TestNoLanguageSwitchWhereItMakesSomethingNew: loaded again in another language,
// these pages would show other codes or another key than those just written down.
func TestNoLanguageSwitchWhereItMakesSomethingNew(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateEnforced)
	b.app(u, "Phone")
	br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
	for path, want := range map[string]bool{"": true, "/recovery-codes": false, "/add": false} {
		if a := br.get(page+path).expect(http.StatusOK, ""); strings.Contains(a.body, "lng=") != want {
			t.Errorf("%s: a language switch: %t, want %t", path, !want, want)
		}
	}
	a := br.get(page + "/add")
	if a = br.post(page+"/add", "flow", a.input("flow"), "code", "1"); a.code != http.StatusUnprocessableEntity || strings.Contains(a.body, "lng=") {
		t.Errorf("the answer to a wrong code (%d) has a language switch", a.code)
	}
}

// TestChangesNeedALiveSession: whoever was just signed out elsewhere still stands
// in this node's cache for up to half a second, and gets nothing changed in it.
func TestChangesNeedALiveSession(t *testing.T) {
	for name, form := range map[string]func(*browser, sallyport.MethodID) func() *answer{
		"add": func(br *browser, _ sallyport.MethodID) func() *answer {
			add := br.get(page + "/add")
			return func() *answer {
				return br.post(page+"/add", "flow", add.input("flow"), "code", br.b.code(add.key()), "name", "Evil")
			}
		},
		"rename": func(br *browser, id sallyport.MethodID) func() *answer {
			return func() *answer { return br.post(page+"/rename", "method", string(id), "name", "Evil") }
		},
		"delete": func(br *browser, id sallyport.MethodID) func() *answer {
			return func() *answer { return br.post(page+"/delete", "method", string(id)) }
		},
		"recovery codes": func(br *browser, _ sallyport.MethodID) func() *answer {
			codes := br.get(page + "/recovery-codes")
			return func() *answer { return br.post(page+"/recovery-codes", "flow", codes.input("flow")) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			u := b.user("alice", sallyport.StateDisabled)
			id := b.app(u, "Phone")
			br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
			send := form(br, id)
			br.get(page).expect(http.StatusOK, "")
			_, err := b.db.RevokeUserSessions(t.Context(), u.ID, "", b.clock.Now())
			must(t, err)
			br.get(page).expect(http.StatusOK, "") // the node has not heard of it
			send().challenged()
			br.get(page).challenged() // now it has
			if got := b.methodNames(u); !slices.Equal(got, []string{"Phone"}) {
				t.Errorf("methods are now %q", got)
			}
			if left, err := b.db.RecoveryCodesLeft(t.Context(), u.ID); err != nil || left != 0 {
				t.Errorf("%d recovery codes, %v", left, err)
			}
		})
	}
}

// TestDeletedMethodEndsOtherSessions: somebody who has lost their phone deletes
// its app. Whoever found the phone is signed out; who deletes it is not, nor is a
// session that was proven by another method.
func TestDeletedMethodEndsOtherSessions(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateEnforced)
	lost, tablet := b.app(u, "Phone"), b.app(u, "Tablet")
	signIn := func(id sallyport.MethodID) *browser {
		br, w := b.signIn(u, sallyport.KindPassword), newRecorder()
		_, err := b.sessions.SignIn(w, br.request(http.MethodGet, "/", nil),
			sessionOf(u, b.clock.Now(), sallyport.Proof{Kind: sallyport.KindTOTP, At: b.clock.Now(), MethodID: id}))
		must(t, err)
		br.keep(w.Result())
		br.get(page).expect(http.StatusOK, "")
		return br
	}
	mine, finder, other := signIn(lost), signIn(lost), signIn(tablet)
	mine.post(page+"/delete", "method", string(lost)).expect(http.StatusSeeOther, page+"?notice=deleted")
	finder.get(page).challenged()
	mine.get(page).expect(http.StatusOK, "")
	other.get(page).expect(http.StatusOK, "")
	ev := b.events(audit.SessionRevoked)
	if len(ev) != 1 || ev[0].Reason != "method-deleted" || ev[0].Device != "Phone" || ev[0].UserID != u.ID {
		t.Errorf("events %+v", ev)
	}
	mine.post(page+"/rename", "method", string(tablet), "name", "Mine").expect(http.StatusSeeOther, page+"?notice=renamed")
}

// sessionOf is a sign-in with a password at a time, and more proofs.
func sessionOf(u sallyport.User, password time.Time, more ...sallyport.Proof) session.SignIn {
	return session.SignIn{User: u, Provider: "local", Proofs: append([]sallyport.Proof{{Kind: sallyport.KindPassword, At: password}}, more...)}
}
