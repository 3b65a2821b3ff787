package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"sallyport"
	"sallyport/identity"
)

// maxGroups of one person; with more, sign-in fails: to leave some out would be
// to decide by chance.
const maxGroups = 2000

// claimSet is a set of claims by name.
type claimSet map[string]json.RawMessage

// text returns a claim that is text, made fit for use; "" for any other.
func (c claimSet) text(name string) string {
	var s string
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return identity.Text(s)
}

// list returns a claim that is a list of texts or one text. What is neither is
// left out.
func (c claimSet) list(name string) []string {
	var raw []json.RawMessage
	if json.Unmarshal(c[name], &raw) != nil {
		raw = []json.RawMessage{c[name]}
	}
	var out []string
	for _, r := range raw {
		if s := (claimSet{"": r}).text(""); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// denied reports whether a claim is there and says no. Some providers send truth
// as text.
func (c claimSet) denied(name string) bool {
	raw := strings.TrimSpace(string(c[name]))
	return raw != "" && raw != "null" && raw != "true" && raw != `"true"`
}

// addUserInfo adds the claims of the userinfo endpoint that the ID token does
// not have: what was signed for this sign-in goes first. An address that either
// of the two calls unverified stays so.
func (p *Provider) addUserInfo(ctx context.Context, r *remote, accessToken string, claims claimSet) error {
	info, err := p.userInfo(ctx, r, accessToken)
	if err != nil {
		return err
	}
	// Tokens can be swapped: the claims of another person must not be joined to
	// this one (OpenID Connect Core 1.0, section 5.3.2).
	if sub := info.text("sub"); sub == "" || sub != claims.text("sub") {
		return p.refused("userinfo is about somebody else")
	}
	unverified := info.denied("email_verified")
	for name, value := range info {
		if old, ok := claims[name]; !ok || string(old) == "null" {
			claims[name] = value
		}
	}
	if unverified {
		claims["email_verified"] = json.RawMessage("false")
	}
	return nil
}

func (p *Provider) userInfo(ctx context.Context, r *remote, accessToken string) (claimSet, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.userinfo, nil)
	if err != nil {
		return nil, p.refused("the userinfo address is unusable")
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	req.Header.Set("Accept", "application/json")
	res, err := p.client.Do(req)
	if err != nil {
		return nil, p.failed("userinfo", err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode >= http.StatusInternalServerError:
		return nil, identity.Unavailable(p.name, errors.New("userinfo answered "+http.StatusText(res.StatusCode)))
	case res.StatusCode != http.StatusOK:
		return nil, p.refused("userinfo answered %d", res.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, p.refused("userinfo is not JSON")
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, p.failed("userinfo", err)
	}
	var info claimSet
	if json.Unmarshal(body, &info) != nil {
		return nil, p.refused("userinfo is not JSON")
	}
	return info, nil
}

// identity reads a person from their claims.
func (p *Provider) identity(ctx context.Context, claims claimSet) (*sallyport.Identity, error) {
	c := p.cfg.Claims
	var email string
	if !claims.denied("email_verified") {
		email = address(claims.text(c.Email))
	}
	id := &sallyport.Identity{
		Provider: p.name, Issuer: p.cfg.Issuer, Subject: claims.text("sub"),
		Email: email, Name: claims.text(c.Name), Groups: claims.list(c.Groups), AMR: claims.list("amr"),
	}
	if len(id.Groups) > maxGroups || len(id.AMR) > maxGroups {
		return nil, p.refused("more than %d groups", maxGroups)
	}
	if _, elsewhere := claims["_claim_names"]; elsewhere && len(id.Groups) == 0 {
		p.log.WarnContext(ctx, "claims that the provider keeps elsewhere are not fetched; let it put the groups into the ID token", "subject", id.Subject)
	}
	names := []string{claims.text(c.Username)}
	if c.Username == "" {
		names = []string{claims.text("preferred_username"), email, id.Subject}
	}
	for _, name := range names {
		if id.Username == "" {
			id.Username = name
		}
	}
	if id.Username == "" {
		return nil, p.refused("there is no claim %s", c.Username)
	}
	return id, nil
}

// address returns s if it can be a mail address, else "".
func address(s string) string {
	folded, err := sallyport.FoldName(s)
	if err != nil {
		return ""
	}
	name, domain, ok := strings.Cut(folded, "@")
	if !ok || name == "" || domain == "" || strings.ContainsAny(s, "\"\\()<>,;: ") || strings.Contains(domain, "@") {
		return ""
	}
	return s
}
