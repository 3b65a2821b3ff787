package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport"
)

// open checks a token with the published keys and returns its claims.
func open(t *testing.T, k *Keys, token string) (claims, string) {
	t.Helper()
	rec := httptest.NewRecorder()
	k.JWKS().ServeHTTP(rec, httptest.NewRequest("GET", "/.sallyport/jwks.json", nil))
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(rec.Body.Bytes(), &set); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	h := jws.Signatures[0].Header
	keys := set.Key(h.KeyID)
	if len(keys) != 1 || h.ExtraHeaders[jose.HeaderType] != "JWT" {
		t.Fatalf("header %+v, %d keys of that ID", h, len(keys))
	}
	if !keys[0].IsPublic() {
		t.Fatal("a private key is published")
	}
	payload, err := jws.Verify(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	return c, h.KeyID
}

func TestAssertion(t *testing.T) {
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Path = "/app/" })})
	g := f.grantFor("alice", func(g *sallyport.Grant) {
		g.User.Name, g.User.DisplayName = "山田", "Yamada, \"T\""
		g.Token.Proofs[1].At = g.Token.Proofs[0].At.Add(time.Minute)
	})
	f.do("GET", "/app/", "alice")
	token := f.one().header.Get("X-Sallyport-Assertion")
	c, _ := open(t, f.keys, token)
	if c.Issuer != "https://login.test" || c.Audience != "https://app.test/app/" || c.Subject != "id-alice" || c.PreferredUsername != "山田" || c.Name != "Yamada, \"T\"" ||
		c.Email != "alice@example.com" || len(c.Groups) != 1 || c.Groups[0] != "local:staff" || strings.Join(c.AMR, " ") != "pwd otp" || c.ACR != "multifactor" ||
		c.SessionID != "sid-alice" || c.AuthTime != g.Token.Proofs[1].At.Unix() || c.Expires-c.IssuedAt != 300 || len(c.ID) != 36 {
		t.Errorf("claims %+v", c)
	}
	// The same one for a minute, another one for another person.
	f.do("GET", "/app/x", "alice")
	if again := f.one().header.Get("X-Sallyport-Assertion"); again != token {
		t.Error("signed anew within the minute")
	}
	f.grantFor("bob")
	f.do("GET", "/app/", "bob")
	if c, _ := open(t, f.keys, f.one().header.Get("X-Sallyport-Assertion")); c.Subject != "id-bob" {
		t.Errorf("bob's assertion speaks of %s", c.Subject)
	}
}

// E7: a cached assertion is served only for what it was made for, and not for
// longer than it may be.
func TestE7AssertionCache(t *testing.T) {
	f := newFixture(t, []Route{appRoute(), {Name: "two", Hosts: []string{"app.test"}, Path: "/two"}})
	p, g, start := f.proxy, newGrant("alice"), time.Now()
	host := p.routes.host("app.test")
	get := func(path, name string, at time.Time) string {
		rt := host.find(path)
		v, err := p.assert(p.memo(g, rt), g, rt, name, at)
		if err != nil {
			t.Fatal(err)
		}
		return v[0]
	}
	first := get("/", "app.test", start)
	if get("/", "app.test", start.Add(59*time.Second)) != first {
		t.Error("signed anew after 59 s")
	}
	if get("/", "app.test", start.Add(61*time.Second)) == first {
		t.Error("not signed anew after 61 s")
	}
	if c, _ := open(t, f.keys, get("/two", "app.test", start)); c.Audience != "https://app.test/two" {
		t.Errorf("another route got %q", c.Audience)
	}
	if c, _ := open(t, f.keys, get("/", "b.test", start.Add(61*time.Second))); c.Audience != "https://b.test/" {
		t.Errorf("another host got %q", c.Audience)
	}
	if c, _ := open(t, f.keys, get("/", "app.test", start.Add(-time.Hour))); c.IssuedAt != start.Add(-time.Hour).Unix() {
		t.Error("a clock that was set back gets a token from the future")
	}
}

// While one request renews, the others go on with the old assertion, but never
// with one about to expire.
func TestAssertionRenewalBlocksNobody(t *testing.T) {
	f := newFixture(t, []Route{appRoute()})
	p, g, now := f.proxy, newGrant("alice"), time.Now()
	rt := p.routes.host("app.test").find("/")
	m := p.memo(g, rt)
	old, err := p.assert(m, g, rt, "app.test", now)
	if err != nil {
		t.Fatal(err)
	}
	m.signing.Store(true) // somebody is at it
	if v, _ := p.assert(m, g, rt, "app.test", now.Add(2*time.Minute)); v[0] != old[0] {
		t.Error("did not take the old one meanwhile")
	}
	if v, _ := p.assert(m, g, rt, "app.test", now.Add(4*time.Minute)); v[0] == old[0] {
		t.Error("took one that is about to expire")
	}
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if v, err := p.assert(m, g, rt, "app.test", now.Add(10*time.Minute)); err != nil || v[0] == old[0] {
				t.Errorf("%v, old %v", err, v[0] == old[0])
			}
		})
	}
	wg.Wait()
}

// keyClock is a key ring on a clock that the test moves.
func keyClock(t *testing.T) (*Keys, *memoryKeys, *time.Time) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	store := &memoryKeys{}
	return NewKeys(store, KeyOptions{Now: func() time.Time { return now }}), store, &now
}

func load(t *testing.T, k *Keys) *ring {
	t.Helper()
	if err := k.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	return k.ring.Load()
}

func TestKeysRotateWithOverlap(t *testing.T) {
	k, store, now := keyClock(t)
	first := load(t, k).kid()
	if len(store.events) != 1 || store.events[0].After != first {
		t.Errorf("events %+v", store.events)
	}
	*now = now.Add(29 * 24 * time.Hour)
	if r := load(t, k); r.kid() != first || len(r.published) != 1 {
		t.Errorf("after 29 days: %+v", r.published)
	}
	*now = now.Add(23*time.Hour + time.Minute) // within the hour before 30 days
	r := load(t, k)
	if r.kid() != first || len(r.published) != 2 {
		t.Fatalf("the next key should be published and not sign yet: signs %s of %v", r.kid(), r.published)
	}
	second := r.published[1]
	*now = now.Add(61 * time.Minute)
	if r = load(t, k); r.kid() != second || len(r.published) != 2 {
		t.Fatalf("signs %s of %v, want %s and both", r.kid(), r.published, second)
	}
	token, err := r.sign(claims{Subject: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, kid := open(t, k, token); kid != second {
		t.Errorf("signed by %s", kid)
	}
	*now = now.Add(6 * time.Minute)
	if r = load(t, k); !r.publishes(first) {
		t.Error("the old key went while its assertions may still live")
	}
	*now = now.Add(2 * time.Hour)
	if r = load(t, k); r.publishes(first) || len(r.published) != 1 {
		t.Errorf("published %v", r.published)
	}
	load(t, k)
	if len(store.keys) != 1 {
		t.Errorf("%d keys in the store", len(store.keys))
	}
	// Down for a year: a new key signs at once.
	*now = now.Add(365 * 24 * time.Hour)
	if r = load(t, k); r.kid() == second || !r.publishes(r.kid()) {
		t.Errorf("signs %s of %v", r.kid(), r.published)
	}
}

// Two nodes that rotate in the same moment agree on one key.
func TestKeysOfTwoNodes(t *testing.T) {
	store := &memoryKeys{}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	a, b := NewKeys(store, KeyOptions{Now: clock}), NewKeys(store, KeyOptions{Now: clock})
	var wg sync.WaitGroup
	for _, k := range []*Keys{a, b} {
		wg.Go(func() { load(t, k) })
	}
	wg.Wait()
	ra, rb := load(t, a), load(t, b)
	if ra.kid() != rb.kid() || len(ra.published) != len(rb.published) {
		t.Errorf("one signs with %s of %v, the other with %s of %v", ra.kid(), ra.published, rb.kid(), rb.published)
	}
}

// A grant's memory notices a new key at once.
func TestAssertionFollowsTheKey(t *testing.T) {
	f := newFixture(t, []Route{appRoute()})
	k, _, now := keyClock(t)
	load(t, k)
	f.proxy.keys = k
	g := newGrant("alice")
	rt := f.proxy.routes.host("app.test").find("/")
	m := f.proxy.memo(g, rt)
	sign := func() string {
		v, err := f.proxy.assert(m, g, rt, "app.test", *now)
		if err != nil {
			t.Fatal(err)
		}
		_, kid := open(t, k, v[0])
		return kid
	}
	before := sign()
	*now = now.Add(30*24*time.Hour - 30*time.Minute)
	load(t, k)
	if sign() != before {
		t.Error("signed by a key before its time")
	}
	*now = now.Add(time.Hour)
	load(t, k)
	if sign() == before {
		t.Error("still signed by the old key")
	}
}

func TestKeysOfAStoreThatIsAway(t *testing.T) {
	k, store, now := keyClock(t)
	store.away = sallyport.ErrUnavailable
	if err := k.Load(context.Background()); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	rec := httptest.NewRecorder()
	k.JWKS().ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if rec.Code != 503 {
		t.Errorf("JWKS without keys: %d", rec.Code)
	}
	// Without a key nothing is forwarded as somebody.
	f := newFixture(t, []Route{appRoute()}, func(o *Options) { o.Keys = k })
	f.grantFor("alice")
	if res := f.do("GET", "/", "alice"); res.StatusCode != 503 || len(f.requests()) != 0 {
		t.Errorf("status %d", res.StatusCode)
	}
	store.away = nil
	kid := load(t, k).kid()
	store.away = sallyport.ErrUnavailable
	*now = now.Add(time.Hour)
	if err := k.Load(context.Background()); err == nil || k.ring.Load().kid() != kid {
		t.Errorf("what was loaded must stay: %v", err)
	}
}

func TestKeysThatCannotBeRead(t *testing.T) {
	k, store, now := keyClock(t)
	store.keys = []sallyport.SigningKey{{KID: "x", PKCS8: []byte("garbage"), ActiveAt: *now, RetireAt: now.Add(time.Hour)}}
	if err := k.Load(context.Background()); err == nil || strings.Contains(err.Error(), "garbage") {
		t.Errorf("error %v", err)
	}
}

func TestKeysRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := NewKeys(&memoryKeys{}, KeyOptions{})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- k.Run(ctx) }()
		k.Refresh()
		synctest.Wait()
		first := k.ring.Load().kid()
		if first == "" {
			t.Fatal("Refresh did not load")
		}
		<-time.After(30*24*time.Hour + time.Minute) // on the bubble's own clock
		if k.ring.Load().kid() == first {
			t.Error("the key was not rotated")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestJWKSHeaders(t *testing.T) {
	k, _, _ := keyClock(t)
	load(t, k)
	get := func(method, etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/.sallyport/jwks.json", nil)
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		rec := httptest.NewRecorder()
		k.JWKS().ServeHTTP(rec, r)
		return rec
	}
	rec := get("GET", "")
	if rec.Code != 200 || rec.Header().Get("Content-Type") != "application/jwk-set+json" || rec.Header().Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
	if strings.Contains(rec.Body.String(), `"d"`) {
		t.Error("the private key is published")
	}
	if again := get("GET", rec.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("with its ETag: %d", again.Code)
	}
	if head := get("HEAD", ""); head.Code != 200 || head.Body.Len() != 0 {
		t.Errorf("HEAD: %d", head.Code)
	}
	if post := get("POST", ""); post.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", post.Code)
	}
}
