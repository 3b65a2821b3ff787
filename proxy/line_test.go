package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"sallyport"
)

// The line that is written straight says exactly what slog's JSON handler
// says of the same request, whatever clients put into it. (H5)
func TestLineIsWhatSlogWrites(t *testing.T) {
	for name, path := range map[string]string{
		"plain": "/a/b", "quotes": `/a"b\c`, "control": "/a\nb\x00", "html": "/<script>&", "unicode": "/週/\u2028\u202e", "broken": "/\xff\xfe",
	} {
		start := time.Date(2026, 11, 22, 8, 0, 0, 123456789, time.UTC)
		x := &exchange{done: name != "plain"}
		x.info.Start, x.info.Path, x.info.Host, x.info.Route = start, path, "app.test", "app"
		x.info.CorrelationID, x.info.UserID, x.info.Decision, x.info.Rule = "c", "u", "allow", "state-enforced"
		x.info.Client = netip.MustParseAddr("192.0.2.1")
		x.info.Code, x.info.Cause = sallyport.CodeInternal, errors.New("cause\n"+path)
		x.info.Upstream, x.info.UpstreamTime = "127.0.0.1:80", time.Millisecond
		x.w.bytes = 42
		r := httptest.NewRequest("GET", "/", nil)
		var straight, viaSlog bytes.Buffer
		p := &Proxy{lines: &straight, buffers: new(lineBuffers)}
		p.writeLine(r, x, slog.LevelWarn, 502, time.Second)

		line := slog.NewRecord(start.Add(time.Second), slog.LevelWarn, "request", 0)
		line.AddAttrs(logAttrs(r, x, 502, time.Second)...)
		if err := slog.NewJSONHandler(&viaSlog, nil).Handle(t.Context(), line); err != nil {
			t.Fatal(err)
		}
		var a, b map[string]any
		if err := json.Unmarshal(straight.Bytes(), &a); err != nil {
			t.Fatalf("%s: %v: %s", name, err, straight.String())
		}
		if err := json.Unmarshal(viaSlog.Bytes(), &b); err != nil {
			t.Fatal(err)
		}
		if got, want := mustJSON(t, a), mustJSON(t, b); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		if n := bytes.Count(straight.Bytes(), []byte("\n")); n != 1 {
			t.Errorf("%s: %d lines", name, n)
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
