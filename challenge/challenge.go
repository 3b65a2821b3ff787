package challenge

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/identity"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
	"sallyport/internal/seal"
	"sallyport/policy"
	"sallyport/session"
	"sallyport/web"
)

// Paths of our pages on the portal.
const (
	prefix       = "/.sallyport/"
	pathSignIn   = prefix + "sign-in"
	pathVerify   = prefix + "verify"
	pathRegister = prefix + "register"
	pathCodes    = pathRegister + "/recovery-codes"
	pathDownload = pathCodes + "/download"
	pathNotice   = prefix + "continue"
	pathSignOut  = prefix + "sign-out"
	pathInfo     = prefix + "security-info"
)

const (
	// flowLife is how long a sign-in or a registration may take.
	flowLife = 15 * time.Minute
	// flowMax is how long a flow may take in all, when it ends in a registration
	// that began late: no step may keep one alive for ever.
	flowMax = 2 * flowLife
	// firstFactorAge is how old a first factor may be when the first method is
	// registered.
	firstFactorAge = 5 * time.Minute
	// maxForm bounds the body of our own forms.
	maxForm = 64 << 10
	// showLeft is from when on the page says how many tries remain.
	showLeft = 3
)

// Sessions is what flows need of package session; *session.Manager satisfies it.
type Sessions interface {
	Load(r *http.Request) (*sallyport.Grant, error)
	SignIn(w http.ResponseWriter, r *http.Request, s session.SignIn) (*sallyport.Grant, error)
	SignOut(w http.ResponseWriter, r *http.Request, events ...audit.Event) error
	Handoff(ctx context.Context, g *sallyport.Grant, f *sallyport.Flow) (string, error)
	State(w http.ResponseWriter, r *http.Request) sallyport.TokenHash
	Browser(w http.ResponseWriter, r *http.Request) session.Browser
	CheckForm(r *http.Request) error
	PeekDevice(r *http.Request, user sallyport.UserID) (*sallyport.Device, error)
	UseDevice(w http.ResponseWriter, r *http.Request, user sallyport.UserID, used, stolen audit.Event) (*sallyport.Device, error)
	Remember(w http.ResponseWriter, r *http.Request, user sallyport.UserID, events ...audit.Event) error
}

// UI shows pages and errors; *web.UI satisfies it.
type UI interface {
	httperr.Pages
	Render(w http.ResponseWriter, r *http.Request, p web.Page) error
	// Language is the language of the answer to r.
	Language(r *http.Request) string
}

// Options are what a Challenge is built from. All fields but the last four must
// be set.
type Options struct {
	Config   Config
	Store    Store
	Sessions Sessions
	UI       UI
	// Providers in the order in which the sign-in page offers them.
	Providers []identity.Provider
	// Methods that exist; Config.Methods says which are switched on and in which
	// order they are offered.
	Methods   []Method
	Addresses *policy.Addresses
	// Target checks a return target: whether a route serves that URL, what policy
	// must know of it, and the route's name. The portal is not asked about.
	Target func(u *url.URL) (policy.Target, string, bool)
	Keys   *seal.Keyring

	// Groups qualifies a provider's groups. nil: "provider:group".
	Groups func(provider string, groups []string) []string
	// Verification hears of every judged code. nil: nobody listens.
	Verification func(kind sallyport.Kind, result string)
	Log          *slog.Logger     // nil: slog.Default
	Now          func() time.Time // nil: time.Now
}

// Challenge runs the flows of one gateway. It is safe for concurrent use.
type Challenge struct {
	cfg       Config
	scheme    string // of the portal and of every return target
	store     Store
	sessions  Sessions
	ui        UI
	providers []identity.Provider
	methods   []Method // switched on, in the order they are offered
	addresses *policy.Addresses
	target    func(u *url.URL) (policy.Target, string, bool)
	groups    func(provider string, groups []string) []string
	counted   func(kind sallyport.Kind, result string)
	log       *slog.Logger
	now       func() time.Time

	fingerprintKey []byte
	perAddress     *throttle
	perPerson      *throttle
	newFlows       *throttle
	busy           keyedLocks
	recent         *recent
}

//go:embed templates catalog
var assets embed.FS

// Assets returns the templates and catalogue parts of this package.
func Assets() fs.FS { return assets }

// New returns a Challenge. It starts nothing.
func New(o Options) (*Challenge, error) {
	portal, err := url.Parse(o.Config.Portal)
	if err != nil || portal.Host == "" || portal.Path != "" {
		return nil, fmt.Errorf("challenge: portal %q is not an origin", o.Config.Portal)
	}
	switch {
	case o.Store == nil, o.Sessions == nil, o.UI == nil, o.Target == nil, o.Keys == nil:
		return nil, errors.New("challenge: a part is missing: store, sessions, pages, target and keys must be given")
	case len(o.Providers) == 0:
		return nil, errors.New("challenge: nobody could sign in: there is no identity provider")
	case !o.Config.DefaultState.Valid():
		return nil, fmt.Errorf("challenge: default state %q is none", o.Config.DefaultState)
	}
	c := &Challenge{
		cfg: o.Config, scheme: portal.Scheme, store: o.Store, sessions: o.Sessions, ui: o.UI,
		providers: o.Providers, addresses: o.Addresses, target: o.Target, groups: o.Groups,
		counted: o.Verification, log: o.Log, now: o.Now,
		fingerprintKey: o.Keys.Derive("attempt fingerprints", sha256.Size),
		perAddress:     newThrottle(o.Config.Throttle.PerAddress),
		perPerson:      newThrottle(o.Config.Throttle.PerPerson),
		newFlows:       newThrottle(10 * o.Config.Throttle.PerAddress),
		recent:         newRecent(),
	}
	c.defaults()
	for _, kind := range o.Config.Methods {
		m := methodOf(o.Methods, kind)
		if m == nil {
			// A method that is configured but missing must not just vanish: people
			// would be let in with less than the admin wrote.
			return nil, fmt.Errorf("challenge: method %q is switched on but not built in", kind)
		}
		c.methods = append(c.methods, m)
	}
	return c, nil
}

func (c *Challenge) defaults() {
	if c.log == nil {
		c.log = slog.Default()
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.counted == nil {
		c.counted = func(sallyport.Kind, string) {}
	}
	if c.groups == nil {
		c.groups = sallyport.QualifyGroups
	}
}

func methodOf(methods []Method, kind sallyport.Kind) Method {
	for _, m := range methods {
		if m.Kind() == kind {
			return m
		}
	}
	return nil
}

// Mount registers our pages; mux serves the portal's host.
func (c *Challenge) Mount(mux *http.ServeMux) {
	c.page(mux, "/{$}", c.home, nil)
	c.page(mux, pathSignIn, c.signInPage, c.signInForm)
	c.page(mux, pathSignIn+"/{provider}/start", c.redirectStart, nil)
	c.page(mux, pathSignIn+"/{provider}/callback", c.redirectCallback, nil)
	c.page(mux, pathVerify, c.verifyPage, c.verifyForm)
	c.page(mux, pathRegister, c.registerPage, c.registerForm)
	c.page(mux, pathCodes, c.codesPage, c.codesForm)
	c.page(mux, pathDownload, nil, c.codesDownload)
	c.page(mux, pathNotice, c.noticePage, c.noticeForm)
	c.page(mux, pathSignOut, c.signOutPage, c.signOutForm)
}

// page mounts one page: get shows it, post takes its form. Forms are read and
// checked here, once, for all of them.
func (c *Challenge) page(mux *http.ServeMux, path string, get, post httperr.HandlerFunc) {
	allow := "GET, HEAD, POST"
	switch {
	case post == nil:
		allow = "GET, HEAD"
	case get == nil:
		allow = "POST"
	}
	mux.Handle(path, httperr.Handle(c.ui, record, func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "no-store")
		switch {
		case get != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			return c.answer(w, r, get)
		case post != nil && r.Method == http.MethodPost:
			if err := c.readForm(w, r); err != nil {
				return err
			}
			return c.answer(w, r, post)
		}
		w.Header().Set("Allow", allow)
		return httperr.New(http.StatusMethodNotAllowed, sallyport.CodeWrongMethod, fmt.Errorf("%s %s", r.Method, r.URL.Path))
	}))
}

// record notes an error in the request's one log line.
func record(r *http.Request, e *httperr.Error) {
	info := reqctx.From(r.Context())
	info.Code, info.Cause = e.Code, e
}

// readForm bounds, parses and checks the form of a POST.
func (c *Challenge) readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := c.sessions.CheckForm(r); err != nil {
		return err
	}
	// Two values of one field: a reader that takes the first and one that takes
	// the last would judge different people (D16).
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return httperr.New(http.StatusBadRequest, sallyport.CodeBadRequest, fmt.Errorf("field %.40q came %d times", name, len(values)))
		}
	}
	return nil
}

// fingerprint is a keyed hash of a guess, for telling repeated ones from new.
func (c *Challenge) fingerprint(subject, guess string) []byte {
	mac := hmac.New(sha256.New, c.fingerprintKey)
	fmt.Fprintf(mac, "%d:%s%s", len(subject), subject, guess)
	return mac.Sum(nil)
}

// Run gives expired flows their last event and removes them, each minute, until
// ctx ends.
func (c *Challenge) Run(ctx context.Context) error {
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			c.Expire(ctx)
		}
	}
}

// Expire gives the flows that have expired by now their last event and removes
// them.
func (c *Challenge) Expire(ctx context.Context) {
	for {
		n, err := c.store.ExpireFlows(ctx, c.now(), func(f *sallyport.Flow) []audit.Event {
			return c.expiry(ctx, f)
		})
		if err != nil {
			if ctx.Err() == nil {
				c.log.Error("cannot remove expired flows; will try again", "error", err)
			}
			return
		}
		if n < 1000 {
			return
		}
	}
}

// portalURL returns an address on the portal.
func (c *Challenge) portalURL(path string, query url.Values) string {
	u := c.cfg.Portal + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	return u
}

// isNavigation reports whether a browser asks for a page, as opposed to a script,
// a style or a program: those cannot follow a sign-in.
func isNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return false
	}
	if strings.EqualFold(r.Header.Get("X-Requested-With"), "XMLHttpRequest") {
		return false
	}
	accept := r.Header.Get("Accept")
	return accept == "" || strings.Contains(accept, "text/html") || strings.Contains(accept, "*/*")
}
