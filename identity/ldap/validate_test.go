package ldap_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sallyport"
	"sallyport/identity/ldap"
	"sallyport/internal/secret"
)

func withLog(o *output) ldap.Option { return ldap.WithLogger(o.logger()) }

func TestValidate(t *testing.T) {
	good := ldap.Config{
		URL: "ldaps://dc1.corp.example:636", BaseDN: "DC=corp,DC=example",
		BindDN: "CN=svc,DC=corp,DC=example", BindPassword: secret.New("x"),
	}
	for name, c := range map[string]struct {
		change func(*ldap.Config)
		want   []string
	}{
		"good":            {func(*ldap.Config) {}, nil},
		"StartTLS":        {func(c *ldap.Config) { c.URL, c.StartTLS = "ldap://dc1", true }, nil},
		"loopback":        {func(c *ldap.Config) { c.URL = "ldap://127.0.0.1:389" }, nil},
		"loopback v6":     {func(c *ldap.Config) { c.URL = "ldap://[::1]" }, nil},
		"anonymous":       {func(c *ldap.Config) { c.BindDN, c.BindPassword = "", secret.String{} }, nil},
		"bind as address": {func(c *ldap.Config) { c.BindDN = "svc@corp.example" }, nil},
		"bind as NetBIOS": {func(c *ldap.Config) { c.BindDN = `CORP\svc` }, nil},
		"AD filter": {func(c *ldap.Config) {
			c.UserFilter = "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={login})(mail={login})))"
		}, nil},
		"empty":              {func(c *ldap.Config) { *c = ldap.Config{} }, []string{"url", "base_dn"}},
		"plain":              {func(c *ldap.Config) { c.URL = "ldap://dc1.corp.example" }, []string{"url"}},
		"plain, looks local": {func(c *ldap.Config) { c.URL = "ldap://127.0.0.1.evil.example" }, []string{"url"}},
		"https":              {func(c *ldap.Config) { c.URL = "https://dc1" }, []string{"url"}},
		"socket":             {func(c *ldap.Config) { c.URL = "ldapi:///run/slapd" }, []string{"url"}},
		"no host":            {func(c *ldap.Config) { c.URL = "ldaps://" }, []string{"url"}},
		"user in URL":        {func(c *ldap.Config) { c.URL = "ldaps://a:b@dc1" }, []string{"url"}},
		"path in URL":        {func(c *ldap.Config) { c.URL = "ldaps://dc1/DC=corp" }, []string{"url"}},
		"both kinds of TLS":  {func(c *ldap.Config) { c.StartTLS = true }, []string{"start_tls"}},
		"no password":        {func(c *ldap.Config) { c.BindPassword = secret.String{} }, []string{"bind_password"}},
		"nobody":             {func(c *ldap.Config) { c.BindDN = "" }, []string{"bind_dn"}},
		"two passwords":      {func(c *ldap.Config) { c.BindPasswordFile = "/x" }, []string{"bind_password_file"}},
		"bind_dn":            {func(c *ldap.Config) { c.BindDN = "svc" }, []string{"bind_dn"}},
		"base_dn":            {func(c *ldap.Config) { c.BaseDN = "corp.example" }, []string{"base_dn"}},
		"filter for nobody":  {func(c *ldap.Config) { c.UserFilter = "(uid=alice)" }, []string{"user_filter"}},
		"broken filter":      {func(c *ldap.Config) { c.UserFilter = "(uid={login}" }, []string{"user_filter"}},
		"login as attribute": {func(c *ldap.Config) { c.UserFilter = "({login}=alice)" }, []string{"user_filter"}},
		"bare filter":        {func(c *ldap.Config) { c.UserFilter = "uid" }, []string{"user_filter"}},
		"group filter": {func(c *ldap.Config) { c.Groups = ldap.GroupSearch{BaseDN: "x", Filter: "(member=x)"} },
			[]string{"groups.base_dn", "groups.filter"}},
		"group filter alone": {func(c *ldap.Config) { c.Groups.Filter = "(member={dn})" }, []string{"groups.filter"}},
		"attribute":          {func(c *ldap.Config) { c.Attributes.Email = "mail)(uid=*" }, []string{"attributes.email"}},
		"two attributes":     {func(c *ldap.Config) { c.Attributes.Name = "cn, sn" }, []string{"attributes.name"}},
		"domain":             {func(c *ldap.Config) { c.Domains = []string{"CORP", "@x"} }, []string{"domains[1]"}},
		"timeout":            {func(c *ldap.Config) { c.Timeout = time.Hour }, []string{"timeout"}},
		"pool":               {func(c *ldap.Config) { c.PoolSize = 65 }, []string{"pool_size"}},
	} {
		cfg := good
		c.change(&cfg)
		var paths []string
		for _, f := range cfg.Validate() {
			paths = append(paths, f.Path)
			if f.Hint == "" {
				t.Errorf("%s: %s has no hint", name, f.Path)
			}
		}
		if !slices.Equal(paths, c.want) {
			t.Errorf("%s: faults at %q, want %q", name, paths, c.want)
		}
	}
}

// C7: a secret or CA file that is missing or empty must not mean "without".
func TestMissingFilesRefuseTheStartC7(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, cfg := range map[string]ldap.Config{
		"ca_file":            {URL: "ldaps://dc1", BaseDN: "DC=x", CAFile: empty},
		"bind_password_file": {URL: "ldaps://dc1", BaseDN: "DC=x", BindDN: "CN=x", BindPasswordFile: empty},
	} {
		for _, file := range []string{empty, empty + "-missing"} {
			switch path {
			case "ca_file":
				cfg.CAFile = file
			default:
				cfg.BindPasswordFile = file
			}
			_, err := ldap.New("staff", "Staff", cfg)
			var fault *sallyport.FieldError
			if !errors.As(err, &fault) || fault.Path != path {
				t.Errorf("%s %s: %v", path, filepath.Base(file), err)
			}
		}
	}
}
