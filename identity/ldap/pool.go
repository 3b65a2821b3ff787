package ldap

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// maxIdle is how long an unused connection is trusted: firewalls forget them
// silently, and then a search would wait for its time-out.
const maxIdle = 2 * time.Minute

var errClosed = errors.New("the provider is closed")

// pool keeps connections that are bound as the service account.
type pool struct {
	dialer   *dialer
	dn       string
	password string
	slots    chan struct{} // one for each connection in use
	now      func() time.Time

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

func newPool(d *dialer, size int, dn, password string, now func() time.Time) *pool {
	return &pool{dialer: d, dn: dn, password: password, slots: make(chan struct{}, size), now: now}
}

// do runs op on a connection of the pool. Where a connection that was kept
// proves stale, op runs once more on a new one; so op must only read.
func (p *pool) do(ctx context.Context, op func(*ldap.Conn) error) error {
	if err := acquire(ctx, p.slots, p.dialer.timeout); err != nil {
		return err
	}
	defer func() { <-p.slots }()
	c := p.kept()
	if c != nil {
		err := p.run(ctx, c, op)
		if !broken(err) || ctx.Err() != nil || errors.Is(err, errTooLarge) || errors.Is(err, ldap.ErrSizeLimitExceeded) {
			return err
		}
		p.drop() // what broke one has broken the others
	}
	c, err := p.open(ctx)
	if err != nil {
		return err
	}
	return p.run(ctx, c, op)
}

// run runs op and keeps the connection if it is still good.
func (p *pool) run(ctx context.Context, c *conn, op func(*ldap.Conn) error) error {
	err := c.do(ctx, func() error { return op(c.Conn) })
	if broken(err) || c.IsClosing() {
		c.Close()
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return err
	}
	c.usedAt = p.now()
	p.idle = append(p.idle, c)
	return err
}

// kept returns the connection that was used last, nil if there is none.
func (p *pool) kept() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if !c.IsClosing() && p.now().Sub(c.usedAt) < maxIdle {
			return c
		}
		c.Close()
	}
	return nil
}

// open returns a new connection, bound as the service account if there is one.
func (p *pool) open(ctx context.Context) (*conn, error) {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	c, err := p.dialer.dial(ctx)
	if err != nil {
		return nil, err
	}
	if p.dn == "" {
		return c, nil
	}
	if err := c.bind(ctx, p.dn, p.password); err != nil {
		c.Close()
		return nil, fmt.Errorf("bind as the service account: %w", err)
	}
	return c, nil
}

// drop closes all idle connections.
func (p *pool) drop() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.drop()
}

// acquire takes one of the slots, waiting no longer than timeout and ctx.
func acquire(ctx context.Context, slots chan struct{}, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a free connection: %w", ctx.Err())
	}
}
