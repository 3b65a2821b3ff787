package oidc_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sallyport"
	"sallyport/identity/oidc"
	"sallyport/internal/secret"
)

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  oidc.Config
		want []string
	}{
		"good":           {oidc.Config{Issuer: "https://id.partner.example", ClientID: "x", Redirect: true}, nil},
		"with a path":    {oidc.Config{Issuer: "https://id.partner.example/realms/a/", ClientID: "x"}, nil},
		"loopback":       {oidc.Config{Issuer: "http://127.0.0.1:8080", ClientID: "x"}, nil},
		"localhost":      {oidc.Config{Issuer: "http://id.localhost:8080", ClientID: "x"}, nil},
		"empty":          {oidc.Config{}, []string{"issuer", "client_id"}},
		"plain":          {oidc.Config{Issuer: "http://id.partner.example", ClientID: "x"}, []string{"issuer"}},
		"plain, local?":  {oidc.Config{Issuer: "http://localhost.evil.example", ClientID: "x"}, []string{"issuer"}},
		"query":          {oidc.Config{Issuer: "https://id.partner.example/?a=b", ClientID: "x"}, []string{"issuer"}},
		"empty query":    {oidc.Config{Issuer: "https://id.partner.example?", ClientID: "x"}, []string{"issuer"}},
		"fragment":       {oidc.Config{Issuer: "https://id.partner.example#", ClientID: "x"}, []string{"issuer"}},
		"user":           {oidc.Config{Issuer: "https://a@id.partner.example", ClientID: "x"}, []string{"issuer"}},
		"no scheme":      {oidc.Config{Issuer: "id.partner.example", ClientID: "x"}, []string{"issuer"}},
		"two secrets":    {oidc.Config{Issuer: "https://a", ClientID: "x", ClientSecret: secret.New("a"), ClientSecretFile: "b"}, []string{"client_secret_file"}},
		"no openid":      {oidc.Config{Issuer: "https://a", ClientID: "x", Scopes: []string{"profile"}}, []string{"scopes"}},
		"scopes in one":  {oidc.Config{Issuer: "https://a", ClientID: "x", Scopes: []string{"openid", "profile email"}}, []string{"scopes"}},
		"skew":           {oidc.Config{Issuer: "https://a", ClientID: "x", ClockSkew: time.Hour}, []string{"clock_skew"}},
		"negative times": {oidc.Config{Issuer: "https://a", ClientID: "x", ClockSkew: -1, Timeout: -1}, []string{"clock_skew", "timeout"}},
	} {
		var paths []string
		for _, f := range c.cfg.Validate() {
			paths = append(paths, f.Path)
			if f.Hint == "" {
				t.Errorf("%s: %s has no hint", name, f.Path)
			}
		}
		if !slices.Equal(paths, c.want) {
			t.Errorf("%s: faults at %q, want %q", name, paths, c.want)
		}
		if p, err := oidc.New("p", "P", c.cfg); (err == nil) != (len(c.want) == 0) {
			t.Errorf("%s: New gives %v, %v", name, p, err)
		}
	}
}

// C7: a secret or CA file that is missing or empty must not mean "without".
func TestMissingFilesRefuseTheStartC7(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, empty + "-missing"} {
		for path, cfg := range map[string]oidc.Config{
			"ca_file":            {Issuer: "https://a", ClientID: "x", CAFile: file},
			"client_secret_file": {Issuer: "https://a", ClientID: "x", ClientSecretFile: file},
		} {
			_, err := oidc.New("p", "P", cfg)
			var fault *sallyport.FieldError
			if !errors.As(err, &fault) || fault.Path != path {
				t.Errorf("%s %s: %v", path, filepath.Base(file), err)
			}
		}
	}
}
