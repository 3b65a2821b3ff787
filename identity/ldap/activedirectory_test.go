package ldap_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sallyport"
	"sallyport/identity"
	"sallyport/identity/ldap"
)

// adText is how Windows explains a refused bind; Samba ends it otherwise.
func adText(data string) string {
	return "80090308: LdapErr: DSID-0C090446, comment: AcceptSecurityContext error, data " + data + ", v4563\x00"
}

// H2: pages that showed the directory's sub-code told strangers which accounts
// exist and which are locked. Only what a directory says after a correct
// password becomes a reason; all else is the one text.
func TestSubCodesH2(t *testing.T) {
	for _, c := range []struct {
		text string
		want sallyport.Code
	}{
		{adText("52e"), ""},
		{adText("525"), ""},
		{adText("530"), ""},
		{adText("532"), sallyport.CodePasswordExpired},
		{adText("533"), sallyport.CodeAccountDisabled},
		{adText("701"), sallyport.CodeAccountExpired},
		{adText("773"), sallyport.CodePasswordMustChange},
		{adText("775"), ""}, // comes after a wrong password too
		{"80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 532, v1db1", sallyport.CodePasswordExpired},
		{"", ""},
		{"data 532, v1", ""},
		{"80090308: LdapErr: DSID, data 5320, v1", ""},
		{"user 'data 532, v' is unknown", ""},
	} {
		d := newDirectory(t)
		d.bind = func(string, string) result { return result{49, c.text} }
		p := open(t, d.settings())
		id, err := signIn(t, p, "alice", "secret")
		var refusal *identity.Refusal
		switch {
		case id != nil || err == nil:
			t.Errorf("%s signs in", c.text)
		case c.want == "" && !errors.Is(err, identity.ErrWrongPassword):
			t.Errorf("%s: %v", c.text, err)
		case c.want != "" && (!errors.As(err, &refusal) || refusal.Code != c.want):
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
		// For somebody who does not exist no sub-code is a reason.
		if _, err := signIn(t, p, "mallory", "secret"); !errors.Is(err, identity.ErrWrongPassword) {
			t.Errorf("unknown, %s: %v", c.text, err)
		}
	}
}

// H2: an unknown name costs a bind too, against a DN that does not exist, and
// without the password that was typed.
func TestUnknownNameBindsTooH2(t *testing.T) {
	d := newDirectory(t)
	var passwords []string
	d.bind = func(dn, password string) result {
		passwords = append(passwords, password)
		return result{49, adText("52e")}
	}
	p := open(t, d.settings())
	for _, login := range []string{"alice", "mallory"} {
		if _, err := signIn(t, p, login, "typed-secret"); !errors.Is(err, identity.ErrWrongPassword) {
			t.Fatal(err)
		}
	}
	if d.binds() != 2 || d.bound[0] != fakeAlice || d.bound[1] == fakeAlice || !strings.HasSuffix(d.bound[1], fakeBase) {
		t.Errorf("binds as %q", d.bound)
	}
	if len(passwords) != 2 || passwords[0] != "typed-secret" || passwords[1] == "typed-secret" || passwords[1] == "" {
		t.Errorf("passwords %q", passwords)
	}
}

func TestOtherBindAnswers(t *testing.T) {
	for code, want := range map[int]error{
		32: identity.ErrWrongPassword, 48: identity.ErrWrongPassword, 53: identity.ErrWrongPassword, 19: identity.ErrWrongPassword,
		1: sallyport.ErrUnavailable, 8: sallyport.ErrUnavailable, 10: sallyport.ErrUnavailable, 13: sallyport.ErrUnavailable,
		51: sallyport.ErrUnavailable, 52: sallyport.ErrUnavailable, 80: sallyport.ErrUnavailable, 14: sallyport.ErrUnavailable,
	} {
		d := newDirectory(t)
		d.bind = func(string, string) result { return result{code, ""} }
		if id, err := signIn(t, open(t, d.settings()), "alice", "secret"); !errors.Is(err, want) || id != nil {
			t.Errorf("result %d: %+v, %v", code, id, err)
		}
	}
}

// A base outside the domain is a fault of the config, and the error names the key.
func TestBaseDNElsewhere(t *testing.T) {
	for _, code := range []int{10, 32} {
		d := newDirectory(t)
		d.search = func(request) ([]entry, result) { return nil, result{code: code} }
		if _, err := open(t, d.settings()).FindAccount(t.Context(), "alice"); !errors.Is(err, sallyport.ErrUnavailable) || !strings.Contains(err.Error(), "base_dn") {
			t.Errorf("result %d: %v", code, err)
		}
	}
}

func TestGUIDIsTheSubject(t *testing.T) {
	d := newDirectory(t)
	account, err := open(t, d.settings()).FindAccount(t.Context(), "alice")
	if err != nil || account.Subject != "00112233-4455-6677-8899-aabbccddeeff" {
		t.Errorf("%+v, %v", account, err)
	}
}

func TestSubjectThatCannotBeTrusted(t *testing.T) {
	for name, change := range map[string]func(*ldap.Config, entry){
		"short GUID": func(_ *ldap.Config, e entry) { e.attrs["objectGUID"] = []string{"short"} },
		"two GUIDs": func(_ *ldap.Config, e entry) {
			e.attrs["objectGUID"] = append(e.attrs["objectGUID"], "0123456789abcdef")
		},
		"missing":          func(c *ldap.Config, _ entry) { c.Attributes.ID = "employeeNumber" },
		"control in an ID": func(c *ldap.Config, e entry) { c.Attributes.ID = "mail"; e.attrs["mail"] = []string{"a\x00b"} },
		"no name":          func(_ *ldap.Config, e entry) { delete(e.attrs, "sAMAccountName") },
	} {
		d := newDirectory(t)
		e, cfg := alice(), d.settings()
		change(&cfg, e)
		d.search = func(request) ([]entry, result) { return []entry{e}, result{} }
		if account, err := open(t, cfg).FindAccount(t.Context(), "alice"); !errors.Is(err, sallyport.ErrUnavailable) || account.Known() {
			t.Errorf("%s: %+v, %v", name, account, err)
		}
	}
}

func TestSubjectFallsBackToTheDN(t *testing.T) {
	d := newDirectory(t)
	e := alice()
	delete(e.attrs, "objectGUID")
	spelling := []string{"CN=Alice,OU=Staff,DC=corp,DC=example", "cn=alice, ou=Staff, dc=CORP, dc=example"}
	d.search = func(request) ([]entry, result) {
		e.dn, spelling = spelling[0], spelling[1:]
		return []entry{e}, result{}
	}
	p := open(t, d.settings())
	a, errA := p.FindAccount(t.Context(), "alice")
	b, errB := p.FindAccount(t.Context(), "alice")
	if errA != nil || errB != nil || a.Subject != b.Subject || a.Subject != "cn=alice,ou=staff,dc=corp,dc=example" {
		t.Errorf("%q and %q: %v, %v", a.Subject, b.Subject, errA, errB)
	}
}

// Between the two steps of a sign-in an entry can be deleted and its name given
// to somebody else: the bind then proves the wrong person.
func TestNameGivenAwayMeanwhile(t *testing.T) {
	d := newDirectory(t)
	d.bind = func(string, string) result { return result{} }
	d.search = func(r request) ([]entry, result) {
		e := alice()
		if r.base == fakeAlice {
			e.attrs["objectGUID"] = []string{"another person's"}
		}
		return []entry{e}, result{}
	}
	if id, err := signIn(t, open(t, d.settings()), "alice", "secret"); !errors.Is(err, identity.ErrWrongPassword) {
		t.Errorf("%+v, %v", id, err)
	}
}

// Active Directory is found out and resolves groups within groups by itself.
func TestNestedGroupsOfActiveDirectory(t *testing.T) {
	d := newDirectory(t)
	d.bind = func(string, string) result { return result{} }
	d.search = func(r request) ([]entry, result) {
		switch {
		case r.base == "" && slices.Contains(r.attrs, "supportedCapabilities"):
			return []entry{{"", map[string][]string{"supportedCapabilities": {"1.2.840.113556.1.4.800"}}}}, result{}
		case strings.Contains(r.filter, "member:1.2.840.113556.1.4.1941:="+fakeAlice):
			return []entry{{"CN=All,OU=Groups," + fakeBase, nil}, {"cn=finance,ou=groups," + strings.ToLower(fakeBase), nil}}, result{}
		}
		return aliceOnly(r)
	}
	cfg := d.settings()
	cfg.Groups.Nested = true
	p := open(t, cfg)
	for range 2 {
		id, err := signIn(t, p, "alice", "secret")
		if err != nil || !slices.Equal(id.Groups, []string{"All", "Finance"}) {
			t.Fatalf("%+v, %v", id, err)
		}
	}
	probes := 0
	for _, r := range d.requests() {
		if r.base == "" {
			probes++
		}
	}
	if probes != 1 {
		t.Errorf("the root entry was read %d times", probes)
	}
}

// sid is S-1-5-21-1-2-4294967295 and a last part, as the directory stores it.
func sid(rid byte) string {
	return "\x01\x05\x00\x00\x00\x00\x00\x05\x15\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\xff\xff\xff\xff" + string([]byte{rid, 2, 0, 0})
}

// The primary group is in no list of members: it once passed every rule by. With
// it come the groups that it is in.
func TestPrimaryGroup(t *testing.T) {
	const primary = "CN=Domain Users,CN=Users," + fakeBase
	yes, no := true, false
	for name, c := range map[string]struct {
		groups ldap.GroupSearch
		want   []string
	}{
		"direct":           {ldap.GroupSearch{}, []string{"Domain Users", "Finance"}},
		"nested on server": {ldap.GroupSearch{Nested: true, ActiveDirectory: &yes}, []string{"Domain Users", "Everybody", "Finance"}},
		"nested by us":     {ldap.GroupSearch{Nested: true, ActiveDirectory: &no}, []string{"Domain Users", "Everybody", "Finance"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			d.bind = func(string, string) result { return result{} }
			d.search = func(r request) ([]entry, result) {
				switch {
				case r.base == "<SID=S-1-5-21-1-2-4294967295-513>" && r.scope == 0:
					return []entry{{primary, nil}}, result{}
				case r.base == primary:
					return []entry{{primary, map[string][]string{"memberOf": {"CN=Everybody," + fakeBase}}}}, result{}
				case strings.Contains(r.filter, "member:1.2.840.113556.1.4.1941:="+primary):
					return []entry{{"CN=Everybody," + fakeBase, nil}}, result{}
				case strings.EqualFold(r.base, fakeAlice) || strings.Contains(r.filter, "=alice)"):
					e := alice()
					e.attrs["objectSid"], e.attrs["primaryGroupID"] = []string{sid(80)}, []string{"513"}
					return []entry{e}, result{}
				}
				return nil, result{}
			}
			cfg := d.settings()
			cfg.Groups = c.groups
			id, err := signIn(t, open(t, cfg), "alice", "secret")
			if err != nil || !slices.Equal(id.Groups, c.want) {
				t.Fatalf("%+v, %v; want %v", id, err, c.want)
			}
		})
	}
}

// A primary group that cannot be read is left out; an identifier that is none is
// an error and never another group.
func TestPrimaryGroupThatIsNone(t *testing.T) {
	for name, c := range map[string]struct {
		sid, rid string
		code     int
		fails    bool
	}{
		"not to be read": {sid(80), "513", 50, false},
		"gone":           {sid(80), "513", 32, false},
		"elsewhere":      {sid(80), "513", 10, false},
		"directory busy": {sid(80), "513", 51, true},
		"cut":            {sid(80)[:20], "513", 0, true},
		"longer":         {sid(80) + "x", "513", 0, true},
		"too short":      {"\x01", "513", 0, true},
		"no parts":       {"\x01\x00\x00\x00\x00\x00\x00\x05", "513", 0, true},
		"not a number":   {sid(80), "513>,DC=x", 0, true},
		"negative":       {sid(80), "-1", 0, true},
	} {
		d := newDirectory(t)
		d.bind = func(string, string) result { return result{} }
		d.search = func(r request) ([]entry, result) {
			if strings.HasPrefix(r.base, "<SID=") {
				return nil, result{code: c.code}
			}
			e := alice()
			e.attrs["objectSid"], e.attrs["primaryGroupID"] = []string{c.sid}, []string{c.rid}
			return []entry{e}, result{}
		}
		id, err := signIn(t, open(t, d.settings()), "alice", "secret")
		switch {
		case c.fails && !errors.Is(err, sallyport.ErrUnavailable):
			t.Errorf("%s: %+v, %v", name, id, err)
		case !c.fails && (err != nil || !slices.Equal(id.Groups, []string{"Finance"})):
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}

// Searches run as the service account only, also after people signed in: once a
// pooled connection stayed bound as the last person, and the next search ran
// with that person's rights.
func TestSearchesNeverRunAsAPerson(t *testing.T) {
	d := newDirectory(t)
	d.bind = func(string, string) result { return result{} }
	p := open(t, d.settings())
	for range 5 {
		if _, err := signIn(t, p, "alice", "secret"); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range d.requests() {
		if r.as != fakeService {
			t.Errorf("a search as %q", r.as)
		}
	}
	if n := d.binds(); n != 5 {
		t.Errorf("%d binds for 5 sign-ins", n)
	}
}

// G4: a directory with more groups than anybody has is an error, not a list cut
// by chance.
func TestTooManyGroupsG4(t *testing.T) {
	many := make([]string, 2001)
	for i := range many {
		many[i] = fmt.Sprintf("CN=g%d,%s", i, fakeBase)
	}
	for name, attrs := range map[string]map[string][]string{
		"in one answer": {"memberOf": many},
		"in ranges":     {"memberOf;range=0-1499": many[:1500]},
	} {
		d := newDirectory(t)
		d.bind = func(string, string) result { return result{} }
		e := alice()
		delete(e.attrs, "memberOf")
		for k, v := range attrs {
			e.attrs[k] = v
		}
		d.search = func(request) ([]entry, result) { return []entry{e}, result{} }
		if id, err := signIn(t, open(t, d.settings()), "alice", "secret"); !errors.Is(err, sallyport.ErrUnavailable) {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}

func TestGroupsWithoutEnd(t *testing.T) {
	d := newDirectory(t)
	d.bind = func(string, string) result { return result{} }
	d.search = func(r request) ([]entry, result) {
		if n, ok := strings.CutPrefix(r.base, "CN=deeper"); ok { // each group is in a new one
			return []entry{{r.base, map[string][]string{"memberOf": {"CN=deeper1" + n}}}}, result{}
		}
		e := alice()
		e.attrs["memberOf"] = []string{"CN=deeper," + fakeBase}
		return []entry{e}, result{}
	}
	cfg, no := d.settings(), false
	cfg.Groups = ldap.GroupSearch{Nested: true, ActiveDirectory: &no}
	if id, err := signIn(t, open(t, cfg), "alice", "secret"); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("%+v, %v", id, err)
	}
	if n := len(d.requests()); n > 60 {
		t.Errorf("%d searches", n)
	}
}
