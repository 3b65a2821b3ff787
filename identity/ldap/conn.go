package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// maxAnswer is how many bytes one operation may bring: entries of people and
// groups need some kilobytes, and a directory gone wrong must not fill memory.
const maxAnswer = 4 << 20

var errTooLarge = errors.New("the directory's answer is too large")

// conn is one connection with what must be bounded: bytes and time.
type conn struct {
	*ldap.Conn
	raw     *limited
	timeout time.Duration
	usedAt  time.Time
}

// limited counts what is read, below TLS, so that StartTLS keeps the bound.
type limited struct {
	net.Conn
	left atomic.Int64
}

// Read implements net.Conn.
func (l *limited) Read(b []byte) (int, error) {
	left := l.left.Load()
	if left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(b)) > left {
		b = b[:left]
	}
	n, err := l.Conn.Read(b)
	l.left.Add(-int64(n))
	return n, err
}

// dialer opens connections to one directory.
type dialer struct {
	address  string // host:port
	ldaps    bool
	startTLS bool
	tls      *tls.Config
	timeout  time.Duration
}

// dial returns a connection that nobody is bound on.
func (d *dialer) dial(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	tcp, err := new(net.Dialer).DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	raw := &limited{Conn: tcp}
	raw.left.Store(maxAnswer)
	var under net.Conn = raw
	if d.ldaps {
		secured := tls.Client(raw, d.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			tcp.Close()
			return nil, fmt.Errorf("TLS: %w", err)
		}
		under = secured
	}
	c := &conn{Conn: ldap.NewConn(under, d.ldaps), raw: raw, timeout: d.timeout}
	c.SetTimeout(d.timeout)
	c.Start()
	if d.startTLS {
		if err := c.do(ctx, func() error { return c.StartTLS(d.tls) }); err != nil {
			c.Close()
			return nil, fmt.Errorf("StartTLS: %w", err)
		}
	}
	return c, nil
}

// do runs one operation. It ends when ctx does or the time-out has passed, and
// leaves the connection closed then: an answer that comes later must not be
// taken for that of the next operation.
func (c *conn) do(ctx context.Context, op func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.raw.left.Store(maxAnswer)
	if err := c.raw.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("connection is closed: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { c.raw.Close() })
	err := op()
	if !stop() {
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	if err != nil && c.raw.left.Load() <= 0 {
		return errTooLarge
	}
	return err
}

// bind binds as dn. An empty name or password would be an anonymous bind (RFC
// 4513, sections 5.1.1 and 5.1.2), which succeeds and proves nothing.
func (c *conn) bind(ctx context.Context, dn, password string) error {
	if dn == "" || password == "" {
		return errors.New("a bind needs a name and a password")
	}
	return c.do(ctx, func() error { return c.Bind(dn, password) })
}

// broken reports whether err says that the connection, not the request, failed.
func broken(err error) bool {
	if err == nil {
		return false
	}
	var answer *ldap.Error
	if !errors.As(err, &answer) {
		return true
	}
	switch answer.ResultCode {
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable:
		return true
	}
	return answer.ResultCode >= ldap.ErrorNetwork // go-ldap's own, not the server's
}
