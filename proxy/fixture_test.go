package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
	"sallyport/policy"
	"sallyport/proxy/upstream"
)

// memoryKeys is a KeyStore for tests; away makes it fail.
type memoryKeys struct {
	mu     sync.Mutex
	keys   []sallyport.SigningKey
	events []audit.Event
	away   error
}

func (m *memoryKeys) SigningKeys(context.Context) ([]sallyport.SigningKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.keys), m.away
}

func (m *memoryKeys) CreateSigningKey(_ context.Context, k sallyport.SigningKey, _ time.Time, events ...audit.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys, m.events = append(m.keys, k), append(m.events, events...)
	return nil
}

func (m *memoryKeys) DeleteSigningKeys(_ context.Context, before time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys = slices.DeleteFunc(m.keys, func(k sallyport.SigningKey) bool { return k.RetireAt.Before(before) })
	return nil
}

// memorySessions finds grants by the hash of the cookie, as the real manager does.
type memorySessions struct {
	mu     sync.RWMutex
	grants map[sallyport.TokenHash]*sallyport.Grant
	away   error
	loads  int
}

func (m *memorySessions) Load(r *http.Request) (*sallyport.Grant, error) {
	m.mu.Lock()
	m.loads++
	away := m.away
	m.mu.Unlock()
	if away != nil {
		return nil, away
	}
	c, err := r.Cookie("__Host-sallyport")
	if err != nil {
		return nil, nil
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.grants[sallyport.HashToken(c.Value)], nil
}

// textPages shows errors as a line of text.
type textPages struct{}

func (textPages) Error(w http.ResponseWriter, r *http.Request, e *httperr.Error) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(e.Status)
	_, _ = fmt.Fprintf(w, "%s %s", e.Code, reqctx.From(r.Context()).CorrelationID)
}

// challenges notes who was sent to the portal, and sends them.
type challenges struct {
	mu   sync.Mutex
	back []string
	need []sallyport.Need
}

func (c *challenges) Begin(w http.ResponseWriter, r *http.Request, _ string, d policy.Decision) error {
	c.mu.Lock()
	c.back = append(c.back, r.Method+" "+r.Host+r.URL.RequestURI())
	c.need = append(c.need, d.Need)
	c.mu.Unlock()
	http.Redirect(w, r, "https://login.test/.sallyport/sign-in", http.StatusSeeOther)
	return nil
}

// seen is one request as it reached the app.
type seen struct {
	method, uri, host string
	header            http.Header
	trailer           http.Header
	body              string
}

// fixture is a gateway in front of an app, on real listeners.
type fixture struct {
	t          *testing.T
	app        *httptest.Server
	gateway    *httptest.Server
	proxy      *Proxy
	sessions   *memorySessions
	challenges *challenges
	log        *syncBuffer
	store      *memoryKeys
	keys       *Keys

	mu     sync.Mutex
	got    []seen
	answer http.HandlerFunc // what the app does after it noted the request
}

// syncBuffer is a log that tests read while handlers write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// appRoute is a route to the fixture's app, which newFixture fills in.
func appRoute(change ...func(*Route)) Route {
	r := Route{Name: "app", Hosts: []string{"app.test"}, Path: "/"}
	for _, c := range change {
		c(&r)
	}
	return r
}

// bothWays runs a test with an app that is reached over plain HTTP, where requests
// without a body go the upstream's direct way, and over TLS, where none does.
func bothWays(t *testing.T, test func(t *testing.T, way func([]Route) []Route)) {
	t.Run("direct", func(t *testing.T) { test(t, func(r []Route) []Route { return r }) })
	t.Run("general", func(t *testing.T) {
		test(t, func(routes []Route) []Route {
			for i := range routes {
				routes[i].UpstreamTLS.InsecureSkipVerify = true
			}
			return routes
		})
	})
}

// newFixture starts a gateway with the routes; those without an upstream go to
// the fixture's app. change may alter the options.
func newFixture(t *testing.T, routes []Route, change ...func(*Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, sessions: &memorySessions{grants: map[sallyport.TokenHash]*sallyport.Grant{}}, challenges: &challenges{}, log: &syncBuffer{}, store: &memoryKeys{}}
	f.app = httptest.NewUnstartedServer(http.HandlerFunc(f.serveApp))
	if len(routes) > 0 && routes[0].UpstreamTLS.InsecureSkipVerify {
		f.app.StartTLS()
	} else {
		f.app.Start()
	}
	t.Cleanup(f.app.Close)
	for i := range routes {
		if len(routes[i].Upstream) == 0 {
			routes[i].Upstream = upstream.Addresses{f.app.URL}
		}
	}
	f.keys = NewKeys(f.store, KeyOptions{})
	if err := f.keys.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	o := Options{
		Routes: routes, Portal: "https://login.test", Sessions: f.sessions, Challenger: f.challenges, Pages: textPages{},
		PortalHandler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "portal "+r.Host) }),
		Reserved:      http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "reserved "+r.URL.Path) }),
		Keys:          f.keys, Log: slog.New(slog.NewJSONHandler(f.log, nil)),
	}
	for _, c := range change {
		c(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	f.proxy = p
	f.gateway = httptest.NewServer(p)
	t.Cleanup(f.gateway.Close)
	return f
}

func (f *fixture) serveApp(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.got = append(f.got, seen{r.Method, r.RequestURI, r.Host, r.Header.Clone(), r.Trailer.Clone(), string(body)})
	answer := f.answer
	f.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	_, _ = io.WriteString(w, "the app")
}

// requests returns what reached the app since the last call.
func (f *fixture) requests() []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.got
	f.got = nil
	return got
}

// one returns the single request that reached the app.
func (f *fixture) one() seen {
	f.t.Helper()
	got := f.requests()
	if len(got) != 1 {
		f.t.Fatalf("%d requests reached the app, want 1: %+v", len(got), got)
	}
	return got[0]
}

// answers sets what the app does from now on.
func (f *fixture) answers(h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = h
}

// grantFor signs somebody in; change may alter the grant.
func (f *fixture) grantFor(token string, change ...func(*sallyport.Grant)) *sallyport.Grant {
	g := newGrant(token, change...)
	f.sessions.mu.Lock()
	defer f.sessions.mu.Unlock()
	f.sessions.grants[sallyport.HashToken(token)] = g
	return g
}

func newGrant(token string, change ...func(*sallyport.Grant)) *sallyport.Grant {
	now := time.Now()
	g := &sallyport.Grant{
		Session:    sallyport.Session{ID: sallyport.SessionID("sid-" + token), Groups: []string{"local:staff"}},
		User:       sallyport.User{ID: sallyport.UserID("id-" + token), Name: token, Email: token + "@example.com", DisplayName: strings.ToUpper(token), State: sallyport.StateEnforced},
		Token:      sallyport.HostToken{Host: "app.test", Proofs: []sallyport.Proof{{Kind: sallyport.KindPassword, At: now}, {Kind: sallyport.KindTOTP, At: now}}},
		Registered: true,
	}
	for _, c := range change {
		c(g)
	}
	return g
}

// raw sends bytes as they are and returns the first answer and all that came back.
func (f *fixture) raw(request string) (*http.Response, string) {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.gateway.Listener.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		f.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, ""
	}
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

// do sends a request to app.test with the cookie of token ("" for nobody).
func (f *fixture) do(method, target, token string, change ...func(*http.Request)) *http.Response {
	f.t.Helper()
	req, err := http.NewRequest(method, f.gateway.URL+target, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Host = "app.test"
	if token != "" {
		req.Header.Set("Cookie", "__Host-sallyport="+token)
	}
	for _, c := range change {
		c(req)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 10 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		f.t.Fatalf("%s %s: %v", method, target, err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		f.t.Fatalf("%s %s: reading the answer: %v", method, target, err)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header[name] = append(r.Header[name], value) }
}

func bodyOf(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
