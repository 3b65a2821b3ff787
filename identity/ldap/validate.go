package ldap

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"sallyport"
	"sallyport/identity"
)

const (
	defaultTimeout  = 10 * time.Second
	maxTimeout      = 2 * time.Minute
	defaultPoolSize = 4
	maxPoolSize     = 64

	loginMark = "{login}"
	dnMark    = "{dn}"

	defaultUserFilter  = "(&(objectClass=person)(|(uid={login})(mail={login})))"
	defaultGroupFilter = "(|(member={dn})(uniqueMember={dn}))"
)

// attributeName is an attribute description (RFC 4512, section 2.5): a name or
// an OID, perhaps with options.
var attributeName = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+)(;[A-Za-z0-9-]+)*$`)

// Validate returns every fault, with paths relative to the entry. It opens
// nothing: whether files and server exist shows when the provider is made and
// probed.
func (c Config) Validate() sallyport.FieldErrors {
	var faults sallyport.FieldErrors
	c.validateURL(&faults)
	c.validateBind(&faults)
	c.validateSearch(&faults)
	c.validateGroups(&faults)
	for i, d := range c.Domains {
		if _, err := identity.NewDomains([]string{d}); err != nil {
			faults.Add(fmt.Sprintf("domains[%d]", i), "write a domain as it is typed, like CORP or example.com", "%v", err)
		}
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		faults.Add("timeout", "write 1s to 2m", "%s is out of range", c.Timeout)
	}
	if c.PoolSize < 0 || c.PoolSize > maxPoolSize {
		faults.Add("pool_size", fmt.Sprintf("write 1 to %d", maxPoolSize), "%d is out of range", c.PoolSize)
	}
	return faults
}

func (c Config) validateURL(faults *sallyport.FieldErrors) {
	const hint = "write ldaps://host:636, or ldap://host:389 with start_tls: true"
	if c.URL == "" {
		faults.Add("url", hint, "the directory's address is missing")
		return
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" || (u.Scheme != "ldap" && u.Scheme != "ldaps") {
		faults.Add("url", hint, "not the address of a directory")
		return
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		faults.Add("url", hint, "only scheme, host and port belong here")
		return
	}
	switch {
	case u.Scheme == "ldaps" && c.StartTLS:
		faults.Add("start_tls", "remove it, or write ldap:// in url", "ldaps:// is encrypted from the start")
	case u.Scheme == "ldap" && !c.StartTLS && !loopback(u.Hostname()):
		faults.Add("url", "write ldaps://, or set start_tls: true", "passwords would cross the network in clear")
	}
}

func (c Config) validateBind(faults *sallyport.FieldErrors) {
	hasPassword := !c.BindPassword.Empty() || c.BindPasswordFile != ""
	switch {
	case c.BindDN == "" && hasPassword:
		faults.Add("bind_dn", "write the DN of the account that searches", "a bind password is set, but nobody to bind as")
	case c.BindDN != "" && !hasPassword:
		faults.Add("bind_password", "set bind_password or bind_password_file", "the password of bind_dn is missing")
	}
	if !c.BindPassword.Empty() && c.BindPasswordFile != "" {
		faults.Add("bind_password_file", "keep one of the two", "bind_password is set as well")
	}
	// Active Directory also takes user@domain and DOMAIN\user.
	if c.BindDN != "" && !strings.ContainsAny(c.BindDN, `@\`) && !isDN(c.BindDN) {
		faults.Add("bind_dn", "write it like CN=sallyport,OU=Service,DC=corp,DC=example", "not a DN")
	}
}

func (c Config) validateSearch(faults *sallyport.FieldErrors) {
	switch {
	case c.BaseDN == "":
		faults.Add("base_dn", "write it like DC=corp,DC=example", "where to search for users is missing")
	case !isDN(c.BaseDN):
		faults.Add("base_dn", "write it like DC=corp,DC=example", "not a DN")
	}
	if c.UserFilter != "" {
		checkFilter(faults, "user_filter", c.UserFilter, loginMark)
	}
	a := c.Attributes
	for _, f := range []struct{ key, name string }{
		{"id", a.ID}, {"username", a.Username}, {"upn", a.UPN}, {"email", a.Email},
		{"name", a.Name}, {"groups", a.Groups},
	} {
		if f.name != "" && !attributeName.MatchString(f.name) {
			faults.Add("attributes."+f.key, "write one attribute's name, like sAMAccountName", "%q is not an attribute's name", f.name)
		}
	}
}

func (c Config) validateGroups(faults *sallyport.FieldErrors) {
	g := c.Groups
	if g.BaseDN != "" && !isDN(g.BaseDN) {
		faults.Add("groups.base_dn", "write it like OU=groups,DC=corp,DC=example", "not a DN")
	}
	if g.Filter != "" {
		checkFilter(faults, "groups.filter", g.Filter, dnMark)
		if g.BaseDN == "" {
			faults.Add("groups.filter", "set groups.base_dn, or remove the filter", "without groups.base_dn no groups are searched")
		}
	}
}

// checkFilter demands a filter that compiles and holds the mark in the place of
// a value.
func checkFilter(faults *sallyport.FieldErrors, path, filter, mark string) {
	if !strings.Contains(filter, mark) {
		faults.Add(path, "write "+mark+" where the value belongs, like (uid="+mark+")", "%s is missing, so every search would find the same", mark)
		return
	}
	for part := range strings.SplitSeq(filter, "(") {
		if i := strings.Index(part, mark); i >= 0 && !strings.Contains(part[:i], "=") {
			faults.Add(path, "write it after the =, like (uid="+mark+")", "%s is not in the place of a value", mark)
			return
		}
	}
	if _, err := ldap.CompileFilter(strings.ReplaceAll(filter, mark, "x")); err != nil {
		faults.Add(path, "check brackets and operators (RFC 4515)", "not a filter: %v", err)
	}
}

func isDN(s string) bool {
	dn, err := ldap.ParseDN(s)
	return err == nil && len(dn.RDNs) > 0
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
