package config

import (
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// warned returns the warnings of a file that loads, as a terminal shows them.
func warned(t *testing.T, dir, text string) string {
	t.Helper()
	w := mustLoad(t, dir, text).Warnings()
	for _, e := range w {
		if e.Line == 0 || e.Column == 0 || e.Snippet == "" || e.Hint == "" {
			t.Errorf("a warning without its place or hint: %+v", e)
		}
	}
	return w.Render()
}

// A certificate that browsers would refuse is told when the file is checked, not
// by the first employee; the gateway starts with it all the same.
func TestCertificatesThatBrowsersRefuse(t *testing.T) {
	text, err := os.ReadFile("testdata/example/2-files.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		want   []string // parts of what is said; none: nothing
	}{
		"good":           {func(*x509.Certificate) {}, nil},
		"both spelt out": {func(c *x509.Certificate) { c.DNSNames = []string{"login.example.com", "wiki.example.com"} }, nil},
		"ran out": {func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) },
			[]string{"sallyport.yaml:6:19: ", "ran out on ", "renew it"}},
		"not begun": {func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) },
			[]string{"sallyport.yaml:6:19: ", "is good only from ", "clock"}},
		"no host": {func(c *x509.Certificate) {
			c.DNSNames, c.IPAddresses = []string{"else.example"}, []net.IP{net.IPv4(192, 0, 2, 1)}
		}, []string{"sallyport.yaml:6:19: ", "covers no host of this file: its names are else.example, 192.0.2.1",
			`sallyport.yaml:3:11: no certificate under ` + "`tls.files`" + ` covers "login.example.com"`, `covers "wiki.example.com"`}},
		"no name": {func(c *x509.Certificate) { c.DNSNames = nil }, []string{"it has no names"}},
		"one host": {func(c *x509.Certificate) { c.DNSNames = []string{"login.example.com"} },
			[]string{`no certificate under ` + "`tls.files`" + ` covers "wiki.example.com"`}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			cert, key := certificate(t, c.change)
			write(t, filepath.Join(dir, "cert.pem"), cert, 0o644)
			write(t, filepath.Join(dir, "key.pem"), key, 0o600)
			got := warned(t, dir, string(text))
			for _, w := range c.want {
				if !strings.Contains(got, w) {
					t.Errorf("%q is not in:\n%s", w, got)
				}
			}
			if len(c.want) == 0 && got != "" {
				t.Errorf("warned:\n%s", got)
			}
		})
	}
}

// A wildcard host needs a wildcard certificate.
func TestWildcardHostsAndTheirCertificates(t *testing.T) {
	text, err := os.ReadFile("testdata/example/2-files.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t)
	wild := replace(t, string(text), "[wiki.example.com]", "[\"*.example.com\", wiki.example.com:8443]")
	if got := warned(t, dir, wild); got != "" {
		t.Errorf("warned:\n%s", got)
	}
	cert, key := certificate(t, func(c *x509.Certificate) { c.DNSNames = []string{"login.example.com", "wiki.example.com"} })
	write(t, filepath.Join(dir, "cert.pem"), cert, 0o644)
	write(t, filepath.Join(dir, "key.pem"), key, 0o600)
	if got := warned(t, dir, wild); !strings.Contains(got, `covers "*.example.com"`) || strings.Contains(got, `"wiki`) {
		t.Errorf("warned:\n%s", got)
	}
}

// A group that nobody can be in locks everybody out; that is told at once.
func TestGroupsThatNobodyIsIn(t *testing.T) {
	for _, text := range []string{
		good + "    allow: {groups: [\"local:payroll\"]}\n",
		good + "    allow: {groups: [payroll]}\n",
		good + "    allow: {groups: [x]}\ngroups: {x: [\"local:payroll\"]}\n",
	} {
		got := warned(t, folder(t), text)
		if strings.Count(got, "nobody is in the group") != 1 || !strings.Contains(got, "local:payroll") {
			t.Errorf("%s\nwarned:\n%s", text, got)
		}
	}
	if got := warned(t, folder(t), good+"    allow: {users: [alice]}\n"); got != "" {
		t.Errorf("warned:\n%s", got)
	}
}

// What can be used and is hardly meant so is told.
func TestDoubtsAboutRoutesAndPortal(t *testing.T) {
	dir := folder(t)
	with := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(good) }
	for name, c := range map[string]struct {
		text string
		want string // "" for nothing
	}{
		"portal without the port": {with("  portal: login.example.com", "  portal: login.localhost\n  https: ':8443'"),
			"sallyport.yaml:3:11: browsers will look for the portal at https://login.localhost (port 443), but the gateway listens on :8443\n" +
				"    3 |   portal: login.localhost\n      |           ^^^^^^^^^^^^^^^\n" +
				"      = write `login.localhost:8443`, unless something in front forwards 443\n"},
		"portal at another port": {with("  portal: login.example.com", "  portal: login.localhost:9443\n  https: ':8443'"),
			"at https://login.localhost:9443, but the gateway listens on :8443"},
		"portal with the port":  {with("  portal: login.example.com", "  portal: login.localhost:8443\n  https: ':8443'"), ""},
		"one listener of two":   {with("  portal: login.example.com", "  portal: login.localhost\n  https: [':8443', '127.0.0.1:443']"), ""},
		"a free port":           {with("  portal: login.example.com", "  portal: login.localhost\n  https: '127.0.0.1:0'"), ""},
		"a balancer in front":   {with("  portal: login.example.com", "  portal: login.localhost\n  https: ''\n  plain: ':8080'\n  trusted_proxies: [192.0.2.1]", "127.0.0.1:8080", "127.0.0.1:8081"), ""},
		"everything is public":  {with("    hosts:", "    public: [/]\n    hosts:"), "sallyport.yaml:13:14: everything on this route is public"},
		"a public path":         {with("    hosts:", "    public: [/assets/]\n    hosts:"), ""},
		"upstream is the host":  {with("http://127.0.0.1:8080", "https://App.example.com"), `"App.example.com" is a host that this gateway serves`},
		"upstream is the port":  {with("http://127.0.0.1:8080", "https://localhost"), "the gateway itself listens on port 443"},
		"upstream by the http":  {with("http://127.0.0.1:8080", "http://127.0.0.1"), "the gateway itself listens on port 80"},
		"upstream on the inner": {with("http://127.0.0.1:8080", "http://10.0.0.5"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := warned(t, dir, c.text)
			if !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("%q is not in:\n%s", c.want, got)
			}
		})
	}
}
