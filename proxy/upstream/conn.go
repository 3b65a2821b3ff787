package upstream

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

var errLongHeader = errors.New("the header of the answer is too long")

// conn is a connection of the direct way. One request at a time is on it, served
// by one goroutine; abort alone may come from another.
type conn struct {
	net.Conn
	in    *bufio.Reader
	head  []byte // of the last request, for its memory
	probe probe
	abort func()

	used   bool // there was a request before this one
	silent bool // nothing has come since this request was sent
	// left is how many bytes may still come before the header is too long.
	left     int
	deadline time.Time // as armed; zero: none
	since    time.Time // idle since
}

func newConn(raw net.Conn) *conn {
	c := &conn{Conn: raw}
	c.in = bufio.NewReaderSize((*answers)(c), ioBuffer)
	c.probe.init(raw)
	c.abort = func() { _ = raw.Close() }
	return c
}

// answers is what the upstream sends on a conn.
type answers conn

// Read implements io.Reader.
func (a *answers) Read(p []byte) (int, error) {
	if a.left <= 0 {
		return 0, errLongHeader
	}
	n, err := a.Conn.Read(p[:min(len(p), a.left)])
	if n > 0 {
		a.silent = false
		a.left -= n
	}
	return n, err
}

// begin prepares c for a request whose answer must begin within d. Arming a
// deadline costs as much as a small system call, so an armed one that is a little
// later than it must be is left as it is.
func (c *conn) begin(d time.Duration) {
	c.silent, c.left = true, maxHeaderBytes
	now := time.Now()
	if need := now.Add(d); c.deadline.Before(need) || c.deadline.After(need.Add(d/4)) {
		c.deadline = now.Add(d + d/8)
		_ = c.SetDeadline(c.deadline)
	}
}

// lift ends the limits of a header: a body may take its time and have any size.
func (c *conn) lift() {
	c.left = int(^uint(0) >> 1)
	c.deadline = time.Time{}
	_ = c.SetDeadline(c.deadline)
}

// connection returns a connection to t: one that waits, unless it must be fresh,
// or else a new one.
func (u *Upstream) connection(ctx context.Context, t *target, fresh bool) (*conn, error) {
	if !fresh {
		if c := t.idle.get(); c != nil {
			return c, nil
		}
	}
	raw, err := u.dial(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	return newConn(raw), nil
}

// idleConns are the connections of one target that wait for a request, the one
// that has waited least last.
type idleConns struct {
	mu     sync.Mutex
	list   []*conn
	sweep  *time.Timer
	closed bool
}

// get takes the connection that was in use last. One on which anything has come
// meanwhile is closed: the end, or an answer that nobody asked for and that the
// next request, of somebody else, would take for its own.
func (i *idleConns) get() *conn {
	for {
		c := i.pop()
		if c == nil {
			return nil
		}
		// A deadline that has passed meanwhile would answer for the upstream.
		if !c.deadline.IsZero() && time.Until(c.deadline) <= 0 {
			c.deadline = time.Time{}
			_ = c.SetDeadline(c.deadline)
		}
		if c.in.Buffered() == 0 && c.probe.quiet() {
			c.used = true
			return c
		}
		_ = c.Close()
	}
}

func (i *idleConns) pop() *conn {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := len(i.list)
	if n == 0 {
		return nil
	}
	c := i.list[n-1]
	i.list[n-1] = nil
	i.list = i.list[:n-1]
	return c
}

// put keeps c for the next request.
func (i *idleConns) put(c *conn) {
	c.since = time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed || len(i.list) >= idlePerUpstream {
		_ = c.Close()
		return
	}
	i.list = append(i.list, c)
	if i.sweep == nil {
		i.sweep = time.AfterFunc(idleTimeout, i.prune)
	}
}

// prune closes what has waited for too long; the oldest come first.
func (i *idleConns) prune() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sweep = nil
	old := 0
	for old < len(i.list) && time.Since(i.list[old].since) >= idleTimeout {
		_ = i.list[old].Close()
		old++
	}
	i.list = append(i.list[:0], i.list[old:]...)
	clear(i.list[len(i.list):cap(i.list)])
	if len(i.list) > 0 && !i.closed {
		i.sweep = time.AfterFunc(idleTimeout-time.Since(i.list[0].since), i.prune)
	}
}

// close closes what waits, and from now on what is put back.
func (i *idleConns) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	for _, c := range i.list {
		_ = c.Close()
	}
	i.list = nil
	if i.sweep != nil {
		i.sweep.Stop()
	}
}
