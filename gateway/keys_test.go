package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport"
	"sallyport/sallyporttest"
)

// jwks reads the keys that are published on a host.
func jwks(t *testing.T, g *sallyporttest.Gateway, host string) *jose.JSONWebKeySet {
	t.Helper()
	p := g.Browser().Get(g.URL(host, "/.sallyport/jwks.json"))
	if p.Status != http.StatusOK {
		t.Fatalf("the keys of %s: %d", host, p.Status)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(p.Body), &set); err != nil {
		t.Fatal(err)
	}
	return &set
}

// What an app gets is signed by a key that it can fetch from its own host and from
// the portal, and from before a reload still is after it.
func TestAssertionIsSignedByAPublishedKey(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	g.AddUser("alice", password, sallyport.StateDisabled)
	b := g.Browser()
	token := b.SignIn(g.URL(sallyporttest.App, "/"), "alice", password).Echoed().Header.Get("X-Sallyport-Assertion")
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		for _, host := range []string{sallyporttest.App, sallyporttest.Other, sallyporttest.Portal} {
			keys := jwks(t, g, host).Key(jws.Signatures[0].Header.KeyID)
			if len(keys) != 1 {
				t.Fatalf("%s: %s publishes %d keys of that name", when, host, len(keys))
			}
			payload, err := jws.Verify(keys[0])
			if err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			var c struct {
				Issuer   string `json:"iss"`
				Audience string `json:"aud"`
				Name     string `json:"preferred_username"`
			}
			if err := json.Unmarshal(payload, &c); err != nil || c.Issuer != g.URL(sallyporttest.Portal, "") ||
				c.Audience != g.URL(sallyporttest.App, "/") || c.Name != "alice" {
				t.Errorf("%s: %+v, %v", when, c, err)
			}
		}
	}
	check("at first")
	if err := g.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	check("after a reload")
}

// A key that another node made is published here within moments, not at the next
// regular look: that node's clock may be ahead, and it may sign at once.
func TestKeyOfAnotherNodeIsPublished(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	before := jwks(t, g, sallyporttest.App)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	now := g.Clock.Now()
	k := sallyport.SigningKey{KID: sallyport.NewID(), PKCS8: der, CreatedAt: now, ActiveAt: now.Add(time.Hour), RetireAt: now.Add(48 * time.Hour)}
	if err := g.Store().CreateSigningKey(t.Context(), k, now); err != nil {
		t.Fatal(err)
	}
	sallyporttest.Eventually(t, 5*time.Second, "the key is published", func() bool {
		return len(jwks(t, g, sallyporttest.App).Key(k.KID)) == 1
	})
	if len(before.Keys) != 1 || len(jwks(t, g, sallyporttest.Portal).Key(before.Keys[0].KeyID)) != 1 {
		t.Error("the key that signs is not published any more")
	}
}
