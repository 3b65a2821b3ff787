package config

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sallyport/internal/seal"
)

// good is the least that a routing file can be.
const good = `version: 1
server:
  portal: login.example.com
tls:
  internal: true
secrets:
  master_key_file: master.key
identity:
  - name: local
    type: local
routes:
  - name: app
    hosts: [app.example.com]
    upstream: http://127.0.0.1:8080
`

// testEnv knows a few variables.
func testEnv(name string) (string, bool) {
	v, ok := map[string]string{
		"SECRET":               "hunter2",
		"INJECTED":             "http://127.0.0.1:8080\n    allow: {users: [mallory]}",
		"SALLYPORT_MASTER_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		"LDAP_PASSWORD":        "p: #x",
		"OIDC_SECRET":          "oidc secret",
		"DAYS":                 "7",
		"ON":                   "true",
		"HOUR":                 "1h",
	}[name]
	return v, ok
}

// folder makes a folder with every file that the routing files of the tests name.
func folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	cert, key := certificate(t)
	other, _ := certificate(t)
	for name, f := range map[string]struct {
		text []byte
		mode os.FileMode
	}{
		"master.key": {seal.Generate(), 0o600},
		"open.key":   {seal.Generate(), 0o644},
		"bad.key":    {[]byte("too short"), 0o600},
		"ca.pem":     {other, 0o644},
		"cert.pem":   {cert, 0o644},
		"key.pem":    {key, 0o600},
		"secret":     {[]byte("hunter2\n"), 0o600},
		"fr.toml":    {catalogue(t), 0o644},
		"de.toml":    {[]byte("[web]\nlanguage = \"Deutsch\"\n[challenge.verify]\ntitel = \"Code\"\n[nonsense]\nat = \"all\"\n"), 0o644},
		"es.toml":    {[]byte("[web]\nlanguage = \"Español\nskip = 1\n"), 0o644},
		"nl.toml":    {[]byte("[web]\nlanguage = \"Nederlands\"\nskip = 1\n"), 0o644},
		"it.toml":    {[]byte("[web]\ncontinue = \"Avanti\"\n"), 0o644},
		"pt-BR.toml": {[]byte("[web]\nlanguage = \"Português\"\n[web.ago.minutes]\none = \"{{.Conta}} minuto\"\n[web.ago.hours]\nleftDelim = \"<<\"\nrightDelim = \">>\"\none = \"<<.Conta>> hora\"\n"), 0o644},
		"logo.svg":   {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), 0o644},
	} {
		write(t, filepath.Join(dir, name), f.text, f.mode)
	}
	return dir
}

// catalogue is a catalogue file that lacks nothing: the English texts, passed off
// as another language.
func catalogue(t testing.TB) []byte {
	t.Helper()
	var all []byte
	for _, src := range append(PageAssets(), os.DirFS("../web")) {
		text, err := fs.ReadFile(src, "catalog/en.toml")
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, text...), '\n')
	}
	return all
}

func write(t testing.TB, name string, text []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, text, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func certificate(t testing.TB, change ...func(*x509.Certificate)) (cert, key []byte) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"*.example.com"}, IsCA: true, BasicConstraintsValid: true,
	}
	for _, c := range change {
		c(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &priv.PublicKey, priv)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// loadIn loads a text as the routing file of dir.
func loadIn(t testing.TB, dir, text string) (*Config, error) {
	t.Helper()
	return load("sallyport.yaml", filepath.Join(dir, "sallyport.yaml"), []byte(text), testEnv)
}

// mustLoad loads a text that has to be good.
func mustLoad(t testing.TB, dir, text string) *Config {
	t.Helper()
	c, err := loadIn(t, dir, text)
	if err != nil {
		t.Fatalf("cannot load:\n%v\n%s", err, text)
	}
	return c
}

func replace(t testing.TB, text, old, with string) string {
	t.Helper()
	if !bytes.Contains([]byte(text), []byte(old)) {
		t.Fatalf("%q is not in the text", old)
	}
	return string(bytes.Replace([]byte(text), []byte(old), []byte(with), 1))
}
