package identity

import (
	"fmt"
	"strings"

	"golang.org/x/net/idna"

	"sallyport"
)

// Domains are those that may stand around a sign-in name, as in CORP\alice and
// alice@example.com. The zero Domains cuts nothing.
type Domains struct{ known map[string]bool }

// NewDomains returns the domains of a config list; an error names the first
// entry that can be no domain.
func NewDomains(list []string) (Domains, error) {
	d := Domains{known: make(map[string]bool, len(list))}
	for _, entry := range list {
		folded, err := sallyport.FoldName(entry)
		if err != nil || strings.ContainsAny(folded, `@\"`) {
			return Domains{}, fmt.Errorf("%q is not a domain", entry)
		}
		key, ok := domainKey(folded)
		if !ok {
			return Domains{}, fmt.Errorf("%q is not a domain", entry)
		}
		d.known[key] = true
	}
	return d, nil
}

// Cut returns the name without a known domain around it, else the name itself.
// The name must come from sallyport.FoldName, which also turns fullwidth @ and \
// into plain ones.
//
// Only a name with exactly one separator is cut, and none with a quote or
// another character of RFC 5322 that lets an address hide a second one:
// programs differ in which domain they see in "a@ours"@theirs or a@theirs@ours,
// so neither belongs to a domain of ours.
func (d Domains) Cut(folded string) string {
	if len(d.known) == 0 || strings.Count(folded, "@")+strings.Count(folded, `\`) != 1 ||
		strings.ContainsAny(folded, "\"'()<>,;:[] ") {
		return folded
	}
	name, domain, ok := strings.Cut(folded, "@")
	if !ok {
		domain, name, _ = strings.Cut(folded, `\`)
	}
	key, ok := domainKey(domain)
	if !ok || name == "" || !d.known[key] {
		return folded
	}
	return name
}

// domainKey is the form in which domains are compared: lower case, in ASCII, and
// without a final dot. Unicode domains are mapped by IDNA (RFC 5891), so that a
// look-alike letter gives another key.
func domainKey(domain string) (string, bool) {
	domain = strings.TrimSuffix(strings.ToLower(domain), ".")
	if domain == "" || strings.HasPrefix(domain, ".") || strings.Contains(domain, "..") {
		return "", false
	}
	for _, r := range domain {
		if r >= 0x80 {
			key, err := idna.Lookup.ToASCII(domain)
			return key, err == nil
		}
	}
	return domain, true // NetBIOS names may hold what host names may not
}
