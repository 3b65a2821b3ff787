package oidc_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"sallyport"
	"sallyport/identity"
	"sallyport/identity/oidc"
	"sallyport/internal/parts"
	"sallyport/internal/secret"
)

// browser is somebody at the real provider: npm oidc-provider over TLS, with a
// login form.
type browser struct {
	t      *testing.T
	client *http.Client
}

func newBrowser(t *testing.T, idp *parts.OIDC) *browser {
	t.Helper()
	pem, err := os.ReadFile(idp.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, client: &http.Client{
		Jar:       jar,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true},
		CheckRedirect: func(req *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(req.URL.String(), callback) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}}
}

// visit follows location, posts the login form, and returns the query of the
// callback.
func (b *browser) visit(location, login, password string) url.Values {
	b.t.Helper()
	res, err := b.client.Get(location)
	if err != nil {
		b.t.Fatal(err)
	}
	b.drain(res)
	if res.StatusCode == http.StatusOK && strings.Contains(res.Request.URL.Path, "/login/") {
		if res, err = b.client.PostForm(res.Request.URL.String(), url.Values{"login": {login}, "password": {password}}); err != nil {
			b.t.Fatal(err)
		}
		b.drain(res)
	}
	back, err := res.Location()
	if err != nil {
		b.t.Fatalf("no way back: %s at %s", res.Status, res.Request.URL)
	}
	return back.Query()
}

func (b *browser) drain(res *http.Response) {
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		b.t.Error(err)
	}
	res.Body.Close()
}

func realProvider(t *testing.T, opts parts.OIDCOptions) (*parts.OIDC, *oidc.Provider) {
	t.Helper()
	opts.HTTPS, opts.RedirectURIs = true, []string{callback}
	idp := parts.OIDCProvider(t, opts)
	rp, err := oidc.New("partners", "Partners", oidc.Config{
		Issuer: idp.Issuer, ClientID: idp.ClientID, ClientSecret: secret.New(idp.ClientSecret), CAFile: idp.CAFile,
		Scopes: []string{"openid", "profile", "email", "groups"},
	}, oidc.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rp.Close() })
	return idp, rp
}

func enter(t *testing.T, idp *parts.OIDC, rp *oidc.Provider, who parts.Account) (*sallyport.Identity, error) {
	t.Helper()
	location, kept, err := rp.Begin(t.Context(), callback, "state-1")
	if err != nil {
		t.Fatal(err)
	}
	query := newBrowser(t, idp).visit(location, who.Login, who.Password)
	if query.Get("state") != "state-1" {
		t.Fatalf("came back with %v", query)
	}
	return rp.Finish(t.Context(), callback, kept, query)
}

func TestRealProvider(t *testing.T) {
	for _, apart := range []bool{false, true} {
		idp, rp := realProvider(t, parts.OIDCOptions{ClaimsOnlyInUserInfo: apart})
		if err := rp.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, who := range parts.Accounts() {
			id, err := enter(t, idp, rp, who)
			if err != nil {
				t.Fatalf("claims in userinfo %v: %s: %v", apart, who.Login, err)
			}
			if id.Subject != who.Subject || id.Username != who.PreferredUsername || id.Email != who.Email || id.Name != who.Name ||
				!slices.Equal(id.Groups, who.Groups) || id.Issuer != idp.Issuer {
				t.Errorf("claims in userinfo %v: %+v", apart, id)
			}
		}
	}
}

func TestRealProviderRotatesKeys(t *testing.T) {
	idp, rp := realProvider(t, parts.OIDCOptions{})
	alice := parts.Accounts()[0]
	for _, keepOld := range []bool{true, false, false} {
		if _, err := enter(t, idp, rp, alice); err != nil {
			t.Fatalf("before: %v", err)
		}
		idp.RotateKeys(keepOld)
		if _, err := enter(t, idp, rp, alice); err != nil {
			t.Errorf("after a rotation, old key kept %v: %v", keepOld, err)
		}
	}
}

// F1, against the real provider's own wire format.
func TestRealProviderWithWrongAnswersF1(t *testing.T) {
	idp, rp := realProvider(t, parts.OIDCOptions{})
	alice := parts.Accounts()[0]
	for name, how := range map[string]parts.Tamper{
		"issuer":   {Claims: map[string]any{"iss": "https://evil.example"}},
		"audience": {Claims: map[string]any{"aud": "somebody-else"}},
		"azp":      {Claims: map[string]any{"azp": "somebody-else"}},
		"nonce":    {Claims: map[string]any{"nonce": "other"}},
		"expired":  {Claims: map[string]any{"exp": 1000}},
		"future":   {Claims: map[string]any{"iat": 9_999_999_999}},
		"at_hash":  {Claims: map[string]any{"at_hash": atHash("other")}},
		"none":     {Alg: "none"},
		"HS256":    {Alg: "HS256"},
		"key":      {WrongKey: true},
		"userinfo": {UserInfo: map[string]any{"sub": "sub-bob"}},
	} {
		idp.Tamper(how)
		if id, err := enter(t, idp, rp, alice); !errors.Is(err, identity.ErrProviderRefused) || id != nil {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
	idp.Tamper(parts.Tamper{})
	if _, err := enter(t, idp, rp, alice); err != nil {
		t.Errorf("honest again: %v", err)
	}
}

// A code works once, and only with the verifier of the sign-in it was asked for.
func TestRealProviderBindsTheCode(t *testing.T) {
	idp, rp := realProvider(t, parts.OIDCOptions{})
	alice := parts.Accounts()[0]
	begin := func() (string, []byte) {
		location, kept, err := rp.Begin(t.Context(), callback, "state-1")
		if err != nil {
			t.Fatal(err)
		}
		return location, kept
	}
	location, _ := begin()
	_, other := begin()
	query := newBrowser(t, idp).visit(location, alice.Login, alice.Password)
	if id, err := rp.Finish(t.Context(), callback, other, query); !errors.Is(err, identity.ErrProviderRefused) {
		t.Errorf("with another sign-in's verifier: %+v, %v", id, err)
	}
	location, kept := begin()
	query = newBrowser(t, idp).visit(location, alice.Login, alice.Password)
	if _, err := rp.Finish(t.Context(), callback, kept, query); err != nil {
		t.Fatal(err)
	}
	if id, err := rp.Finish(t.Context(), callback, kept, query); !errors.Is(err, identity.ErrProviderRefused) {
		t.Errorf("used twice: %+v, %v", id, err)
	}
}
