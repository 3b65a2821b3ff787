package proxy

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport/internal/reqctx"
	"sallyport/proxy/upstream"
)

// exchange is one request and its answer, while they last.
type exchange struct {
	info reqctx.Info
	w    response
	// out is the request on its way to the upstream.
	out     upstream.Request
	address string    // Client as text
	cookie  [1]string // the Cookie line that goes out
	// gone: the client left before an answer.
	gone bool
	done bool
}

// client returns the client's address as text, "" if unknown.
func (x *exchange) client() string {
	if x.address == "" && x.info.Client.IsValid() {
		x.address = x.info.Client.String()
	}
	return x.address
}

// foreignCookies returns the Cookie lines without our cookies, in the one usual
// case without a slice of their own.
func (x *exchange) foreignCookies(lines []string) []string {
	if len(lines) != 1 {
		return foreignCookies(lines)
	}
	if x.cookie[0] = foreignLine(lines[0]); x.cookie[0] == "" {
		return nil
	}
	return x.cookie[:]
}

// response counts what is sent, and puts the correlation ID on the answer.
type response struct {
	http.ResponseWriter
	correlation [1]string
	status      int
	bytes       int64
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
		w.Header()[headerCorrelation] = w.correlation[:]
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Flush implements http.Flusher, for handlers that ask for it by type.
func (w *response) Flush() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// finish writes the one line of a request. It also runs while a handler panics,
// which is how an answer that broke in the middle ends.
func (p *Proxy) finish(r *http.Request, x *exchange) {
	took := p.now().Sub(x.info.Start)
	status := x.w.status
	switch {
	case x.gone:
		status = upstream.StatusClientGone
	case status == 0 && x.out.Status != 0:
		status = x.out.Status // a switched connection
	case status == 0 && x.done:
		status = http.StatusOK // the server writes it when a handler wrote nothing
	}
	x.info.Upstream, x.info.UpstreamTime = x.out.Upstream, x.out.FirstByte
	if p.metrics != nil {
		p.metrics.Observe(&x.info, status, x.w.bytes, took)
	}
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelWarn
	}
	if !p.log.Enabled(r.Context(), level) {
		return
	}
	if p.lines != nil {
		p.writeLine(r, x, level, status, took)
		return
	}
	// By the handler itself: the logger would look up the calling line, which is
	// always this one.
	line := slog.NewRecord(x.info.Start.Add(took), level, "request", 0)
	line.AddAttrs(slog.Attr{Value: slog.GroupValue(logAttrs(r, x, status, took)...)})
	_ = p.log.Handler().Handle(r.Context(), line)
}

// logAttrs are what is said of a request: no query, no cookie, no header, no name.
func logAttrs(r *http.Request, x *exchange, status int, took time.Duration) []slog.Attr {
	i := &x.info
	attrs := make([]slog.Attr, 0, 20)
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("correlation_id", i.CorrelationID)
	add("method", r.Method)
	add("host", i.Host)
	add("path", logPath(i.Path))
	add("route", i.Route)
	add("user_id", string(i.UserID))
	add("flow_id", string(i.FlowID))
	add("client", x.client())
	add("decision", i.Decision)
	add("rule", i.Rule)
	attrs = append(attrs, slog.Int("status", status), slog.Int64("bytes", x.w.bytes), slog.Duration("duration", took))
	if i.Upstream != "" {
		attrs = append(attrs, slog.String("upstream", i.Upstream), slog.Duration("upstream_time", i.UpstreamTime))
	}
	add("code", string(i.Code))
	if !x.done {
		attrs = append(attrs, slog.Bool("aborted", true))
	}
	if i.Cause != nil {
		attrs = append(attrs, slog.String("cause", i.Cause.Error()))
	}
	return attrs
}

// maxLogPath is how much of a path a log line holds.
const maxLogPath = 512

// logPath returns a path for the log: escaped, so that it is one line of plain
// ASCII in every format, and without parameters, where apps keep session IDs.
func logPath(path string) string {
	plain := true
	for i := 0; plain && i < len(path); i++ {
		plain = path[i] > ' ' && path[i] < 0x7f && path[i] != ';'
	}
	if !plain {
		if strings.Contains(path, ";") {
			var b strings.Builder
			for s := range strings.SplitSeq(path, "/") {
				s, _, _ = strings.Cut(s, ";")
				b.WriteString(s)
				b.WriteByte('/')
			}
			path = b.String()[:b.Len()-1]
		}
		path = (&url.URL{Path: path}).EscapedPath()
	}
	if len(path) > maxLogPath {
		path = path[:maxLogPath] + "…"
	}
	return path
}
