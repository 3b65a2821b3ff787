package parts

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"
)

const (
	adBase   = "DC=corp,DC=example"
	adDomain = "CORP"
	adRealm  = "corp.example"
	// adLockout is how many wrong passwords lock an account.
	adLockout = 5
)

// ActiveDirectory is a running Samba domain controller. The users, under
// OU=people, all have the password Password:
//
//   - alice, whose entry is "Ashford, Alice" and whose address and principal name
//     are alice.ashford@corp.example; in the groups engineering and "R,D (東京)";
//   - tanaka, whose primary group is contractors instead of Domain Users;
//   - disabled, expired (the account), stale (the password) and newcomer (who must
//     change it), none of whom may sign in, nor night at any hour;
//   - victim, for a test to lock: Lockout wrong passwords do that to anybody;
//   - BindDN, who may read.
//
// Groups are under OU=groups: engineering and contractors are in staff, and staff
// is in engineering, a circle.
type ActiveDirectory struct {
	URL          string      // ldaps://ADDRESS
	StartTLSURL  string      // ldap://ADDRESS, which refuses passwords until StartTLS
	CAFile       string      // the authority of the server's certificate, as PEM
	TLS          *tls.Config // trusts that authority
	BindDN       string      // an ordinary user, in the form name@realm
	BindPassword string
	BaseDN       string
	Domain       string // CORP, as in CORP\alice
	Realm        string // corp.example, as in alice@corp.example
	Password     string // of every user
	Lockout      int    // how many wrong passwords lock an account

	t       testing.TB
	address string
	server  server
	process *process
}

// Samba provisions a domain, which takes some seconds, and serves it on a
// loopback address of its own, since Samba cannot be told other ports. It is
// stopped when the test ends. Only root may do so.
func Samba(t testing.TB) *ActiveDirectory {
	t.Helper()
	hint := installHint + " (Debian: apt-get install samba samba-ad-provision samba-dsdb-modules samba-vfs-modules ldb-tools)"
	tool := needProgram(t, hint, "samba-tool")
	samba := needProgram(t, hint, "samba")
	modify := needProgram(t, hint, "ldbmodify")
	for _, file := range []string{
		"/usr/share/samba/setup/provision.ldif", "/usr/lib/*/samba/ldb/rootdse.so", "/usr/lib/*/samba/vfs/acl_xattr.so",
	} {
		if found, err := filepath.Glob(file); err != nil || len(found) == 0 {
			Need(t, file, hint)
		}
	}
	if os.Geteuid() != 0 {
		Need(t, "root's right to ports 389 and 636, for Samba", "run the tests as root")
	}
	d := &ActiveDirectory{
		t: t, address: freeAddress(t), BaseDN: adBase, Domain: adDomain, Realm: adRealm,
		BindDN: "svc-gateway@" + adRealm, Password: "Aa1-" + rand.Text(), Lockout: adLockout,
	}
	d.BindPassword = d.Password
	d.URL, d.StartTLSURL = "ldaps://"+d.address, "ldap://"+d.address
	ca := NewCA(t)
	d.CAFile = ca.CAFile
	d.TLS = &tls.Config{RootCAs: ca.Pool, ServerName: d.address, MinVersion: tls.VersionTLS12}
	conf := writeSambaConf(t, ca, d.address)
	admin := "Aa1-" + rand.Text()
	provision := exec.Command(tool, "domain", "provision", "--quiet", "--configfile="+conf,
		"--realm="+strings.ToUpper(adRealm), "--domain="+adDomain, "--server-role=dc", "--dns-backend=NONE",
		"--host-name=dc1", "--host-ip="+d.address, "--adminpass="+admin)
	if out, err := provision.CombinedOutput(); err != nil {
		t.Fatalf("provision a domain: %v\n%s", err, out)
	}
	d.server = server{
		name: "samba",
		command: func([]int) (*exec.Cmd, error) {
			return exec.Command(samba, "--interactive", "--model=single", "--debug-stdout", "--configfile="+conf), nil
		},
		ready: func(context.Context, []int) error { return d.as("Administrator@"+adRealm, admin, nil) },
	}
	d.process, _ = d.server.start(t)
	if err := d.as("Administrator@"+adRealm, admin, d.populate); err != nil {
		t.Fatalf("fill the domain: %v", err)
	}
	age(t, modify, conf, d.DN("stale"))
	return d
}

// age makes a user's password so old that it has expired. No server sets such a
// date for anybody, so it is written into the file below.
func age(t testing.TB, modify, conf, dn string) {
	t.Helper()
	const past, unchecked = "132223104000000000", "local_oid:1.3.6.1.4.1.7165.4.3.12:0"
	cmd := exec.Command(modify, "--configfile="+conf, "--controls="+unchecked,
		"-H", filepath.Join(filepath.Dir(conf), "private", "sam.ldb"))
	cmd.Stdin = strings.NewReader("dn: " + dn + "\nchangetype: modify\nreplace: pwdLastSet\npwdLastSet: " + past + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("age a password: %v\n%s", err, out)
	}
}

// DN is the distinguished name of a user.
func (d *ActiveDirectory) DN(user string) string {
	switch user { // the entries of people carry their full names
	case "alice":
		user = `Ashford\, Alice`
	case "tanaka":
		user = "田中 花子"
	}
	return "CN=" + user + ",OU=people," + adBase
}

// Stop ends the server, as when it is down for maintenance. Its data stays.
func (d *ActiveDirectory) Stop() { d.process.stop() }

// Start runs a stopped server again on the same address with the same data.
func (d *ActiveDirectory) Start() {
	d.t.Helper()
	p, err := d.server.startOn(nil)
	if err != nil {
		d.t.Fatalf("start samba again: %v", err)
	}
	d.process = p
	d.t.Cleanup(p.stop)
}

// freeAddress returns a loopback address on whose LDAPS port nobody listens. It
// is one of millions, so domains of tests that run at once do not meet.
func freeAddress(t testing.TB) string {
	t.Helper()
	var b [3]byte
	for range startTries {
		rand.Read(b[:])
		address := net.IPv4(127, 1+b[0]%254, b[1], 1+b[2]%254).String()
		ln, err := net.Listen("tcp", net.JoinHostPort(address, "636"))
		if err == nil {
			ln.Close()
			return address
		}
	}
	t.Fatal("no loopback address has a free port 636")
	return ""
}

// writeSambaConf keeps every file of the server in a temporary folder. Its own
// certificate has a negative serial number, which Go refuses, so it gets one; and
// without "old password allowed period" an old password would still be right.
func writeSambaConf(t testing.TB, ca *CA, address string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"private", "state", "cache", "lock", "run"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatalf("make a folder for samba: %v", err)
		}
	}
	cert, key := ca.Issue(t, address)
	conf := fmt.Sprintf(`[global]
server role = active directory domain controller
workgroup = %[1]s
realm = %[2]s
netbios name = DC1
server services = ldap
interfaces = %[3]s/8
bind interfaces only = yes
private dir = %[4]s/private
state directory = %[4]s/state
cache directory = %[4]s/cache
lock directory = %[4]s/lock
pid directory = %[4]s/run
ncalrpc dir = %[4]s/run/ncalrpc
binddns dir = %[4]s/dns
log file = %[4]s/log
ldb:nosync = true
old password allowed period = 0
tls cafile = %[5]s
tls certfile = %[6]s
tls keyfile = %[7]s
[sysvol]
path = %[4]s/state/sysvol
[netlogon]
path = %[4]s/state/sysvol/scripts
`, adDomain, strings.ToUpper(adRealm), address, dir, ca.CAFile, cert, key)
	return writeFile(t, filepath.Join(dir, "smb.conf"), []byte(conf))
}

// as binds over LDAPS and runs do, unless it is nil.
func (d *ActiveDirectory) as(name, password string, do func(*ldap.Conn) error) error {
	conn, err := ldap.DialURL(d.URL, ldap.DialWithTLSConfig(d.TLS))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Bind(name, password); err != nil {
		return fmt.Errorf("bind as %s: %w", name, err)
	}
	if do == nil {
		return nil
	}
	return do(conn)
}

// adUser is a user to be made.
type adUser struct {
	name    string
	attrs   map[string]string // beside those that everybody gets
	changes map[string]string // afterwards
}

func adUsers() []adUser {
	return []adUser{
		{name: "svc-gateway"},
		{name: "alice", attrs: map[string]string{
			"userPrincipalName": "alice.ashford@" + adRealm, "mail": "alice.ashford@corp.example", "displayName": "Alice Ashford",
		}},
		{name: "tanaka", attrs: map[string]string{"mail": "tanaka@corp.example", "displayName": "田中 花子"}},
		{name: "disabled", changes: map[string]string{"userAccountControl": "514"}},
		{name: "expired", changes: map[string]string{"accountExpires": "132223104000000000"}}, // the year 2020
		{name: "stale"},
		{name: "newcomer", changes: map[string]string{"pwdLastSet": "0"}},
		{name: "night", changes: map[string]string{"logonHours": string(make([]byte, 21))}}, // a bit for each hour of a week
		{name: "victim"},
	}
}

// populate makes the users and groups.
func (d *ActiveDirectory) populate(conn *ldap.Conn) error {
	var faults []error
	add := func(dn string, attrs map[string]string) {
		req := ldap.NewAddRequest(dn, nil)
		for name, value := range attrs {
			req.Attribute(name, []string{value})
		}
		if err := conn.Add(req); err != nil {
			faults = append(faults, fmt.Errorf("add %s: %w", dn, err))
		}
	}
	replace := func(dn string, attrs map[string]string) {
		for name, value := range attrs {
			req := ldap.NewModifyRequest(dn, nil)
			req.Replace(name, []string{value})
			if err := conn.Modify(req); err != nil {
				faults = append(faults, fmt.Errorf("change %s of %s: %w", name, dn, err))
			}
		}
	}
	member := func(group string, dns ...string) {
		req := ldap.NewModifyRequest(adGroup(group), nil)
		req.Add("member", dns)
		if err := conn.Modify(req); err != nil {
			faults = append(faults, fmt.Errorf("add to %s: %w", group, err))
		}
	}
	replace(adBase, map[string]string{"lockoutThreshold": fmt.Sprint(adLockout)})
	for _, ou := range []string{"people", "groups"} {
		add("OU="+ou+","+adBase, map[string]string{"objectClass": "organizationalUnit"})
	}
	for _, u := range adUsers() {
		attrs := map[string]string{
			"objectClass": "user", "sAMAccountName": u.name, "userPrincipalName": u.name + "@" + adRealm,
			"userAccountControl": "512", "unicodePwd": adPassword(d.Password),
		}
		for name, value := range u.attrs {
			attrs[name] = value
		}
		add(d.DN(u.name), attrs)
		replace(d.DN(u.name), u.changes)
	}
	for _, g := range []string{"staff", "engineering", "contractors", `R\,D (東京)`} {
		add(adGroup(g), map[string]string{"objectClass": "group"})
	}
	member("staff", adGroup("engineering"), adGroup("contractors"))
	member("engineering", d.DN("alice"), adGroup("staff"))
	member(`R\,D (東京)`, d.DN("alice"))
	member("contractors", d.DN("tanaka")) // whom only a member can have as primary group
	faults = append(faults, makePrimary(conn, d.DN("tanaka"), adGroup("contractors")))
	return errors.Join(faults...)
}

func adGroup(name string) string { return "CN=" + name + ",OU=groups," + adBase }

// adPassword is the form in which a password is set: in quotes, as UTF-16 with
// the low byte first (MS-ADTS, section 3.1.1.3.1.5).
func adPassword(password string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(`"` + password + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// makePrimary makes group the user's primary group, by the last part of its
// identifier.
func makePrimary(conn *ldap.Conn, user, group string) error {
	res, err := conn.Search(&ldap.SearchRequest{BaseDN: group, Scope: ldap.ScopeBaseObject, Filter: "(objectClass=*)", Attributes: []string{"objectSid"}})
	if err != nil || len(res.Entries) != 1 {
		return fmt.Errorf("read %s: %w", group, errors.Join(err, errors.New("want one entry")))
	}
	sid := res.Entries[0].GetRawAttributeValue("objectSid")
	if len(sid) < 4 {
		return fmt.Errorf("%s has no objectSid", group)
	}
	req := ldap.NewModifyRequest(user, nil)
	req.Replace("primaryGroupID", []string{fmt.Sprint(binary.LittleEndian.Uint32(sid[len(sid)-4:]))})
	if err := conn.Modify(req); err != nil {
		return fmt.Errorf("make %s primary: %w", group, err)
	}
	return nil
}
