package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"sallyport"
	"sallyport/identity"
)

const (
	maxCode  = 4096      // bytes of an authorization code
	maxToken = 128 << 10 // bytes of an ID token
	// maxTokenAge is how old an ID token may be that comes straight from the
	// token endpoint.
	maxTokenAge = 10 * time.Minute
)

// Finish implements identity.RedirectProvider.
func (p *Provider) Finish(ctx context.Context, redirectURL string, kept []byte, query map[string][]string) (*sallyport.Identity, error) {
	var keep pending
	if err := json.Unmarshal(kept, &keep); err != nil || keep.Nonce == "" || keep.Verifier == "" {
		return nil, p.refused("there is no sign-in to finish")
	}
	if age := p.now().Sub(keep.Issued); age > maxPending || age < -p.cfg.ClockSkew {
		return nil, p.refused("the sign-in began too long ago")
	}
	r, err := p.remote(ctx, false)
	if err != nil {
		return nil, err
	}
	code, err := p.code(r, query)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*p.cfg.Timeout) // token, keys, userinfo
	defer cancel()
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := p.exchange(ctx, r, redirectURL, code, keep.Verifier)
	if err != nil {
		return nil, err
	}
	claims, err := p.verify(ctx, r, token, keep.Nonce)
	if err != nil {
		return nil, err
	}
	if r.userinfo != "" && token.AccessToken != "" {
		if err := p.addUserInfo(ctx, r, token.AccessToken, claims); err != nil {
			return nil, err
		}
	}
	return p.identity(ctx, claims)
}

// code reads the callback's query. A parameter that comes twice is refused:
// which of the two counts would be a matter of taste.
func (p *Provider) code(r *remote, query map[string][]string) (string, error) {
	values := url.Values(query)
	for _, name := range []string{"code", "error", "iss", "state"} {
		if len(values[name]) > 1 {
			return "", p.refused("%s comes more than once", name)
		}
	}
	// RFC 9207: the answer of another provider must not be taken to this one.
	if iss := values["iss"]; (len(iss) == 0 && r.issInAnswer) || (len(iss) == 1 && iss[0] != p.cfg.Issuer) {
		return "", p.refused("the answer does not come from this provider")
	}
	if reason := values.Get("error"); reason != "" {
		return "", p.refused("it answered %q: %q", plain(reason, 64), plain(values.Get("error_description"), 200))
	}
	code := values.Get("code")
	if code == "" || len(code) > maxCode {
		return "", p.refused("there is no code in the answer")
	}
	return code, nil
}

// plain keeps of a text that came through the browser what RFC 6749, section
// 4.1.2.1 allows in it, at most limit bytes.
func plain(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s[:min(len(s), 4*limit)])
	return s[:min(len(s), limit)]
}

func (p *Provider) exchange(ctx context.Context, r *remote, redirectURL, code, verifier string) (*oauth2.Token, error) {
	token, err := p.oauth(r, redirectURL).Exchange(ctx, code, oauth2.VerifierOption(verifier))
	var answer *oauth2.RetrieveError
	switch {
	case err == nil:
		return token, nil
	case errors.As(err, &answer):
		status := answer.Response.StatusCode
		if status >= http.StatusInternalServerError {
			return nil, identity.Unavailable(p.name, errors.New("the token endpoint answered "+http.StatusText(status)))
		}
		return nil, p.refused("the token endpoint answered %d %q", status, plain(answer.ErrorCode, 64))
	}
	return nil, p.failed("the token endpoint", err)
}

// failed sorts an error of a request: the network's mean that the provider is
// away, all others that its answer is wrong.
func (p *Provider) failed(what string, err error) error {
	var network *url.Error
	if errors.Is(err, errTooLarge) {
		return p.refused("%s: %s", what, brief(err))
	}
	if errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return identity.Unavailable(p.name, errors.New(what+": "+brief(err)))
	}
	return p.refused("%s: %s", what, brief(err))
}

// verify judges the ID token (OpenID Connect Core 1.0, section 3.1.3.7) and
// returns its claims.
func (p *Provider) verify(ctx context.Context, r *remote, token *oauth2.Token, nonce string) (claimSet, error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" || len(raw) > maxToken {
		return nil, p.refused("there is no ID token in the answer")
	}
	if !compact(raw) {
		return nil, p.refused("the ID token is malformed")
	}
	now, skew := p.now(), p.cfg.ClockSkew
	keys := &keyWatch{keys: r.keys}
	checked, err := oidc.NewVerifier(p.cfg.Issuer, keys, &oidc.Config{
		ClientID: p.cfg.ClientID, SupportedSigningAlgs: r.algorithms,
		Now: func() time.Time { return now.Add(-skew) },
	}).Verify(ctx, raw)
	if keys.away != nil {
		return nil, identity.Unavailable(p.name, errors.New("keys: "+brief(keys.away)))
	}
	if err != nil {
		return nil, p.refused("%s", tokenFault(err))
	}
	var more struct {
		AZP       string   `json:"azp"`
		NotBefore *float64 `json:"nbf"`
	}
	var claims claimSet
	if err := errors.Join(checked.Claims(&more), checked.Claims(&claims)); err != nil {
		return nil, p.refused("the claims of the ID token are no claims")
	}
	switch {
	case nonce == "" || subtle.ConstantTimeCompare([]byte(checked.Nonce), []byte(nonce)) != 1:
		return nil, p.refused("the nonce of the ID token is another's")
	case more.AZP != "" && more.AZP != p.cfg.ClientID:
		return nil, p.refused("the ID token was made for another party")
	case more.AZP == "" && len(checked.Audience) > 1:
		return nil, p.refused("the ID token has several audiences and names no party")
	case checked.IssuedAt.Unix() <= 0 || checked.IssuedAt.After(now.Add(skew)):
		return nil, p.refused("the ID token was issued in the future, or never")
	case checked.IssuedAt.Before(now.Add(-maxTokenAge - skew)):
		return nil, p.refused("the ID token is too old")
	case more.NotBefore != nil && *more.NotBefore > float64(now.Add(skew).Unix()):
		return nil, p.refused("the ID token is not valid yet")
	case checked.Subject == "" || len(checked.Subject) > 255 || checked.Subject != identity.Text(checked.Subject):
		return nil, p.refused("the subject of the ID token is unusable")
	}
	if checked.AccessTokenHash != "" && checked.VerifyAccessToken(token.AccessToken) != nil {
		return nil, p.refused("the access token is not the one that belongs to the ID token")
	}
	return claims, nil
}

// compact reports whether a token is exactly three parts of base64url (RFC 7515,
// section 7.1) in the one spelling that encodes their bytes. The JOSE library
// forgives white space and stray bits at the end, so that changed tokens would
// still pass.
func compact(raw string) bool {
	parts := strings.Split(raw, ".")
	for _, part := range parts {
		decoded, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || part == "" || base64.RawURLEncoding.EncodeToString(decoded) != part {
			return false
		}
	}
	return len(parts) == 3
}

// tokenFault says what was wrong with a token without repeating any of it.
func tokenFault(err error) string {
	var expired *oidc.TokenExpiredError
	if errors.As(err, &expired) {
		return "the ID token has expired"
	}
	text := err.Error()
	for _, known := range []struct{ mark, say string }{
		{"issued by a different provider", "the ID token was issued by another provider"},
		{"expected audience", "the ID token is meant for another audience"},
		{"verify signature", "the signature of the ID token is wrong, or its key is not known"},
		{"malformed jwt", "the ID token is malformed, or signed in a way that is not allowed"},
	} {
		if strings.Contains(text, known.mark) {
			return known.say
		}
	}
	return "the ID token is not valid"
}

// keyWatch notes for one verification whether the keys could be fetched at all.
type keyWatch struct {
	keys oidc.KeySet
	away error
}

// VerifySignature implements oidc.KeySet.
func (k *keyWatch) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.keys.VerifySignature(ctx, jwt)
	// Only a failed fetch wraps another error; a wrong signature is final.
	if cause := errors.Unwrap(err); cause != nil && !errors.Is(cause, errThrottled) {
		k.away = cause
	}
	return payload, err
}
