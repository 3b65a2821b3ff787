package account_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"golang.org/x/net/html"

	"sallyport"
	"sallyport/account"
	"sallyport/audit"
	"sallyport/challenge"
	"sallyport/challenge/recovery"
	totpmethod "sallyport/challenge/totp"
	"sallyport/identity"
	"sallyport/internal/reqctx"
	"sallyport/policy"
	"sallyport/session"
	"sallyport/store"
	"sallyport/store/storetest"
	"sallyport/web"
)

const (
	portal = "https://login.example.com"
	page   = "/.sallyport/security-info"
)

// bench is the portal with a real store, sessions and challenge.
type bench struct {
	t        *testing.T
	clock    *storetest.Clock
	db       *store.DB
	sessions *session.Manager
	handler  http.Handler
	methods  []challenge.Method
	logged   *bytes.Buffer
	store    func(account.Store) // serves the pages from that store
}

// nobody is a password provider that knows nobody.
type nobody struct{}

func (nobody) Name() string  { return "local" }
func (nobody) Label() string { return "Example" }
func (nobody) FindAccount(context.Context, string) (identity.Account, error) {
	return identity.Account{}, nil
}
func (nobody) CheckPassword(context.Context, identity.Account, string) (*sallyport.Identity, error) {
	return nil, identity.ErrWrongPassword
}

func newBench(t *testing.T, change ...func(*challenge.Config)) *bench {
	t.Helper()
	b := &bench{t: t, clock: storetest.NewClock(), logged: new(bytes.Buffer)}
	b.db = storetest.New(t, b.clock.Now)
	keys := storetest.Keys(t)
	log := slog.New(slog.NewTextHandler(b.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	addresses, err := policy.NewAddresses([]string{"192.0.2.0/24"}, []policy.Location{{Name: "Osaka office", Ranges: []string{"198.51.100.0/24"}}})
	must(t, err)
	b.sessions, err = session.New(session.Config{}, session.DeviceConfig{Days: 14}, b.db,
		session.Options{Portal: portal, Keys: keys, Now: b.clock.Now, Log: log})
	must(t, err)
	must(t, b.sessions.Start(t.Context()))
	ui, err := web.New(web.Config{Name: "Example Corp"}, web.Options{Portal: portal, Now: b.clock.Now, Log: log},
		challenge.Assets(), totpmethod.Assets(), recovery.Assets(), account.Assets())
	must(t, err)
	b.methods = []challenge.Method{totpmethod.New(b.db, "Example Corp"), recovery.New(b.db, keys)}
	kinds := []sallyport.Kind{sallyport.KindTOTP, sallyport.KindRecovery}
	cfg := challenge.Config{Issuer: "Example Corp", Methods: kinds, DefaultState: sallyport.StateDisabled, Portal: portal, RememberDays: 14,
		Lockout:  challenge.LockoutConfig{Denials: 3, ResetAfter: 10 * time.Minute, LockFor: time.Minute, LockMax: time.Hour},
		Throttle: challenge.ThrottleConfig{PerAddress: 1000, PerPerson: 1000}}
	for _, f := range change {
		f(&cfg)
	}
	ch, err := challenge.New(challenge.Options{
		Config: cfg,
		Store:  b.db, Sessions: b.sessions, UI: ui, Providers: []identity.Provider{nobody{}}, Methods: b.methods,
		Addresses: addresses, Keys: keys, Now: b.clock.Now, Log: log,
		Target: func(*url.URL) (policy.Target, string, bool) { return policy.Target{}, "", false },
	})
	must(t, err)
	b.store = func(s account.Store) {
		acc, err := account.New(account.Options{Config: account.Config{RememberDays: 14, Methods: kinds, Issuer: "Example Corp"},
			Store: s, Challenge: ch, Methods: b.methods, Sessions: b.sessions, UI: ui, Keys: keys, Now: b.clock.Now, Log: log,
			Place: func(ip netip.Addr) string { return addresses.Class(ip).Location }})
		must(t, err)
		mux := http.NewServeMux()
		mux.Handle(web.AssetsPath, ui.Assets())
		acc.Mount(mux)
		ch.Mount(mux)
		b.handler = mux
	}
	b.store(b.db)
	return b
}

// user makes a user.
func (b *bench) user(name string, state sallyport.State) sallyport.User {
	b.t.Helper()
	u := sallyport.User{ID: sallyport.UserID(sallyport.NewID()), Name: name, State: state, CreatedAt: b.clock.Now()}
	must(b.t, b.db.CreateUser(b.t.Context(), u, nil))
	return u
}

// app gives a user an authenticator app and returns its ID.
func (b *bench) app(u sallyport.User, name string) sallyport.MethodID {
	b.t.Helper()
	m := sallyport.Method{ID: sallyport.MethodID(sallyport.NewID()), UserID: u.ID, Kind: sallyport.KindTOTP, Name: name,
		Secret: bytes.Repeat([]byte{1}, 20), CreatedAt: b.clock.Now()}
	must(b.t, b.db.RegisterMethod(b.t.Context(), m, 9, func(bool) []audit.Event { return nil }))
	b.sessions.Forget(u.ID)
	return m.ID
}

// advance moves the clock; the sessions look at the store again.
func (b *bench) advance(d time.Duration) {
	b.clock.Advance(d)
	b.sessions.Poll(b.t.Context())
}

// browser is one browser with its cookies.
type browser struct {
	b       *bench
	cookies map[string]string
	csrf    string
	agent   string
	address netip.Addr
}

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// signIn opens a browser in which u has shown these proofs just now.
func (b *bench) signIn(u sallyport.User, kinds ...sallyport.Kind) *browser {
	b.t.Helper()
	br := &browser{b: b, cookies: map[string]string{}, agent: firefox, address: netip.MustParseAddr("203.0.113.9")}
	var proofs []sallyport.Proof
	for _, k := range kinds {
		proofs = append(proofs, sallyport.Proof{Kind: k, At: b.clock.Now()})
	}
	w := httptest.NewRecorder()
	r := br.request(http.MethodGet, "/", nil)
	_, err := b.sessions.SignIn(w, r, session.SignIn{User: u, Provider: "local", Proofs: proofs})
	must(b.t, err)
	br.csrf = b.sessions.Browser(w, r).CSRF
	br.keep(w.Result())
	return br
}

// remember makes the browser a remembered device of u.
func (br *browser) remember(u sallyport.User) {
	br.b.t.Helper()
	w := httptest.NewRecorder()
	must(br.b.t, br.b.sessions.Remember(w, br.request(http.MethodGet, "/", nil), u.ID))
	br.keep(w.Result())
}

// newRecorder records an answer.
func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

func (br *browser) keep(res *http.Response) {
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(br.cookies, c.Name)
		} else {
			br.cookies[c.Name] = c.Value
		}
	}
}

func (br *browser) request(method, path string, form url.Values) *http.Request {
	r := httptest.NewRequest(method, portal+path, strings.NewReader(form.Encode()))
	r.Header.Set("Accept", "text/html")
	r.Header.Set("User-Agent", br.agent)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range br.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return reqctx.With(r, &reqctx.Info{CorrelationID: sallyport.NewID(), Host: "login.example.com", Client: br.address, Scheme: "https"})
}

func (br *browser) do(r *http.Request) *answer {
	w := httptest.NewRecorder()
	br.b.handler.ServeHTTP(w, r)
	br.keep(w.Result())
	return &answer{t: br.b.t, code: w.Code, location: w.Header().Get("Location"), header: w.Header(), body: w.Body.String()}
}

func (br *browser) get(path string) *answer { return br.do(br.request(http.MethodGet, path, nil)) }

// post sends a form with the csrf field of this browser.
func (br *browser) post(path string, fields ...string) *answer {
	form := url.Values{"csrf": {br.csrf}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return br.do(br.request(http.MethodPost, path, form))
}

type answer struct {
	t              *testing.T
	code           int
	location, body string
	header         http.Header
}

// expect checks status and, for redirects, where they lead.
func (a *answer) expect(code int, location string) *answer {
	a.t.Helper()
	if a.code != code || a.location != location {
		a.t.Fatalf("got %d to %q, want %d to %q\n%s", a.code, a.location, code, location, a.body)
	}
	return a
}

// challenged checks that the person was sent to prove who they are.
func (a *answer) challenged() *answer {
	a.t.Helper()
	for _, p := range []string{"/.sallyport/sign-in?flow=", "/.sallyport/verify?flow="} {
		if a.code == http.StatusSeeOther && strings.HasPrefix(a.location, p) {
			return a
		}
	}
	a.t.Fatalf("got %d to %q, want a challenge\n%s", a.code, a.location, a.body)
	return a
}

// input returns the value of the first input of that name.
func (a *answer) input(name string) string {
	a.t.Helper()
	z := html.NewTokenizer(strings.NewReader(a.body))
	for z.Next() != html.ErrorToken {
		tok := z.Token()
		at := map[string]string{}
		for _, x := range tok.Attr {
			at[x.Key] = x.Val
		}
		if tok.Data == "input" && at["name"] == name {
			return at["value"]
		}
	}
	a.t.Fatalf("no input %q in\n%s", name, a.body)
	return ""
}

// key returns the secret that a registration page shows.
func (a *answer) key() string {
	a.t.Helper()
	_, rest, ok := strings.Cut(a.body, `secret=`)
	if !ok {
		a.t.Fatalf("no secret on the page\n%s", a.body)
	}
	return rest[:strings.IndexAny(rest, `&"`)]
}

func (b *bench) code(key string) string {
	b.t.Helper()
	c, err := totp.GenerateCode(key, b.clock.Now())
	must(b.t, err)
	return c
}

// events returns the audit events of a kind.
func (b *bench) events(kind audit.Kind) []audit.Event {
	b.t.Helper()
	ev, err := b.db.Events(b.t.Context(), audit.Filter{Kind: kind})
	must(b.t, err)
	return ev
}

func (b *bench) methodNames(u sallyport.User) []string {
	b.t.Helper()
	ms, err := b.db.Methods(b.t.Context(), u.ID)
	must(b.t, err)
	var names []string
	for _, m := range ms {
		names = append(names, m.Name)
	}
	return names
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
