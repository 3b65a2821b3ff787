package gateway

import (
	"container/list"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/config"
)

// tracker is a listener that bounds what its connections can take: their number,
// the time of a handshake, and the time that a write may stand still.
type tracker struct {
	net.Listener
	tls       bool // connections begin with a handshake
	handshake time.Duration
	stall     time.Duration
	filtered  bool
	allow     []netip.Prefix // where filtered
	slots     chan struct{}  // nil: no limit
	closing   chan struct{}
	close     sync.Once

	mu       sync.Mutex
	waiting  int        // connections that wait for a slot
	idle     *list.List // of *trackedConn without a request, oldest first; only with a limit
	hijacked map[*trackedConn]struct{}
}

func newTracker(ln net.Listener, limit int, t config.Timeouts) *tracker {
	l := &tracker{Listener: ln, handshake: t.Handshake, stall: t.BodyIdle,
		closing: make(chan struct{}), idle: list.New(), hijacked: map[*trackedConn]struct{}{}}
	if limit > 0 {
		l.slots = make(chan struct{}, limit)
	}
	return l
}

// Accept implements net.Listener.
func (l *tracker) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.filtered && !allowed(l.allow, c.RemoteAddr()) {
			_ = c.Close() // a stranger gets no answer at all
			continue
		}
		if !l.take() {
			_ = c.Close()
			return nil, net.ErrClosed
		}
		tc := &trackedConn{Conn: c, from: l}
		if l.tls {
			tc.until = time.Now().Add(l.handshake)
			tc.handshaking.Store(true)
		}
		if l.slots != nil {
			l.mu.Lock()
			tc.idle = l.idle.PushBack(tc) // until its first request is read
			l.mu.Unlock()
		}
		return tc, nil
	}
}

func allowed(list []netip.Prefix, a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// take gets a slot. When all are taken, the connection that has been without a
// request for longest makes room, be it idle, in its handshake or slow with its
// header: otherwise anybody could keep everybody out by doing nothing.
func (l *tracker) take() bool {
	if l.slots == nil {
		return true
	}
	select {
	case l.slots <- struct{}{}:
		return true
	default:
	}
	l.mu.Lock()
	l.waiting++
	victim := l.idle.Front()
	l.mu.Unlock()
	if victim != nil {
		_ = victim.Value.(*trackedConn).Close()
	}
	defer func() { l.mu.Lock(); l.waiting--; l.mu.Unlock() }()
	select {
	case l.slots <- struct{}{}:
		return true
	case <-l.closing:
		return false
	}
}

// Close implements net.Listener.
func (l *tracker) Close() error {
	l.close.Do(func() { close(l.closing) })
	return l.Listener.Close()
}

// state is the ConnState hook of the server.
func (l *tracker) state(c net.Conn, s http.ConnState) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	tc, ok := c.(*trackedConn)
	if !ok || s != http.StateHijacked && l.slots == nil {
		return
	}
	l.mu.Lock()
	if tc.closed {
		l.mu.Unlock()
		return
	}
	makeRoom := false
	switch s {
	case http.StateActive:
		tc.leaveIdle()
	case http.StateHijacked:
		tc.leaveIdle()
		l.hijacked[tc] = struct{}{}
	case http.StateIdle:
		makeRoom = l.waiting > 0
		if tc.idle == nil && !makeRoom {
			tc.idle = l.idle.PushBack(tc)
		}
	}
	l.mu.Unlock()
	if makeRoom {
		_ = tc.Close()
	}
}

// closeHijacked closes connections that handlers took over, which the server no
// longer knows.
func (l *tracker) closeHijacked() {
	l.mu.Lock()
	var open []*trackedConn
	for c := range l.hijacked {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
}

// trackedConn is a connection of a tracker.
type trackedConn struct {
	net.Conn
	from        *tracker
	until       time.Time   // end of the handshake
	handshaking atomic.Bool // the server lifts its deadline when the handshake is over

	read    lazyDeadline
	limit   atomic.Int64 // write deadline that the server or a handler set, in ns; 0: none
	renewed atomic.Int64 // when the write deadline was last set by us, in ns

	// Guarded by from.mu.
	idle   *list.Element
	closed bool
}

func (c *trackedConn) leaveIdle() {
	if c.idle != nil {
		c.from.idle.Remove(c.idle)
		c.idle = nil
	}
}

// Write ends when the peer takes nothing for the stall time. It costs nothing for
// peers that read slowly: each write has its own time.
func (c *trackedConn) Write(p []byte) (int, error) {
	now := time.Now()
	if n, last := now.UnixNano(), c.renewed.Load(); !c.handshaking.Load() && n-last > int64(c.from.stall/4) {
		c.renewed.Store(n)
		if err := c.Conn.SetWriteDeadline(c.writeDeadline(now)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

func (c *trackedConn) writeDeadline(now time.Time) time.Time {
	d := now.Add(c.from.stall)
	if limit := c.limit.Load(); limit != 0 {
		if l := time.Unix(0, limit); l.Before(d) {
			return l
		}
	}
	return d
}

// SetWriteDeadline implements net.Conn; the sooner of t and the stall time counts.
func (c *trackedConn) SetWriteDeadline(t time.Time) error {
	if c.handshaking.Load() && !t.IsZero() {
		return c.Conn.SetWriteDeadline(c.until)
	}
	c.noteLimit(t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *trackedConn) noteLimit(t time.Time) {
	c.renewed.Store(0) // the next write puts the stall time in force again
	if t.IsZero() {
		c.limit.Store(0)
		return
	}
	c.limit.Store(t.UnixNano())
}

// SetReadDeadline implements net.Conn. During the handshake the server's
// deadlines, which are those of the header, give way to the handshake's own; the
// server lifts the deadline when the handshake is over.
func (c *trackedConn) SetReadDeadline(t time.Time) error {
	if c.handshaking.Load() {
		if t.IsZero() {
			c.handshaking.Store(false)
		} else {
			t = c.until
		}
	}
	return c.read.set(c.Conn, t)
}

// SetDeadline implements net.Conn.
func (c *trackedConn) SetDeadline(t time.Time) error {
	c.noteLimit(t)
	return errors.Join(c.read.set(c.Conn, t), c.Conn.SetWriteDeadline(t))
}

// Read implements net.Conn. A deadline that has been put off since it was armed is
// no time-out yet.
func (c *trackedConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || !c.read.again(c.Conn) {
			return n, err
		}
	}
}

// lazyDeadline is a read deadline. The server moves it several times in each
// request, almost always to a later time, and each move costs as much as a small
// system call; so only an earlier one is passed on at once. A later one is, when
// the time that was armed has come and a Read has to know.
type lazyDeadline struct {
	mu    sync.Mutex // the server aborts a Read from another goroutine
	want  time.Time  // zero: none
	armed time.Time  // zero: none
}

func (d *lazyDeadline) set(conn net.Conn, t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.want = t
	if !d.armed.IsZero() && (t.IsZero() || !t.Before(d.armed)) {
		return nil
	}
	d.armed = t
	return conn.SetReadDeadline(t)
}

// again reports whether a Read that timed out must go on, and arms what is wanted.
func (d *lazyDeadline) again(conn net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.want.IsZero() && !time.Now().Before(d.want) {
		return false
	}
	d.armed = d.want
	return conn.SetReadDeadline(d.want) == nil
}

// Close implements net.Conn and gives the slot back, once.
func (c *trackedConn) Close() error {
	l := c.from
	l.mu.Lock()
	first := !c.closed
	c.closed = true
	c.leaveIdle()
	delete(l.hijacked, c)
	l.mu.Unlock()
	if first && l.slots != nil {
		<-l.slots
	}
	return c.Conn.Close()
}
