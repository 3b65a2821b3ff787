package upstream

import (
	"net/http/httputil"
	"sync"
)

// bufferSize suits both small pages and large downloads; it is what io.Copy uses.
const bufferSize = 32 << 10

// buffers hands out the copy buffers of answers. It holds arrays, so that giving
// one back allocates nothing.
type buffers struct{ pool sync.Pool }

// NewBuffers returns a pool that all upstreams of a gateway share.
func NewBuffers() httputil.BufferPool {
	return &buffers{pool: sync.Pool{New: func() any { return new([bufferSize]byte) }}}
}

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte { return b.pool.Get().(*[bufferSize]byte)[:] }

// Put implements httputil.BufferPool.
func (b *buffers) Put(p []byte) {
	if cap(p) >= bufferSize {
		b.pool.Put((*[bufferSize]byte)(p[:bufferSize]))
	}
}
