package account

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/challenge"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
	"sallyport/internal/seal"
	"sallyport/session"
	"sallyport/web"
)

// Paths of the pages on the portal.
const (
	base                 = web.SecurityInfoPath
	pathAdd              = base + "/add"
	pathRename           = base + "/rename"
	pathDelete           = base + "/delete"
	pathCodes            = base + "/recovery-codes"
	pathDownload         = pathCodes + "/download"
	pathForget           = base + "/forget-device"
	pathForgetAll        = base + "/forget-devices"
	pathEndSession       = base + "/end-session"
	pathEndOthers        = base + "/end-other-sessions"
	pathEndAll           = base + "/end-all-sessions"
	cause                = "security-info" // of the flows that these pages begin
	maxForm        int64 = 64 << 10
)

// freshFor is how old a verification (or, while nothing is registered, a first
// factor) may be to open or change security info.
const freshFor = 5 * time.Minute

// Sessions is what the pages need of package session; *session.Manager satisfies
// it.
type Sessions interface {
	Load(r *http.Request) (*sallyport.Grant, error)
	SignIn(w http.ResponseWriter, r *http.Request, s session.SignIn) (*sallyport.Grant, error)
	SignOut(w http.ResponseWriter, r *http.Request, events ...audit.Event) error
	Browser(w http.ResponseWriter, r *http.Request) session.Browser
	CheckForm(r *http.Request) error
	CurrentDevice(r *http.Request, user sallyport.UserID) sallyport.DeviceID
	Forget(user sallyport.UserID)
}

// Challenge is what the pages need of package challenge; *challenge.Challenge
// satisfies it.
type Challenge interface {
	// BeginFresh demands what need says and comes back to returnPath.
	BeginFresh(w http.ResponseWriter, r *http.Request, returnPath string, need sallyport.Need) error
	// Register judges the code typed back, counting the attempt; what the person
	// did wrong is a *challenge.CodeFault.
	Register(r *http.Request, a challenge.Attempt) (sallyport.Method, error)
	// CheckFirst refuses a first method from where it may not be registered.
	CheckFirst(r *http.Request, a challenge.Attempt) error
}

// UI shows pages and errors; *web.UI satisfies it.
type UI interface {
	httperr.Pages
	Render(w http.ResponseWriter, r *http.Request, p web.Page) error
}

// Config is what the pages need of the `mfa` section.
type Config struct {
	// RememberDays is how long a remembered device lasts; 0 does not offer it.
	RememberDays int
	// Methods that are switched on, most secure first.
	Methods []sallyport.Kind
	// MaxPerUser is how many authenticator apps one user may have; the page stops
	// offering more. 0: 5.
	MaxPerUser int
	// Issuer is the name at the top of a file of recovery codes.
	Issuer string
}

// Options are what an Account is built from. All but the last three must be set.
type Options struct {
	Config    Config
	Store     Store
	Challenge Challenge
	Methods   []challenge.Method // those that exist; Config.Methods selects
	Sessions  Sessions
	UI        UI
	Keys      *seal.Keyring
	// Place names the location of an address, "" if it has none. nil: none has.
	Place func(netip.Addr) string
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: slog.Default
}

// Account serves the security-info pages. It is safe for concurrent use.
type Account struct {
	cfg       Config
	store     Store
	challenge Challenge
	methods   []challenge.Method // switched on, in order
	sessions  Sessions
	ui        UI
	keys      *seal.Keyring
	place     func(netip.Addr) string
	now       func() time.Time
	log       *slog.Logger
}

//go:embed templates catalog
var files embed.FS

// Assets returns the templates and catalogue parts of this package.
func Assets() fs.FS { return files }

// New returns an Account.
func New(o Options) (*Account, error) {
	if o.Store == nil || o.Challenge == nil || o.Sessions == nil || o.UI == nil || o.Keys == nil {
		return nil, errors.New("account: a part is missing: store, challenge, sessions, pages and keys must be given")
	}
	a := &Account{cfg: o.Config, store: o.Store, challenge: o.Challenge, sessions: o.Sessions, ui: o.UI,
		keys: o.Keys, place: o.Place, now: o.Now, log: o.Log}
	for _, kind := range o.Config.Methods {
		for _, m := range o.Methods {
			if m.Kind() == kind {
				a.methods = append(a.methods, m)
			}
		}
	}
	if a.cfg.MaxPerUser == 0 {
		a.cfg.MaxPerUser = 5
	}
	if a.place == nil {
		a.place = func(netip.Addr) string { return "" }
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	return a, nil
}

// visit is one request of a signed-in person whose verification is fresh.
type visit struct {
	a     *Account
	w     http.ResponseWriter
	r     *http.Request
	grant *sallyport.Grant
	csrf  string
	now   time.Time
}

// handler serves one method of one page.
type handler func(*visit) error

// Mount registers the pages; mux serves the portal's host.
func (a *Account) Mount(mux *http.ServeMux) {
	a.page(mux, base, (*visit).overview, nil)
	a.page(mux, pathAdd, (*visit).addPage, (*visit).addForm)
	a.page(mux, pathRename, nil, (*visit).rename)
	a.page(mux, pathDelete, nil, (*visit).delete)
	a.page(mux, pathCodes, (*visit).codesPage, (*visit).codesForm)
	a.page(mux, pathDownload, nil, (*visit).codesDownload)
	a.page(mux, pathForget, nil, (*visit).forgetDevice)
	a.page(mux, pathForgetAll, nil, (*visit).forgetDevices)
	a.page(mux, pathEndSession, nil, (*visit).endSession)
	a.page(mux, pathEndOthers, nil, (*visit).endOthers)
	a.page(mux, pathEndAll, nil, (*visit).endAll)
}

// page mounts one page. Everything that guards them stands here, once.
func (a *Account) page(mux *http.ServeMux, path string, get, post handler) {
	mux.Handle(path, httperr.Handle(a.ui, record, func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "no-store")
		h, returnPath, allow := post, base, "POST"
		if get != nil {
			allow = "GET, HEAD"
			if post != nil {
				allow += ", POST"
			}
		}
		switch {
		case r.Method == http.MethodPost && post != nil:
			if err := a.readForm(w, r); err != nil {
				return err
			}
		case (r.Method == http.MethodGet || r.Method == http.MethodHead) && get != nil:
			h, returnPath = get, path
		case get == nil && r.Method == http.MethodGet:
			// The reload of an answer to a form, or a link that was kept.
			http.Redirect(w, r, keepLanguage(r), http.StatusSeeOther)
			return nil
		default:
			w.Header().Set("Allow", allow)
			return httperr.New(http.StatusMethodNotAllowed, sallyport.CodeWrongMethod, fmt.Errorf("%s %s", r.Method, path))
		}
		return a.guard(w, r, returnPath, h)
	}))
}

// keepLanguage is the overview, in the language that a link on the answer to a
// form has just chosen.
func keepLanguage(r *http.Request) string {
	if lng := r.URL.Query().Get("lng"); lng != "" {
		return base + "?lng=" + url.QueryEscape(clip(lng, 35))
	}
	return base
}

// guard lets h run for somebody who is signed in on this host and has verified
// lately. A trusted address, a remembered device or a bypass is no proof: with
// one of them alone somebody at an unlocked screen could add a phone of their own.
func (a *Account) guard(w http.ResponseWriter, r *http.Request, returnPath string, h handler) error {
	g, err := a.sessions.Load(r)
	if err != nil {
		return err
	}
	now := a.now()
	if g == nil || !challenge.IsFresh(g.Token.Proofs, g.Registered, freshFor, now) {
		return a.demand(w, r, returnPath)
	}
	info := reqctx.From(r.Context())
	info.UserID, info.SessionID = g.User.ID, g.Session.ID
	return h(&visit{a: a, w: w, r: r, grant: g, csrf: a.sessions.Browser(w, r).CSRF, now: now})
}

// demand asks for a fresh verification and comes back to returnPath.
func (a *Account) demand(w http.ResponseWriter, r *http.Request, returnPath string) error {
	return a.challenge.BeginFresh(w, r, returnPath, sallyport.Need{Fresh: freshFor, Cause: cause})
}

// readForm bounds, parses and checks the form of a POST.
func (a *Account) readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := a.sessions.CheckForm(r); err != nil {
		return err
	}
	for name, values := range r.PostForm {
		if len(values) > 1 { // which of two would be meant is not for us to guess
			return httperr.New(http.StatusBadRequest, sallyport.CodeBadRequest, fmt.Errorf("field %.40q came %d times", name, len(values)))
		}
	}
	return nil
}

// record notes an error in the request's one log line.
func record(r *http.Request, e *httperr.Error) {
	info := reqctx.From(r.Context())
	info.Code, info.Cause = e.Code, e
}

// user is who is signed in.
func (v *visit) user() sallyport.UserID { return v.grant.User.ID }

// event is an event of this visit.
func (v *visit) event(kind audit.Kind) audit.Event {
	ev := audit.New(v.now, kind, audit.Success)
	info := reqctx.From(v.r.Context())
	u := v.grant.User
	ev.CorrelationID, ev.SessionID, ev.Actor, ev.Client = info.CorrelationID, v.grant.Session.ID, "user", "browser"
	ev.About(u)
	ev.Address, ev.Place, ev.UserAgent = info.Client, v.a.place(info.Client), clip(v.r.UserAgent(), 256)
	return ev
}

// done ends a change: this node sees it at once, and the browser goes back to the
// overview, which shows the notice of that fixed name.
func (v *visit) done(notice string) error {
	v.a.sessions.Forget(v.user())
	http.Redirect(v.w, v.r, base+"?notice="+notice, http.StatusSeeOther)
	return nil
}

// field returns a field of the form.
func (v *visit) field(name string) string { return v.r.PostForm.Get(name) }

// render draws a page for the person.
func (v *visit) render(p web.Page) error {
	p.User, p.CSRF = v.grant.User.Label(), v.csrf
	return v.a.ui.Render(v.w, v.r, p)
}
