package parts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

const (
	ldapBase     = "dc=corp,dc=example"
	ldapRootDN   = "cn=gateway," + ldapBase
	ldapPassword = "bind-secret-1"
)

// LDAP is a running OpenLDAP server with a small company in it: the users of
// People under ou=people, and under ou=groups the groupOfNames entries
// employees (all four), finance (alice and carol) and all-staff (whose only
// member is the group employees). Entries added over LDAP fill memberOf, so
// users carry the groups they are directly in.
type LDAP struct {
	URL          string // ldaps://127.0.0.1:PORT
	StartTLSURL  string // ldap://127.0.0.1:PORT, plain until StartTLS
	CAFile       string // the authority of the server's certificate, as PEM
	BindDN       string // may read and change everything
	BindPassword string
	BaseDN       string

	t       testing.TB
	server  server
	ports   []int
	process *process
	modify  string // path of ldapmodify
}

// Person is a user of the LDAP server.
type Person struct {
	UID, Name, GivenName, Surname, Mail, Mobile, Password string
}

// DN is the distinguished name of the person's entry.
func (p Person) DN() string {
	return "uid=" + p.UID + ",ou=people," + ldapBase
}

// People returns the users that every SLAPD starts with.
func People() []Person {
	return []Person{
		{"alice", "Alice Ashford", "Alice", "Ashford", "alice@corp.example", "+44 20 7946 0101", "alice-pass-1"},
		{"bob", "Bob Brennan", "Bob", "Brennan", "bob@corp.example", "+44 20 7946 0102", "bob-pass-1"},
		{"carol", "Carol Cartwright", "Carol", "Cartwright", "carol@corp.example", "+44 20 7946 0103", "carol-pass-1"},
		{"tanaka", "田中 花子", "花子", "田中", "tanaka@corp.example", "+81 3 5550 0104", "tanaka-pass-1"},
	}
}

// SLAPD starts OpenLDAP with LDAPS and StartTLS under an authority of its own.
// It listens on 127.0.0.1 and is stopped when the test ends.
func SLAPD(t testing.TB) *LDAP {
	t.Helper()
	hint := installHint + " (Debian: apt-get install slapd ldap-utils)"
	slapd := needProgram(t, hint, "slapd")
	l := &LDAP{
		t: t, BaseDN: ldapBase, BindDN: ldapRootDN, BindPassword: ldapPassword,
		modify: needProgram(t, hint, "ldapmodify"),
	}
	ca := NewCA(t)
	l.CAFile = ca.CAFile
	conf := writeSlapdConf(t, ca)
	l.server = server{
		name:  "slapd",
		ports: 2,
		command: func(ports []int) (*exec.Cmd, error) {
			urls := fmt.Sprintf("ldap://%s/ ldaps://%s/", loopback(ports[0]), loopback(ports[1]))
			return exec.Command(slapd, "-d", "0", "-f", conf, "-h", urls), nil
		},
		ready: l.ready,
	}
	l.process, l.ports = l.server.start(t)
	l.StartTLSURL = "ldap://" + loopback(l.ports[0])
	l.URL = "ldaps://" + loopback(l.ports[1])
	l.Add(companyLDIF())
	return l
}

// Add runs LDIF against the server as BindDN. Records without a changetype are
// added; records with one are applied, so it can modify and delete too.
func (l *LDAP) Add(ldif string) {
	l.t.Helper()
	cmd := exec.Command(l.modify, "-a", "-x", "-H", l.StartTLSURL, "-D", l.BindDN, "-w", l.BindPassword)
	cmd.Stdin = strings.NewReader(ldif)
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("ldapmodify: %v\n%s", err, out)
	}
}

// Stop ends the server, as when it is down for maintenance. Its data stays.
func (l *LDAP) Stop() {
	l.process.stop()
}

// Start runs a stopped server again on the same ports with the same data.
func (l *LDAP) Start() {
	l.t.Helper()
	p, err := l.server.startOn(l.ports)
	if err != nil {
		l.t.Fatalf("start slapd again: %v", err)
	}
	l.process = p
	l.t.Cleanup(p.stop)
}

// ready binds over both listeners: slapd accepts connections before it serves.
func (l *LDAP) ready(ctx context.Context, ports []int) error {
	conn, err := ldap.DialURL("ldap://" + loopback(ports[0]))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Bind(l.BindDN, l.BindPassword); err != nil {
		return err
	}
	return dialTCP(ctx, ports[1])
}

func writeSlapdConf(t testing.TB, ca *CA) string {
	t.Helper()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatalf("make a folder for slapd: %v", err)
	}
	cert, key := ca.Issue(t, "127.0.0.1", "localhost")
	conf := fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile %[1]s/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile %[2]s
TLSCertificateFile %[3]s
TLSCertificateKeyFile %[4]s
sizelimit 500
database mdb
suffix %[5]q
rootdn %[6]q
rootpw %[7]s
directory %[1]s/data
index objectClass,uid,mail,member,memberOf eq
access to attrs=userPassword by anonymous auth by self write by * none
access to * by users read by anonymous auth
overlay memberof
memberof-group-oc groupOfNames
memberof-refint TRUE
`, dir, ca.CAFile, cert, key, ldapBase, ldapRootDN, ldapPassword)
	return writeFile(t, filepath.Join(dir, "slapd.conf"), []byte(conf))
}

func companyLDIF() string {
	var b strings.Builder
	b.WriteString("dn: " + ldapBase + "\nobjectClass: dcObject\nobjectClass: organization\ndc: corp\no: Corp Example\n\n")
	for _, ou := range []string{"people", "groups"} {
		fmt.Fprintf(&b, "dn: ou=%s,%s\nobjectClass: organizationalUnit\nou: %s\n\n", ou, ldapBase, ou)
	}
	members := map[string]string{}
	for _, p := range People() {
		fmt.Fprintf(&b, "dn: %s\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\ndisplayName: %s\ngivenName: %s\nsn: %s\nmail: %s\nmobile: %s\nuserPassword: %s\n\n",
			p.DN(), p.UID, p.Name, p.Name, p.GivenName, p.Surname, p.Mail, p.Mobile, p.Password)
		members[p.UID] = p.DN()
	}
	group := func(name string, dns ...string) {
		fmt.Fprintf(&b, "dn: cn=%s,ou=groups,%s\nobjectClass: groupOfNames\ncn: %s\n", name, ldapBase, name)
		for _, dn := range dns {
			b.WriteString("member: " + dn + "\n")
		}
		b.WriteString("\n")
	}
	group("employees", members["alice"], members["bob"], members["carol"], members["tanaka"])
	group("finance", members["alice"], members["carol"])
	group("all-staff", "cn=employees,ou=groups,"+ldapBase)
	return b.String()
}
