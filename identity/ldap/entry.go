package ldap

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"sallyport/identity"
)

// The attributes that identify an entry for ever, by server.
const (
	attrGUID      = "objectGUID" // Active Directory; 16 bytes
	attrEntryUUID = "entryUUID"  // OpenLDAP and others (RFC 4530); text
)

// person is what an entry says.
type person struct{ id, username, email, display string }

// userAttributes lists what is read of a person; groups only where they are
// needed, since they may be many.
func (c Config) userAttributes(groups bool) []string {
	a := c.Attributes
	list := []string{"cn"}
	for _, name := range []string{a.ID, a.Username, a.UPN, a.Email, a.Name} {
		if name != "" {
			list = append(list, name)
		}
	}
	if a.ID == "" {
		list = append(list, attrGUID, attrEntryUUID)
	}
	if a.Username == "" {
		list = append(list, "uid", "sAMAccountName")
	}
	if a.Name == "" {
		list = append(list, "displayName")
	}
	if groups {
		list = append(list, a.Groups, attrPrimaryGroup, attrSID)
	}
	return list
}

// person reads an entry.
func (c Config) person(e *ldap.Entry) (person, error) {
	id, err := c.stableID(e)
	if err != nil {
		return person{}, err
	}
	names := []string{c.Attributes.Username}
	if c.Attributes.Username == "" {
		names = []string{"uid", "sAMAccountName"}
	}
	display := []string{c.Attributes.Name}
	if c.Attributes.Name == "" {
		display = []string{"displayName", "cn"}
	}
	p := person{
		id:       id,
		username: first(e, append(names, c.Attributes.UPN)...),
		email:    first(e, c.Attributes.Email),
		display:  first(e, display...),
	}
	if p.username == "" {
		return person{}, fmt.Errorf("entry %q has no sign-in name: set attributes.username", e.DN)
	}
	return p, nil
}

// first returns the first value of the first attribute that has one.
func first(e *ldap.Entry, names ...string) string {
	for _, name := range names {
		if v := identity.Text(e.GetEqualFoldAttributeValue(name)); v != "" {
			return v
		}
	}
	return ""
}

// stableID returns what names the entry for ever. A configured attribute must be
// there: falling back to another would make a second account of one person, or
// one of two.
func (c Config) stableID(e *ldap.Entry) (string, error) {
	for _, name := range []string{c.Attributes.ID, attrGUID, attrEntryUUID} {
		if name == "" || (c.Attributes.ID != "" && name != c.Attributes.ID) {
			continue
		}
		values := e.GetEqualFoldRawAttributeValues(name)
		switch {
		case len(values) > 1:
			return "", fmt.Errorf("entry %q has several values of %s", e.DN, name)
		case len(values) == 1:
			return idText(name, values[0])
		case c.Attributes.ID != "":
			return "", fmt.Errorf("entry %q has no %s: set attributes.id to an attribute that everybody has", e.DN, name)
		}
	}
	dn, err := ldap.ParseDN(e.DN)
	if err != nil || len(dn.RDNs) == 0 {
		return "", errors.New("an entry without a DN")
	}
	return dnKey(e.DN), nil
}

func idText(name string, value []byte) (string, error) {
	if strings.EqualFold(name, attrGUID) {
		return guidText(value)
	}
	text := string(value)
	if text == "" || text != identity.Text(text) {
		return "", fmt.Errorf("%s is not text", name)
	}
	return text, nil
}

// guidText returns a GUID in its canonical form: its first three fields are
// stored with the low byte first (MS-DTYP, section 2.3.4.2).
func guidText(b []byte) (string, error) {
	if len(b) != 16 {
		return "", fmt.Errorf("%s has %d bytes, want 16", attrGUID, len(b))
	}
	o := []byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}
	s := hex.EncodeToString(o)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:], nil
}

// dnKey is the form in which DNs are compared: parsed, written one way, in lower
// case. Text that is no DN is compared as it is.
func dnKey(s string) string {
	dn, err := ldap.ParseDN(s)
	if err != nil || len(dn.RDNs) == 0 {
		return strings.ToLower(s)
	}
	return strings.ToLower(dn.String())
}

// groupName is the value of the first part of a group's DN, or the text itself
// where a directory lists plain names.
func groupName(s string) string {
	dn, err := ldap.ParseDN(s)
	if err != nil || len(dn.RDNs) == 0 || len(dn.RDNs[0].Attributes) == 0 {
		return identity.Text(s)
	}
	return identity.Text(dn.RDNs[0].Attributes[0].Value)
}
