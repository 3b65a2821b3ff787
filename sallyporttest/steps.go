package sallyporttest

import (
	"strings"
	"time"
)

// SignIn opens an address, and signs in with a name and a password where asked.
// It returns the page that follows: the app, verification, or registration.
func (b *Browser) SignIn(address, name, password string) *Page {
	b.t.Helper()
	return b.Get(address).Form("password").Submit("username", name, "password", password)
}

// Register completes the registration that p asks for, and returns the key of
// the new authenticator app, the recovery codes, and the page that follows.
func (p *Page) Register() (secret string, codes []string, next *Page) {
	p.t.Helper()
	secret = p.Secret()
	shown := p.Form("code").Submit("code", Code(p.t, secret, p.b.g.Clock.Now()))
	codes = shown.RecoveryCodes()
	if len(codes) == 0 {
		p.t.Fatalf("no recovery codes after the registration, but %s (%d):\n%s", shown.URL, shown.Status, shown.Text())
	}
	return secret, codes, shown.Form("flow").Submit().Continue()
}

// Continue presses the button of pages that only tell something, until another
// page comes.
func (p *Page) Continue() *Page {
	p.t.Helper()
	for range 3 {
		f := p.FindForm("flow")
		if f == nil || p.FindForm("code") != nil || p.FindForm("password") != nil {
			break
		}
		p = f.Submit()
	}
	return p
}

// RecoveryCodes returns the codes that the page shows.
func (p *Page) RecoveryCodes() []string {
	var out []string
	for _, n := range p.all("code") {
		if n.FirstChild != nil {
			out = append(out, strings.TrimSpace(n.FirstChild.Data))
		}
	}
	return out
}

// Verify answers the verification that p asks for with the app's code of now.
// The clock goes forward first: a code works once.
func (p *Page) Verify(secret string, more ...string) *Page {
	p.t.Helper()
	p.b.g.Clock.Advance(31 * time.Second)
	return p.Form("code").Submit(append([]string{"code", Code(p.t, secret, p.b.g.Clock.Now())}, more...)...)
}
