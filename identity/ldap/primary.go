package ldap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// The attributes by which Active Directory names a person's primary group, which
// is in no list of members (MS-ADTS, sections 3.1.1.2.3.6 and 3.1.1.4.5.31).
const (
	attrPrimaryGroup = "primaryGroupID"
	attrSID          = "objectSid"
)

var errSID = errors.New("an objectSid that is none")

// primaryGroup returns the DN of the person's primary group: usually "Domain
// Users", but it may be any group that an admin made so, and then rules about that
// group would pass the person by. nil where the directory has no such thing, and
// where the service account may not read the group.
func (p *Provider) primaryGroup(ctx context.Context, user *ldap.Entry) ([]string, error) {
	rid, own := user.GetEqualFoldAttributeValue(attrPrimaryGroup), user.GetEqualFoldRawAttributeValues(attrSID)
	if rid == "" || len(own) != 1 {
		return nil, nil
	}
	sid, err := siblingSID(own[0], rid)
	if err != nil {
		return nil, err
	}
	// By its identifier the entry is found wherever it is, also outside base_dn
	// (MS-ADTS, section 3.1.1.3.1.2.4).
	entries, err := p.search(ctx, &ldap.SearchRequest{
		BaseDN: "<SID=" + sid + ">", Scope: ldap.ScopeBaseObject, Filter: "(objectClass=*)",
		Attributes: []string{"1.1"}, SizeLimit: 1, TimeLimit: p.timeLimit(),
	})
	if ldap.IsErrorAnyOf(err, ldap.LDAPResultNoSuchObject, ldap.LDAPResultReferral, ldap.LDAPResultInsufficientAccessRights) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var dns []string
	for _, e := range entries {
		dns = append(dns, e.DN)
	}
	return dns, nil
}

// siblingSID returns the identifier of rid in the domain of the binary identifier
// own, in its text form (MS-DTYP, sections 2.4.2.1 and 2.4.2.2).
func siblingSID(own []byte, rid string) (string, error) {
	const head = 8 // revision, count, authority
	if len(own) < head+4 || own[0] != 1 || len(own) != head+4*int(own[1]) {
		return "", errSID
	}
	last, err := strconv.ParseUint(rid, 10, 32)
	if err != nil {
		return "", fmt.Errorf("%s is not a number", attrPrimaryGroup)
	}
	var s strings.Builder
	authority := binary.BigEndian.Uint64(own[:head]) & (1<<48 - 1)
	fmt.Fprintf(&s, "S-1-%d", authority)
	for i := head; i < len(own)-4; i += 4 {
		fmt.Fprintf(&s, "-%d", binary.LittleEndian.Uint32(own[i:]))
	}
	fmt.Fprintf(&s, "-%d", last)
	return s.String(), nil
}
