//go:build !unix

package upstream

import "net"

// canProbe: without it a connection could answer one person's request with what
// was left of another's, so the direct way stays closed.
const canProbe = false

type probe struct{}

func (*probe) init(net.Conn) {}

func (*probe) quiet() bool { return false }
