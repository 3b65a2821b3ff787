package parts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// OIDCOptions says how the OpenID provider is set up. The zero value is a
// provider on http://127.0.0.1 with the accounts of Accounts.
type OIDCOptions struct {
	// Host is the issuer's host name; empty means 127.0.0.1. The provider
	// listens on 127.0.0.1 whatever its name is.
	Host string
	// HTTPS gives the issuer a certificate under an authority of its own.
	HTTPS bool
	// ClientID and ClientSecret of the only client; empty means "sallyport"
	// and a fixed secret.
	ClientID, ClientSecret string
	// RedirectURIs of the client. Empty means one that nobody serves: set
	// them later with SetRedirectURIs, when the client's address is known.
	RedirectURIs []string
	// PostLogoutRedirectURIs of the client.
	PostLogoutRedirectURIs []string
	// Accounts that can sign in; empty means those of Accounts.
	Accounts []Account
	// ClaimsOnlyInUserInfo keeps profile, email and groups out of the ID
	// token, as strict providers do.
	ClaimsOnlyInUserInfo bool
}

// Account is somebody who can sign in at the OpenID provider.
type Account struct {
	Login             string   `json:"login"`    // typed in the form
	Password          string   `json:"password"` // typed in the form
	Subject           string   `json:"sub"`
	PreferredUsername string   `json:"preferred_username"`
	Name              string   `json:"name"`
	Email             string   `json:"email"`
	Groups            []string `json:"groups"`
}

// Accounts returns the accounts that every OIDCProvider starts with.
func Accounts() []Account {
	return []Account{
		{"alice", "alice-oidc-1", "sub-alice", "alice", "Alice Ashford", "alice@corp.example", []string{"employees", "finance"}},
		{"bob", "bob-oidc-1", "sub-bob", "bob", "Bob Brennan", "bob@corp.example", []string{"employees"}},
		{"tanaka", "tanaka-oidc-1", "sub-tanaka", "tanaka", "田中 花子", "tanaka@corp.example", []string{"employees"}},
	}
}

// OIDC is a running OpenID provider. Its login page is a form with the fields
// login and password at /login/ID, to which the authorisation endpoint
// redirects; it asks for no consent. It demands PKCE.
type OIDC struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	CAFile       string // the issuer's authority as PEM; empty without HTTPS

	t       testing.TB
	control string
}

// Tamper says what the provider does wrong from now on. The zero value is an
// honest provider.
type Tamper struct {
	// Claims replace those of ID tokens; a nil value leaves the claim out.
	Claims map[string]any `json:"claims,omitempty"`
	// Alg "none" sends ID tokens without signature; "HS256" signs them with
	// the client secret.
	Alg string `json:"alg,omitempty"`
	// WrongKey signs ID tokens with a key that is not published, under the
	// key ID of one that is.
	WrongKey bool `json:"wrongKey,omitempty"`
	// UserInfo and Discovery replace fields of these documents.
	UserInfo  map[string]any `json:"userInfo,omitempty"`
	Discovery map[string]any `json:"discovery,omitempty"`
}

// OIDCProvider starts npm oidc-provider with one confidential client.
func OIDCProvider(t testing.TB, opts OIDCOptions) *OIDC {
	t.Helper()
	node := needProgram(t, installHint+" (Node.js 20 or newer)", "node")
	dir := needNPM(t, "oidc-provider")
	o := &OIDC{t: t, ClientID: opts.ClientID, ClientSecret: opts.ClientSecret}
	if o.ClientID == "" {
		o.ClientID = "sallyport"
	}
	if o.ClientSecret == "" {
		o.ClientSecret = "client-secret-for-tests-0123456789"
	}
	cmd := exec.Command(node, filepath.Join(dir, "provider.mjs"))
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatalf("open a pipe to the OpenID provider: %v", err)
	}
	p, err := startProcess("oidc-provider", cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	if _, err := stdin.Write(append(o.settings(opts), '\n')); err != nil {
		t.Fatalf("configure the OpenID provider: %v; it printed:\n%s", err, p.out)
	}
	if err := p.waitReady(func(context.Context) error { return o.readAddresses(p.out.String()) }); err != nil {
		t.Fatal(err)
	}
	return o
}

// settings returns one line of JSON for provider.mjs.
func (o *OIDC) settings(opts OIDCOptions) []byte {
	o.t.Helper()
	host, accounts, redirects := opts.Host, opts.Accounts, opts.RedirectURIs
	if host == "" {
		host = "127.0.0.1"
	}
	if len(accounts) == 0 {
		accounts = Accounts()
	}
	if len(redirects) == 0 {
		redirects = []string{"https://not-set.example/callback"}
	}
	settings := map[string]any{
		"host": host, "accounts": accounts, "redirectURIs": redirects,
		"clientID": o.ClientID, "clientSecret": o.ClientSecret,
		"postLogoutRedirectURIs": append([]string{}, opts.PostLogoutRedirectURIs...),
		"claimsOnlyInUserInfo":   opts.ClaimsOnlyInUserInfo,
	}
	if opts.HTTPS {
		ca := NewCA(o.t)
		o.CAFile = ca.CAFile
		settings["certFile"], settings["keyFile"] = ca.Issue(o.t, host, "127.0.0.1", "localhost")
	}
	data, err := json.Marshal(settings)
	if err != nil {
		o.t.Fatalf("encode the settings of the OpenID provider: %v", err)
	}
	return data
}

// readAddresses looks for the line that the script prints when it serves.
func (o *OIDC) readAddresses(output string) error {
	_, rest, found := strings.Cut(output, "READY ")
	line, _, whole := strings.Cut(rest, "\n")
	if !found || !whole {
		return errors.New("it is not ready yet")
	}
	var addresses struct{ Issuer, Control string }
	if err := json.Unmarshal([]byte(line), &addresses); err != nil {
		return fmt.Errorf("read its addresses: %w", err)
	}
	o.Issuer, o.control = addresses.Issuer, addresses.Control
	return nil
}

// SetRedirectURIs replaces the redirect URIs of the client.
func (o *OIDC) SetRedirectURIs(uris ...string) {
	o.t.Helper()
	o.change(map[string]any{"redirectURIs": uris})
}

// RotateKeys signs with a new key from now on. With keepOld the old one stays
// published beside it, otherwise it is gone at once.
func (o *OIDC) RotateKeys(keepOld bool) {
	o.t.Helper()
	o.change(map[string]any{"rotate": map[string]bool{"keepOld": keepOld}})
}

// Tamper makes the provider give wrong answers until it is called again.
func (o *OIDC) Tamper(how Tamper) {
	o.t.Helper()
	o.change(map[string]any{"tamper": how})
}

func (o *OIDC) change(what map[string]any) {
	o.t.Helper()
	data, err := json.Marshal(what)
	if err != nil {
		o.t.Fatalf("encode a change of the OpenID provider: %v", err)
	}
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodPost, o.control, bytes.NewReader(data))
	if err != nil {
		o.t.Fatalf("change the OpenID provider: %v", err)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Fatalf("change the OpenID provider: %v", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
		o.t.Fatalf("change the OpenID provider: %s: %s", res.Status, body)
	}
}

// needNPM returns the folder with our Node scripts, in which pkg is installed.
func needNPM(t testing.TB, pkg string) string {
	t.Helper()
	dir := filepath.Join(Root(t), "internal", "parts", "npm")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", pkg, "package.json")); err != nil {
		Need(t, "npm "+pkg, installHint+" (npm ci in internal/parts/npm)")
	}
	return dir
}
