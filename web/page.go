package web

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"golang.org/x/text/language"
)

// Addresses on the portal that the layout links to.
const (
	SecurityInfoPath = "/.sallyport/security-info"
	SignOutPath      = "/.sallyport/sign-out" // POST with csrf
)

// Page is one page to draw.
type Page struct {
	// Status is the HTTP status. 0: 200.
	Status int
	// Template is the name of the template for <main>, "challenge/verify".
	Template string
	// TitleKey is the catalogue key of the window's title, with its arguments.
	TitleKey  string
	TitleArgs map[string]any
	// Data is the template's dot.
	Data any
	// FormAction are further origins that a form of this page may end up at
	// ("https://app.example.com"): the flow's return origin.
	FormAction []string
	// Wide pages have lists; others are one narrow card.
	Wide bool
	// OneLanguage pages have no language switch: to load them again would make
	// something new, such as another set of codes.
	OneLanguage bool
	// User is the name of who is signed in, "" for nobody. With CSRF set, the page
	// has a sign-out button.
	User string
	// CSRF is the token for the sign-out form.
	CSRF string
}

// layout is the dot of web/layout.
type layout struct {
	Page
	Title     string
	Content   template.HTML
	Lang      string
	Languages []languageLink
	HasLogo   bool
	LogoWidth int // in CSS pixels; 0 when not known
}

// languageLink is one entry of the language switch.
type languageLink struct {
	Tag, Name string
	Href      template.URL
	Current   bool
}

// Render draws a page. It writes nothing before the whole page is drawn, so an
// error leaves the answer to the caller.
func (u *UI) Render(w http.ResponseWriter, r *http.Request, p Page) error {
	l, chosen := u.negotiate(r)
	title, err := l.text(p.TitleKey, p.TitleArgs)
	if err != nil {
		return fmt.Errorf("title of %s: %w", p.Template, err)
	}
	var content bytes.Buffer
	if l.templates.Lookup(p.Template) == nil {
		return fmt.Errorf("there is no template %q", p.Template)
	}
	if err := l.templates.ExecuteTemplate(&content, p.Template, p.Data); err != nil {
		return fmt.Errorf("drawing %s: %w", p.Template, err)
	}
	var buf bytes.Buffer
	err = l.templates.ExecuteTemplate(&buf, "web/layout", layout{
		Page: p, Title: title, Lang: l.tag.String(), Languages: u.switchLinks(r, l), HasLogo: u.assets.has("logo"), LogoWidth: u.assets.logoWidth,
		Content: template.HTML(content.String()), // escaped: html/template made it
	})
	if err != nil {
		return fmt.Errorf("drawing the layout of %s: %w", p.Template, err)
	}
	if chosen {
		setLanguageCookie(w, l.tag)
		if u.chosen != nil {
			u.chosen(r, l.tag.String())
		}
	}
	u.headers(w.Header(), l.tag, p.FormAction)
	status := p.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(buf.Bytes()) // the client may be gone; there is nobody left to tell
	}
	return nil
}

// headers sets what every page carries. HSTS is not ours to say.
func (u *UI) headers(h http.Header, tag language.Tag, formAction []string) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", tag.String())
	h.Add("Vary", "Accept-Language, Cookie")
	h.Set("Content-Security-Policy", csp(formAction))
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	harden(h)
}

// harden sets what every answer of ours carries that must not be kept.
func harden(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// Not no-referrer: browsers would then send "Origin: null" with our own forms,
	// and the check of where a form came from needs it.
	h.Set("Referrer-Policy", "same-origin")
}

// csp is the policy of a page. Nothing inline runs, so a name with markup in it
// that ever slipped through could still do nothing.
func csp(formAction []string) string {
	action := "'self'"
	for _, o := range formAction {
		// What could end the directive, or widen it, is not an origin.
		if cleanOrigin(o) {
			action += " " + o
		}
	}
	return "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; form-action " +
		action + "; frame-ancestors 'none'; base-uri 'none'"
}

// cleanOrigin reports whether s is scheme://host[:port] and nothing more.
func cleanOrigin(s string) bool {
	host, ok := strings.CutPrefix(s, "https://")
	if !ok {
		host, ok = strings.CutPrefix(s, "http://")
	}
	if !ok || host == "" || len(host) > 300 {
		return false
	}
	for _, c := range host {
		if !hostRune(c) && c != '.' && c != ':' && c != '[' && c != ']' {
			return false
		}
	}
	return true
}

// hostRune reports whether r may stand in a label of a host name.
func hostRune(r rune) bool {
	return r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
