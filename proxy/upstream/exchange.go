package upstream

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// exchange is one request being forwarded: the context of its request, the
// writer of its answer, and the body on its way, in one allocation.
type exchange struct {
	context.Context
	writer
	body body
	out  *Request
	err  error
	// final: the header of the last answer is here; interim collects those before.
	final     bool
	interim   http.Header
	forwarded [3]string
	// trailers: fields may follow the body.
	trailers bool
}

type exchangeKey struct{}

// Value implements context.Context.
func (x *exchange) Value(key any) any {
	if _, ok := key.(exchangeKey); ok {
		return x
	}
	return x.Context.Value(key)
}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

func (x *exchange) clientFault() error {
	if p := x.body.fault.Load(); p != nil {
		return *p
	}
	return nil
}

// Header implements http.ResponseWriter. Interim answers have a map of their own,
// because the reverse proxy empties it after each of them, and with it what others
// put on the answer.
func (x *exchange) Header() http.Header {
	if x.final {
		return x.ResponseWriter.Header()
	}
	if x.interim == nil {
		x.interim = http.Header{}
	}
	return x.interim
}

// WriteHeader implements http.ResponseWriter. Interim answers come straight from
// the upstream, with headers that belong to its connection (golang/go#81319).
func (x *exchange) WriteHeader(status int) {
	if !x.final {
		x.writeInterim(status)
		return
	}
	x.began = true
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) writeInterim(status int) {
	if !x.out.HTTP.ProtoAtLeast(1, 1) {
		return // HTTP/1.0 has no such answers (RFC 9110, section 15.2)
	}
	dropHopByHop(x.interim)
	if x.out.Answer != nil {
		_ = x.out.Answer(status, x.interim)
	}
	h := x.ResponseWriter.Header()
	before := maps.Clone(h)
	maps.Copy(h, x.interim)
	x.ResponseWriter.WriteHeader(status)
	clear(h)
	maps.Copy(h, before)
}

// writer notes whether the answer has begun.
type writer struct {
	http.ResponseWriter
	began bool
}

// Hijack takes the connection over for a switched protocol; from then on no page
// can be shown.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("taking over the connection: %w", err)
	}
	w.began = true
	return conn, rw, nil
}

// Unwrap lets http.ResponseController reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// body remembers what went wrong while the client was sending, to tell the
// client's fault from the upstream's.
type body struct {
	io.ReadCloser
	fault atomic.Pointer[error]
	// keep leaves the body open when an attempt fails before anything was sent.
	keep bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.fault.CompareAndSwap(nil, &err)
	}
	return n, err
}

// Close implements io.Closer. The server closes its body itself.
func (b *body) Close() error {
	if b.keep {
		return nil
	}
	return b.ReadCloser.Close()
}

// hopByHop are the headers that belong to one connection (RFC 9110, section
// 7.6.1), in canonical form.
var hopByHop = [...]string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// connectionHeader is the part of a request's header that the reverse proxy looks
// at: nil for almost every request.
func connectionHeader(h http.Header) http.Header {
	var out http.Header
	for _, name := range [...]string{"Connection", "Upgrade", "Te"} {
		if v, ok := h[name]; ok {
			if out == nil {
				out = http.Header{}
			}
			out[name] = v
		}
	}
	return out
}

// forwardHeader makes the header that goes out, with room for what will be set:
// what the client sent, without cookies and what belongs to its connection, and
// what the reverse proxy left in kept. The values are shared and only read.
func forwardHeader(kept http.Header, out *Request) http.Header {
	in := out.HTTP.Header
	h := make(http.Header, len(in)+len(kept)+len(out.Fields)+len(out.Own)+4)
	connection := connectionNames(in["Connection"])
	for name, values := range in {
		if !stays(name, connection) {
			h[name] = values
		}
	}
	for name, values := range kept {
		h[name] = values
	}
	return h
}

// stays reports whether a header of the client does not go on: it belongs to the
// client's connection, frames its message, or is one that we send ourselves.
func stays(name string, connection map[string]struct{}) bool {
	switch name {
	case "Cookie", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
		"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Host", "Content-Length":
		return true
	}
	_, named := connection[name]
	return named
}

// connectionNames are the headers that Connection lines name, nil for what almost
// all requests say there. They are read once, since a header can name thousands and
// hold thousands.
func connectionNames(lines []string) map[string]struct{} {
	var set map[string]struct{}
	for _, line := range lines {
		for token := range strings.SplitSeq(line, ",") {
			token = strings.TrimSpace(token)
			if token == "" || strings.EqualFold(token, "keep-alive") || strings.EqualFold(token, "close") || strings.EqualFold(token, "upgrade") {
				continue
			}
			if set == nil {
				set = map[string]struct{}{}
			}
			set[http.CanonicalHeaderKey(token)] = struct{}{}
		}
	}
	return set
}

func dropHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// limitIdle breaks a stream off that has carried no byte for d.
func limitIdle(res *http.Response, d time.Duration) {
	if conn, ok := res.Body.(io.ReadWriteCloser); ok && res.StatusCode == http.StatusSwitchingProtocols {
		i := &idleConn{ReadWriteCloser: conn, after: d}
		i.timer = time.AfterFunc(d, func() { _ = conn.Close() })
		res.Body = i
		return
	}
	res.Body = &idleBody{ReadCloser: res.Body, after: d}
}

// idleConn is a switched connection that closes itself when neither side has
// sent anything for a while. Both directions pass through it.
type idleConn struct {
	io.ReadWriteCloser
	after time.Duration
	timer *time.Timer
}

// Read implements io.Reader.
func (c *idleConn) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	if n > 0 {
		c.timer.Reset(c.after)
	}
	return n, err
}

// Write implements io.Writer.
func (c *idleConn) Write(p []byte) (int, error) {
	c.timer.Reset(c.after)
	return c.ReadWriteCloser.Write(p)
}

// Close implements io.Closer.
func (c *idleConn) Close() error {
	c.timer.Stop()
	return c.ReadWriteCloser.Close()
}

// idleBody is an answer whose upstream must not pause for longer than after. The
// time runs only while we wait for the upstream, not while the client is slow.
type idleBody struct {
	io.ReadCloser
	after time.Duration
	timer *time.Timer
}

// Read implements io.Reader.
func (b *idleBody) Read(p []byte) (int, error) {
	if b.timer == nil {
		b.timer = time.AfterFunc(b.after, func() { _ = b.ReadCloser.Close() })
	} else {
		b.timer.Reset(b.after)
	}
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	return n, err
}

// Close implements io.Closer.
func (b *idleBody) Close() error {
	if b.timer != nil {
		b.timer.Stop()
	}
	return b.ReadCloser.Close()
}
