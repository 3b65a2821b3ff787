package e2e_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sallyport"
	"sallyport/internal/parts"
	"sallyport/sallyporttest"
)

const deep = "/weeks/42?view=all&x=%2F&q=a%20b"

// The whole day of an employee, from the first sign-in on, in both languages; the
// English one works at a desk, the Japanese one on a phone, and every page is
// looked at in both widths.
func TestEmployeeDay(t *testing.T) {
	for lang, work := range map[string]view{"en": desk, "ja": phone} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			g := sallyporttest.New(t, sallyporttest.Options{Upstream: app()})
			g.AddUser("alice", password, sallyport.StateEnabled)
			b := chromium(t, []*sallyporttest.Gateway{g}, []string{sallyporttest.App, sallyporttest.Portal}, parts.WithLanguage(lang))
			p := newPerson(t, g, b, lang, work)
			p.firstSignIn()
			p.signOut()
			p.tab()
			p.secondSignIn()
			p.signOut()
			p.rememberedSignIn()
			p.signOut()
			p.tab()
			p.recoverySignIn()
			p.lockedOut()
		})
	}
}

func (p *person) deepLink() string { return p.g.URL(sallyporttest.App, deep) }

// arrived fails unless this is exactly where the person wanted to go.
func (p *person) arrived() {
	p.t.Helper()
	if got := p.where(); got != p.deepLink() {
		p.t.Fatalf("arrived at %s, not at %s:\n%s", got, p.deepLink(), p.text())
	}
	if got := eval[string](p, "document.querySelector('#app')?.textContent"); got != "alice" {
		p.t.Fatalf("the app takes the person for %q", got)
	}
}

func (p *person) firstSignIn() {
	p.t.Helper()
	p.open(p.deepLink())
	p.look("sign-in")
	p.do(chromedp.Evaluate[chromedp.Void]("document.querySelector('form:has([name=password])').noValidate = true; undefined"))
	p.submit("password")
	p.wants("error beside the field", ".field.invalid:has([name=username]) .field-error")
	p.look("sign-in-empty")
	p.signIn("alice", "wrong password")
	p.wants("error", "main [role=alert], main .field-error")
	p.contains("SP-1001")
	if name, word := p.value("username"), p.value("password"); name != "alice" || word != "" {
		p.t.Errorf("after a wrong password the fields hold %q and %q", name, word)
	}
	p.look("sign-in-wrong")
	p.signIn("alice", password)
	p.register()
	p.arrived()
}

func (p *person) value(name string) string {
	p.t.Helper()
	return eval[string](p, "document.querySelector('input[name="+name+"]').value")
}

// register goes through the wizard.
func (p *person) register() {
	p.t.Helper()
	p.wants("QR code", ".qr svg path")
	p.look("register")
	p.do(chromedp.Click("section details > summary"))
	p.readKey()
	p.look("register-key")
	p.fill("code", "000000")
	p.submit("code")
	p.wants("error beside the field", ".field.invalid:has([name=code]) .field-error")
	p.look("register-wrong")
	p.readKey()
	p.fill("code", p.code())
	p.submit("code")
	p.recoveryCodes()
	p.look("registered")
	p.press("main form button.primary")
}

// readKey reads the key as a person does who types it, and holds it against the
// link that can be tapped.
func (p *person) readKey() {
	p.t.Helper()
	shown := eval[string](p, "document.querySelector('#key').textContent")
	if !regexp.MustCompile(`^([A-Z2-7]{4} )+[A-Z2-7]{1,4}$`).MatchString(shown) {
		p.t.Fatalf("the key is not in groups of four: %q", shown)
	}
	p.secret = strings.ReplaceAll(shown, " ", "")
	link := eval[string](p, "document.querySelector('a[href^=\"otpauth:\"]').getAttribute('href')")
	u, err := url.Parse(link)
	if err != nil {
		p.t.Fatal(err)
	}
	q := u.Query()
	if u.Scheme != "otpauth" || u.Host != "totp" || q.Get("secret") != p.secret || q.Get("issuer") != "Test Corp" ||
		!strings.HasPrefix(u.Path, "/Test Corp:alice") {
		p.t.Errorf("the link %s is not for the key %s", link, p.secret)
	}
	if got := readQR(p.t, eval[string](p, "document.querySelector('.qr svg path').getAttribute('d')"),
		eval[string](p, "document.querySelector('.qr svg').getAttribute('viewBox')")); got != link {
		p.t.Errorf("the picture says %q, the link %q", got, link)
	}
}

// recoveryCodes keeps the codes: as shown, as a file, and as they would be printed.
func (p *person) recoveryCodes() {
	p.t.Helper()
	p.wants("recovery codes", ".codes li code")
	p.codes = eval[[]string](p, "[...document.querySelectorAll('.codes li code')].map(c => c.textContent.trim())")
	if len(p.codes) != 10 {
		p.t.Fatalf("%d recovery codes", len(p.codes))
	}
	if eval[bool](p, "document.querySelector('[data-without-scripts]').checkVisibility()") {
		p.t.Error("beside the button to print stands how to do without")
	}
	p.look("recovery-codes")
	p.media("print", "light")
	if eval[bool](p, "[...document.querySelectorAll('main button, .top form, .bottom')].some(e => e.checkVisibility())") {
		p.t.Error("buttons are printed")
	}
	if !eval[bool](p, "[...document.querySelectorAll('.codes li')].every(e => e.checkVisibility())") {
		p.t.Error("codes are not printed")
	}
	p.b.Screenshot(p.ctx, "e2e/recovery-codes-print-"+p.lang)
	p.media("", "light")
	dir := p.downloads()
	p.do(chromedp.Click("button[form=download]"))
	name, content := downloaded(p.t, dir)
	for _, c := range p.codes {
		if !strings.HasSuffix(name, ".txt") || !strings.Contains(content, c) {
			p.t.Fatalf("%s lacks the code %s:\n%s", name, c, content)
		}
	}
	p.press("form.stack button.primary")
}

func (p *person) signOut() {
	p.t.Helper()
	p.open(p.g.URL(sallyporttest.App, "/.sallyport/sign-out"))
	if p.has(".wide") {
		p.t.Fatalf("signing out leads to %s", p.where())
	}
	p.look("sign-out")
	p.press("main form button.primary")
	p.look("signed-out")
	p.open(p.deepLink())
	p.wants("sign-in page after the sign-out", "input[name=password]")
}

func (p *person) secondSignIn() {
	p.t.Helper()
	p.open(p.deepLink())
	p.signIn("ALICE@example.com", password)
	p.look("verify")
	p.fill("code", "12")
	p.submit("code")
	p.wants("error beside the field", ".field.invalid:has([name=code]) .field-error")
	p.look("verify-malformed")
	p.fill("code", "000000")
	p.submit("code")
	p.wants("error beside the field", ".field.invalid:has([name=code]) .field-error")
	p.look("verify-wrong")
	p.do(chromedp.Click("#remember"))
	p.verify()
	p.arrived()
}

func (p *person) rememberedSignIn() {
	p.t.Helper()
	p.signIn("alice", password)
	p.arrived()
	p.openLater(15*24*time.Hour, p.deepLink())
	p.signIn("alice", password)
	p.wants("question for a code after 15 days", "input[name=code]")
	p.verify()
	p.arrived()
}

func (p *person) recoverySignIn() {
	p.t.Helper()
	p.open(p.deepLink())
	p.signIn("alice", password)
	p.press("a[href*='method=recovery']")
	p.look("verify-recovery")
	p.fill("code", "aaaaa-aaaaa")
	p.submit("code")
	p.look("verify-recovery-wrong")
	p.fill("code", strings.ToUpper(strings.ReplaceAll(p.codes[0], "-", " ")))
	p.submit("code")
	p.look("recovery-used")
	p.press("main form button.primary")
	p.arrived()
	p.open(p.g.URL(sallyporttest.App, "/.sallyport/sign-out"))
	p.press("main form button.primary")
}

func (p *person) lockedOut() {
	p.t.Helper()
	p.open(p.deepLink())
	p.signIn("alice", password)
	for i := range 10 {
		p.fill("code", strings.Repeat(string(rune('0'+i)), 6))
		p.submit("code")
		if !p.has("input[name=code]") {
			break
		}
	}
	p.contains("SP-2003")
	p.look("locked")
}
