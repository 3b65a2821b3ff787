package oidc_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/identity"
	"sallyport/identity/oidc"
)

func TestWrongCallbacks(t *testing.T) {
	p := newProvider(t)
	c := p.client(t, p.settings())
	kept := p.begin(t, c)
	for name, query := range map[string]url.Values{
		"nothing":        {},
		"empty code":     {"code": {""}},
		"two codes":      {"code": {authCode, "another"}},
		"the same twice": {"code": {authCode, authCode}},
		"two states":     {"code": {authCode}, "state": {"a", "b"}},
		"long code":      {"code": {strings.Repeat("x", 5000)}},
		"error":          {"error": {"access_denied"}},
		"error and code": {"error": {"access_denied"}, "code": {authCode}},
		"iss of another": {"code": {authCode}, "iss": {"https://evil.example"}},
		"empty iss":      {"code": {authCode}, "iss": {""}},
		"two iss":        {"code": {authCode}, "iss": {p.srv.URL, "https://evil.example"}},
	} {
		if id, err := c.Finish(t.Context(), callback, kept, query); !errors.Is(err, identity.ErrProviderRefused) || id != nil {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
	if n := p.count("/token"); n != 0 {
		t.Errorf("%d codes were sent to the provider", n)
	}
	if _, err := c.Finish(t.Context(), callback, kept, url.Values{"code": {authCode}, "iss": {p.srv.URL}}); err != nil {
		t.Errorf("the right answer: %v", err)
	}
}

// RFC 9207: where a provider says that it names itself, an answer without its
// name may be another provider's, mixed up on purpose.
func TestMissingIssuerInAnswer(t *testing.T) {
	p := newProvider(t)
	p.discovery = map[string]any{"authorization_response_iss_parameter_supported": true}
	c := p.client(t, p.settings())
	kept := p.begin(t, c)
	if _, err := c.Finish(t.Context(), callback, kept, url.Values{"code": {authCode}}); !errors.Is(err, identity.ErrProviderRefused) {
		t.Errorf("without iss: %v", err)
	}
	if _, err := c.Finish(t.Context(), callback, kept, url.Values{"code": {authCode}, "iss": {p.srv.URL}}); err != nil {
		t.Errorf("with iss: %v", err)
	}
}

// H5: what comes back through the browser is anybody's text.
func TestProviderErrorIsPlainText(t *testing.T) {
	p := newProvider(t)
	c := p.client(t, p.settings())
	_, err := c.Finish(t.Context(), callback, p.begin(t, c), url.Values{
		"error":             {"access_denied\r\nlevel=ERROR msg=forged\x1b[31m"},
		"error_description": {"<script>\u202e" + strings.Repeat("x", 100_000)},
	})
	if !errors.Is(err, identity.ErrProviderRefused) {
		t.Fatal(err)
	}
	if s := err.Error(); !strings.Contains(s, "access_denied") || len(s) > 400 || strings.ContainsAny(s, "\r\n\x1b\u202e") {
		t.Errorf("%d bytes: %.300q", len(s), s)
	}
}

func TestPendingStateIsChecked(t *testing.T) {
	p := newProvider(t)
	now := time.Now()
	c := p.client(t, p.settings(), oidc.WithClock(func() time.Time { return now }))
	kept := p.begin(t, c)
	var fields map[string]any
	if err := json.Unmarshal(kept, &fields); err != nil {
		t.Fatal(err)
	}
	with := func(name string, v any) []byte {
		copied := change(map[string]any{}, fields)
		out, err := json.Marshal(change(copied, map[string]any{name: v}))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	query := url.Values{"code": {authCode}}
	for name, state := range map[string][]byte{
		"none": nil, "garbage": []byte("{"), "null": []byte("null"), "no nonce": with("nonce", ""), "no verifier": with("verifier", nil),
		"another nonce": with("nonce", "x"), "no time": with("issued", nil), "tomorrow": with("issued", now.Add(24*time.Hour)), "yesterday": with("issued", now.Add(-24*time.Hour)),
	} {
		if id, err := c.Finish(t.Context(), callback, state, query); !errors.Is(err, identity.ErrProviderRefused) {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
	if _, err := c.Finish(t.Context(), callback, kept, query); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

func TestClientWithoutSecretAndWithPost(t *testing.T) {
	p := newProvider(t)
	cfg := p.settings()
	p.discovery = map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}}
	if _, err := p.signIn(t, p.client(t, cfg)); err != nil || p.form.Get("client_secret") != clientSecret || p.basic[0] != "" {
		t.Errorf("client_secret_post: %v, %v", p.form, err)
	}
	cfg.ClientSecret = oidc.Config{}.ClientSecret
	if _, err := p.signIn(t, p.client(t, cfg)); err != nil || p.form.Has("client_secret") || p.form.Get("client_id") != clientID || p.form.Get("code_verifier") == "" {
		t.Errorf("public client: %v, %v", p.form, err)
	}
}
