package account_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/web/webtest"
)

func TestCataloguesAreComplete(t *testing.T) {
	webtest.Catalogues(t, os.DirFS("."))
}

func TestOverview(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateEnforced)
	must(t, b.db.UseMethod(t.Context(), b.app(u, "Phone"), 1, 0, b.clock.Now().Add(-time.Hour)))
	must(t, b.db.ReplaceRecoveryCodes(t.Context(), u.ID, [][]byte{{1}, {2}}, b.clock.Now()))
	b.signIn(u, sallyport.KindPassword).remember(u)
	b.advance(2 * time.Hour)
	br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
	body := br.get(page+"?lng=en").expect(http.StatusOK, "").body
	for _, want := range []string{"Phone", "2 codes left", "Firefox on Linux", "203.0.113.9", "This session", "2 hours ago", "3 hours ago", "alice", `action="/.sallyport/sign-out"`, "Add an app"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	ja := br.get(page + "?lng=ja&notice=added").body
	webtest.Japanese(t, ja, "alice", "Phone", "Firefox", "Linux", "Example Corp")
	if !strings.Contains(ja, "認証アプリを追加しました") {
		t.Error("no notice")
	}
}

// TestNoticeIsAFixedName (H5): a link cannot put words on the page.
func TestNoticeIsAFixedName(t *testing.T) {
	b := newBench(t)
	br := b.signIn(b.user("alice", sallyport.StateDisabled), sallyport.KindPassword)
	for _, n := range append(webtest.Hostile(), "Your account is locked. Call 0900-evil", "account.lead", "unknown") {
		r := br.request(http.MethodGet, page, nil)
		q := r.URL.Query()
		q.Set("notice", n)
		q.Set("lng", "en")
		r.URL.RawQuery = q.Encode()
		a := br.do(r).expect(http.StatusOK, "")
		webtest.Inert(t, a.body)
		if strings.Contains(a.body, `class="alert`) {
			t.Errorf("%q became a notice", n)
		}
	}
}

// TestHostileNamesOnThePage (H5): names of apps, browsers and users with markup
// in them.
func TestHostileNamesOnThePage(t *testing.T) {
	b := newBench(t)
	u := b.user("mallory", sallyport.StateDisabled)
	for _, s := range webtest.Hostile() {
		id := b.app(u, s)
		br := b.signIn(u, sallyport.KindPassword, sallyport.KindTOTP)
		br.agent = "Mozilla/5.0 " + strings.Map(func(c rune) rune {
			if c < ' ' {
				return -1
			}
			return c
		}, s)
		br.remember(u)
		webtest.Inert(t, br.get(page).expect(http.StatusOK, "").body)
		webtest.Inert(t, br.post(page+"/rename", "method", string(id), "name", s+"\x00"+s).expect(http.StatusUnprocessableEntity, "").body)
		webtest.Inert(t, br.post(page+"/add", "flow", s, "name", s, "code", s).expect(http.StatusGone, "").body)
		webtest.Inert(t, br.post(page+"/delete", "method", s).body)
		br.post(page+"/delete", "method", string(id)).expect(http.StatusSeeOther, page+"?notice=deleted")
	}
}

func TestUnknownBrowsersHaveNoName(t *testing.T) {
	b := newBench(t)
	u := b.user("alice", sallyport.StateDisabled)
	br := b.signIn(u, sallyport.KindPassword)
	br.agent = "You have won! Call 0900-evil"
	br.remember(u)
	a := br.get(page + "?lng=en")
	if strings.Contains(a.body, "0900") || !strings.Contains(a.body, "Unknown browser") {
		t.Errorf("a stranger's text is on the page\n%s", a.body)
	}
}

// TestAnswersToFormsCanBeReloaded: a reload, or the language switch, on the answer
// to a form leads back to the overview.
func TestAnswersToFormsCanBeReloaded(t *testing.T) {
	b := newBench(t)
	br := b.signIn(b.user("alice", sallyport.StateDisabled), sallyport.KindPassword)
	for query, want := range map[string]string{"": page, "?lng=ja": page + "?lng=ja", "?lng=%0d%0aevil%26x=": page + "?lng=%0D%0Aevil%26x%3D"} {
		br.get(page+"/rename"+query).expect(http.StatusSeeOther, want)
	}
}
