package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport"
	"sallyport/identity"
	"sallyport/identity/oidc"
	"sallyport/internal/secret"
)

const (
	callback     = "https://login.localhost:8443/.sallyport/callback/partners"
	clientID     = "sallyport"
	clientSecret = "client-secret-for-tests-5150"
	accessToken  = "access-token-for-tests-90125"
	authCode     = "code-for-tests-2112"
)

// provider is an OpenID provider that gives whatever answers a test wants. As it
// is made, it is honest.
type provider struct {
	t   *testing.T
	srv *httptest.Server
	key *ecdsa.PrivateKey

	mu sync.Mutex
	// claims replace those of ID tokens; nil leaves one out.
	claims map[string]any
	// sign makes the token; nil signs with key under "k1".
	sign func(claims map[string]any) string
	// extra replaces fields of the token answer; nil leaves one out.
	extra     map[string]any
	discovery map[string]any
	userinfo  map[string]any
	keys      []jose.JSONWebKey
	// handle, when it returns true, has answered a request by itself.
	handle func(w http.ResponseWriter, r *http.Request) bool
	nonce  string
	hits   map[string]int
	form   url.Values // of the last token request
	basic  [2]string
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{t: t, key: newKey(t), hits: map[string]int{}}
	p.keys = []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}
	p.srv = httptest.NewTLSServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.srv.Close)
	return p
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (p *provider) settings() oidc.Config {
	return oidc.Config{Issuer: p.srv.URL, ClientID: clientID, ClientSecret: secret.New(clientSecret)}
}

// client returns the gateway's side of it.
func (p *provider) client(t *testing.T, cfg oidc.Config, options ...oidc.Option) *oidc.Provider {
	t.Helper()
	c, err := oidc.New("partners", "Partners", cfg, append([]oidc.Option{
		oidc.WithHTTPClient(&http.Client{Transport: p.srv.Client().Transport}), oidc.WithLogger(slog.New(slog.DiscardHandler)),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hits[r.URL.Path]++
	if r.URL.Path == "/token" {
		if err := r.ParseForm(); err != nil {
			p.t.Error(err)
		}
		p.form = r.PostForm
		p.basic[0], p.basic[1], _ = r.BasicAuth()
	}
	if p.handle != nil && p.handle(w, r) {
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		p.json(w, change(map[string]any{
			"issuer": p.srv.URL, "authorization_endpoint": p.srv.URL + "/authorize", "token_endpoint": p.srv.URL + "/token",
			"jwks_uri": p.srv.URL + "/keys", "userinfo_endpoint": p.srv.URL + "/userinfo",
			"id_token_signing_alg_values_supported": []string{"ES256", "RS256", "HS256", "none"},
		}, p.discovery))
	case "/keys":
		p.json(w, jose.JSONWebKeySet{Keys: p.keys})
	case "/token":
		p.json(w, change(map[string]any{
			"access_token": accessToken, "token_type": "Bearer", "expires_in": 60, "id_token": p.idToken(),
		}, p.extra))
	case "/userinfo":
		if r.Header.Get("Authorization") != "Bearer "+accessToken {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		p.json(w, change(map[string]any{"sub": "sub-alice"}, p.userinfo))
	default:
		http.NotFound(w, r)
	}
}

func (p *provider) idToken() string {
	now := time.Now()
	claims := change(map[string]any{
		"iss": p.srv.URL, "aud": clientID, "sub": "sub-alice", "nonce": p.nonce,
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "at_hash": atHash(accessToken),
		"preferred_username": "alice", "email": "alice@partner.example", "email_verified": true, "name": "Alice",
		"groups": []string{"employees", "finance"}, "amr": []string{"pwd"},
	}, p.claims)
	if p.sign != nil {
		return p.sign(claims)
	}
	return signed(p.t, jose.ES256, "k1", p.key, claims)
}

func atHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func signed(t *testing.T, alg jose.SignatureAlgorithm, kid string, key any, claims any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func change(base, by map[string]any) map[string]any {
	for k, v := range by {
		if base[k] = v; v == nil {
			delete(base, k)
		}
	}
	return base
}

func (p *provider) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Logf("answer: %v", err)
	}
}

func (p *provider) set(change func(*provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *provider) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hits[path]
}

// signIn goes through Begin and, with the code of an honest answer, Finish.
func (p *provider) signIn(t *testing.T, c *oidc.Provider) (*sallyport.Identity, error) {
	t.Helper()
	kept := p.begin(t, c)
	return c.Finish(t.Context(), callback, kept, url.Values{"code": {authCode}, "state": {"state-1"}})
}

func (p *provider) begin(t *testing.T, c *oidc.Provider) []byte {
	t.Helper()
	location, kept, err := c.Begin(t.Context(), callback, "state-1")
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	p.set(func(p *provider) { p.nonce = u.Query().Get("nonce") })
	return kept
}

func TestHonestProvider(t *testing.T) {
	p := newProvider(t)
	c := p.client(t, p.settings())
	location, kept, err := c.Begin(t.Context(), callback, "state-1")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	p.set(func(p *provider) { p.nonce = q.Get("nonce") })
	if q.Get("state") != "state-1" || q.Get("code_challenge_method") != "S256" || len(q.Get("nonce")) < 40 || q.Get("redirect_uri") != callback ||
		q.Get("response_type") != "code" || q.Get("client_id") != clientID || q.Get("scope") != "openid profile email" {
		t.Errorf("sent to %s", location)
	}
	id, err := c.Finish(t.Context(), callback, kept, url.Values{"code": {authCode}})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%+v", *id); got != fmt.Sprintf("%+v", sallyport.Identity{
		Provider: "partners", Issuer: p.srv.URL, Subject: "sub-alice", Username: "alice", Email: "alice@partner.example", Name: "Alice",
		Groups: []string{"employees", "finance"}, AMR: []string{"pwd"},
	}) {
		t.Errorf("%s", got)
	}
	// PKCE: what was sent as a challenge is the hash of what is shown now.
	sum := sha256.Sum256([]byte(p.form.Get("code_verifier")))
	if got := base64.RawURLEncoding.EncodeToString(sum[:]); got != q.Get("code_challenge") || len(p.form.Get("code_verifier")) < 43 {
		t.Errorf("verifier %q for challenge %q", p.form.Get("code_verifier"), q.Get("code_challenge"))
	}
	if p.basic != [2]string{clientID, clientSecret} || p.form.Get("client_secret") != "" || p.form.Get("redirect_uri") != callback {
		t.Errorf("token request %v as %q", p.form, p.basic)
	}
}

// F1 (CVE-2026-55669, GHSA-wxg7-w2v3-w38g): every claim and the signature of the
// ID token are checked; each of these was once accepted somewhere.
func TestWrongIDTokensF1(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for name, wrong := range map[string]map[string]any{
		"issuer":                    {"iss": "https://evil.example"},
		"issuer with a slash":       {"iss": "%s/"},
		"no issuer":                 {"iss": nil},
		"audience":                  {"aud": "somebody-else"},
		"audiences":                 {"aud": []string{"a", "b"}},
		"no audience":               {"aud": nil},
		"azp":                       {"azp": "somebody-else"},
		"azp beside our audience":   {"aud": []string{clientID, "other"}, "azp": "other"},
		"two audiences without azp": {"aud": []string{clientID, "other"}},
		"expired":                   {"exp": at(-2 * time.Minute)},
		"no exp":                    {"exp": nil},
		"iat in the future":         {"iat": at(2 * time.Minute)},
		"iat long ago":              {"iat": at(-time.Hour)},
		"no iat":                    {"iat": nil},
		"nbf in the future":         {"nbf": at(2 * time.Minute)},
		"nonce":                     {"nonce": "other"},
		"empty nonce":               {"nonce": ""},
		"no nonce":                  {"nonce": nil},
		"at_hash":                   {"at_hash": atHash("another access token")},
		"no sub":                    {"sub": nil},
		"empty sub":                 {"sub": ""},
		"control in sub":            {"sub": "a\nb"},
		"long sub":                  {"sub": string(make([]byte, 300))},
		"sub of another type":       {"sub": 7},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			if iss, ok := wrong["iss"].(string); ok && iss == "%s/" {
				wrong["iss"] = p.srv.URL + "/"
			}
			p.claims = wrong
			p.discovery = map[string]any{"userinfo_endpoint": nil} // the token alone is judged
			if id, err := p.signIn(t, p.client(t, p.settings())); !errors.Is(err, identity.ErrProviderRefused) || id != nil {
				t.Errorf("%+v, %v", id, err)
			}
		})
	}
}

// F1: signatures that prove nothing.
func TestWrongSignaturesF1(t *testing.T) {
	p := newProvider(t)
	stranger := newKey(t)
	encode := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	public, err := json.Marshal(p.keys[0])
	if err != nil {
		t.Fatal(err)
	}
	point, err := p.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, sign := range map[string]func(claims map[string]any) string{
		"alg none": func(c map[string]any) string { return encode(map[string]any{"alg": "none"}) + "." + encode(c) + "." },
		"alg NONE": func(c map[string]any) string { return encode(map[string]any{"alg": "NONE"}) + "." + encode(c) + "." },
		"alg none with kid": func(c map[string]any) string {
			return encode(map[string]any{"alg": "none", "kid": "k1"}) + "." + encode(c) + "."
		},
		"no alg": func(c map[string]any) string { return encode(map[string]any{"kid": "k1"}) + "." + encode(c) + "." },
		"HS256 with the client's secret": func(c map[string]any) string {
			return signed(t, jose.HS256, "k1", append([]byte(clientSecret), make([]byte, 8)...), c)
		},
		"HS256 with the public key":     func(c map[string]any) string { return signed(t, jose.HS256, "k1", point, c) },
		"HS256 with the public JWK":     func(c map[string]any) string { return signed(t, jose.HS256, "k1", public, c) },
		"another key under a known kid": func(c map[string]any) string { return signed(t, jose.ES256, "k1", stranger, c) },
		"another key under no kid":      func(c map[string]any) string { return signed(t, jose.ES256, "", stranger, c) },
		"unknown kid":                   func(c map[string]any) string { return signed(t, jose.ES256, "k2", p.key, c) },
		"a key that the token brings": func(c map[string]any) string {
			s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: stranger}, &jose.SignerOptions{EmbedJWK: true})
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			jws, err := s.Sign(b)
			if err != nil {
				t.Fatal(err)
			}
			compact, err := jws.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			return compact
		},
		"an algorithm that is not announced": func(c map[string]any) string {
			return signed(t, jose.ES512, "k512", p512(t, p), c)
		},
		"HS256 with a key that is published by mistake": func(c map[string]any) string {
			shared := []byte("a symmetric key in the list of public keys")
			p.keys = append(p.keys, jose.JSONWebKey{Key: shared, KeyID: "oct", Use: "sig"})
			return signed(t, jose.HS256, "oct", shared, c)
		},
		"no token": func(map[string]any) string { return "" },
		"garbage":  func(map[string]any) string { return "a.b.c" },
		"a list":   func(map[string]any) string { return signed(t, jose.ES256, "k1", p.key, []string{"sub"}) },
	} {
		t.Run(name, func(t *testing.T) {
			p.set(func(p *provider) { p.sign, p.claims = sign, map[string]any{"at_hash": nil} })
			if id, err := p.signIn(t, p.client(t, p.settings())); !errors.Is(err, identity.ErrProviderRefused) || id != nil {
				t.Errorf("%+v, %v", id, err)
			}
		})
	}
	p.set(func(p *provider) { p.sign, p.claims = nil, nil })
	if _, err := p.signIn(t, p.client(t, p.settings())); err != nil {
		t.Errorf("the honest one: %v", err)
	}
}

// p512 publishes a P-521 key, which the discovery document does not announce.
func p512(t *testing.T, p *provider) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.keys = append(p.keys, jose.JSONWebKey{Key: key.Public(), KeyID: "k512", Use: "sig"})
	return key
}

// F2 (CVE-2026-27840): a token with a piece cut off or something added fails,
// wherever it is.
func TestTruncatedAndExtendedTokensF2(t *testing.T) {
	p := newProvider(t)
	c := p.client(t, p.settings())
	var whole string
	forms := []func(string) string{
		func(s string) string { return s + "A" },
		func(s string) string { return s + "." },
		func(s string) string { return s + "=" },
		func(s string) string { return s + " " },
		func(s string) string { return s + "\n" },
		func(s string) string { return s + "." + s },
		func(s string) string { return "." + s },
		func(s string) string { return "A" + s },
		func(s string) string { return s[:len(s)/2] + "A" + s[len(s)/2:] },
		func(s string) string { return s[:len(s)/2] + s[len(s)/2+4:] },
	}
	for n := 1; n < 90; n += 8 {
		forms = append(forms, func(s string) string { return s[:len(s)-n] }, func(s string) string { return s[n:] })
	}
	for i, form := range forms {
		p.set(func(p *provider) {
			p.sign = func(claims map[string]any) string {
				whole = signed(t, jose.ES256, "k1", p.key, claims)
				return form(whole)
			}
		})
		if id, err := p.signIn(t, c); !errors.Is(err, identity.ErrProviderRefused) || id != nil {
			t.Errorf("form %d: %+v, %v", i, id, err)
		}
	}
	// Flipping the last bits of the last character changes no byte of the
	// signature in lax decoders.
	p.set(func(p *provider) {
		p.sign = func(claims map[string]any) string {
			s := signed(t, jose.ES256, "k1", p.key, claims)
			const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
			for i := range alphabet {
				if alphabet[i] == s[len(s)-1] {
					return s[:len(s)-1] + string(alphabet[i^1])
				}
			}
			return s
		}
	})
	if id, err := p.signIn(t, c); err == nil {
		t.Errorf("another last character: %+v", id)
	}
}

func TestClockSkewIsForgivenBothWays(t *testing.T) {
	now := time.Now()
	for name, claims := range map[string]map[string]any{
		"our clock is fast": {"exp": now.Add(-40 * time.Second).Unix(), "iat": now.Add(-340 * time.Second).Unix()},
		"our clock is slow": {"iat": now.Add(40 * time.Second).Unix(), "nbf": now.Add(40 * time.Second).Unix()},
		"azp is ours":       {"aud": []string{"other", clientID}, "azp": clientID},
		"no at_hash":        {"at_hash": nil},
	} {
		p := newProvider(t)
		p.claims = claims
		if _, err := p.signIn(t, p.client(t, p.settings())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := newProvider(t)
	p.claims = map[string]any{"exp": now.Add(-40 * time.Second).Unix()}
	strict := p.settings()
	strict.ClockSkew = time.Second
	if _, err := p.signIn(t, p.client(t, strict)); !errors.Is(err, identity.ErrProviderRefused) {
		t.Errorf("40 s with a skew of 1 s: %v", err)
	}
}
