//go:build unix

package upstream

import (
	"net"
	"syscall"
)

// canProbe: an idle connection can be looked at without waiting.
const canProbe = true

// probe looks whether anything has come on an idle connection. What it needs is
// made once, so that looking allocates nothing.
type probe struct {
	raw    syscall.RawConn
	look   func(fd uintptr) bool
	silent bool
	buf    [1]byte
}

func (p *probe) init(c net.Conn) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	p.raw = raw
	p.look = func(fd uintptr) bool {
		_, err := syscall.Read(int(fd), p.buf[:])
		p.silent = err == syscall.EAGAIN
		return true // never wait
	}
}

// quiet reports whether the connection is open and nothing has come on it. A byte
// that has come is lost, and the connection of no more use.
func (p *probe) quiet() bool {
	if p.raw == nil {
		return false
	}
	p.silent = false
	return p.raw.Read(p.look) == nil && p.silent
}
