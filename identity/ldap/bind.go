package ldap

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"sallyport"
	"sallyport/identity"
)

// maxPassword is the longest password that is sent, in bytes.
const maxPassword = 1024

// sendable reports whether a password may be sent at all: not an empty one,
// which would be an unauthenticated bind that always succeeds (RFC 4513, section
// 5.1.2), and none with a NUL or another control character, where a directory
// might stop reading.
func sendable(password string) bool {
	return password != "" && len(password) <= maxPassword && utf8.ValidString(password) &&
		!strings.ContainsFunc(password, unicode.IsControl)
}

// judge binds as the account on a connection of its own. nil: the password is
// right.
func (p *Provider) judge(ctx context.Context, account identity.Account, password string) error {
	if err := acquire(ctx, p.binds, p.cfg.Timeout); err != nil {
		return identity.Unavailable(p.name, err)
	}
	defer func() { <-p.binds }()
	dn, known := account.Ref, account.Known() && account.Issuer == p.cfg.BaseDN && account.Ref != ""
	if !known {
		dn, password = "CN=no such account at sallyport,"+p.cfg.BaseDN, "no such password"
	}
	c, err := p.dialer.dial(ctx)
	if err != nil {
		return identity.Unavailable(p.name, err)
	}
	defer c.Close()
	began := p.now()
	err = c.bind(ctx, dn, password)
	took := p.now().Sub(began)
	switch verdict := p.verdict(ctx, account, err); {
	case errors.Is(verdict, sallyport.ErrUnavailable):
		return verdict
	case !known:
		// Whatever the directory says of an account that does not exist, even yes.
		p.pace.wait(ctx, took)
		return identity.ErrWrongPassword
	default:
		if errors.Is(verdict, identity.ErrWrongPassword) {
			p.pace.learn(took)
		}
		return verdict
	}
}

// verdict translates the answer to a bind.
func (p *Provider) verdict(ctx context.Context, account identity.Account, err error) error {
	if err == nil {
		return nil
	}
	var answer *ldap.Error
	if broken(err) || !errors.As(err, &answer) {
		return identity.Unavailable(p.name, fmt.Errorf("bind: %w", err))
	}
	switch answer.ResultCode {
	case ldap.LDAPResultInvalidCredentials:
		return p.subCode(ctx, account, answer)
	case ldap.LDAPResultNoSuchObject, ldap.LDAPResultInvalidDNSyntax, ldap.LDAPResultInappropriateAuthentication,
		ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultConstraintViolation:
		p.log.InfoContext(ctx, "the directory refused a bind", "subject", account.Subject, "result", answer.ResultCode)
		return identity.ErrWrongPassword
	}
	return identity.Unavailable(p.name, fmt.Errorf("bind: %w", err))
}

// adSubCode finds Active Directory's reason in the text of a refused bind:
// "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data
// 532, v4563".
var adSubCode = regexp.MustCompile(`^[0-9A-Fa-f]{8}: LdapErr: .{1,200}, data ([0-9a-f]{1,8}), v`)

// subCode turns Active Directory's sub-code of an invalidCredentials answer into
// a refusal. Only those count that a directory gives after a correct password;
// 775 (locked) comes after a wrong one too, and would tell a stranger that the
// name exists and that guessing has begun to hurt.
func (p *Provider) subCode(ctx context.Context, account identity.Account, answer *ldap.Error) error {
	if answer.Err == nil {
		return identity.ErrWrongPassword
	}
	m := adSubCode.FindStringSubmatch(answer.Err.Error())
	if m == nil {
		return identity.ErrWrongPassword
	}
	refuse := func(code sallyport.Code, detail string) error {
		return &identity.Refusal{Code: code, Detail: detail + " (data " + m[1] + ")"}
	}
	switch m[1] {
	case "532":
		return refuse(sallyport.CodePasswordExpired, "the password has expired")
	case "533":
		return refuse(sallyport.CodeAccountDisabled, "the account is disabled")
	case "701":
		return refuse(sallyport.CodeAccountExpired, "the account has expired")
	case "773":
		return refuse(sallyport.CodePasswordMustChange, "the password must be changed first")
	case "775":
		p.log.InfoContext(ctx, "the directory has locked an account", "subject", account.Subject)
	case "530", "531": // after a correct password, but we have no words for the person
		p.log.InfoContext(ctx, "the directory lets an account sign in at other hours or from other machines only",
			"subject", account.Subject, "data", m[1])
	}
	return identity.ErrWrongPassword
}

// pace is how long the directory takes to refuse a wrong password of somebody
// who exists: directories with slow hashes answer at once for somebody who does
// not, and the difference would list their names.
type pace struct{ average atomic.Int64 }

// learn takes one duration into the average.
func (p *pace) learn(took time.Duration) {
	old := p.average.Load()
	if old == 0 {
		p.average.CompareAndSwap(0, int64(took))
		return
	}
	p.average.CompareAndSwap(old, old+(int64(took)-old)/8)
}

// wait waits for what is left of the average.
func (p *pace) wait(ctx context.Context, took time.Duration) {
	left := time.Duration(p.average.Load()) - took
	if left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
