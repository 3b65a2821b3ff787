package challenge_test

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp"
	otptotp "github.com/pquerna/otp/totp"

	"sallyport"
	"sallyport/audit"
	"sallyport/challenge"
	"sallyport/challenge/recovery"
	"sallyport/challenge/totp"
	"sallyport/identity"
	"sallyport/identity/local"
	"sallyport/internal/reqctx"
	"sallyport/policy"
	"sallyport/session"
	"sallyport/store"
	"sallyport/store/storetest"
	"sallyport/web"
)

const (
	portal   = "https://login.example.com"
	app      = "https://app.example.com"
	password = "correct horse battery staple"
)

// world is a portal with a real store, real sessions and real pages, and one app
// host that only begins sign-ins and redeems hand-offs.
type world struct {
	t        testing.TB
	db       *store.DB
	sessions *session.Manager
	c        *challenge.Challenge
	clock    *storetest.Clock
	local    *local.Provider
	handler  http.Handler
	log      *bytes.Buffer
	verified map[string]int
	next     string
}

// setup is what a test may change of a world.
type setup struct {
	file      string
	config    func(*challenge.Config)
	providers func(*local.Provider) []identity.Provider
	trusted   []string
	wrap      func(challenge.Store) challenge.Store
}

func newWorld(t testing.TB, change ...func(*setup)) *world {
	t.Helper()
	s := setup{file: storetest.NewFile(t)}
	for _, f := range change {
		f(&s)
	}
	w := &world{t: t, clock: storetest.NewClock(), log: &bytes.Buffer{}, verified: map[string]int{}}
	w.db = storetest.Open(t, s.file, w.clock.Now)
	w.build(s)
	return w
}

// node is another gateway process on the same store and clock.
func (w *world) node(file string, change ...func(*setup)) *world {
	w.t.Helper()
	s := setup{file: file}
	for _, f := range change {
		f(&s)
	}
	n := &world{t: w.t, clock: w.clock, log: &bytes.Buffer{}, verified: map[string]int{}}
	n.db = storetest.Open(w.t, file, w.clock.Now)
	n.build(s)
	return n
}

func (w *world) build(s setup) {
	t := w.t
	keys := storetest.Keys(t)
	log := slog.New(slog.NewTextHandler(&lockedWriter{w: w.log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := challenge.Config{Issuer: "Example Corp", Methods: []sallyport.Kind{sallyport.KindTOTP, sallyport.KindRecovery},
		DefaultState: sallyport.StateDisabled, RememberDays: 14, Portal: portal,
		Lockout:  challenge.LockoutConfig{Denials: 10, ResetAfter: 10 * time.Minute, LockFor: time.Minute, LockMax: time.Hour},
		Throttle: challenge.ThrottleConfig{PerAddress: 100_000, PerPerson: 100_000}}
	if s.config != nil {
		s.config(&cfg)
	}
	var err error
	w.sessions, err = session.New(session.Config{}, session.DeviceConfig{Days: cfg.RememberDays}, w.db,
		session.Options{Portal: portal, Keys: keys, Now: w.clock.Now, Log: log})
	must(t, err)
	must(t, w.sessions.Start(t.Context()))
	w.local, err = local.New("local", "Example", local.Config{Domains: []string{"CORP", "example.com"}, Hash: local.HashCost{Time: 1, MemoryMiB: 8}}, w.db)
	must(t, err)
	providers := []identity.Provider{w.local}
	if s.providers != nil {
		providers = s.providers(w.local)
	}
	ui, err := web.New(web.Config{}, web.Options{Portal: portal, Now: w.clock.Now, Log: log},
		challenge.Assets(), totp.Assets(), recovery.Assets())
	must(t, err)
	addresses, err := policy.NewAddresses(s.trusted, nil)
	must(t, err)
	var db challenge.Store = w.db
	if s.wrap != nil {
		db = s.wrap(db)
	}
	var mu sync.Mutex
	w.c, err = challenge.New(challenge.Options{Config: cfg, Store: db, Sessions: w.sessions, UI: ui, Providers: providers,
		Methods: []challenge.Method{totp.New(db, cfg.Issuer), recovery.New(db, keys)}, Addresses: addresses,
		Target: targetOf, Keys: keys, Log: log, Now: w.clock.Now,
		Verification: func(kind sallyport.Kind, result string) {
			mu.Lock()
			defer mu.Unlock()
			w.verified[string(kind)+" "+result]++
		}})
	must(t, err)
	mux := http.NewServeMux()
	w.c.Mount(mux)
	mux.HandleFunc("GET /.sallyport/security-info", func(rw http.ResponseWriter, r *http.Request) { w.securityInfo(rw, r, ui) })
	w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		host := strings.ToLower(r.Host)
		client, _ := netip.ParseAddr(r.Header.Get("Test-Address"))
		if !client.IsValid() {
			client = netip.MustParseAddr("192.0.2.1")
		}
		r = reqctx.With(r, &reqctx.Info{CorrelationID: sallyport.NewID(), Host: host, Scheme: "https", Client: client})
		if host == "login.example.com" {
			mux.ServeHTTP(rw, r)
			return
		}
		w.appHost(rw, r, ui)
	})
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// securityInfo stands in for package account.
func (w *world) securityInfo(rw http.ResponseWriter, r *http.Request, ui *web.UI) {
	g, err := w.sessions.Load(r)
	must(w.t, err)
	if g == nil || !challenge.IsFresh(g.Token.Proofs, g.Registered, 5*time.Minute, w.clock.Now()) {
		must(w.t, w.c.BeginFresh(rw, r, "/.sallyport/security-info", sallyport.Need{Fresh: 5 * time.Minute, Cause: "security-info"}))
		return
	}
	fmt.Fprintf(rw, "security info of %s", g.User.Name)
}

// appHost stands in for package proxy.
func (w *world) appHost(rw http.ResponseWriter, r *http.Request, ui *web.UI) {
	if r.URL.Path == session.HandoffPath {
		to, err := w.sessions.Redeem(rw, r)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusForbidden)
			return
		}
		http.Redirect(rw, r, to, http.StatusSeeOther)
		return
	}
	g, err := w.sessions.Load(r)
	must(w.t, err)
	if g == nil {
		must(w.t, w.c.Begin(rw, r, "timesheet", policy.Decision{}))
		return
	}
	fmt.Fprintf(rw, "hello %s at %s with %s", g.User.Name, r.URL.RequestURI(), sallyport.StrengthOf(g.Token.Proofs))
}

// targetOf knows two routes.
func targetOf(u *url.URL) (policy.Target, string, bool) {
	switch u.Host {
	case "app.example.com":
		return policy.Target{Route: "timesheet", Label: "Time & Sheets"}, "timesheet", true
	case "payroll.example.com":
		return policy.Target{Route: "payroll", Users: []string{"boss"}}, "payroll", true
	}
	return policy.Target{}, "", false
}

// wait moves the clock, and lets the session manager see the store.
func (w *world) wait(d time.Duration) {
	w.clock.Advance(d)
	w.sessions.Poll(context.Background())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// user adds a local user with the password of all.
func (w *world) user(name string, state sallyport.State) sallyport.User {
	w.t.Helper()
	u := sallyport.User{ID: sallyport.UserID(sallyport.NewID()), Name: name, Email: name + "@mail.example", State: state}
	link := sallyport.Link{Provider: "local", Issuer: "local", Subject: string(u.ID), UserID: u.ID, Username: name}
	must(w.t, w.db.CreateUser(w.t.Context(), u, []sallyport.Link{link}))
	hash, err := w.local.Hasher().Hash(w.t.Context(), password)
	must(w.t, err)
	must(w.t, w.db.SetPassword(w.t.Context(), u.ID, hash, w.clock.Now()))
	return u
}

// withApp registers an authenticator app and returns its key.
func (w *world) withApp(u sallyport.User) string {
	w.t.Helper()
	secret := bytes.Repeat([]byte{byte(len(u.Name)), 9, 1, 7}, 5)
	must(w.t, w.db.RegisterMethod(w.t.Context(), sallyport.Method{ID: sallyport.MethodID(sallyport.NewID()), UserID: u.ID,
		Kind: sallyport.KindTOTP, Name: "Phone", Secret: secret, Counter: -1}, 5, nil))
	return base32Text(secret)
}

func (w *world) code(key string) string { return codeAt(w.t, key, w.clock.Now()) }

func codeAt(t testing.TB, key string, at time.Time) string {
	t.Helper()
	code, err := otptotp.GenerateCodeCustom(key, at, otptotp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	must(t, err)
	return code
}

// events returns the audit log, oldest first.
func (w *world) events() []audit.Event {
	w.t.Helper()
	list, err := w.db.Events(context.Background(), audit.Filter{Limit: 10_000})
	must(w.t, err)
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// count returns how many events of that kind and result there are.
func (w *world) count(kind audit.Kind, result audit.Result) int {
	n := 0
	for _, e := range w.events() {
		if e.Kind == kind && e.Result == result {
			n++
		}
	}
	return n
}

// browser is a person's browser.
type browser struct {
	w      *world
	client *http.Client
	header http.Header
}

type roundTripper struct{ w *world }

func (rt roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	in := httptest.NewRequest(r.Method, r.URL.String(), r.Body)
	in.Header = r.Header.Clone()
	in.Host = r.URL.Host
	rt.w.handler.ServeHTTP(rec, in)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(w.t, err)
	return &browser{w: w, client: &http.Client{Jar: jar, Transport: roundTripper{w}},
		header: http.Header{"Accept": {"text/html"}, "Accept-Language": {"en"}, "User-Agent": {"Mozilla/5.0 Test"}}}
}

// on is the same browser at another node.
func (b *browser) on(w *world) *browser {
	return &browser{w: w, client: &http.Client{Jar: b.client.Jar, Transport: roundTripper{w}}, header: b.header}
}

// still does not follow redirects.
func (b *browser) still() *browser {
	c := *b.client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{w: b.w, client: &c, header: b.header}
}

type answer struct {
	b        *browser
	status   int
	url      *url.URL
	body     string
	header   http.Header
	location string
}

func (b *browser) get(address string) answer { return b.do(http.MethodGet, address, nil) }

func (b *browser) do(method, address string, form url.Values) answer {
	b.w.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, address, body)
	must(b.w.t, err)
	for k, v := range b.header {
		req.Header[k] = v
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if b.header.Get("Sec-Fetch-Site") == "" {
			req.Header.Set("Sec-Fetch-Site", "same-origin")
		}
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.w.t.Errorf("%s %s: %v", method, address, err)
		return answer{b: b, url: req.URL}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(b.w.t, err)
	return answer{b: b, status: resp.StatusCode, url: resp.Request.URL, body: string(text), header: resp.Header, location: resp.Header.Get("Location")}
}

var (
	formRE  = regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	inputRE = regexp.MustCompile(`<input[^>]*>`)
	attrRE  = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

// form returns the first form's address and untouched values.
func (a answer) form() (string, url.Values) {
	a.b.w.t.Helper()
	m := formRE.FindStringSubmatch(a.body)
	if m == nil {
		a.b.w.t.Fatalf("%s (%d): no form in\n%s", a.url, a.status, a.text())
	}
	values := url.Values{}
	for _, in := range inputRE.FindAllString(m[2], -1) {
		at := map[string]string{}
		for _, kv := range attrRE.FindAllStringSubmatch(in, -1) {
			at[kv[1]] = html.UnescapeString(kv[2])
		}
		if (at["type"] == "checkbox" || at["type"] == "radio") && !strings.Contains(in, " checked") {
			continue
		}
		values.Set(at["name"], at["value"])
	}
	u, err := a.url.Parse(html.UnescapeString(m[1]))
	must(a.b.w.t, err)
	return u.String(), values
}

// submit fills in the first form and sends it.
func (a answer) submit(pairs ...string) answer {
	a.b.w.t.Helper()
	to, values := a.form()
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return a.b.do(http.MethodPost, to, values)
}

var tagRE = regexp.MustCompile(`(?s)<(script|style|svg).*?</(script|style|svg)>|<[^>]*>`)

func (a answer) text() string {
	return regexp.MustCompile(`\s*\n\s*`).ReplaceAllString(html.UnescapeString(tagRE.ReplaceAllString(a.body, "\n")), "\n")
}

// want fails unless the answer has that status and text.
func (a answer) want(status int, texts ...string) answer {
	a.b.w.t.Helper()
	if a.status != status {
		a.b.w.t.Fatalf("%s: status %d, want %d\n%s\nlog:\n%s", a.url, a.status, status, a.text(), a.b.w.log)
	}
	for _, s := range texts {
		if !strings.Contains(html.UnescapeString(a.body), s) {
			a.b.w.t.Fatalf("%s: no %q in\n%s", a.url, s, a.text())
		}
	}
	return a
}

// code returns the error code on the page.
func (a answer) code() string { return regexp.MustCompile(`SP-\d{4}`).FindString(a.body) }

// signIn goes to an address and gives name and password.
func (b *browser) signIn(address, name string) answer {
	b.w.t.Helper()
	return b.get(address).want(200).submit("username", name, "password", password)
}

// key returns the secret on a registration page.
func (a answer) key() string {
	a.b.w.t.Helper()
	m := regexp.MustCompile(`otpauth://[^"]*?secret=([A-Z2-7]+)`).FindStringSubmatch(html.UnescapeString(a.body))
	if m == nil {
		a.b.w.t.Fatalf("%s: no otpauth link in\n%s", a.url, a.text())
	}
	return m[1]
}

var codeRE = regexp.MustCompile(`<code>([0-9a-z]{5}-[0-9a-z]{5})</code>`)

func (a answer) recoveryCodes() []string {
	var out []string
	for _, m := range codeRE.FindAllStringSubmatch(a.body, -1) {
		out = append(out, m[1])
	}
	return out
}
