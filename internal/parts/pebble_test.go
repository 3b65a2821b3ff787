package parts_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"sallyport/internal/parts"
)

func TestPebbleIssuesACertificate(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	httpPort := ln.Addr().(*net.TCPAddr).Port
	server := parts.Pebble(t, httpPort, parts.FreePort(t), parts.WithValidity(2*time.Hour))
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		RootCAs: poolOf(t, server.CAFile), MinVersion: tls.VersionTLS12,
	}}
	accountKey, certKey := ecKey(t), ecKey(t)
	client := &acme.Client{Key: accountKey, DirectoryURL: server.DirectoryURL, HTTPClient: &http.Client{Transport: transport}}
	if _, err := client.Register(t.Context(), &acme.Account{}, acme.AcceptTOS); err != nil {
		t.Fatalf("register: %v", err)
	}

	answers := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := client.HTTP01ChallengeResponse(r.URL.Path[len("/.well-known/acme-challenge/"):])
		if err == nil {
			_, err = w.Write([]byte(answer))
		}
		if err != nil {
			t.Errorf("answer the challenge: %v", err)
		}
	})}
	served := make(chan error)
	go func() { served <- answers.Serve(ln) }()
	defer func() {
		if err := answers.Close(); err != nil {
			t.Error(err)
		}
		<-served
	}()

	const name = "timesheet.corp.example"
	chain := obtain(t, client, certKey, name)
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		t.Fatal(err)
	}
	intermediates := x509.NewCertPool()
	for _, der := range chain[1:] {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		intermediates.AddCert(cert)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: server.IssuerRoot(), Intermediates: intermediates}); err != nil {
		t.Errorf("verify: %v", err)
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore).Round(time.Minute); life != 2*time.Hour {
		t.Errorf("valid for %s", life)
	}
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// obtain orders a certificate and proves control by HTTP-01.
func obtain(t *testing.T, client *acme.Client, key *ecdsa.PrivateKey, name string) [][]byte {
	t.Helper()
	order, err := client.AuthorizeOrder(t.Context(), acme.DomainIDs(name))
	if err != nil {
		t.Fatalf("order: %v", err)
	}
	for _, url := range order.AuthzURLs {
		authz, err := client.GetAuthorization(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		for _, challenge := range authz.Challenges {
			if challenge.Type != "http-01" {
				continue
			}
			if _, err := client.Accept(t.Context(), challenge); err != nil {
				t.Fatalf("accept: %v", err)
			}
		}
		if _, err := client.WaitAuthorization(t.Context(), url); err != nil {
			t.Fatalf("validate: %v", err)
		}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
	if err != nil {
		t.Fatal(err)
	}
	// The client cannot follow an answer to finalize without a Location, which
	// the standard allows, so its error is not looked at: the order tells.
	_, _, _ = client.CreateOrderCert(t.Context(), order.FinalizeURL, csr, true)
	ready, err := client.WaitOrder(t.Context(), order.URI)
	if err != nil {
		t.Fatalf("finalize: %v", err)
	}
	chain, err := client.FetchCert(t.Context(), ready.CertURL, true)
	if err != nil {
		t.Fatalf("fetch: %v", err)
	}
	return chain
}
