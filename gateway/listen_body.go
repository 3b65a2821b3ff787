package gateway

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/config"
)

// guard bounds the time that a client can make one request stand still, however
// long the whole may take.
func (srv *server) guard(next http.Handler, t config.Timeouts) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PRI" {
			// The preface of HTTP/2 in clear, which net/http lets through to handlers
			// that want to take such connections over.
			w.Header().Set("Connection", "close")
			http.Error(w, "this protocol is not served", http.StatusHTTPVersionNotSupported)
			return
		}
		if r.Header["Upgrade"] != nil {
			// It may take the connection over, and then Shutdown does not wait.
			srv.busy.Add(1)
			defer srv.busy.Done()
		}
		hasBody := r.ContentLength != 0 && r.Body != http.NoBody
		if r.ProtoMajor == 2 {
			// A stream's deadline ends the stream also when nobody reads or writes,
			// as while an app thinks, so streams are watched instead.
			sw := newStreamWriter(w, t)
			defer sw.end(t.BodyIdle)
			if hasBody {
				sb := newStreamBody(w, r.Body, t.BodyIdle)
				defer sb.watch.end()
				r = withBody(r, sb)
			}
			w = sw
		} else if hasBody {
			r = withBody(r, newConnBody(w, r.Body, t))
		}
		next.ServeHTTP(w, r)
	})
}

// withBody returns a copy of r with another body. The server must find its own in
// r: by it, it knows that a client which waits for 100 Continue was never told to go
// on, and closes the connection after the answer. Without, the client took the
// answer, sent all of its body, and lost the answer to a reset.
func withBody(r *http.Request, body io.ReadCloser) *http.Request {
	c := new(http.Request)
	*c = *r
	c.Body = body
	return c
}

// connBody ends an HTTP/1 request whose body has stood still for too long. The
// deadline is set before the handler runs, since the server itself reads what a
// handler leaves unread, and would wait for it without end.
type connBody struct {
	io.ReadCloser
	rc    *http.ResponseController
	idle  time.Duration
	end   time.Time // of the whole request; zero: none
	set   time.Time // when the deadline was last set
	ended bool
}

func newConnBody(w http.ResponseWriter, body io.ReadCloser, t config.Timeouts) *connBody {
	b := &connBody{ReadCloser: body, rc: http.NewResponseController(w), idle: t.BodyIdle}
	now := time.Now()
	if t.Read > 0 {
		b.end = now.Add(t.Read)
	}
	b.extend(now)
	return b
}

func (b *connBody) extend(now time.Time) {
	b.set = now
	d := now.Add(b.idle)
	if !b.end.IsZero() && b.end.Before(d) {
		d = b.end
	}
	_ = b.rc.SetReadDeadline(d) // fails only where the connection is gone, as Read will say
}

// Read implements io.Reader.
func (b *connBody) Read(p []byte) (int, error) {
	if b.ended {
		return b.ReadCloser.Read(p)
	}
	if now := time.Now(); now.Sub(b.set) > b.idle/8 {
		b.extend(now)
	}
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		// The server now reads only to notice that the client went away, and has
		// lifted the deadline: another would look like that, and end the app's work.
		b.ended = true
	}
	return n, err
}

// stallWatch calls expire once something that was begun has not been finished for
// the limit. expire never runs after end.
type stallWatch struct {
	limit  time.Duration
	expire func()

	since   atomic.Int64 // when it began, in ns since start, plus one; 0: nothing is under way
	start   time.Time
	started bool // by the goroutine that begins

	mu    sync.Mutex
	timer *time.Timer
	done  bool
}

func (s *stallWatch) begin() {
	if !s.started {
		s.started = true
		s.mu.Lock()
		s.start = time.Now()
		s.timer = time.AfterFunc(s.limit, s.check)
		s.mu.Unlock()
	}
	s.since.Store(int64(time.Since(s.start)) + 1)
}

func (s *stallWatch) finish() { s.since.Store(0) }

func (s *stallWatch) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return
	}
	wait := s.limit
	if since := s.since.Load(); since != 0 {
		wait -= time.Since(s.start) - time.Duration(since-1)
	}
	if wait > 0 {
		s.timer.Reset(wait)
		return
	}
	s.done = true
	s.expire()
}

func (s *stallWatch) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	if s.timer != nil {
		s.timer.Stop()
	}
}

// streamBody ends the body of an HTTP/2 request that stands still.
type streamBody struct {
	io.ReadCloser
	watch stallWatch
}

func newStreamBody(w http.ResponseWriter, body io.ReadCloser, idle time.Duration) *streamBody {
	b := &streamBody{ReadCloser: body}
	b.watch.limit = idle
	b.watch.expire = func() { _ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) }
	return b
}

// Read implements io.Reader.
func (b *streamBody) Read(p []byte) (int, error) {
	b.watch.begin()
	defer b.watch.finish()
	return b.ReadCloser.Read(p)
}

// streamWriter ends an HTTP/2 stream whose client opens no window for the answer.
// The connection's own time-out does not see it: other streams go on. HTTP/1
// answers are bounded by the connection.
type streamWriter struct {
	http.ResponseWriter
	rc       *http.ResponseController
	watch    stallWatch
	deadline time.Time // of the whole answer; zero: none
	wrote    bool
}

func newStreamWriter(w http.ResponseWriter, t config.Timeouts) *streamWriter {
	sw := &streamWriter{ResponseWriter: w, rc: http.NewResponseController(w)}
	if t.Write > 0 {
		sw.deadline = time.Now().Add(t.Write)
	}
	sw.watch.limit = t.BodyIdle
	sw.watch.expire = func() { _ = sw.rc.SetWriteDeadline(time.Unix(1, 0)) }
	return sw
}

// Unwrap is for http.ResponseController.
func (w *streamWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write implements io.Writer.
func (w *streamWriter) Write(p []byte) (int, error) {
	w.wrote = true
	w.watch.begin()
	defer w.watch.finish()
	return w.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (w *streamWriter) Flush() { _ = w.FlushError() }

// FlushError is for http.ResponseController.
func (w *streamWriter) FlushError() error {
	w.watch.begin()
	defer w.watch.finish()
	return w.rc.Flush()
}

// end hands over to a plain deadline: the server sends what is buffered when the
// handler has returned, and may wait for a window then, too.
func (w *streamWriter) end(stall time.Duration) {
	w.watch.end()
	if !w.wrote {
		return
	}
	d := time.Now().Add(stall)
	if !w.deadline.IsZero() && w.deadline.Before(d) {
		d = w.deadline
	}
	_ = w.rc.SetWriteDeadline(d) // fails only where the stream is gone
}
