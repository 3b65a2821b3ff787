package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// The direct way is for what most requests are: a GET or HEAD without a body to an
// upstream that speaks plain HTTP. It does what the reverse proxy and the transport
// of the standard library do with such a request, on the goroutine that serves it,
// and without a second copy of its header: half of the gateway's own time went into
// handing requests from goroutine to goroutine. Whatever else comes (a body, another
// method, a switched protocol, TLS) goes the general way. Answers are parsed by
// http.ReadResponse on both.

var (
	errUnrequested = errors.New("the upstream switched protocols without being asked")
	errInvalid     = errors.New("a header or address that HTTP cannot carry")
)

// direct reports whether out may go the direct way.
func (u *Upstream) direct(out *Request) bool {
	r := out.HTTP
	if !u.plain || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if r.ContentLength != 0 || r.URL.Opaque != "" { // the length is -1 when it is unknown
		return false
	}
	_, upgrade := r.Header["Upgrade"]
	_, te := r.Header["Te"]
	return !upgrade && !te
}

// forwardDirect is Forward for the requests that direct reports.
func (u *Upstream) forwardDirect(w http.ResponseWriter, out *Request) error {
	began, err := false, error(nil)
	err = u.each(out.HTTP.Context(), out, func(t *target) error {
		began, err = u.ask(w, out, t)
		return err
	})
	switch {
	case err == nil:
		return nil
	case began:
		// The client has seen part of an answer; only breaking it off is honest.
		panic(http.ErrAbortHandler)
	}
	return classify(out, nil, err)
}

// ask sends out to t and streams the answer into w. When a connection that was
// used before turns out to be gone without a byte of an answer, the request is
// sent again, once, on a new one: it is a GET or HEAD, which may be repeated
// (RFC 9110, section 9.2.2), and closing an idle connection is every server's right.
func (u *Upstream) ask(w http.ResponseWriter, out *Request, t *target) (began bool, err error) {
	ctx := out.HTTP.Context()
	for again := false; ; again = true {
		c, err := u.connection(ctx, t, again)
		if err != nil {
			return false, err
		}
		stop := context.AfterFunc(ctx, c.abort)
		began, whole, err := u.exchange(w, out, t, c)
		// Once the client has gone, the connection may be closed at any moment.
		if stop() && whole {
			t.idle.put(c)
		} else {
			_ = c.Close()
		}
		if err != nil && c.used && c.silent && ctx.Err() == nil && !timeout(err) {
			continue
		}
		return began, err
	}
}

// exchange is one request and its answer on c; whole says that c can be used again.
func (u *Upstream) exchange(w http.ResponseWriter, out *Request, t *target, c *conn) (began, whole bool, err error) {
	if err := u.send(out, t, c); err != nil {
		return false, false, err
	}
	res, err := u.finalAnswer(w, out, c) //nolint:bodyclose // its connection is closed, or read to the end and kept
	if err != nil {
		return false, false, err
	}
	dropHopByHop(res.Header)
	out.FirstByte = u.now().Sub(out.Start)
	if out.Answer != nil {
		if err := out.Answer(res.StatusCode, res.Header); err != nil {
			return false, false, err
		}
	}
	out.Status = res.StatusCode
	moveHeader(w.Header(), res.Header)
	w.WriteHeader(res.StatusCode)
	if err := u.relay(w, res, c); err != nil {
		return true, false, err
	}
	trail(w, res, out)
	// Some apps send a body after their answer to HEAD, when it may be too late to
	// tell it from the next answer.
	return true, !res.Close && c.in.Buffered() == 0 && out.HTTP.Method != http.MethodHead, nil
}

// send writes the request in one piece.
func (u *Upstream) send(out *Request, t *target, c *conn) error {
	host := t.host
	if u.config.PreserveHost {
		host = out.Host
	}
	head, err := appendHead(c.head[:0], out, host)
	if err != nil {
		return err
	}
	if cap(head) <= 2*ioBuffer {
		c.head = head
	}
	c.begin(or(u.config.Timeouts.ResponseHeader, defaultResponseHeader))
	if _, err := c.Write(head); err != nil {
		return fmt.Errorf("sending the request: %w", err)
	}
	return nil
}

// finalAnswer reads answers up to the final one, and passes the interim ones on.
// All of them together have the time and the size of one header.
func (u *Upstream) finalAnswer(w http.ResponseWriter, out *Request, c *conn) (*http.Response, error) {
	for {
		res, err := http.ReadResponse(c.in, out.HTTP)
		switch {
		case c.left <= 0:
			return nil, errLongHeader
		case err != nil:
			return nil, fmt.Errorf("reading the answer: %w", err)
		case res.StatusCode < http.StatusContinue:
			return nil, errStatus
		case res.StatusCode == http.StatusSwitchingProtocols:
			return nil, errUnrequested
		case res.StatusCode >= http.StatusOK:
			return res, nil
		case res.StatusCode != http.StatusContinue && out.HTTP.ProtoAtLeast(1, 1):
			interim(w, out, res)
		}
	}
}

// interim passes a 1xx answer on. What others put on the final answer stays out of
// it, and what the upstream puts on it stays out of the final one.
func interim(w http.ResponseWriter, out *Request, res *http.Response) {
	dropHopByHop(res.Header)
	if out.Answer != nil {
		_ = out.Answer(res.StatusCode, res.Header)
	}
	h := w.Header()
	before := maps.Clone(h)
	maps.Copy(h, res.Header)
	w.WriteHeader(res.StatusCode)
	clear(h)
	maps.Copy(h, before)
}

// relay streams the body. An answer of unknown length is flushed whenever nothing
// more of it is here; the end often comes with the last piece, and then the server
// sends both together.
func (u *Upstream) relay(w http.ResponseWriter, res *http.Response, c *conn) error {
	if res.Body == http.NoBody {
		return nil
	}
	idle, here := u.config.Timeouts.Idle, int64(c.in.Buffered())
	if idle > 0 || res.ContentLength < 0 || res.ContentLength > here {
		c.lift() // the time for the header is over
	}
	stream := res.ContentLength < 0 || strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream")
	var flusher *http.ResponseController
	if stream {
		flusher = http.NewResponseController(w)
		if here == 0 {
			_ = flusher.Flush()
		}
	}
	buf := u.buffers.Get()
	defer u.buffers.Put(buf)
	for {
		if idle > 0 {
			_ = c.SetReadDeadline(time.Now().Add(idle))
		}
		n, err := res.Body.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return fmt.Errorf("writing the answer: %w", err)
			}
		}
		if err == io.EOF {
			if idle > 0 {
				c.lift() // a connection that waits is not idle in that sense
			}
			return nil
		}
		if stream && n > 0 {
			if err := flusher.Flush(); err != nil {
				return fmt.Errorf("writing the answer: %w", err)
			}
		}
		if err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
	}
}

// trail sends the fields that followed the body.
func trail(w http.ResponseWriter, res *http.Response, out *Request) {
	if len(res.Trailer) == 0 {
		return
	}
	// What is flushed has no length yet, so fields may follow it.
	_ = http.NewResponseController(w).Flush()
	h := w.Header()
	for name, values := range res.Trailer {
		h[http.TrailerPrefix+name] = values
	}
	if out.Trailer != nil {
		out.Trailer(h)
	}
}

// appendHead writes the request line and the header (RFC 9112, sections 3 and 5):
// what the client sent but what belongs to its connection, and then what is ours,
// of which nothing in the client's header can remove or double a line.
func appendHead(b []byte, out *Request, host string) ([]byte, error) {
	r := out.HTTP
	b = append(append(b, r.Method...), ' ')
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") || !plainText(r.URL.RawQuery) {
		return b, errInvalid
	}
	b = append(b, path...)
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		b = append(append(b, '?'), r.URL.RawQuery...)
	}
	if host == "" || !plainText(host) {
		return b, errInvalid
	}
	b = append(append(b, " HTTP/1.1\r\nHost: "...), host...)
	b = append(b, "\r\n"...)

	ok := true
	field := func(name string, values ...string) {
		if !httpguts.ValidHeaderFieldName(name) {
			ok = false
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				ok = false
			}
			b = append(append(b, name...), ": "...)
			b = append(append(b, v...), "\r\n"...)
		}
	}
	connection := connectionNames(r.Header["Connection"])
	for name, values := range r.Header {
		if !stays(name, connection) && !out.sets(name) {
			field(name, values...)
		}
	}
	if out.Client != "" && !out.sets("X-Forwarded-For") {
		field("X-Forwarded-For", out.Client)
	}
	if !out.sets("X-Forwarded-Proto") {
		field("X-Forwarded-Proto", out.Proto)
	}
	if !out.sets("X-Forwarded-Host") {
		field("X-Forwarded-Host", out.Host)
	}
	if !out.sets("Cookie") {
		field("Cookie", out.Cookies...)
	}
	for _, f := range out.Fields {
		field(f.Name, f.Values...)
	}
	for i := range out.Own {
		if out.Own[i].Name != "" {
			field(out.Own[i].Name, out.Own[i].Values...)
		}
	}
	if !ok {
		return b, errInvalid
	}
	return append(b, "\r\n"...), nil
}

// plainText reports whether s can stand in a request line.
func plainText(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
