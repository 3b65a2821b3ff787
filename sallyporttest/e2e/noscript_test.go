package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sallyport"
	"sallyport/sallyporttest"
)

// The main way works without JavaScript: sign-in, registration with its recovery
// codes as a file, verification, security info, sign-out.
func TestWithoutJavaScript(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{Upstream: app()})
	g.AddUser("alice", password, sallyport.StateEnabled)
	b := chromium(t, []*sallyporttest.Gateway{g}, []string{sallyporttest.App, sallyporttest.Portal})
	p := newPerson(t, g, b, "en", desk)
	p.scripts(false)
	p.open(p.deepLink())
	if p.has(".copy") || eval[int](p, "document.querySelectorAll('script:not([src])').length") != 0 {
		t.Fatal("a script runs, or stands in the page")
	}
	p.signIn("alice", "wrong password")
	p.contains("SP-1001")
	p.signIn("alice", password)
	p.do(chromedp.Click("section details > summary"))
	p.readKey()
	p.b.Screenshot(p.ctx, "e2e/noscript-register")
	p.fill("code", p.code())
	p.submit("code")
	p.wants("recovery codes", ".codes li code")
	if eval[bool](p, "[...document.querySelectorAll('[data-print], .copy')].some(e => e.checkVisibility())") {
		t.Error("a button is shown that does nothing without JavaScript")
	}
	if !eval[bool](p, "document.querySelector('[data-without-scripts]').checkVisibility()") {
		t.Error("nothing says how to print where there is no button for it")
	}
	code := eval[string](p, "document.querySelector('.codes li code').textContent")
	dir := p.downloads()
	p.do(chromedp.Click("button[form=download]"))
	if name, content := downloaded(t, dir); !strings.Contains(content, code) {
		t.Errorf("%s lacks the code %s:\n%s", name, code, content)
	}
	p.b.Screenshot(p.ctx, "e2e/noscript-recovery-codes")
	p.press("form.stack button.primary")
	p.press("main form button.primary")
	p.arrived()

	p.openLater(6*time.Minute, g.URL(sallyporttest.App, info))
	p.verify()
	p.do(chromedp.Click("section:has(#apps) details summary"))
	p.fill("name", "My phone")
	p.press("section:has(#apps) .inline-form button")
	p.contains("My phone")
	p.b.Screenshot(p.ctx, "e2e/noscript-security-info")
	p.press(".who button")
	p.wants("signed-out page", "main a.primary")
	p.open(p.deepLink())
	p.signIn("alice", password)
	p.verify()
	p.arrived()
}
