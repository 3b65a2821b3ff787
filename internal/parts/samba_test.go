package parts_test

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"sallyport/internal/parts"
)

// Samba says of each user what Active Directory says, and only to those who know
// the password; but that an account is locked, it tells everybody.
func TestSamba(t *testing.T) {
	d := parts.Samba(t)
	conn, err := ldap.DialURL(d.URL, ldap.DialWithTLSConfig(d.TLS))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for name, right := range map[string]string{
		"alice": "", "tanaka": "", "victim": "",
		"stale": "data 532,", "disabled": "data 533,", "expired": "data 701,", "newcomer": "data 773,", "night": "data 530,",
		"nobody": "data 52e,",
	} {
		for password, want := range map[string]string{d.Password: right, "wrong": "data 52e,"} {
			for _, as := range []string{d.DN(name), d.Domain + `\` + name} {
				err := conn.Bind(as, password)
				if want == "" && err != nil || want != "" && (!ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) || !strings.Contains(err.Error(), want)) {
					t.Errorf("%s with %q: %v, want %q", as, password, err, want)
				}
			}
		}
	}
	for range d.Lockout {
		_ = conn.Bind(d.DN("victim"), "wrong") // refused, as above
	}
	for _, password := range []string{d.Password, "wrong"} {
		if err := conn.Bind(d.DN("victim"), password); err == nil || !strings.Contains(err.Error(), "data 775,") {
			t.Errorf("a locked account with %q: %v", password, err)
		}
	}
	for _, as := range []string{d.BindDN, d.Domain + `\svc-gateway`, "alice.ashford@" + d.Realm} {
		if err := conn.Bind(as, d.BindPassword); err != nil {
			t.Error(err)
		}
	}

	plain, err := ldap.DialURL(d.StartTLSURL)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if err := plain.Bind(d.BindDN, d.BindPassword); !ldap.IsErrorWithCode(err, ldap.LDAPResultStrongAuthRequired) {
		t.Errorf("a password in clear: %v", err)
	}
}
