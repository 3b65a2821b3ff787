package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"

	"sallyport"
	"sallyport/identity"
)

// bindsPerSearch is how many passwords may be judged at once for each pooled
// connection; the others wait.
const bindsPerSearch = 4

// Provider checks people against one directory. It implements
// identity.PasswordProvider and identity.Prober and is safe for concurrent use.
type Provider struct {
	name, label string
	cfg         Config // with defaults
	domains     identity.Domains
	dialer      *dialer
	pool        *pool
	binds       chan struct{}
	log         *slog.Logger
	now         func() time.Time
	// directory caches whether it is Active Directory: 0 unknown, 1 no, 2 yes.
	directory atomic.Int32
	pace      pace
}

var (
	_ identity.PasswordProvider = (*Provider)(nil)
	_ identity.Prober           = (*Provider)(nil)
)

// Option changes how a Provider is made.
type Option func(*Provider)

// WithLogger sets where refusals are explained; default: slog.Default().
func WithLogger(log *slog.Logger) Option { return func(p *Provider) { p.log = log } }

// WithClock sets the clock; default: time.Now.
func WithClock(now func() time.Time) Option { return func(p *Provider) { p.now = now } }

// New returns the provider of one config entry. It reads the entry's files and
// connects to nothing: the directory may be away. The error is what Validate
// found, or that of a file. Close the provider when it is no longer used.
func New(name, label string, cfg Config, options ...Option) (*Provider, error) {
	if faults := cfg.Validate(); len(faults) > 0 {
		return nil, faults
	}
	cfg = cfg.withDefaults()
	p := &Provider{name: name, label: label, cfg: cfg, log: slog.Default(), now: time.Now}
	for _, o := range options {
		o(p)
	}
	p.log = p.log.With("provider", name)
	var err error
	if p.domains, err = identity.NewDomains(cfg.Domains); err != nil {
		return nil, err
	}
	password, err := identity.Secret(cfg.BindPassword, cfg.BindPasswordFile)
	if err != nil {
		return nil, &sallyport.FieldError{Path: "bind_password_file", Msg: err.Error()}
	}
	if p.dialer, err = cfg.dialer(); err != nil {
		return nil, err
	}
	p.pool = newPool(p.dialer, cfg.PoolSize, cfg.BindDN, password.Reveal(), p.now)
	p.binds = make(chan struct{}, cfg.PoolSize*bindsPerSearch)
	return p, nil
}

func (c Config) withDefaults() Config {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&c.UserFilter, defaultUserFilter)
	set(&c.Attributes.UPN, "userPrincipalName")
	set(&c.Attributes.Email, "mail")
	set(&c.Attributes.Groups, "memberOf")
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.PoolSize == 0 {
		c.PoolSize = defaultPoolSize
	}
	return c
}

func (c Config) dialer() (*dialer, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, &sallyport.FieldError{Path: "url", Msg: "not an address"}
	}
	roots, err := identity.Roots(c.CAFile)
	if err != nil {
		return nil, &sallyport.FieldError{Path: "ca_file", Msg: err.Error()}
	}
	d := &dialer{
		address: u.Host, ldaps: u.Scheme == "ldaps", startTLS: c.StartTLS, timeout: c.Timeout,
		tls: &tls.Config{RootCAs: roots, ServerName: u.Hostname(), MinVersion: tls.VersionTLS12},
	}
	if u.Port() == "" {
		port := ldap.DefaultLdapPort
		if d.ldaps {
			port = ldap.DefaultLdapsPort
		}
		d.address = strings.TrimSuffix(d.address, ":") + ":" + port
	}
	return d, nil
}

// Name implements identity.Provider.
func (p *Provider) Name() string { return p.name }

// Label implements identity.Provider.
func (p *Provider) Label() string { return p.label }

// Close ends all connections; later calls answer sallyport.ErrUnavailable.
func (p *Provider) Close() error {
	p.pool.close()
	return nil
}

// Probe implements identity.Prober: it reads the directory's root entry.
func (p *Provider) Probe(ctx context.Context) error {
	_, err := p.search(ctx, &ldap.SearchRequest{
		Scope: ldap.ScopeBaseObject, Filter: "(objectClass=*)", Attributes: []string{"1.1"}, SizeLimit: 1,
	})
	return err
}

// FindAccount implements identity.PasswordProvider. A name that finds several
// entries means nobody, and the log says so.
func (p *Provider) FindAccount(ctx context.Context, login string) (identity.Account, error) {
	folded, err := sallyport.FoldName(login)
	if err != nil {
		return identity.Account{}, err
	}
	name := p.domains.Cut(folded)
	unknown := identity.Account{Issuer: p.cfg.BaseDN, Login: name}
	entries, err := p.search(ctx, &ldap.SearchRequest{
		BaseDN: p.cfg.BaseDN, Scope: ldap.ScopeWholeSubtree, DerefAliases: ldap.NeverDerefAliases,
		Filter: p.userFilter(name, folded), Attributes: p.cfg.userAttributes(false),
		SizeLimit: 2, TimeLimit: p.timeLimit(),
	})
	many := ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) || errors.Is(err, ldap.ErrSizeLimitExceeded)
	switch {
	case many || len(entries) > 1:
		p.log.WarnContext(ctx, "a name finds several entries and is refused: make user_filter or base_dn narrower", "login", name)
		return unknown, nil
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultNoSuchObject, ldap.LDAPResultReferral):
		// Active Directory refers a base outside its domain to somebody else.
		return identity.Account{}, identity.Unavailable(p.name, fmt.Errorf("base_dn is not in this directory: %w", err))
	case err != nil:
		return identity.Account{}, err
	case len(entries) == 0:
		return unknown, nil
	}
	person, err := p.cfg.person(entries[0])
	if err != nil {
		return identity.Account{}, identity.Unavailable(p.name, err)
	}
	account := identity.Account{Issuer: p.cfg.BaseDN, Subject: person.id, Login: name, Ref: entries[0].DN}
	if own, err := sallyport.FoldName(person.username); err == nil {
		account.Login = own
	}
	return account, nil
}

// userFilter finds a person by the name without its domain or, where a domain
// was cut, by the whole as well: it may be their mail address.
func (p *Provider) userFilter(name, whole string) string {
	filter := strings.ReplaceAll(p.cfg.UserFilter, loginMark, ldap.EscapeFilter(name))
	if name == whole {
		return filter
	}
	return "(|" + filter + strings.ReplaceAll(p.cfg.UserFilter, loginMark, ldap.EscapeFilter(whole)) + ")"
}

// CheckPassword implements identity.PasswordProvider.
func (p *Provider) CheckPassword(ctx context.Context, account identity.Account, password string) (*sallyport.Identity, error) {
	if !sendable(password) {
		return nil, identity.ErrWrongPassword
	}
	if err := p.judge(ctx, account, password); err != nil {
		return nil, err
	}
	entries, err := p.search(ctx, &ldap.SearchRequest{
		BaseDN: account.Ref, Scope: ldap.ScopeBaseObject, Filter: "(objectClass=*)",
		Attributes: p.cfg.userAttributes(true), SizeLimit: 1, TimeLimit: p.timeLimit(),
	})
	if err != nil {
		return nil, err
	}
	if len(entries) != 1 {
		return nil, identity.Unavailable(p.name, errors.New("the entry cannot be read"))
	}
	person, err := p.cfg.person(entries[0])
	if err != nil {
		return nil, identity.Unavailable(p.name, err)
	}
	if person.id != account.Subject { // another entry took the name meanwhile
		return nil, identity.ErrWrongPassword
	}
	groups, err := p.groups(ctx, entries[0])
	if err != nil {
		return nil, identity.Unavailable(p.name, fmt.Errorf("find groups: %w", err))
	}
	return &sallyport.Identity{
		Provider: p.name, Issuer: p.cfg.BaseDN, Subject: person.id, Username: person.username,
		Email: person.email, Name: person.display, Groups: groups,
	}, nil
}

// search runs one request on the pool and returns the entries; referrals among
// them are left out. Errors wrap sallyport.ErrUnavailable and the cause.
func (p *Provider) search(ctx context.Context, req *ldap.SearchRequest) ([]*ldap.Entry, error) {
	req.EnforceSizeLimit = true
	var entries []*ldap.Entry
	err := p.pool.do(ctx, func(c *ldap.Conn) error {
		res, err := c.Search(req)
		entries = nil
		if res != nil {
			entries = res.Entries
		}
		return err
	})
	if err != nil {
		return entries, identity.Unavailable(p.name, fmt.Errorf("search: %w", err))
	}
	return entries, nil
}

// timeLimit asks the server to give up when we do, in whole seconds.
func (p *Provider) timeLimit() int { return int(p.cfg.Timeout/time.Second) + 1 }
