package ldap_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"sallyport"
	"sallyport/identity"
	"sallyport/identity/ldap"
	"sallyport/internal/parts"
	"sallyport/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output collects a log that several goroutines write.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func (o *output) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(o, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// settings are a config for the server, over LDAPS.
func settings(l *parts.LDAP) ldap.Config {
	return ldap.Config{
		URL: l.URL, CAFile: l.CAFile, BaseDN: l.BaseDN, Domains: []string{"CORP"},
		BindDN: l.BindDN, BindPassword: secret.New(l.BindPassword),
	}
}

func open(t *testing.T, cfg ldap.Config, options ...ldap.Option) *ldap.Provider {
	t.Helper()
	p, err := ldap.New("staff", "Staff", cfg, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// signIn does what the sign-in page does.
func signIn(t *testing.T, p *ldap.Provider, login, password string) (*sallyport.Identity, error) {
	t.Helper()
	account, err := p.FindAccount(t.Context(), login)
	if err != nil {
		return nil, err
	}
	return p.CheckPassword(t.Context(), account, password)
}

func TestSignInOverLDAPSAndStartTLS(t *testing.T) {
	l := parts.SLAPD(t)
	starttls := settings(l)
	starttls.URL, starttls.StartTLS = l.StartTLSURL, true
	for name, cfg := range map[string]ldap.Config{"LDAPS": settings(l), "StartTLS": starttls} {
		t.Run(name, func(t *testing.T) {
			p := open(t, cfg)
			if err := p.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, person := range parts.People() {
				id, err := signIn(t, p, person.UID, person.Password)
				if err != nil {
					t.Fatalf("%s: %v", person.UID, err)
				}
				if id.Provider != "staff" || id.Issuer != l.BaseDN || id.Username != person.UID || id.Email != person.Mail ||
					id.Name != person.Name || len(id.Subject) != 36 || !slices.Contains(id.Groups, "employees") {
					t.Errorf("%+v", id)
				}
				if _, err := signIn(t, p, person.UID, person.Password+"x"); !errors.Is(err, identity.ErrWrongPassword) {
					t.Errorf("a wrong password of %s: %v", person.UID, err)
				}
			}
			if _, err := signIn(t, p, "mallory", "x"); !errors.Is(err, identity.ErrWrongPassword) {
				t.Errorf("somebody unknown: %v", err)
			}
		})
	}
}

func TestStrangersCertificateIsRefused(t *testing.T) {
	l := parts.SLAPD(t)
	for _, starttls := range []bool{false, true} {
		cfg := settings(l)
		cfg.CAFile = parts.NewCA(t).CAFile
		if starttls {
			cfg.URL, cfg.StartTLS = l.StartTLSURL, true
		}
		if err := open(t, cfg).Probe(t.Context()); !errors.Is(err, sallyport.ErrUnavailable) {
			t.Errorf("StartTLS %v: %v", starttls, err)
		}
	}
}

// D6: every way of typing a name is one account, so one counter.
func TestAllFormsAreOneAccountD6(t *testing.T) {
	l := parts.SLAPD(t)
	cfg := settings(l)
	cfg.Domains = []string{"CORP", "corp.example"}
	p := open(t, cfg)
	want, err := p.FindAccount(t.Context(), "alice")
	if err != nil || !want.Known() || want.Login != "alice" {
		t.Fatalf("%+v, %v", want, err)
	}
	for _, typed := range []string{"ALICE", `CORP\alice`, "alice@corp.example", "Alice@CORP.example", "ａｌｉｃｅ", `ＣＯＲＰ＼ＡＬＩＣＥ`} {
		if got, err := p.FindAccount(t.Context(), typed); err != nil || got != want {
			t.Errorf("%q is %+v, %v", typed, got, err)
		}
	}
	for _, typed := range []string{"mallory", `corp\MALLORY`, "mallory@corp.example"} {
		got, err := p.FindAccount(t.Context(), typed)
		if err != nil || got != (identity.Account{Issuer: l.BaseDN, Login: "mallory"}) {
			t.Errorf("%q is %+v, %v", typed, got, err)
		}
	}
	// An address whose local part is nobody's uid is found as the address it is.
	l.Add("dn: uid=erin,ou=people," + l.BaseDN + "\nobjectClass: inetOrgPerson\nuid: erin\ncn: Erin\nsn: E\nmail: erin.evans@corp.example\n")
	if got, err := p.FindAccount(t.Context(), "erin.evans@corp.example"); err != nil || got.Login != "erin" || !got.Known() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNameOfTwoEntriesIsNobody(t *testing.T) {
	l := parts.SLAPD(t)
	l.Add("dn: uid=eve,ou=people," + l.BaseDN + "\nobjectClass: inetOrgPerson\nuid: eve\ncn: Eve\nsn: E\nmail: alice@corp.example\nuserPassword: eve-pass-1\n")
	var log output
	p := open(t, settings(l), ldap.WithLogger(log.logger()))
	got, err := p.FindAccount(t.Context(), "alice@corp.example")
	if err != nil || got.Known() {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := p.CheckPassword(t.Context(), got, "eve-pass-1"); !errors.Is(err, identity.ErrWrongPassword) {
		t.Errorf("signed in: %v", err)
	}
	if !strings.Contains(log.String(), "several entries") {
		t.Errorf("the log does not say why: %s", log.String())
	}
	if got, err := p.FindAccount(t.Context(), "alice"); err != nil || !got.Known() {
		t.Errorf("her plain name: %+v, %v", got, err)
	}
}

func TestGroups(t *testing.T) {
	l := parts.SLAPD(t)
	// A circle: all-staff is in club, club is in all-staff.
	l.Add(fmt.Sprintf("dn: cn=club,ou=groups,%[1]s\nobjectClass: groupOfNames\ncn: club\nmember: cn=all-staff,ou=groups,%[1]s\n\n"+
		"dn: cn=all-staff,ou=groups,%[1]s\nchangetype: modify\nadd: member\nmember: cn=club,ou=groups,%[1]s\n\n"+
		"dn: cn=R\\2CD\\28x\\29,ou=groups,%[1]s\nchangetype: add\nobjectClass: groupOfUniqueNames\ncn: R,D(x)\nuniqueMember: uid=alice,ou=people,%[1]s\n", l.BaseDN))
	groupBase := "ou=groups," + l.BaseDN
	for name, c := range map[string]struct {
		groups     ldap.GroupSearch
		alice, bob []string
	}{
		"memberOf":             {ldap.GroupSearch{}, []string{"employees", "finance"}, []string{"employees"}},
		"memberOf, nested":     {ldap.GroupSearch{Nested: true}, []string{"all-staff", "club", "employees", "finance"}, []string{"all-staff", "club", "employees"}},
		"groupOfNames":         {ldap.GroupSearch{BaseDN: groupBase}, []string{"R,D(x)", "employees", "finance"}, []string{"employees"}},
		"groupOfNames, nested": {ldap.GroupSearch{BaseDN: groupBase, Nested: true}, []string{"R,D(x)", "all-staff", "club", "employees", "finance"}, []string{"all-staff", "club", "employees"}},
		"own filter":           {ldap.GroupSearch{BaseDN: groupBase, Filter: "(uniqueMember={dn})"}, []string{"R,D(x)", "employees", "finance"}, []string{"employees"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := settings(l)
			cfg.Groups = c.groups
			p := open(t, cfg)
			for login, want := range map[string][]string{"alice": c.alice, "bob": c.bob} {
				id, err := signIn(t, p, login, login+"-pass-1")
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(id.Groups, want) {
					t.Errorf("%s is in %q, want %q", login, id.Groups, want)
				}
			}
		})
	}
}

// A connection that the server dropped (a restart, a firewall) is found out and
// replaced within the same sign-in.
func TestServerRestart(t *testing.T) {
	l := parts.SLAPD(t)
	p := open(t, settings(l))
	if _, err := signIn(t, p, "alice", "alice-pass-1"); err != nil {
		t.Fatal(err)
	}
	l.Stop()
	if _, err := p.FindAccount(t.Context(), "alice"); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("while it is down: %v", err)
	}
	if err := p.Probe(t.Context()); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("probe while it is down: %v", err)
	}
	account := identity.Account{Issuer: l.BaseDN, Subject: "x", Login: "alice", Ref: parts.People()[0].DN()}
	if _, err := p.CheckPassword(t.Context(), account, "alice-pass-1"); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("a password while it is down: %v", err)
	}
	l.Start()
	if _, err := signIn(t, p, "alice", "alice-pass-1"); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	l.Stop()
	l.Start()
	// All idle connections are dead now; nobody was told.
	if _, err := signIn(t, p, "alice", "alice-pass-1"); err != nil {
		t.Errorf("after a restart that was not noticed: %v", err)
	}
}

func TestManySignInsAtOnce(t *testing.T) {
	l := parts.SLAPD(t)
	cfg := settings(l)
	cfg.PoolSize = 2
	p := open(t, cfg)
	var wg sync.WaitGroup
	for i := range 40 {
		person := parts.People()[i%4]
		wg.Go(func() {
			id, err := signIn(t, p, person.UID, person.Password)
			if err != nil || id.Username != person.UID {
				t.Errorf("%s became %+v, %v", person.UID, id, err)
			}
			if _, err := signIn(t, p, person.UID, "wrong"); !errors.Is(err, identity.ErrWrongPassword) {
				t.Errorf("%s with a wrong password: %v", person.UID, err)
			}
		})
	}
	wg.Wait()
}

// A service account whose password is wrong is a fault of the config, and never
// looks like one of the person.
func TestWrongServicePassword(t *testing.T) {
	l := parts.SLAPD(t)
	cfg := settings(l)
	cfg.BindPassword = secret.New("not the password")
	var log output
	p := open(t, cfg, ldap.WithLogger(log.logger()))
	_, err := signIn(t, p, "alice", "alice-pass-1")
	if !errors.Is(err, sallyport.ErrUnavailable) || errors.Is(err, identity.ErrWrongPassword) {
		t.Errorf("%v", err)
	}
	if all := fmt.Sprint(err) + log.String(); strings.Contains(all, "not the password") {
		t.Errorf("the password is in %s", all)
	}
}
