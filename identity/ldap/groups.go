package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

const (
	// maxGroups of one person. With more, sign-in fails: to leave some out would
	// be to decide by chance, and a rule may exclude by group.
	maxGroups = 2000
	// maxLevels of groups within groups.
	maxLevels = 32
	// batch is how many groups are asked for in one filter.
	batch = 40
	// page is how many entries a server is asked for at a time; Active Directory
	// gives at most 1000.
	page = 500

	// adCapability marks Active Directory in supportedCapabilities (MS-ADTS,
	// section 3.1.1.3.4.3).
	adCapability = "1.2.840.113556.1.4.800"
	// adInChain is the matching rule that follows groups within groups (MS-ADTS,
	// section 3.1.1.3.4.4.3).
	adInChain = "1.2.840.113556.1.4.1941"
)

var errTooManyGroups = fmt.Errorf("more than %d groups, or more than %d levels of them", maxGroups, maxLevels)

// groupSet collects groups by their comparable DN, in the order they are found.
type groupSet struct {
	seen map[string]bool
	dns  []string
}

// add returns those of dns that are new.
func (s *groupSet) add(dns []string) ([]string, error) {
	var fresh []string
	for _, dn := range dns {
		if key := dnKey(dn); !s.seen[key] {
			s.seen[key] = true
			fresh = append(fresh, dn)
		}
	}
	s.dns = append(s.dns, fresh...)
	if len(s.dns) > maxGroups {
		return nil, errTooManyGroups
	}
	return fresh, nil
}

// groups returns the names of a person's groups, sorted, each once.
func (p *Provider) groups(ctx context.Context, user *ldap.Entry) ([]string, error) {
	set := &groupSet{seen: map[string]bool{}}
	direct, err := p.listed(user)
	if err != nil {
		return nil, err
	}
	primary, err := p.primaryGroup(ctx, user)
	if err != nil {
		return nil, err
	}
	if _, err := set.add(append(direct, primary...)); err != nil {
		return nil, err
	}
	inChain, err := p.inChain(ctx)
	if err != nil {
		return nil, err
	}
	if p.cfg.Groups.BaseDN != "" || inChain {
		members := []string{user.DN}
		if inChain {
			// The server follows members, and nobody is a member of a primary group.
			members = append(members, primary...)
		}
		found, err := p.membership(ctx, members, inChain)
		if err != nil {
			return nil, err
		}
		if _, err := set.add(found); err != nil {
			return nil, err
		}
	}
	if p.cfg.Groups.Nested && !inChain {
		if err := p.follow(ctx, set); err != nil {
			return nil, err
		}
	}
	var names []string
	for _, dn := range set.dns {
		if name := groupName(dn); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// follow adds the groups of groups, level by level. A group that was seen is not
// followed again, so a circle ends.
func (p *Provider) follow(ctx context.Context, set *groupSet) error {
	level := slices.Clone(set.dns)
	for range maxLevels {
		var found []string
		var err error
		if p.cfg.Groups.BaseDN != "" {
			found, err = p.membership(ctx, level, false)
		} else {
			found, err = p.parents(ctx, level)
		}
		if err != nil {
			return err
		}
		if level, err = set.add(found); err != nil {
			return err
		}
		if len(level) == 0 {
			return nil
		}
	}
	return errTooManyGroups
}

// listed returns the values of the groups attribute.
func (p *Provider) listed(e *ldap.Entry) ([]string, error) {
	attr := p.cfg.Attributes.Groups
	for _, a := range e.Attributes {
		if len(a.Name) > len(attr) && strings.EqualFold(a.Name[:len(attr)+1], attr+";") && strings.Contains(strings.ToLower(a.Name), "range=") {
			return nil, fmt.Errorf("%s holds more values than the directory gives at once: %w", attr, errTooManyGroups)
		}
	}
	return e.GetEqualFoldAttributeValues(attr), nil
}

// membership searches the groups that have any of members.
func (p *Provider) membership(ctx context.Context, members []string, inChain bool) ([]string, error) {
	base, filter := p.cfg.Groups.BaseDN, p.cfg.Groups.Filter
	if base == "" {
		base = p.cfg.BaseDN
	}
	switch {
	case filter != "":
	case inChain:
		filter = "(member:" + adInChain + ":=" + dnMark + ")"
	default:
		filter = defaultGroupFilter
	}
	var found []string
	for some := range slices.Chunk(members, batch) {
		var any strings.Builder
		for _, dn := range some {
			any.WriteString(strings.ReplaceAll(filter, dnMark, ldap.EscapeFilter(dn)))
		}
		entries, err := p.pages(ctx, base, "(|"+any.String()+")")
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			found = append(found, e.DN)
		}
		if len(found) > maxGroups {
			return nil, errTooManyGroups
		}
	}
	return found, nil
}

// pages searches page by page and stops beyond maxGroups. All pages come over
// one connection, since a server keeps its place in the list there.
func (p *Provider) pages(ctx context.Context, base, filter string) ([]*ldap.Entry, error) {
	var entries []*ldap.Entry
	err := p.pool.do(ctx, func(c *ldap.Conn) error {
		entries = nil
		paging := ldap.NewControlPaging(page)
		for {
			res, err := c.Search(&ldap.SearchRequest{
				BaseDN: base, Scope: ldap.ScopeWholeSubtree, DerefAliases: ldap.NeverDerefAliases,
				Filter: filter, Attributes: []string{"1.1"}, Controls: []ldap.Control{paging},
				SizeLimit: maxGroups + 1, EnforceSizeLimit: true, TimeLimit: p.timeLimit(),
			})
			if err != nil {
				return err
			}
			entries = append(entries, res.Entries...)
			answer, ok := ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
			if len(entries) > maxGroups || !ok || len(answer.Cookie) == 0 {
				return nil
			}
			paging.SetCookie(answer.Cookie)
		}
	})
	if errors.Is(err, ldap.ErrSizeLimitExceeded) || len(entries) > maxGroups {
		return nil, errTooManyGroups
	}
	return entries, err
}

// parents reads the groups attribute of each group. A group that is gone, or
// that the service account may not read, has no parents.
func (p *Provider) parents(ctx context.Context, groups []string) ([]string, error) {
	var found []string
	for _, dn := range groups {
		if !isDN(dn) {
			continue
		}
		entries, err := p.search(ctx, &ldap.SearchRequest{
			BaseDN: dn, Scope: ldap.ScopeBaseObject, Filter: "(objectClass=*)",
			Attributes: []string{p.cfg.Attributes.Groups}, SizeLimit: 1, TimeLimit: p.timeLimit(),
		})
		if ldap.IsErrorAnyOf(err, ldap.LDAPResultNoSuchObject, ldap.LDAPResultReferral, ldap.LDAPResultInsufficientAccessRights) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			more, err := p.listed(e)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	}
	return found, nil
}

// inChain reports whether the server itself resolves groups within groups. What
// it is does not change, so it is asked once.
func (p *Provider) inChain(ctx context.Context) (bool, error) {
	if !p.cfg.Groups.Nested || p.cfg.Groups.Filter != "" {
		return false, nil
	}
	if set := p.cfg.Groups.ActiveDirectory; set != nil {
		return *set, nil
	}
	if known := p.directory.Load(); known != 0 {
		return known == 2, nil
	}
	entries, err := p.search(ctx, &ldap.SearchRequest{
		Scope: ldap.ScopeBaseObject, Filter: "(objectClass=*)",
		Attributes: []string{"supportedCapabilities"}, SizeLimit: 1, TimeLimit: p.timeLimit(),
	})
	if err != nil {
		return false, err
	}
	is := len(entries) == 1 && slices.Contains(entries[0].GetEqualFoldAttributeValues("supportedCapabilities"), adCapability)
	if is {
		p.directory.Store(2)
	} else {
		p.directory.Store(1)
	}
	return is, nil
}
