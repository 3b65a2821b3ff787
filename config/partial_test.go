package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport"
)

func partly(t *testing.T, dir, text string) (*Partial, error) {
	t.Helper()
	file := filepath.Join(dir, "sallyport.yaml")
	write(t, file, []byte(text), 0o600)
	return LoadPartly(file, testEnv)
}

// A good file has all that may be asked for.
func TestPartlyGood(t *testing.T) {
	p, err := partly(t, folder(t), good)
	if err != nil || len(p.Faults) > 0 {
		t.Fatal(err, p)
	}
	if _, audited := p.ForStore(); !audited {
		t.Error("`audit` has no fault")
	}
	if _, err := p.Provider("nobody"); !errors.Is(err, sallyport.ErrNotFound) {
		t.Error(err)
	}
}

// Faults elsewhere do not stand in the way, and nothing that they touch comes out.
func TestPartlyLeavesFaultsOut(t *testing.T) {
	dir := folder(t)
	p, err := partly(t, dir, strings.NewReplacer(
		"upstream:", "upsteam:",
		"  - name: local\n", "  - {name: staff, type: ldap, url: 'ldaps://dc', base_dn: DC=x, bind_dn: CN=s, bind_password: '${NOT_SET}'}\n  - name: local\n",
		"routes:", "store: {sqlite: here.db}\naudit: {retention: 5}\nmfa: {default_sate: enforced}\nroutes:").Replace(good))
	if err != nil || len(p.Faults) != 4 {
		t.Fatal(err, p)
	}
	c, audited := p.ForStore()
	if c.Store.SQLite != filepath.Join(dir, "here.db") || c.Secrets.MasterKeyFile != filepath.Join(dir, "master.key") ||
		len(c.Routes) != 0 || len(c.Identity) != 0 || c.Server.Portal != "" {
		t.Errorf("%+v", c)
	}
	// 0 keeps events for ever: a default would remove what the file may want kept.
	if audited || c.Audit.Retention != 0 || c.Audit.File != "" {
		t.Errorf("audit = %+v, %v", c.Audit, audited)
	}
	if s, err := p.DefaultState(); err == nil {
		t.Errorf("state %q out of a faulty section", s)
	}
	if e, err := p.Local(); err != nil || e.Name != "local" || e.Local.Password.MinLength != 8 {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := p.Provider("staff"); err == nil || errors.Is(err, sallyport.ErrNotFound) {
		t.Errorf("%+v, %v", e, err)
	}
}

// Which of two entries of the same name is meant cannot be told.
func TestPartlyAmbiguousEntry(t *testing.T) {
	p, err := partly(t, folder(t), strings.Replace(good, "routes:",
		"  - {name: local, type: oidc, issuer: 'https://id.example', client_id: x, client_secret: y}\nroutes:", 1))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := p.Provider("local"); err == nil {
		t.Errorf("one of two: %+v", e)
	}
}

// Where `store` or `secrets` is at fault, or may be what an unknown key was meant
// to be, nothing is opened: it would be another database than the gateway's.
func TestPartlyIsSureOfTheStore(t *testing.T) {
	dir := folder(t)
	for name, text := range map[string]string{
		"misspelt":        good + "stor: {sqlite: x.db}\n",
		"another case":    good + "Store: {sqlite: x.db}\n",
		"another word":    good + "database: {sqlite: x.db}\n",
		"misspelt inside": good + "store: {sqlight: x.db}\n",
		"within another":  strings.Replace(good, "tls:\n", "tls:\n  store: {sqlite: x.db}\n", 1),
		"twice":           good + "store: {sqlite: x.db}\nstore: {sqlite: y.db}\n",
		"no folder":       good + "store: {sqlite: missing/x.db}\n",
		"variable":        good + "store: {sqlite: '${NOT_SET}'}\n",
		"grace":           good + "store: {sqlite: x.db, grace: 5h}\n",
		"anchor":          good + "store: &s {sqlite: x.db}\n",
		"merged":          good + "<<: {store: {sqlite: x.db}}\n",
		"a list":          good + "store: [x.db]\n",
		// Where nothing is judged, since what is around it is at fault.
		"in an entry of no type": strings.Replace(good, "routes:", "  - name: x\n    store: {sqlite: x.db}\nroutes:", 1),
		"in an unknown type":     strings.Replace(good, "routes:", "  - name: x\n    type: bogus\n    store: {sqlite: x.db}\nroutes:", 1),
		"below an anchor":        strings.Replace(good, "tls:\n", "tls: &a\n  store: {sqlite: x.db}\n", 1),
		"below a merge":          strings.Replace(good, "tls:\n", "tls:\n  <<: {store: {sqlite: x.db}}\n", 1),
		"below a list":           good + "ui:\n  - store: {sqlite: x.db}\n",
		"below a scalar":         good + "log:\n  level:\n    store: {sqlite: x.db}\n",
		"below a near key":       good + "locatons:\n  - store: {sqlite: x.db}\n",
		"in a second copy":       good + "log: {level: info}\nlog:\n  store: {sqlite: x.db}\n",
		"no key":                 strings.Replace(good, "secrets:\n  master_key_file: master.key\n", "", 1),
		"key file missing":       strings.Replace(good, "master.key", "missing.key", 1),
		"key open to others":     strings.Replace(good, "master.key", "open.key", 1),
		"other version":          strings.Replace(good, "version: 1", "version: 2", 1),
		"no version":             strings.Replace(good, "version: 1\n", "", 1),
		"not YAML":               good + "routes: [\n",
		"empty":                  "",
	} {
		p, err := partly(t, dir, text)
		if errs, ok := errors.AsType[Errors](err); p != nil || !ok || len(errs) == 0 {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	// A misspelt key that is near another one leaves the default store as it is.
	if _, err := partly(t, dir, strings.Replace(good, "upstream:", "upsteam:", 1)); err != nil {
		t.Error(err)
	}
	if _, err := LoadPartly(filepath.Join(dir, "missing.yaml"), os.LookupEnv); err == nil {
		t.Error("a missing file")
	}
}
