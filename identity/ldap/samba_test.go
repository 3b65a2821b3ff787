package ldap_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"sallyport"
	"sallyport/identity"
	"sallyport/identity/ldap"
	"sallyport/internal/parts"
	"sallyport/internal/secret"
)

// adSettings are a config for the domain, over LDAPS, as an ordinary user.
func adSettings(d *parts.ActiveDirectory) ldap.Config {
	return ldap.Config{
		URL: d.URL, CAFile: d.CAFile, BaseDN: d.BaseDN, Domains: []string{d.Domain, d.Realm},
		BindDN: d.BindDN, BindPassword: secret.New(d.BindPassword),
		UserFilter: "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={login})(userPrincipalName={login})(mail={login})))",
	}
}

// TestActiveDirectory signs people in against a real domain controller. What
// cannot be had from it is in activedirectory_test.go.
func TestActiveDirectory(t *testing.T) {
	d := parts.Samba(t)
	t.Run("every form of a name", func(t *testing.T) { testADNames(t, d) })
	t.Run("wrong password", func(t *testing.T) { testADWrongPassword(t, d) })
	t.Run("ways to connect", func(t *testing.T) { testADConnections(t, d) })
	t.Run("base_dn of no place", func(t *testing.T) { testADBaseDN(t, d) })
	t.Run("reasons H2", func(t *testing.T) { testADReasons(t, d) })
	t.Run("hours", func(t *testing.T) { testADHours(t, d) })
	t.Run("groups", func(t *testing.T) { testADGroups(t, d) })
	t.Run("locked H2", func(t *testing.T) { testADLocked(t, d) })
	t.Run("restart", func(t *testing.T) { testADRestart(t, d) })
}

func testADNames(t *testing.T, d *parts.ActiveDirectory) {
	p := open(t, adSettings(d))
	if err := p.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	subjects := map[string]bool{}
	for _, typed := range []string{"alice", "ALICE", `CORP\alice`, `corp\Alice`, "alice@corp.example", "alice.ashford@corp.example", "Alice.Ashford@CORP.example"} {
		id, err := signIn(t, p, typed, d.Password)
		if err != nil {
			t.Errorf("%q: %v", typed, err)
			continue
		}
		if id.Issuer != d.BaseDN || id.Username != "alice" || id.Email != "alice.ashford@corp.example" || id.Name != "Alice Ashford" {
			t.Errorf("%q: %+v", typed, id)
		}
		subjects[id.Subject] = true
	}
	if id, err := signIn(t, p, "tanaka", d.Password); err != nil || id.Name != "田中 花子" || subjects[id.Subject] {
		t.Errorf("%+v, %v", id, err)
	}
	if len(subjects) != 1 {
		t.Errorf("one person is %v", subjects)
	}
	for subject := range subjects { // the directory knows her by the same text
		if dn := dnOf(t, d, "<GUID="+subject+">"); dn != d.DN("alice") {
			t.Errorf("%s is %q", subject, dn)
		}
	}
	// A computer is a user, too, to the directory.
	for _, nobody := range []string{"dc1$", `CORP\dc1$`, "*", "ali*", `OTHER\alice`, "alice@other.example"} {
		if account, err := p.FindAccount(t.Context(), nobody); err == nil && account.Known() {
			t.Errorf("%q is %+v", nobody, account)
		}
	}
}

// dnOf reads the DN of an entry with a connection of its own.
func dnOf(t *testing.T, d *parts.ActiveDirectory, base string) string {
	t.Helper()
	conn, err := goldap.DialURL(d.URL, goldap.DialWithTLSConfig(d.TLS))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Bind(d.BindDN, d.BindPassword); err != nil {
		t.Fatal(err)
	}
	res, err := conn.Search(&goldap.SearchRequest{BaseDN: base, Scope: goldap.ScopeBaseObject, Filter: "(objectClass=*)", Attributes: []string{"1.1"}})
	if err != nil || len(res.Entries) != 1 {
		t.Fatalf("%s: %v", base, err)
	}
	return res.Entries[0].DN
}

func testADWrongPassword(t *testing.T, d *parts.ActiveDirectory) {
	var log output
	p := open(t, adSettings(d), withLog(&log))
	for _, c := range []struct{ login, password string }{
		{"alice", d.Password + "x"},
		{"alice", strings.ToLower(d.Password)},
		{"alice", ""},
		{"mallory", d.Password},
		{`CORP\mallory`, d.Password},
		{"mallory", ""},
	} {
		if id, err := signIn(t, p, c.login, c.password); !errors.Is(err, identity.ErrWrongPassword) || id != nil {
			t.Errorf("%s with %q: %+v, %v", c.login, c.password, id, err)
		}
	}
	if strings.Contains(log.String(), d.Password) {
		t.Errorf("a password is in the log: %s", log.String())
	}
	if _, err := signIn(t, p, "alice", d.Password); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

func testADConnections(t *testing.T, d *parts.ActiveDirectory) {
	for name, c := range map[string]struct {
		change func(*ldap.Config)
		works  bool
	}{
		"StartTLS":         {func(c *ldap.Config) { c.URL, c.StartTLS = d.StartTLSURL, true }, true},
		"service as DN":    {func(c *ldap.Config) { c.BindDN = d.DN("svc-gateway") }, true},
		"service in CORP":  {func(c *ldap.Config) { c.BindDN = d.Domain + `\svc-gateway` }, true},
		"in clear":         {func(c *ldap.Config) { c.URL = d.StartTLSURL }, false},
		"not its CA":       {func(c *ldap.Config) { c.CAFile = parts.NewCA(t).CAFile }, false},
		"nobody searches":  {func(c *ldap.Config) { c.BindDN, c.BindPassword = "", secret.String{} }, false},
		"service disabled": {func(c *ldap.Config) { c.BindDN = d.DN("disabled") }, false},
	} {
		cfg := adSettings(d)
		c.change(&cfg)
		id, err := signIn(t, open(t, cfg), "alice", d.Password)
		switch {
		case c.works && (err != nil || id.Username != "alice"):
			t.Errorf("%s: %+v, %v", name, id, err)
		case !c.works && !errors.Is(err, sallyport.ErrUnavailable):
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}

func testADBaseDN(t *testing.T, d *parts.ActiveDirectory) {
	for _, base := range []string{"OU=nowhere," + d.BaseDN, "DC=other,DC=example"} {
		cfg := adSettings(d)
		cfg.BaseDN = base
		_, err := open(t, cfg).FindAccount(t.Context(), "alice")
		if !errors.Is(err, sallyport.ErrUnavailable) || !strings.Contains(err.Error(), "base_dn") {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// Nobody can be told when to come back, but the log can.
func testADHours(t *testing.T, d *parts.ActiveDirectory) {
	for password, logged := range map[string]bool{d.Password: true, "wrong": false} {
		var log output
		id, err := signIn(t, open(t, adSettings(d), withLog(&log)), "night", password)
		if !errors.Is(err, identity.ErrWrongPassword) || id != nil {
			t.Errorf("%+v, %v", id, err)
		}
		if strings.Contains(log.String(), "data=530") != logged {
			t.Errorf("the log: %s", log.String())
		}
	}
}

// H2: who may not sign in learns why only with the right password.
func testADReasons(t *testing.T, d *parts.ActiveDirectory) {
	p := open(t, adSettings(d))
	for name, want := range map[string]sallyport.Code{
		"stale":    sallyport.CodePasswordExpired,
		"disabled": sallyport.CodeAccountDisabled,
		"expired":  sallyport.CodeAccountExpired,
		"newcomer": sallyport.CodePasswordMustChange,
	} {
		var refusal *identity.Refusal
		if id, err := signIn(t, p, name, d.Password); !errors.As(err, &refusal) || refusal.Code != want || id != nil {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
		if id, err := signIn(t, p, name, "wrong"); !errors.Is(err, identity.ErrWrongPassword) || errors.As(err, new(*identity.Refusal)) || id != nil {
			t.Errorf("%s with a wrong password: %+v, %v", name, id, err)
		}
	}
}

func testADGroups(t *testing.T, d *parts.ActiveDirectory) {
	no, groups := false, "OU=groups,"+d.BaseDN
	for name, c := range map[string]struct {
		groups        ldap.GroupSearch
		alice, tanaka []string
	}{
		"listed": {
			ldap.GroupSearch{},
			[]string{"Domain Users", "R,D (東京)", "engineering"},
			[]string{"Domain Users", "contractors"},
		},
		"nested by the server": {
			ldap.GroupSearch{Nested: true},
			[]string{"Domain Users", "R,D (東京)", "Users", "engineering", "staff"},
			[]string{"Domain Users", "Users", "contractors", "engineering", "staff"},
		},
		"nested by the server, in one place": {
			ldap.GroupSearch{Nested: true, BaseDN: groups},
			[]string{"Domain Users", "R,D (東京)", "engineering", "staff"},
			[]string{"Domain Users", "contractors", "engineering", "staff"},
		},
		"nested by memberOf": {
			ldap.GroupSearch{Nested: true, ActiveDirectory: &no},
			[]string{"Domain Users", "R,D (東京)", "Users", "engineering", "staff"},
			[]string{"Domain Users", "Users", "contractors", "engineering", "staff"},
		},
		"nested by member": {
			ldap.GroupSearch{Nested: true, ActiveDirectory: &no, BaseDN: groups},
			[]string{"Domain Users", "R,D (東京)", "engineering", "staff"},
			[]string{"Domain Users", "contractors", "engineering", "staff"},
		},
	} {
		cfg := adSettings(d)
		cfg.Groups = c.groups
		p := open(t, cfg)
		for login, want := range map[string][]string{"alice": c.alice, "tanaka": c.tanaka} {
			id, err := signIn(t, p, login, d.Password)
			if err != nil || !slices.Equal(id.Groups, want) {
				t.Errorf("%s: %s is %+v, %v; want %q", name, login, id, err, want)
			}
		}
	}
}

// H2: that an account is locked the directory tells everybody, and we nobody.
func testADLocked(t *testing.T, d *parts.ActiveDirectory) {
	var log output
	p := open(t, adSettings(d), withLog(&log))
	if _, err := signIn(t, p, "victim", d.Password); err != nil {
		t.Fatal(err)
	}
	for range d.Lockout + 1 {
		if _, err := signIn(t, p, "victim", "wrong"); !errors.Is(err, identity.ErrWrongPassword) {
			t.Errorf("a wrong password: %v", err)
		}
	}
	if id, err := signIn(t, p, "victim", d.Password); !errors.Is(err, identity.ErrWrongPassword) || id != nil {
		t.Errorf("the right password: %+v, %v", id, err)
	}
	if !strings.Contains(log.String(), "locked an account") {
		t.Errorf("the log does not say why: %s", log.String())
	}
	if _, err := signIn(t, p, "alice", d.Password); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

func testADRestart(t *testing.T, d *parts.ActiveDirectory) {
	p := open(t, adSettings(d))
	account, err := p.FindAccount(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	d.Stop()
	if _, err := p.FindAccount(t.Context(), "alice"); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("while it is down: %v", err)
	}
	if _, err := p.CheckPassword(t.Context(), account, d.Password); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("a password while it is down: %v", err)
	}
	d.Start()
	if _, err := signIn(t, p, "alice", d.Password); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	d.Stop()
	d.Start()
	// The idle connection is dead now; nobody was told.
	if _, err := signIn(t, p, "alice", d.Password); err != nil {
		t.Errorf("after a restart that was not noticed: %v", err)
	}
}
