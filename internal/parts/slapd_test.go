package parts_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"slices"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"sallyport/internal/parts"
)

func poolOf(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		t.Fatalf("no certificate in %s", file)
	}
	return pool
}

func searchOne(t *testing.T, conn *ldap.Conn, base, filter string, attrs ...string) *ldap.Entry {
	t.Helper()
	res, err := conn.Search(&ldap.SearchRequest{
		BaseDN: base, Scope: ldap.ScopeWholeSubtree, Filter: filter, Attributes: attrs,
	})
	if err != nil {
		t.Fatalf("search %s: %v", filter, err)
	}
	if len(res.Entries) != 1 {
		t.Fatalf("search %s: %d entries, want 1", filter, len(res.Entries))
	}
	return res.Entries[0]
}

func TestSLAPDOverLDAPSAndStartTLS(t *testing.T) {
	l := parts.SLAPD(t)
	config := &tls.Config{RootCAs: poolOf(t, l.CAFile), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}

	conn, err := ldap.DialURL(l.URL, ldap.DialWithTLSConfig(config))
	if err != nil {
		t.Fatalf("LDAPS: %v", err)
	}
	defer conn.Close()
	for _, p := range parts.People() {
		if err := conn.Bind(p.DN(), p.Password); err != nil {
			t.Errorf("bind as %s: %v", p.UID, err)
		}
		if err := conn.Bind(p.DN(), p.Password+"x"); !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
			t.Errorf("bind as %s with a wrong password: %v", p.UID, err)
		}
	}

	plain, err := ldap.DialURL(l.StartTLSURL)
	if err != nil {
		t.Fatalf("plain LDAP: %v", err)
	}
	defer plain.Close()
	if err := plain.StartTLS(config); err != nil {
		t.Fatalf("StartTLS: %v", err)
	}
	if err := plain.Bind(l.BindDN, l.BindPassword); err != nil {
		t.Fatalf("bind after StartTLS: %v", err)
	}
	tanaka := searchOne(t, plain, l.BaseDN, "(uid=tanaka)", "displayName", "mail", "mobile")
	if got := tanaka.GetAttributeValue("displayName"); got != "田中 花子" {
		t.Errorf("displayName = %q", got)
	}
}

func TestSLAPDFillsMemberOf(t *testing.T) {
	l := parts.SLAPD(t)
	conn, err := ldap.DialURL(l.StartTLSURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Bind(l.BindDN, l.BindPassword); err != nil {
		t.Fatal(err)
	}
	groupsOf := func(filter string) []string {
		groups := searchOne(t, conn, l.BaseDN, filter, "memberOf").GetAttributeValues("memberOf")
		slices.Sort(groups)
		return groups
	}
	employees, finance := "cn=employees,ou=groups,"+l.BaseDN, "cn=finance,ou=groups,"+l.BaseDN
	if got := groupsOf("(uid=alice)"); !slices.Equal(got, []string{employees, finance}) {
		t.Errorf("alice is in %v", got)
	}
	if got := groupsOf("(cn=employees)"); !slices.Equal(got, []string{"cn=all-staff,ou=groups," + l.BaseDN}) {
		t.Errorf("employees is in %v", got)
	}

	l.Add("dn: uid=dora,ou=people," + l.BaseDN + "\nobjectClass: inetOrgPerson\nuid: dora\ncn: Dora\nsn: D\n\n" +
		"dn: " + finance + "\nchangetype: modify\nadd: member\nmember: uid=dora,ou=people," + l.BaseDN + "\n")
	if got := groupsOf("(uid=dora)"); !slices.Equal(got, []string{finance}) {
		t.Errorf("dora is in %v", got)
	}
}

func TestSLAPDStopsAndStartsAgain(t *testing.T) {
	l := parts.SLAPD(t)
	l.Stop()
	if conn, err := ldap.DialURL(l.StartTLSURL); err == nil {
		conn.Close()
		t.Fatal("a stopped server still answers")
	}
	l.Start()
	conn, err := ldap.DialURL(l.StartTLSURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	alice := parts.People()[0]
	if err := conn.Bind(alice.DN(), alice.Password); err != nil {
		t.Errorf("the data is gone after a restart: %v", err)
	}
}
