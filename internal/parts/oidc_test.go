package parts_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"sallyport/internal/parts"
)

// relyingParty signs in at a provider as a browser and checks the token.
type relyingParty struct {
	t      *testing.T
	ctx    context.Context
	idp    *parts.OIDC
	client *http.Client
	oauth  oauth2.Config
	oidc   *oidc.Provider
}

const callback = "https://login.localhost:8443/.sallyport/callback"

func newRelyingParty(t *testing.T, idp *parts.OIDC) *relyingParty {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if idp.CAFile != "" {
		transport.TLSClientConfig = &tls.Config{RootCAs: poolOf(t, idp.CAFile), MinVersion: tls.VersionTLS12}
	}
	r := &relyingParty{t: t, idp: idp, client: &http.Client{
		Jar: jar, Transport: transport,
		CheckRedirect: func(req *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(req.URL.String(), callback) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}}
	r.ctx = oidc.ClientContext(t.Context(), r.client)
	if r.oidc, err = oidc.NewProvider(r.ctx, idp.Issuer); err != nil {
		t.Fatalf("discovery: %v", err)
	}
	r.oauth = oauth2.Config{
		ClientID: idp.ClientID, ClientSecret: idp.ClientSecret, Endpoint: r.oidc.Endpoint(),
		RedirectURL: callback, Scopes: []string{oidc.ScopeOpenID, "profile", "email", "groups"},
	}
	return r
}

// signIn posts the login form and returns the raw ID token.
func (r *relyingParty) signIn(login, password string) (*oauth2.Token, string) {
	r.t.Helper()
	verifier := oauth2.GenerateVerifier()
	begin := r.oauth.AuthCodeURL("state-1", oidc.Nonce("nonce-1"), oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("prompt", "login"))
	res := r.do(http.MethodGet, begin, nil)
	if res.StatusCode != http.StatusOK || !strings.Contains(res.Request.URL.Path, "/login/") {
		r.t.Fatalf("the provider shows no login page: %s at %s", res.Status, res.Request.URL)
	}
	res = r.do(http.MethodPost, res.Request.URL.String(), url.Values{"login": {login}, "password": {password}})
	back, err := res.Location()
	if err != nil {
		r.t.Fatalf("no way back after the login: %s at %s", res.Status, res.Request.URL)
	}
	if got := back.Query().Get("state"); got != "state-1" {
		r.t.Fatalf("state = %q in %s", got, back)
	}
	token, err := r.oauth.Exchange(r.ctx, back.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		r.t.Fatalf("exchange the code: %v", err)
	}
	raw, _ := token.Extra("id_token").(string)
	return token, raw
}

func (r *relyingParty) do(method, target string, form url.Values) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.ctx, method, target, strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		r.t.Fatal(err)
	}
	return res
}

func (r *relyingParty) verify(raw string) (*oidc.IDToken, error) {
	return r.oidc.Verifier(&oidc.Config{ClientID: r.idp.ClientID}).Verify(r.ctx, raw)
}

type profile struct {
	PreferredUsername string   `json:"preferred_username"`
	Name, Email       string   `json:"-"`
	Groups            []string `json:"groups"`
}

func TestOIDCSignIn(t *testing.T) {
	idp := parts.OIDCProvider(t, parts.OIDCOptions{HTTPS: true, Host: "127.0.0.1", RedirectURIs: []string{callback}})
	r := newRelyingParty(t, idp)
	alice := parts.Accounts()[0]
	token, raw := r.signIn(alice.Login, alice.Password)
	checked, err := r.verify(raw)
	if err != nil {
		t.Fatalf("the ID token: %v", err)
	}
	var got profile
	if err := checked.Claims(&got); err != nil {
		t.Fatal(err)
	}
	if checked.Subject != alice.Subject || checked.Nonce != "nonce-1" || got.PreferredUsername != "alice" || !slices.Equal(got.Groups, alice.Groups) {
		t.Errorf("ID token of %s with nonce %s: %+v", checked.Subject, checked.Nonce, got)
	}
	info, err := r.oidc.UserInfo(r.ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		t.Fatalf("userinfo: %v", err)
	}
	if info.Email != alice.Email || info.Subject != alice.Subject {
		t.Errorf("userinfo: %+v", info)
	}
}

func TestOIDCClaimsOnlyInUserInfo(t *testing.T) {
	idp := parts.OIDCProvider(t, parts.OIDCOptions{ClaimsOnlyInUserInfo: true})
	idp.SetRedirectURIs(callback)
	r := newRelyingParty(t, idp)
	token, raw := r.signIn("bob", "bob-oidc-1")
	checked, err := r.verify(raw)
	if err != nil {
		t.Fatal(err)
	}
	var inToken, inInfo profile
	if err := checked.Claims(&inToken); err != nil {
		t.Fatal(err)
	}
	info, err := r.oidc.UserInfo(r.ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		t.Fatal(err)
	}
	if err := info.Claims(&inInfo); err != nil {
		t.Fatal(err)
	}
	if inToken.PreferredUsername != "" || inInfo.PreferredUsername != "bob" {
		t.Errorf("token: %+v, userinfo: %+v", inToken, inInfo)
	}
}

func TestOIDCRotateKeys(t *testing.T) {
	idp := parts.OIDCProvider(t, parts.OIDCOptions{RedirectURIs: []string{callback}})
	r := newRelyingParty(t, idp)
	_, before := r.signIn("alice", "alice-oidc-1")
	if _, err := r.verify(before); err != nil {
		t.Fatal(err)
	}
	idp.RotateKeys(true)
	_, after := r.signIn("alice", "alice-oidc-1")
	if _, err := r.verify(after); err != nil {
		t.Errorf("the token under the new key: %v", err)
	}
	idp.RotateKeys(false)
	fresh := newRelyingParty(t, idp)
	if _, err := fresh.verify(after); err == nil {
		t.Error("a token under a withdrawn key is accepted")
	}
}

func TestOIDCTamper(t *testing.T) {
	idp := parts.OIDCProvider(t, parts.OIDCOptions{RedirectURIs: []string{callback}})
	r := newRelyingParty(t, idp)
	for name, how := range map[string]parts.Tamper{
		"issuer":    {Claims: map[string]any{"iss": "https://evil.example"}},
		"audience":  {Claims: map[string]any{"aud": "somebody-else"}},
		"expired":   {Claims: map[string]any{"exp": 1000}},
		"none":      {Alg: "none"},
		"HS256":     {Alg: "HS256"},
		"wrong key": {WrongKey: true},
	} {
		t.Run(name, func(t *testing.T) {
			idp.Tamper(how)
			_, raw := r.signIn("alice", "alice-oidc-1")
			if _, err := r.verify(raw); err == nil {
				t.Error("a spoiled ID token is accepted")
			}
		})
	}
	idp.Tamper(parts.Tamper{Claims: map[string]any{"nonce": "other", "email": nil}})
	_, raw := r.signIn("alice", "alice-oidc-1")
	token, err := r.verify(raw)
	if err != nil || token.Nonce != "other" {
		t.Errorf("nonce: %v, %v", token, err)
	}
	idp.Tamper(parts.Tamper{})
	_, raw = r.signIn("alice", "alice-oidc-1")
	if _, err := r.verify(raw); err != nil {
		t.Errorf("an honest provider again: %v", err)
	}
	idp.Tamper(parts.Tamper{Discovery: map[string]any{"issuer": "https://evil.example"}})
	if _, err := oidc.NewProvider(r.ctx, idp.Issuer); err == nil {
		t.Error("a discovery document of another issuer is accepted")
	}
}

func TestOIDCWrongPasswordShowsTheFormAgain(t *testing.T) {
	idp := parts.OIDCProvider(t, parts.OIDCOptions{RedirectURIs: []string{callback}})
	r := newRelyingParty(t, idp)
	begin := r.oauth.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier()))
	form := r.do(http.MethodGet, begin, nil)
	res := r.do(http.MethodPost, form.Request.URL.String(), url.Values{"login": {"alice"}, "password": {"wrong"}})
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %s", res.Status)
	}
}
