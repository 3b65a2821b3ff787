package account_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"sallyport"
	"sallyport/session"
)

// actions are all forms of the security-info page.
func actions() []string {
	return []string{"/add", "/rename", "/delete", "/recovery-codes", "/recovery-codes/download", "/forget-device", "/forget-devices",
		"/end-session", "/end-other-sessions", "/end-all-sessions"}
}

// pages are all pages that can be opened.
func pages() []string { return []string{"", "/add", "/recovery-codes"} }

// TestVerificationMustBeFresh (D9, D1): whoever finds an unlocked screen must not
// see or change how its owner signs in. In DUO-PSA-2017-001 a first factor was
// enough to add a phone.
func TestVerificationMustBeFresh(t *testing.T) {
	for name, prepare := range map[string]func(*bench, sallyport.User) *browser{
		"first factor only": func(b *bench, u sallyport.User) *browser { return b.signIn(u, sallyport.KindPassword) },
		"from a trusted address": func(b *bench, u sallyport.User) *browser {
			br := b.signIn(u, sallyport.KindPassword)
			br.address = netip.MustParseAddr("192.0.2.9")
			return br
		},
		"on a remembered device": func(b *bench, u sallyport.User) *browser {
			br := b.signIn(u, sallyport.KindPassword)
			br.remember(u)
			devices, err := b.db.Devices(b.t.Context(), u.ID, b.clock.Now())
			must(b.t, err)
			r := br.request(http.MethodGet, "/", nil)
			w := newRecorder()
			_, err = b.sessions.SignIn(w, r, session.SignIn{User: u, Provider: "local", DeviceID: devices[0].ID,
				Proofs: []sallyport.Proof{{Kind: sallyport.KindPassword, At: b.clock.Now().Add(time.Second)}}})
			must(b.t, err)
			br.keep(w.Result())
			return br
		},
		"verified six minutes ago": func(b *bench, u sallyport.User) *browser {
			br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
			b.advance(6 * time.Minute)
			return br
		},
		"verified before, password just now": func(b *bench, u sallyport.User) *browser {
			br := b.signIn(u, sallyport.KindTOTP)
			b.advance(6 * time.Minute)
			w := newRecorder()
			_, err := b.sessions.SignIn(w, br.request(http.MethodGet, "/", nil), session.SignIn{User: u, Provider: "local", Proofs: []sallyport.Proof{
				{Kind: sallyport.KindPassword, At: b.clock.Now()}, {Kind: sallyport.KindTOTP, At: b.clock.Now().Add(-6 * time.Minute)}}})
			must(b.t, err)
			br.keep(w.Result())
			return br
		},
		"nobody": func(b *bench, u sallyport.User) *browser {
			br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
			delete(br.cookies, "__Host-sallyport")
			return br
		},
		"a session that was ended": func(b *bench, u sallyport.User) *browser {
			br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
			_, err := b.db.RevokeUserSessions(b.t.Context(), u.ID, "", b.clock.Now())
			must(b.t, err)
			b.sessions.Poll(b.t.Context())
			return br
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			u := b.user("alice", sallyport.StateDisabled)
			id := b.app(u, "Phone")
			other := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
			br := prepare(b, u)
			for _, p := range pages() {
				br.get(page + p).challenged()
			}
			for _, p := range actions() {
				br.post(page+p, "method", string(id), "name", "Evil", "code", "000000").challenged()
			}
			if got := b.methodNames(u); len(got) != 1 || got[0] != "Phone" {
				t.Errorf("methods are now %q", got)
			}
			if name != "a session that was ended" {
				if g, err := b.sessions.Load(other.request(http.MethodGet, "/", nil)); g == nil || err != nil {
					t.Errorf("another session was ended: %v", err)
				}
			}
		})
	}
}

// TestFirstMethodNeedsAFreshFirstFactor (D9): with nothing registered there is
// nothing to verify with, but the password must be a fresh one.
func TestFirstMethodNeedsAFreshFirstFactor(t *testing.T) {
	b := newBench(t)
	br := b.signIn(b.user("alice", sallyport.StateDisabled), sallyport.KindPassword)
	for _, p := range []string{"", "/add"} {
		br.get(page+p).expect(http.StatusOK, "")
	}
	add := br.get(page + "/add")
	b.advance(5*time.Minute + time.Second)
	br.get(page).challenged()
	br.post(page+"/add", "flow", add.input("flow"), "code", b.code(add.key())).challenged()
}

// TestFormsAreChecked (H1, D16): without this browser's token, from another
// origin, or with a field twice, no form does anything.
func TestFormsAreChecked(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateDisabled)
	id := b.app(u, "Phone")
	br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
	form := func(csrf ...string) url.Values {
		return url.Values{"csrf": csrf, "method": {string(id)}, "name": {"Evil"}}
	}
	stranger := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
	for _, p := range actions() {
		for name, f := range map[string]url.Values{"none": form(), "wrong": form("x"), "another browser's": form(stranger.csrf), "twice": form(br.csrf, br.csrf)} {
			if a := br.do(br.request(http.MethodPost, page+p, f)); a.code != http.StatusForbidden {
				t.Errorf("%s with csrf %s: %d", p, name, a.code)
			}
		}
		r := br.request(http.MethodPost, page+p, form(br.csrf))
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if a := br.do(r); a.code != http.StatusForbidden {
			t.Errorf("%s from another site: %d", p, a.code)
		}
		f := form(br.csrf)
		f.Add("method", "other")
		if a := br.do(br.request(http.MethodPost, page+p, f)); a.code != http.StatusBadRequest {
			t.Errorf("%s with a field twice: %d", p, a.code)
		}
		r = br.request(http.MethodGet, page+p+"?"+form(br.csrf).Encode(), nil)
		br.do(r) // a link changes nothing
		r.Method = http.MethodPut
		if a := br.do(r); a.code != http.StatusMethodNotAllowed {
			t.Errorf("PUT %s: %d", p, a.code)
		}
	}
	if got := b.methodNames(u); len(got) != 1 || got[0] != "Phone" {
		t.Errorf("methods are now %q", got)
	}
	for _, x := range []*browser{br, stranger} {
		if g, err := b.sessions.Load(x.request(http.MethodGet, "/", nil)); g == nil || err != nil {
			t.Errorf("a session was ended: %v", err)
		}
	}
}
