package config

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/identity/ldap"
	"sallyport/identity/local"
	"sallyport/identity/oidc"
)

func exampleFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/example/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	return files
}

func TestExamplesLoad(t *testing.T) {
	dir := folder(t)
	for _, f := range exampleFiles(t) {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		c := mustLoad(t, dir, string(text))
		if w := c.Warnings(); len(w) > 0 {
			t.Errorf("%s: %v", f, w)
		}
	}
}

func TestEveryIdentityTypeIsRead(t *testing.T) {
	dir := folder(t)
	text, err := os.ReadFile("testdata/example/1-everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, dir, string(text))
	want := []struct {
		name  string
		check func(Identity) bool
	}{
		{"staff", func(i Identity) bool {
			return i.LDAP != nil && i.Label == "Staff account" && i.LDAP.CAFile == filepath.Join(dir, "ca.pem") && *i.LDAP.Groups.ActiveDirectory
		}},
		{"partners", func(i Identity) bool {
			return i.OIDC != nil && i.OIDC.ClockSkew == 30*time.Second && i.Label == "partners"
		}},
		{"local", func(i Identity) bool { return i.Local != nil && i.Local.Password.MinLength == 12 }},
	}
	for i, w := range want {
		if got := c.Identity[i]; got.Name != w.name || !w.check(got) {
			t.Errorf("identity[%d] = %+v", i, got)
		}
	}
	if r := c.Routes[0]; r.Timeouts.Idle != 10*time.Minute || len(r.Upstream) != 2 || r.Identity.Headers["X-Remote-User"] != "username" {
		t.Errorf("route = %+v", r)
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	dir := folder(t)
	c := mustLoad(t, dir, good)
	if !slices.Equal(c.Server.HTTPS, Listen{":443"}) || c.Session.Idle != time.Hour || c.Routes[0].Path != "/" ||
		c.Routes[0].Timeouts.ResponseHeader != 85*time.Second || c.Identity[0].Local.Password.MinLength != 8 ||
		c.MFA.Issuer != "Sallyport" || c.Store.SQLite != filepath.Join(dir, "sallyport.db") ||
		c.Identity[0].Label != "local" || c.MFA.DefaultState != sallyport.StateDisabled {
		t.Errorf("defaults are missing: %+v", c)
	}
	if c.PortalOrigin() != "https://login.example.com" || c.PortalHost() != "login.example.com" {
		t.Errorf("portal %s, %s", c.PortalOrigin(), c.PortalHost())
	}
}

// A zero that is written down is a setting; only what is left out has a default.
func TestWrittenZeroStays(t *testing.T) {
	c := mustLoad(t, folder(t), good+"    timeouts: {idle: 0}\nstore: {grace: 0}\naudit: {retention: 0s}\n")
	if c.Store.Grace != 0 || c.Audit.Retention != 0 {
		t.Errorf("grace %v, retention %v", c.Store.Grace, c.Audit.Retention)
	}
	c = mustLoad(t, folder(t), replace(t, good, "  portal:", "  http: \"\"\n  admin: []\n  portal:"))
	if len(c.Server.HTTP) != 0 || len(c.Server.Admin) != 0 || len(c.Server.HTTPS) != 1 {
		t.Errorf("listeners %+v", c.Server)
	}
}

func TestVariables(t *testing.T) {
	dir := folder(t)
	text := replace(t, good, "internal: true", "internal: ${ON}") +
		"session: {idle: '${HOUR}'}\nmfa: {remember_device: {days: \"${DAYS}\"}, issuer: 'a $${DAYS} b${DAYS}c$'}\n"
	c := mustLoad(t, dir, text)
	if !c.TLS.Internal || c.Session.Idle != time.Hour || c.MFA.RememberDevice.Days != 7 || c.MFA.Issuer != "a ${DAYS} b7c$" {
		t.Errorf("%+v %+v", c.MFA, c.Session)
	}
	text2 := `version: 1
server: {portal: login.example.com}
tls: {internal: true}
secrets: {master_key: "${SALLYPORT_MASTER_KEY}"}
identity:
  - {name: l, type: ldap, url: "ldaps://h", base_dn: DC=x, bind_dn: CN=y, bind_password: "${LDAP_PASSWORD}"}
routes:
  - {name: app, hosts: [app.example.com], upstream: "http://127.0.0.1:8080"}
`
	c = mustLoad(t, dir, text2)
	if got := c.Identity[0].LDAP.BindPassword.Reveal(); got != "p: #x" {
		t.Errorf("password = %q: a variable was read as YAML", got)
	}
	if _, err := c.Keyring(); err != nil {
		t.Errorf("keyring: %v", err)
	}
}

func TestGroupsAreResolved(t *testing.T) {
	dir := folder(t)
	one := mustLoad(t, dir, good+"    allow: {groups: [staff, 'local:x', everyone], users: [' Alice ', Bob@Example.com]}\ngroups: {everyone: ['local:a', 'local:x']}\n")
	a := one.Routes[0].Allow
	if !slices.Equal(a.Groups, []string{"local:staff", "local:x", "local:a"}) || !slices.Equal(a.Users, []string{"alice", "bob@example.com"}) {
		t.Errorf("allow = %+v", a)
	}
	one.ResolveGroups()
	if !slices.Equal(one.Routes[0].Allow.Groups, a.Groups) {
		t.Errorf("a second call gives %v", one.Routes[0].Allow.Groups)
	}
}

// An empty group would leave `allow` empty, which lets everybody in.
func TestEmptyGroupIsNotEverybody(t *testing.T) {
	for _, text := range []string{
		good + "    allow: {groups: [none]}\ngroups: {none: []}\n",
		good + "    allow: {groups: [none]}\ngroups: {none: }\n",
		good + "    allow: {groups: [\"\"]}\n",
	} {
		if c, err := loadIn(t, folder(t), text); err == nil {
			t.Errorf("loaded, with allow = %+v", c.Routes[0].Allow)
		}
	}
}

// C7: a missing secret, CA or certificate refuses the whole file (CVE-2026-54762
// and CVE-2026-27586: gateways that went on without the CA, and so without the
// check of client certificates).
func TestMissingFilesRefuseTheStart(t *testing.T) {
	everything, err := os.ReadFile("testdata/example/1-everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadFile("testdata/example/2-files.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"master.key": good, "ca.pem": string(everything), "secret": string(everything), "logo.svg": string(everything),
		"cert.pem": string(files), "key.pem": string(files),
	} {
		dir := folder(t)
		mustLoad(t, dir, text)
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		_, err := loadIn(t, dir, text)
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, name)) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// A pipe or a device in the place of a file would be read for ever.
func TestOnlyFilesAreRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no /dev on Windows")
	}
	for _, name := range []string{"/dev/zero", "."} {
		_, err := loadIn(t, folder(t), replace(t, good, "master.key", name))
		if err == nil || !strings.Contains(err.Error(), "not a file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// H4: what a variable holds is in no fault, whichever package finds it.
func TestFaultsDoNotShowVariables(t *testing.T) {
	for _, bad := range []string{
		replace(t, good, "http://127.0.0.1:8080", "${SECRET}"),
		replace(t, good, "http://127.0.0.1:8080", "ftp://x/${SECRET}"),
		replace(t, good, "login.example.com", "https://${SECRET}"),
		replace(t, good, "[app.example.com]", "[\"${SECRET} x\"]"),
		replace(t, good, "name: app", "name: \"${SECRET} x\""),
		replace(t, good, "type: local", "type: ${SECRET}"),
		replace(t, good, "master.key", "${SECRET}"),
		good + "session: {idle: \"${SECRET}\"}\n",
		good + "mfa: {trusted_ips: [\"${SECRET}\"], default_state: \"${SECRET}\", methods: [\"${SECRET}\"]}\n",
		good + "ui: {color: \"${SECRET}\", time_zone: \"${SECRET}\", logo_file: \"${SECRET}\"}\n",
		good + "    allow: {groups: [\"${SECRET}:x\"]}\n",
		good + "log: {level: \"${SECRET}\"}\n",
	} {
		_, err := loadIn(t, folder(t), bad)
		errs, ok := errors.AsType[Errors](err)
		if !ok || strings.Contains(errs.Render(), "hunter2") || strings.Contains(errs.Error(), "hunter2") {
			t.Errorf("%v for\n%s", err, bad)
		}
	}
}

// C8: one faulty rule refuses the whole file; nothing is skipped with a warning
// (as in gateways that dropped a malformed rule and served the rest).
func TestOneFaultRefusesTheFile(t *testing.T) {
	for _, bad := range []string{
		"  - {name: b, hosts: [b.example.com], upstream: 'http://127.0.0.1:1', allow: {groups: [nobody:x]}}\n",
		"  - {name: b, hosts: [b.example.com], upstream: 'http://127.0.0.1:1', alow: {groups: ['local:x']}}\n",
		"mfa: {trusted_ips: [10.0.0.0/8, nonsense]}\n",
		"mfa: {methods: [softwareOath, fido2]}\n",
	} {
		if c, err := loadIn(t, folder(t), good+bad); err == nil || c != nil {
			t.Errorf("loaded with %s", bad)
		}
	}
}

func TestOpenSecretFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no such modes on Windows")
	}
	text, err := os.ReadFile("testdata/example/2-files.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t)
	write(t, filepath.Join(dir, "key.pem"), mustRead(t, filepath.Join(dir, "key.pem")), 0o644)
	c := mustLoad(t, dir, string(text))
	if w := c.Warnings(); len(w) != 1 || w[0].Path != "tls.files[0].key_file" || w[0].Line == 0 {
		t.Errorf("warnings: %v", w)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
		write(t, filepath.Join(dir, "master.key"), mustRead(t, filepath.Join(dir, "master.key")), mode)
		if _, err := loadIn(t, dir, good); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func mustRead(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLoadFromDisk(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "sallyport.yaml")
	write(t, file, []byte("\uFEFF"+strings.ReplaceAll(good, "\n", "\r\n")), 0o600) // as Notepad writes it
	c, err := Load(file, testEnv)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{file, filepath.Join(dir, "master.key")}; !slices.Equal(c.Files(), want) || c.File() != file {
		t.Errorf("files %v, want %v", c.Files(), want)
	}
	_, err = Load(filepath.Join(dir, "nothing.yaml"), testEnv)
	errs, ok := errors.AsType[Errors](err)
	if !ok || !strings.Contains(errs.Render(), "no such file") {
		t.Errorf("missing file: %v", err)
	}
	if _, err = Load(dir, testEnv); err == nil {
		t.Error("a folder was loaded")
	}
	write(t, file, make([]byte, maxSize+1), 0o600)
	if _, err = Load(file, testEnv); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("huge file: %v", err)
	}
}

func TestRestartNeeded(t *testing.T) {
	dir := folder(t)
	write(t, filepath.Join(dir, "other.key"), mustRead(t, filepath.Join(dir, "master.key")), 0o600)
	base := mustLoad(t, dir, good)
	for text, want := range map[string][]string{
		good: nil,
		good + "session: {idle: 2h}\nui: {name: Other}\n":                                               nil,
		good + "store: {grace: 1s}\n":                                                                   {"store"},
		good + "log: {level: warn}\naudit: {retention: 1d}\n":                                           {"audit", "log"},
		replace(t, good, "internal: true", "acme: {}"):                                                  {"tls"},
		replace(t, replace(t, good, "master.key", "other.key"), "  portal:", "  http: \"\"\n  portal:"): {"server", "secrets"},
	} {
		if got := RestartNeeded(base, mustLoad(t, dir, text)); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	inline := func(key string) *Config {
		return mustLoad(t, dir, replace(t, good, "master_key_file: master.key", "master_key: "+key))
	}
	a, b := inline("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="), inline("MTEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if got := RestartNeeded(a, b); !slices.Equal(got, []string{"secrets"}) {
		t.Errorf("another key: %v", got)
	}
}

// The variants of identity entries must not have keys that the entry has itself:
// one would hide the other.
func TestVariantKeysAreTheirOwn(t *testing.T) {
	own := keysOf(reflectIdentity())
	for _, v := range []any{local.Config{}, ldap.Config{}, oidc.Config{}} {
		for _, k := range keysOf(reflectType(v)) {
			if slices.Contains(own, k) {
				t.Errorf("%T has the key %q", v, k)
			}
		}
	}
}
