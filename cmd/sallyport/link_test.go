//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/internal/parts"
)

const linkFile = `version: 1
server: {https: "127.0.0.1:8443", http: "", portal: "login.localhost:8443"}
tls: {internal: true}
store: {sqlite: sallyport.db}
secrets: {master_key_file: master.key}
identity:
  - {name: local, type: local}
  - name: staff
    type: ldap
    url: %s
    ca_file: %s
    bind_dn: %s
    bind_password: ${LDAP_PASSWORD}
    base_dn: %s
    user_filter: "(&(objectClass=inetOrgPerson)(|(uid={login})(mail={login})))"
    attributes: {id: entryUUID, username: uid, email: mail, name: cn}
routes: [{name: app, hosts: [app.localhost], upstream: "http://127.0.0.1:1"}]
`

// An admin links an account of a real directory by the name that the person signs in
// with there, in any of its forms, and to one user only.
func TestLinkLooksUpTheAccount(t *testing.T) {
	ldap := parts.SLAPD(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "sallyport.yaml")
	t.Setenv("LDAP_PASSWORD", ldap.BindPassword)
	admin := func(args ...string) (out, errs string) {
		var stdout, stderr output
		run(append(args, "--config", file), &cli{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Now: time.Now})
		return stdout.String(), stderr.String()
	}
	if code := run([]string{"init", "--dir", dir}, &cli{Stdin: strings.NewReader(""), Stdout: &output{}, Stderr: &output{}, Now: time.Now}); code != 0 {
		t.Fatalf("init ended with %d", code)
	}
	if err := os.WriteFile(file, fmt.Appendf(nil, linkFile, ldap.URL, ldap.CAFile, ldap.BindDN, ldap.BaseDN), 0o600); err != nil {
		t.Fatal(err)
	}
	admin("migrate")
	for _, name := range []string{"a.ashford", "bob"} {
		if out, errs := admin("user", "add", name); !strings.Contains(out, name) {
			t.Fatalf("add %s: %s", name, errs)
		}
	}
	out, errs := admin("user", "link", "a.ashford", "--provider", "staff", "--login", "alice")
	if !strings.HasPrefix(out, "linked ") {
		t.Fatalf("link: %s%s", out, errs)
	}
	subject := strings.Fields(out)[1]
	if show, _ := admin("user", "show", "a.ashford", "--json"); len(subject) < 16 || !strings.Contains(show, `"subject":"`+subject+`"`) && !strings.Contains(show, `"subject": "`+subject+`"`) {
		t.Errorf("linked %q, shown %s", subject, show)
	}
	if out, errs := admin("user", "link", "bob", "--provider", "staff", "--login", "ALICE@corp.example"); out != "" || errs == "" {
		t.Errorf("one account was linked to two users: %s%s", out, errs)
	}
	if out, errs := admin("user", "link", "bob", "--provider", "staff", "--login", "nobody"); out != "" || !strings.Contains(errs, `staff knows no "nobody"`) {
		t.Errorf("unknown account: %s%s", out, errs)
	}
	// A directory whose password is not there is not asked, and the command says so.
	t.Setenv("LDAP_PASSWORD", "")
	if out, errs := admin("user", "link", "bob", "--provider", "staff", "--login", "bob"); out != "" || errs == "" {
		t.Errorf("without a password: %s%s", out, errs)
	}
}
