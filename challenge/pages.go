package challenge

import (
	"net/http"
	"net/url"
	"unicode"

	"sallyport"
	"sallyport/web"
)

type page = web.Page

// Form is what every form of ours carries.
type Form struct {
	Action string // where to post it; relative
	Flow   sallyport.FlowID
	CSRF   string
}

// Other is another method, with the page that asks for it.
type Other struct {
	Kind sallyport.Kind
	URL  string
}

// VerifyPage is the data of a method's verification page.
type VerifyPage struct {
	Form
	Kind sallyport.Kind
	// App is what people call the app that the person wants to enter, "" for our
	// own pages; Place where the request comes from; User whom we take them for.
	App, Place, User string
	// Cause is Need.Cause.
	Cause string
	// Fault of the last submission; nil at first.
	Fault *CodeFault
	// RememberDays, when not 0, offers to remember the device; Remember is the
	// box as it was ticked.
	RememberDays  int
	Remember      bool
	Others        []Other
	Again         string // starts the sign-in anew
	CorrelationID string
}

// RegisterPage is the data of a method's registration page, in the wizard and on
// the security-info page.
type RegisterPage struct {
	Form
	Kind sallyport.Kind
	// Cause is Need.Cause; "" on the security-info page.
	Cause string
	User  string
	// Show is what Method.Show returned.
	Show  any
	Fault *CodeFault
	// Codes: recovery codes follow in the wizard.
	Codes bool
	// Name as it was typed.
	Name          string
	Others        []Other
	Again         string // starts anew, or goes back
	CorrelationID string
}

// CodesPage is the data of the page that shows recovery codes once.
type CodesPage struct {
	Form
	// Download is where to post the form for a text file.
	Download string
	// Show is what Method.Show returned.
	Show any
	// Wizard: the page is a step of the wizard at sign-in.
	Wizard bool
	// Cancel leads back where codes are being renewed and the old ones still work;
	// "" elsewhere.
	Cancel string
}

type choice struct {
	Name, Label, URL string
	Selected         bool
}

type signInPage struct {
	Form
	signInForm
	App       string
	Passwords []choice
	Redirects []choice
	// Code of the refusal that the page shows; "" for none.
	Code          sallyport.Code
	CorrelationID string
}

type startAgainPage struct {
	Code          sallyport.Code
	CorrelationID string
	Again         string
}

type noticePage struct {
	Form
	Name  string // of the method that was registered
	Left  int    // recovery codes
	Codes bool   // recovery codes were made
	App   string
	// ToSecurityInfo offers the way to security info, besides the one on.
	ToSecurityInfo bool
}

type homePage struct {
	User, SecurityInfo, SignOut string
}

type signOutPage struct {
	Form
	User string
}

// form returns the hidden part of a form that posts to path.
func (x *run) form(path string) Form {
	return Form{Action: path + "?flow=" + url.QueryEscape(string(x.f.ID)), Flow: x.f.ID, CSRF: x.browser.CSRF}
}

// app is what people call the app that the flow leads to; "" is the portal.
func (x *run) app() string {
	if label := x.target.policy.Label; label != "" {
		return label
	}
	return x.f.Route
}

// render draws a page of the flow. Its forms may end at the flow's return origin:
// browsers apply form-action to the redirects after a form, too.
func (x *run) render(status int, template, title string, data any) error {
	p := page{Status: status, Template: template, TitleKey: title, Data: data}
	if !x.target.portal {
		p.FormAction = []string{x.target.origin}
	}
	return x.c.render(x.w, x.r, p)
}

func (c *Challenge) render(w http.ResponseWriter, r *http.Request, p page) error {
	return c.ui.Render(w, r, p)
}

// isShown reports whether a character of a name can be seen: what cannot, or
// turns the text around it, has no place in a list.
func isShown(ch rune) bool { return unicode.IsGraphic(ch) && ch != unicode.ReplacementChar }
