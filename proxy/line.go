package proxy

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// lineBuffers are for log lines on their way out.
type lineBuffers struct{ pool sync.Pool }

func (b *lineBuffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	line := make([]byte, 0, 1024)
	return &line
}

// writeLine writes the line of a request as slog's JSON handler would, without
// its attributes and records in between.
func (p *Proxy) writeLine(r *http.Request, x *exchange, level slog.Level, status int, took time.Duration) {
	i := &x.info
	buf := p.buffers.get()
	b := i.Start.Add(took).AppendFormat(append((*buf)[:0], `{"time":"`...), time.RFC3339Nano)
	b = append(b, `","level":"`...)
	b = append(b, level.String()...)
	b = append(b, `","msg":"request"`...)
	b = appendField(b, "correlation_id", i.CorrelationID)
	b = appendField(b, "method", r.Method)
	b = appendField(b, "host", i.Host)
	b = appendField(b, "path", logPath(i.Path))
	b = appendField(b, "route", i.Route)
	b = appendField(b, "user_id", string(i.UserID))
	b = appendField(b, "flow_id", string(i.FlowID))
	b = appendField(b, "client", x.client())
	b = appendField(b, "decision", i.Decision)
	b = appendField(b, "rule", i.Rule)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(status), 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), x.w.bytes, 10)
	b = strconv.AppendInt(append(b, `,"duration":`...), int64(took), 10)
	if i.Upstream != "" {
		b = appendField(b, "upstream", i.Upstream)
		b = strconv.AppendInt(append(b, `,"upstream_time":`...), int64(i.UpstreamTime), 10)
	}
	b = appendField(b, "code", string(i.Code))
	if !x.done {
		b = append(b, `,"aborted":true`...)
	}
	if i.Cause != nil {
		b = appendField(b, "cause", i.Cause.Error())
	}
	b = append(b, "}\n"...)
	_, _ = p.lines.Write(b) // where the log cannot be written there is nobody to tell
	*buf = b
	p.buffers.pool.Put(buf)
}

// appendField appends ,"key":"value" unless the value is empty. What is not plain
// ASCII is left to encoding/json, so that no value can end its string or line.
func appendField(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, `,"`...), key...), `":`...)
	for j := 0; j < len(value); j++ {
		if c := value[j]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, err := json.Marshal(value)
			if err != nil {
				quoted = []byte(`"?"`) // a string always marshals
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), value...), '"')
}
