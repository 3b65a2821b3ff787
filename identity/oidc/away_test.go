package oidc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport"
	"sallyport/identity"
	"sallyport/identity/oidc"
)

// clock is a clock that a test moves.
type clock struct{ at atomic.Pointer[time.Time] }

func newClock() *clock {
	c, now := &clock{}, time.Now()
	c.at.Store(&now)
	return c
}

func (c *clock) now() time.Time { return *c.at.Load() }

func (c *clock) move(d time.Duration) {
	at := c.now().Add(d)
	c.at.Store(&at)
}

// The gateway starts while a provider is away; sign-in says so, asks again after
// a pause, and works when it is back.
func TestProviderAway(t *testing.T) {
	p, c := newProvider(t), newClock()
	away := true
	p.handle = func(w http.ResponseWriter, _ *http.Request) bool {
		if away {
			w.WriteHeader(http.StatusBadGateway)
		}
		return away
	}
	rp := p.client(t, p.settings(), oidc.WithClock(c.now))
	if n := p.count("/.well-known/openid-configuration"); n != 0 {
		t.Errorf("New asked the provider %d times", n)
	}
	for range 50 {
		if _, _, err := rp.Begin(t.Context(), callback, "s"); !errors.Is(err, sallyport.ErrUnavailable) {
			t.Fatalf("%v", err)
		}
	}
	if err := rp.Probe(t.Context()); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("probe: %v", err)
	}
	if n := p.count("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("%d requests within the pause", n)
	}
	for range 20 { // the pause grows, to a minute at most
		c.move(61 * time.Second)
		if _, _, err := rp.Begin(t.Context(), callback, "s"); !errors.Is(err, sallyport.ErrUnavailable) {
			t.Fatalf("%v", err)
		}
	}
	if n := p.count("/.well-known/openid-configuration"); n != 21 {
		t.Errorf("%d requests, want 21", n)
	}
	p.set(func(*provider) { away = false })
	c.move(61 * time.Second)
	if err := rp.Probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
	if _, err := p.signIn(t, rp); err != nil && !errors.Is(err, identity.ErrProviderRefused) {
		t.Errorf("%v", err) // refused: its tokens are of the real clock
	}
	p.set(func(*provider) { away = true })
	if err := rp.Probe(t.Context()); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("probe: %v", err)
	}
	if _, _, err := rp.Begin(t.Context(), callback, "s"); err != nil {
		t.Errorf("what is known is used on while it is away: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	p := newProvider(t)
	rp := p.client(t, p.settings())
	p.srv.Close()
	if _, _, err := rp.Begin(t.Context(), callback, "s"); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// A discovery document must not send codes, secrets or people elsewhere in
// clear, nor speak for another issuer.
func TestWrongDiscovery(t *testing.T) {
	for name, wrong := range map[string]map[string]any{
		"issuer":            {"issuer": "https://evil.example"},
		"no token endpoint": {"token_endpoint": nil},
		"no keys":           {"jwks_uri": nil},
		"no authorization":  {"authorization_endpoint": ""},
		"plain token":       {"token_endpoint": "http://id.partner.example/token"},
		"plain loopback":    {"token_endpoint": "http://127.0.0.1/token"},
		"plain userinfo":    {"userinfo_endpoint": "http://id.partner.example/userinfo"},
		"script":            {"authorization_endpoint": "javascript:alert(1)"},
		"file":              {"jwks_uri": "file:///etc/passwd"},
		"user in it":        {"authorization_endpoint": "https://id.partner.example@evil.example/"},
		"of another type":   {"token_endpoint": 7},
	} {
		p := newProvider(t)
		p.discovery = wrong
		if location, _, err := p.client(t, p.settings()).Begin(t.Context(), callback, "s"); !errors.Is(err, sallyport.ErrUnavailable) {
			t.Errorf("%s: %q, %v", name, location, err)
		}
	}
}

// G4: answers of any size cost a bounded amount.
func TestOversizedAnswersG4(t *testing.T) {
	for path, want := range map[string]error{
		"/.well-known/openid-configuration": sallyport.ErrUnavailable,
		"/keys":                             sallyport.ErrUnavailable,
		"/token":                            identity.ErrProviderRefused,
		"/userinfo":                         identity.ErrProviderRefused,
	} {
		p := newProvider(t)
		var sent int64
		p.handle = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			n, _ := io.Copy(w, io.LimitReader(endless{}, 64<<20)) // the client hangs up
			sent = n
			return true
		}
		rp := p.client(t, p.settings())
		_, kept, err := rp.Begin(t.Context(), callback, "s")
		if err == nil {
			var id *sallyport.Identity
			p.set(func(p *provider) { p.claims = map[string]any{"nonce": nonceOf(t, kept)} })
			id, err = rp.Finish(t.Context(), callback, kept, url.Values{"code": {authCode}})
			if id != nil {
				t.Errorf("%s: %+v", path, id)
			}
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
		p.srv.Close()
		if sent > 16<<20 {
			t.Errorf("%s: %d bytes were taken", path, sent)
		}
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func nonceOf(t *testing.T, kept []byte) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(kept), `"nonce":"`)
	nonce, _, ok2 := strings.Cut(rest, `"`)
	if !ok || !ok2 {
		t.Fatalf("no nonce in %s", kept)
	}
	return nonce
}

// A provider that takes requests and never answers, or never ends its answer,
// holds nobody longer than the time-out.
func TestSlowProvider(t *testing.T) {
	for _, dribble := range []bool{false, true} {
		for path, want := range map[string]error{
			"/.well-known/openid-configuration": sallyport.ErrUnavailable,
			"/keys":                             sallyport.ErrUnavailable,
			"/token":                            sallyport.ErrUnavailable,
			"/userinfo":                         sallyport.ErrUnavailable,
		} {
			p := newProvider(t)
			p.handle = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != path {
					return false
				}
				if dribble {
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, "{")
					_ = http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
				return true
			}
			cfg := p.settings()
			cfg.Timeout = 150 * time.Millisecond
			rp := p.client(t, cfg)
			began := time.Now()
			_, kept, err := rp.Begin(t.Context(), callback, "s")
			if err == nil {
				p.set(func(p *provider) { p.claims = map[string]any{"nonce": nonceOf(t, kept)} })
				_, err = rp.Finish(t.Context(), callback, kept, url.Values{"code": {authCode}})
			}
			if !errors.Is(err, want) {
				t.Errorf("%s, dribble %v: %v", path, dribble, err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("%s: %s", path, took)
			}
		}
	}
}

func TestCallerWhoGivesUp(t *testing.T) {
	p := newProvider(t)
	c := p.client(t, p.settings())
	kept := p.begin(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Finish(ctx, callback, kept, url.Values{"code": {authCode}}); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// A redirect of the token endpoint would carry code, verifier and secret to
// wherever it points.
func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, path := range []string{"/.well-known/openid-configuration", "/keys", "/token", "/userinfo"} {
		p := newProvider(t)
		p.handle = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			http.Redirect(w, r, "/trap", http.StatusTemporaryRedirect)
			return true
		}
		rp := p.client(t, p.settings())
		_, kept, err := rp.Begin(t.Context(), callback, "s")
		if err == nil {
			p.set(func(p *provider) { p.claims = map[string]any{"nonce": nonceOf(t, kept)} })
			_, err = rp.Finish(t.Context(), callback, kept, url.Values{"code": {authCode}})
		}
		if err == nil || p.count("/trap") != 0 {
			t.Errorf("%s: followed %d times, %v", path, p.count("/trap"), err)
		}
	}
}

func TestTokenEndpointErrors(t *testing.T) {
	for status, want := range map[int]error{
		400: identity.ErrProviderRefused, 401: identity.ErrProviderRefused, 500: sallyport.ErrUnavailable, 503: sallyport.ErrUnavailable,
	} {
		p := newProvider(t)
		p.handle = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/token" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"error":"invalid_grant","error_description":"`+authCode+`"}`)
			return true
		}
		if id, err := p.signIn(t, p.client(t, p.settings())); !errors.Is(err, want) || id != nil || strings.Contains(err.Error(), authCode) {
			t.Errorf("%d: %+v, %v", status, id, err)
		}
	}
}

// Key rotation: a new key is fetched when a token names it, and a withdrawn one
// is trusted for an hour at most.
func TestKeyRotation(t *testing.T) {
	p, c := newProvider(t), newClock()
	rp := p.client(t, p.settings(), oidc.WithClock(c.now))
	if _, err := p.signIn(t, rp); err != nil {
		t.Fatal(err)
	}
	old, fresh := p.key, newKey(t)
	p.set(func(p *provider) {
		p.keys = []jose.JSONWebKey{{Key: fresh.Public(), KeyID: "k2", Algorithm: "ES256", Use: "sig"}}
		p.sign = func(claims map[string]any) string { return signed(t, jose.ES256, "k2", fresh, claims) }
	})
	if _, err := p.signIn(t, rp); err != nil {
		t.Errorf("under the new key: %v", err)
	}
	p.set(func(p *provider) {
		p.keys = []jose.JSONWebKey{{Key: newKey(t).Public(), KeyID: "k3", Algorithm: "ES256", Use: "sig"}}
	})
	c.move(61 * time.Minute)
	now := c.now()
	times := map[string]any{"iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	p.set(func(p *provider) { p.claims = times })
	if _, err := p.signIn(t, rp); !errors.Is(err, identity.ErrProviderRefused) {
		t.Errorf("under a withdrawn key, an hour later: %v", err)
	}
	p.set(func(p *provider) {
		p.keys = []jose.JSONWebKey{{Key: old.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}
		p.sign = nil
	})
	if _, err := p.signIn(t, rp); err != nil {
		t.Errorf("under the first key again: %v", err)
	}
}

// Tokens with made-up key IDs must not make us hammer the provider.
func TestUnknownKeysAreFetchedSeldom(t *testing.T) {
	p, c := newProvider(t), newClock()
	rp := p.client(t, p.settings(), oidc.WithClock(c.now))
	p.sign = func(claims map[string]any) string { return signed(t, jose.ES256, sallyport.NewToken(), p.key, claims) }
	for range 60 {
		if _, err := p.signIn(t, rp); !errors.Is(err, identity.ErrProviderRefused) {
			t.Fatal(err)
		}
	}
	if n := p.count("/keys"); n > 5 {
		t.Errorf("the keys were fetched %d times", n)
	}
	c.move(time.Minute)
	p.set(func(p *provider) { p.sign = nil })
	if _, err := p.signIn(t, rp); err != nil {
		t.Errorf("an honest token after that: %v", err)
	}
}

func TestManySignInsAtOnce(t *testing.T) {
	p := newProvider(t)
	rp := p.client(t, p.settings())
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, _, err := rp.Begin(t.Context(), callback, "s"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := p.count("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("discovery was fetched %d times", n)
	}
}

// H4: no code, token, secret or verifier reaches a log or an error.
func TestNothingSecretIsLoggedH4(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	logger := slog.New(slog.NewTextHandler(&lockedWriter{w: &log, mu: &mu}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var all strings.Builder
	secrets := []string{clientSecret, accessToken, authCode}
	p := newProvider(t)
	for _, spoil := range []func(*provider){
		func(*provider) {},
		func(p *provider) { p.claims = map[string]any{"nonce": "other"} },
		func(p *provider) { p.claims = map[string]any{"aud": accessToken} },
		func(p *provider) { p.claims = map[string]any{"iss": accessToken} },
		func(p *provider) { p.extra = map[string]any{"id_token": accessToken} },
		func(p *provider) { p.extra = map[string]any{"id_token": nil, "refresh_token": accessToken} },
		func(p *provider) { p.userinfo = map[string]any{"sub": accessToken} },
		func(p *provider) { p.discovery = map[string]any{"jwks_uri": "http://" + accessToken} },
		func(p *provider) { p.handle = echo("/token", 400) },
		func(p *provider) { p.handle = echo("/token", 200) },
		func(p *provider) { p.handle = echo("/token", 500) },
		func(p *provider) { p.handle = echo("/userinfo", 200) },
		func(p *provider) { p.handle = echo("/userinfo", 403) },
		func(p *provider) { p.handle = echo("/keys", 500) },
		func(p *provider) { p.handle = echo("/keys", 200) },
		func(p *provider) { p.handle = echo("/.well-known/openid-configuration", 500) },
	} {
		p.set(func(p *provider) {
			p.claims, p.extra, p.userinfo, p.discovery, p.handle, p.sign = nil, nil, nil, nil, nil, nil
			spoil(p)
		})
		rp := p.client(t, p.settings(), oidc.WithLogger(logger))
		location, kept, err := rp.Begin(t.Context(), callback, "state-1")
		if err == nil {
			nonce := nonceOf(t, kept)
			secrets = append(secrets, nonce)
			u, parseErr := url.Parse(location)
			if parseErr != nil {
				t.Fatal(parseErr)
			}
			p.set(func(p *provider) { p.nonce = u.Query().Get("nonce") })
			_, err = rp.Finish(t.Context(), callback, kept, url.Values{"code": {authCode}})
			p.set(func(p *provider) { secrets = append(secrets, p.form.Get("code_verifier")) })
		}
		fmt.Fprintln(&all, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if strings.Count(all.String(), "\n") != 16 || !strings.Contains(log.String(), "discovered") {
		t.Errorf("too little was said:\n%s%s", all.String(), log.String())
	}
	for _, s := range secrets {
		if s != "" && strings.Contains(all.String()+log.String(), s) {
			t.Errorf("%q is in the log:\n%s%s", s, all.String(), log.String())
		}
	}
}

type lockedWriter struct {
	w  io.Writer
	mu *sync.Mutex
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// echo answers a path with the secrets in text that is no JSON.
func echo(path string, status int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != path {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "oops: %s %s %s %s", accessToken, authCode, clientSecret, r.Header.Get("Authorization"))
		return true
	}
}
