package ldap_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sallyport"
	"sallyport/identity"
	"sallyport/identity/ldap"
	"sallyport/internal/parts"
)

// F4: sign-in pages pasted what was typed into a filter, so "*" was the first
// person of the directory, "a*" told whether an a existed, and brackets rewrote
// the question. What is typed is only ever a value.
func TestFilterInjectionF4(t *testing.T) {
	l := parts.SLAPD(t)
	p := open(t, settings(l))
	for _, typed := range []string{
		"*", "a*", "al*ce", "alice)(uid=*", "alice)(objectClass=*", "*)(uid=*))(|(uid=*", `alice\2a`, `\2a`, `\61lice`,
		"alice)(|(mail=*", "(uid=alice)", "alice)", "(", "|(uid=alice)", "!(uid=x)", "alice&", `*@corp.example`,
	} {
		account, err := p.FindAccount(t.Context(), typed)
		if errors.Is(err, sallyport.ErrBadName) {
			continue
		}
		if err != nil || account.Known() {
			t.Errorf("%q finds %+v, %v", typed, account, err)
		}
		if id, err := p.CheckPassword(t.Context(), account, "alice-pass-1"); !errors.Is(err, identity.ErrWrongPassword) {
			t.Errorf("%q signs in: %+v, %v", typed, id, err)
		}
	}
	for _, typed := range []string{"alice\x00", "alice\x00)(uid=*", "ali\nce", "\x00"} {
		if account, err := p.FindAccount(t.Context(), typed); !errors.Is(err, sallyport.ErrBadName) {
			t.Errorf("%q: %+v, %v", typed, account, err)
		}
	}
}

// F4: names with characters that mean something in a DN or a filter work, and
// find only their own groups: a person called "x,cn=employees" is no group.
func TestDNWithSpecialCharactersF4(t *testing.T) {
	l := parts.SLAPD(t)
	l.Add(fmt.Sprintf(`dn: cn=O\27Neil\2C \28Pat\29 \2A \23\5C \22q\22,ou=people,%[1]s
objectClass: inetOrgPerson
cn: O'Neil, (Pat) * #\ "q"
uid: pat
sn: P
userPassword: pat-pass-1

dn: cn=odd\2Cpeople,ou=groups,%[1]s
objectClass: groupOfNames
cn: odd,people
member: cn=O\27Neil\2C \28Pat\29 \2A \23\5C \22q\22,ou=people,%[1]s
`, l.BaseDN))
	cfg := settings(l)
	cfg.Groups = ldap.GroupSearch{BaseDN: "ou=groups," + l.BaseDN, Nested: true}
	p := open(t, cfg)
	id, err := signIn(t, p, "pat", "pat-pass-1")
	if err != nil {
		t.Fatal(err)
	}
	if len(id.Groups) != 1 || id.Groups[0] != "odd,people" {
		t.Errorf("groups %q", id.Groups)
	}
}

// F4: a bind with a name and an empty password is an anonymous one, and many
// directories answer it with success. The fake directory of this test says yes
// to every bind and counts them.
func TestEmptyPasswordNeverBindsF4(t *testing.T) {
	d := newDirectory(t)
	d.bind = func(string, string) result { return result{} }
	p := open(t, d.settings())
	account, err := p.FindAccount(t.Context(), "alice")
	if err != nil || !account.Known() {
		t.Fatalf("%+v, %v", account, err)
	}
	before := d.binds()
	for _, password := range []string{"", "\x00", "\x00secret", "a\nb", "\x7f", "\xff\xfe", strings.Repeat("x", 4096)} {
		if id, err := p.CheckPassword(t.Context(), account, password); !errors.Is(err, identity.ErrWrongPassword) || id != nil {
			t.Errorf("%.10q: %+v, %v", password, id, err)
		}
	}
	if n := d.binds() - before; n != 0 {
		t.Errorf("%d binds were sent", n)
	}
	// An account without a DN would bind as nobody; and one that does not exist
	// stays unknown, whatever the directory says.
	for _, a := range []identity.Account{
		{Issuer: account.Issuer, Subject: account.Subject, Login: "alice"},
		{Issuer: "another", Subject: account.Subject, Login: "alice", Ref: account.Ref},
		{Issuer: account.Issuer, Login: "mallory", Ref: account.Ref},
		{},
	} {
		if id, err := p.CheckPassword(t.Context(), a, "secret"); !errors.Is(err, identity.ErrWrongPassword) {
			t.Errorf("%+v signs in as %+v, %v", a, id, err)
		}
	}
	if id, err := p.CheckPassword(t.Context(), account, "secret"); err != nil || id.Username != "alice" {
		t.Errorf("a real one: %+v, %v", id, err)
	}
}
