package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sallyport"
	"sallyport/internal/parts"
	"sallyport/sallyporttest"
)

const info = "/.sallyport/security-info"

// What people do for themselves on the security-info page.
func TestSecurityInfo(t *testing.T) {
	for lang, work := range map[string]view{"en": desk, "ja": phone} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			g := sallyporttest.New(t, sallyporttest.Options{Upstream: app()})
			g.AddUser("alice", password, sallyport.StateEnabled)
			elsewhere := g.Browser()
			elsewhere.Header.Set("Accept-Language", lang) // a name of the app is kept as it was given
			secret, _, _ := elsewhere.SignIn(g.URL(sallyporttest.App, "/"), "alice", password).Register()
			b := chromium(t, []*sallyporttest.Gateway{g}, []string{sallyporttest.App, sallyporttest.Portal}, parts.WithLanguage(lang))
			p := newPerson(t, g, b, lang, work)
			p.secret = secret

			p.open(g.URL(sallyporttest.App, deep))
			p.signIn("alice", password)
			p.do(chromedp.Click("#remember"))
			p.verify()
			p.reverification()
			p.apps()
			p.rememberAgain()
			// With the app that was deleted went the session that it had proven.
			g.Clock.Advance(codeStep)
			elsewhere = g.Browser()
			elsewhere.SignIn(g.URL(sallyporttest.App, "/"), "alice", password).Verify(p.secret)
			p.tab()
			p.open(g.URL(sallyporttest.Portal, info))
			p.renewCodes()
			p.devicesAndSessions(elsewhere)
		})
	}
}

// rememberAgain: the device was remembered with the app that is deleted now, and so
// it is known no more.
func (p *person) rememberAgain() {
	p.t.Helper()
	if p.has("form[action$='/forget-device']") {
		p.t.Error("a device remembered with the deleted app is still listed")
	}
	p.open(p.g.URL(sallyporttest.Portal, "/.sallyport/sign-out"))
	p.press("main form button")
	p.g.Clock.Advance(codeStep)
	p.open(p.g.URL(sallyporttest.App, deep))
	p.signIn("alice", password)
	p.do(chromedp.Click("#remember"))
	p.verify()
	p.open(p.g.URL(sallyporttest.Portal, info))
}

// reverification: the page wants a verification not older than 5 minutes, and a
// remembered device is none.
func (p *person) reverification() {
	p.t.Helper()
	p.open(p.g.URL(sallyporttest.Portal, "/"))
	p.look("home")
	p.press("main a[href$='/security-info']")
	p.wants("security info right after a verification", "#apps")
	p.openLater(6*time.Minute, p.g.URL(sallyporttest.Portal, "/"))
	p.press("main a[href$='/security-info']")
	p.wants("question for a code", "input[name=code]")
	p.look("verify-security-info")
	if p.has("#remember") {
		p.t.Error("a device can be remembered on the way to security info, where it does not count")
	}
	p.verify()
	if got := p.where(); got != p.g.URL(sallyporttest.Portal, info) {
		p.t.Fatalf("after the verification at %s", got)
	}
	p.look("security-info")
}

// apps adds, renames and deletes authenticator apps.
func (p *person) apps() {
	p.t.Helper()
	first := p.secret
	if p.has("#apps ~ * .danger, section:has(#apps) .delete-form") {
		p.t.Error("the last app has a button to delete it")
	}
	p.do(chromedp.Click("section:has(#apps) details summary"))
	p.look("security-info-edit-last")

	p.press("a[href$='/security-info/add']")
	p.look("add-app")
	p.do(chromedp.Click("section details > summary"))
	p.readKey()
	p.fill("code", "123456")
	p.submit("code")
	p.look("add-app-wrong")
	p.readKey()
	p.fill("code", p.code())
	p.fill("name", "予備 Pixel 9")
	p.submit("code")
	p.contains("予備 Pixel 9")
	p.look("security-info-added")

	p.do(chromedp.Click("section:has(#apps) li:first-child details summary"))
	p.do(chromedp.Evaluate[chromedp.Void]("for (const f of document.forms) f.noValidate = true; undefined"))
	row := "section:has(#apps) li:first-child"
	eval[string](p, "document.querySelector('"+row+" input[name=name]').value = ' '")
	p.press(row + " .inline-form button")
	p.wants("error beside the name", row+" .field.invalid .field-error")
	p.look("security-info-bad-name")
	eval[string](p, "document.querySelector('"+row+" input[name=name]').value = ''")
	p.do(chromedp.SendKeys(row+" input[name=name]", "Old phone"))
	p.press(row + " .inline-form button")
	p.contains("Old phone")
	p.look("security-info-renamed")

	p.do(chromedp.Click(row + " details summary"))
	p.look("security-info-edit")
	p.do(chromedp.Click(row + " .confirm > summary"))
	p.look("security-info-delete")
	p.press(row + " .delete-form button")
	if strings.Contains(p.text(), "Old phone") {
		p.t.Errorf("the app is still there:\n%s", p.text())
	}
	p.look("security-info-deleted")
	if p.secret == first {
		p.t.Fatal("the second app has the key of the first")
	}
	// What the page forbids the server forbids (H6): the form is built by hand.
	p.goes(chromedp.Evaluate[chromedp.Void](`(() => {
		const rename = document.querySelector("section:has(#apps) .inline-form");
		rename.action = "/.sallyport/security-info/delete";
		rename.submit();
	})()`))
	p.contains("SP-3004")
	p.contains("予備 Pixel 9")
	p.look("security-info-last")
}

func (p *person) renewCodes() {
	p.t.Helper()
	p.press("a[href$='/recovery-codes']")
	p.wants("new codes", ".codes li code")
	codes := eval[[]string](p, "[...document.querySelectorAll('.codes li code')].map(c => c.textContent.trim())")
	if len(codes) != 10 {
		p.t.Errorf("%d new codes", len(codes))
	}
	p.look("renew-codes")
	p.press("form.stack a.button")
	p.wants("security info after the cancel", "#apps")
	p.press("a[href$='/recovery-codes']")
	p.press("form.stack button.primary")
	p.look("security-info-codes")
}

// devicesAndSessions signs out another browser, forgets the device, and ends all.
func (p *person) devicesAndSessions(elsewhere *sallyporttest.Browser) {
	p.t.Helper()
	home := p.g.URL(sallyporttest.App, "/")
	open := func() bool { return strings.Contains(elsewhere.Get(home).Body, `id="app"`) }
	if !open() {
		p.t.Fatal("the other browser is not signed in")
	}
	rows := "document.querySelectorAll('section:has(#sessions) .rows > li').length"
	if n := eval[int](p, rows); n != 2 {
		p.t.Errorf("%d sessions are listed, want 2:\n%s", n, p.text())
	}
	p.press("section:has(#sessions) form[action$='/end-session'] button")
	p.look("security-info-session-ended")
	sallyporttest.Eventually(p.t, 2*time.Second, "the other browser is signed out", func() bool { return !open() })

	elsewhere = p.g.Browser()
	elsewhere.SignIn(home, "alice", password).Verify(p.secret)
	p.open(p.g.URL(sallyporttest.Portal, info))
	p.press("form[action$='/end-other-sessions'] button")
	if n := eval[int](p, rows); n != 1 {
		p.t.Errorf("%d sessions are left, want 1", n)
	}
	sallyporttest.Eventually(p.t, 2*time.Second, "the other browser is signed out", func() bool { return !open() })

	p.press("form[action$='/forget-device'] button")
	p.look("security-info-forgotten")
	p.press("form[action$='/end-all-sessions'] button")
	p.look("signed-out-everywhere")
	p.open(home)
	p.signIn("alice", password)
	p.wants("question for a code on the forgotten device", "input[name=code]")
}
