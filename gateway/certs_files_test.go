package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"sallyport/config"
	"sallyport/internal/parts"
)

func pairOf(t testing.TB, ca *parts.CA, names ...string) config.KeyPair {
	t.Helper()
	cert, key := ca.Issue(t, names...)
	return config.KeyPair{CertFile: cert, KeyFile: key}
}

func newFiles(t testing.TB, pairs []config.KeyPair, hosts ...string) (certs, error) {
	t.Helper()
	return newCerts(config.TLS{Files: pairs}, hosts, certOptions{Log: testLog(t), CheckEvery: time.Hour})
}

func TestFileCertsByName(t *testing.T) {
	ca := parts.NewCA(t)
	c, err := newFiles(t, []config.KeyPair{
		pairOf(t, ca, "*.example.com"), pairOf(t, ca, "login.example.com"), pairOf(t, ca, "app.other.example"),
	}, "login.example.com", "app.example.com", "app.other.example")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"login.example.com": "login.example.com", // exact before wildcard
		"app.example.com":   "*.example.com",
		"app.other.example": "app.other.example",
		"":                  "login.example.com", // the portal's
	} {
		cert, err := look(t, c, name)
		if err != nil {
			t.Errorf("%q: %v", name, err)
		} else if cert.DNSNames[0] != want {
			t.Errorf("%q gets the certificate of %s, want %s", name, cert.DNSNames[0], want)
		}
	}
	for _, name := range []string{"evil.example", "a.b.example.com", "example.com"} {
		if _, err := look(t, c, name); !unrecognized(err) {
			t.Errorf("%s: %v, want the alert unrecognized_name", name, err)
		}
	}
	if exp := c.Expiry(); exp["login.example.com"].IsZero() {
		t.Errorf("expiry: %v", exp)
	}
}

// C7: a certificate that is missing or does not fit its key refuses the start.
func TestFileCertsRefuseTheStart(t *testing.T) {
	ca := parts.NewCA(t)
	good, other := pairOf(t, ca, "a.example.com"), pairOf(t, ca, "b.example.com")
	if _, err := newFiles(t, []config.KeyPair{good, {CertFile: good.CertFile + ".gone", KeyFile: good.KeyFile}}, "a.example.com"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := newFiles(t, []config.KeyPair{good, {CertFile: other.CertFile, KeyFile: good.KeyFile}}, "a.example.com"); err == nil {
		t.Error("a key that is not the certificate's did not refuse the start")
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeWhole(to, data); err != nil {
		t.Fatal(err)
	}
}

// C7: a renewed pair is served without a restart, and a broken one leaves what is
// in force untouched.
func TestFileCertsReload(t *testing.T) {
	ca := parts.NewCA(t)
	pair := pairOf(t, ca, testHost)
	reloadScenario(t, ca, pair, time.Hour, func(t *testing.T, cert, key string) {
		copyFile(t, cert, pair.CertFile)
		copyFile(t, key, pair.KeyFile)
	})
}

// Some changes bring no notice: file systems on the network, or a folder that is
// swapped above the one that is watched.
func TestFileCertsReloadWithoutNotice(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege")
	}
	ca, dir := parts.NewCA(t), t.TempDir()
	link := filepath.Join(dir, "live")
	n := 0
	swap := func(t *testing.T, cert, key string) {
		t.Helper()
		n++
		folder := filepath.Join(dir, fmt.Sprint(n))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		copyFile(t, cert, filepath.Join(folder, "c.pem"))
		copyFile(t, key, filepath.Join(folder, "k.pem"))
		if err := os.Symlink(folder, link+"-new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+"-new", link); err != nil {
			t.Fatal(err)
		}
	}
	first := pairOf(t, ca, testHost)
	swap(t, first.CertFile, first.KeyFile)
	pair := config.KeyPair{CertFile: filepath.Join(link, "c.pem"), KeyFile: filepath.Join(link, "k.pem")}
	reloadScenario(t, ca, pair, 50*time.Millisecond, swap)
}

// reloadScenario serves pair and replaces its files by a broken and by a good one.
func reloadScenario(t *testing.T, ca *parts.CA, pair config.KeyPair, every time.Duration, replace func(t *testing.T, cert, key string)) {
	first, second := pairOf(t, ca, testHost), pairOf(t, ca, testHost)
	c, err := newCerts(config.TLS{Files: []config.KeyPair{pair}}, []string{testHost}, certOptions{Log: testLog(t), CheckEvery: every})
	if err != nil {
		t.Fatal(err)
	}
	runCerts(t, c)
	serial := func() string {
		cert, err := look(t, c, testHost)
		if err != nil {
			t.Fatalf("no certificate for a moment: %v", err)
		}
		return cert.SerialNumber.String()
	}
	old := serial()
	replace(t, first.CertFile, second.KeyFile) // do not fit each other
	f := c.(*fileCerts)
	eventually(t, 10*time.Second, "the broken pair is noticed", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.pairs[0].failed[0] != nil
	})
	if serial() != old {
		t.Error("a broken pair replaced a good one")
	}
	replace(t, second.CertFile, second.KeyFile)
	eventually(t, 10*time.Second, "the new pair is served", func() bool { return serial() != old })
}
