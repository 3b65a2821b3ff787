package oidc_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"sallyport"
	"sallyport/identity"
	"sallyport/identity/oidc"
)

func TestClaims(t *testing.T) {
	many := make([]string, 2001)
	for i := range many {
		many[i] = "g" + string(rune('a'+i%26)) + string(rune('A'+i/26%26)) + string(rune('0'+i/676))
	}
	for name, c := range map[string]struct {
		claims, userinfo map[string]any
		map_             oidc.Claims
		want             sallyport.Identity // of Username, Email, Name, Groups
		refused          bool
	}{
		"one group as text": {claims: map[string]any{"groups": "staff"}, want: sallyport.Identity{Username: "alice", Email: "alice@partner.example", Name: "Alice", Groups: []string{"staff"}}},
		"groups of all types": {claims: map[string]any{"groups": []any{"a", 7, nil, []string{"b"}, map[string]any{"c": 1}, "", "d\x00e"}},
			want: sallyport.Identity{Username: "alice", Email: "alice@partner.example", Name: "Alice", Groups: []string{"a", "d\uFFFDe"}}},
		"groups as an object": {claims: map[string]any{"groups": map[string]any{"admins": true}}, want: sallyport.Identity{Username: "alice", Email: "alice@partner.example", Name: "Alice"}},
		"too many groups":     {claims: map[string]any{"groups": many}, refused: true},
		"unverified address":  {claims: map[string]any{"email_verified": false}, want: sallyport.Identity{Username: "alice", Name: "Alice", Groups: []string{"employees", "finance"}}},
		"unverified as text":  {claims: map[string]any{"email_verified": "false"}, want: sallyport.Identity{Username: "alice", Name: "Alice", Groups: []string{"employees", "finance"}}},
		"unverified, says userinfo": {userinfo: map[string]any{"email_verified": false},
			want: sallyport.Identity{Username: "alice", Name: "Alice", Groups: []string{"employees", "finance"}}},
		"unverified address is no name": {claims: map[string]any{"email_verified": false, "preferred_username": nil},
			want: sallyport.Identity{Username: "sub-alice", Name: "Alice", Groups: []string{"employees", "finance"}}},
		"verification not said": {claims: map[string]any{"email_verified": nil, "preferred_username": nil},
			want: sallyport.Identity{Username: "alice@partner.example", Email: "alice@partner.example", Name: "Alice", Groups: []string{"employees", "finance"}}},
		"two addresses in one": {claims: map[string]any{"email": "a@partner.example@evil.example"}, want: sallyport.Identity{Username: "alice", Name: "Alice", Groups: []string{"employees", "finance"}}},
		"from userinfo": {claims: map[string]any{"preferred_username": nil, "email": nil, "email_verified": nil, "name": nil, "groups": nil},
			userinfo: map[string]any{"preferred_username": "al", "email": "al@partner.example", "name": "Al", "groups": []string{"x"}},
			want:     sallyport.Identity{Username: "al", Email: "al@partner.example", Name: "Al", Groups: []string{"x"}}},
		"the token goes first": {userinfo: map[string]any{"preferred_username": "root", "groups": []string{"admins"}, "iss": "x", "aud": "y"},
			want: sallyport.Identity{Username: "alice", Email: "alice@partner.example", Name: "Alice", Groups: []string{"employees", "finance"}}},
		"userinfo of another":      {userinfo: map[string]any{"sub": "sub-bob"}, refused: true},
		"userinfo of nobody":       {userinfo: map[string]any{"sub": nil}, refused: true},
		"own names":                {claims: map[string]any{"login": "al1", "roles": []string{"r"}}, map_: oidc.Claims{Username: "login", Groups: "roles"}, want: sallyport.Identity{Username: "al1", Email: "alice@partner.example", Name: "Alice", Groups: []string{"r"}}},
		"own name that is missing": {map_: oidc.Claims{Username: "login"}, refused: true},
		"groups kept elsewhere": {claims: map[string]any{"groups": nil, "_claim_names": map[string]string{"groups": "s"}, "_claim_sources": map[string]any{"s": map[string]string{"endpoint": "https://evil.example/groups"}}},
			want: sallyport.Identity{Username: "alice", Email: "alice@partner.example", Name: "Alice"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			p.claims, p.userinfo = c.claims, c.userinfo
			cfg := p.settings()
			cfg.Claims = c.map_
			id, err := p.signIn(t, p.client(t, cfg))
			if c.refused {
				if !errors.Is(err, identity.ErrProviderRefused) || id != nil {
					t.Errorf("%+v, %v", id, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if id.Username != c.want.Username || id.Email != c.want.Email || id.Name != c.want.Name || !slices.Equal(id.Groups, c.want.Groups) {
				t.Errorf("%+v, want %+v", id, c.want)
			}
			if id.Subject != "sub-alice" || id.Issuer != p.srv.URL {
				t.Errorf("of %q at %q", id.Subject, id.Issuer)
			}
		})
	}
}

func TestUserInfoThatIsNone(t *testing.T) {
	for name, answer := range map[string]struct {
		status     int
		kind, body string
		want       error
	}{
		"signed":    {200, "application/jwt", "a.b.c", identity.ErrProviderRefused},
		"a page":    {200, "text/html", `{"sub":"sub-alice"}`, identity.ErrProviderRefused},
		"cut":       {200, "application/json", `{"sub":"sub-alice"`, identity.ErrProviderRefused},
		"a list":    {200, "application/json", `["sub-alice"]`, identity.ErrProviderRefused},
		"null":      {200, "application/json", `null`, identity.ErrProviderRefused},
		"forbidden": {403, "application/json", `{"sub":"sub-alice"}`, identity.ErrProviderRefused},
		"broken":    {502, "application/json", `{"sub":"sub-alice"}`, sallyport.ErrUnavailable},
	} {
		p := newProvider(t)
		p.handle = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/userinfo" {
				return false
			}
			w.Header().Set("Content-Type", answer.kind)
			w.WriteHeader(answer.status)
			if _, err := w.Write([]byte(answer.body)); err != nil {
				t.Error(err)
			}
			return true
		}
		if id, err := p.signIn(t, p.client(t, p.settings())); !errors.Is(err, answer.want) || id != nil {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
	p := newProvider(t)
	p.discovery = map[string]any{"userinfo_endpoint": nil}
	if _, err := p.signIn(t, p.client(t, p.settings())); err != nil {
		t.Errorf("a provider without userinfo: %v", err)
	}
}
