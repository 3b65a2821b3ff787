package proxy

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/reqctx"
)

// H4, H5: logs held tokens and queries, and lines that clients had written.
func TestH4OneLineWithoutSecrets(t *testing.T) {
	f := newFixture(t, []Route{appRoute()})
	f.grantFor("alice")
	f.do("GET", "/a/b;jsessionid=SECRET1?token=SECRET2", "alice", header("Cookie", "app=SECRET3"), header("Authorization", "Bearer SECRET4"), header("X-Other", "SECRET5"))
	f.do("GET", "/(F(SECRET6))/x", "alice")
	f.do("GET", "/%E2%80%AEx%E2%80%A8y", "alice")
	f.gateway.Close()
	lines := strings.Split(strings.TrimSpace(f.log.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines: %s", len(lines), f.log.String())
	}
	for _, secret := range []string{"SECRET", "alice@", "ALICE", "sid-alice", "__Host", "\u202e"} {
		if strings.Contains(f.log.String(), secret) {
			t.Errorf("the log holds %q: %s", secret, f.log.String())
		}
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"method": "GET", "host": "app.test", "path": "/a/b", "route": "app", "user_id": "id-alice", "client": "127.0.0.1", "decision": "allow", "rule": "state-enforced", "status": 200.0, "bytes": 7.0,
	} {
		if line[key] != want {
			t.Errorf("%s = %v, want %v", key, line[key], want)
		}
	}
	for _, key := range []string{"correlation_id", "duration", "upstream", "upstream_time"} {
		if line[key] == nil {
			t.Errorf("no %s in %v", key, line)
		}
	}
}

type observed struct {
	mu   sync.Mutex
	list []observation
}

type observation struct {
	route  string
	status int
	bytes  int64
}

func (o *observed) Observe(i *reqctx.Info, status int, bytes int64, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, observation{i.Route, status, bytes})
}

// An answer that breaks in the middle is broken for the client too, and both the
// log and the metrics hear of it.
func TestBrokenAnswer(t *testing.T) {
	app := scriptedApp(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
	var seen observed
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Public = []string{"/"}; r.Upstream = app })}, func(o *Options) { o.Metrics = &seen })
	req, _ := http.NewRequest("GET", f.gateway.URL, nil)
	req.Host = "app.test"
	res, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		buf := make([]byte, 200)
		for err == nil {
			_, err = res.Body.Read(buf)
		}
		_ = res.Body.Close()
		if err.Error() == "EOF" {
			t.Error("the client took a broken answer for a whole one")
		}
	}
	f.gateway.Close()
	if !strings.Contains(f.log.String(), `"aborted":true`) {
		t.Errorf("log: %s", f.log.String())
	}
	if len(seen.list) != 1 || seen.list[0].route != "app" || seen.list[0].status != 200 {
		t.Errorf("metrics: %+v", seen.list)
	}
}

func TestLogPath(t *testing.T) {
	for in, want := range map[string]string{
		"/a/b": "/a/b", "/a;x=1/b;y": "/a/b", "/a b": "/a%20b", "/a\nb": "/a%0Ab", "": "",
		"/" + strings.Repeat("x", 600): "/" + strings.Repeat("x", 511) + "…",
	} {
		if got := logPath(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
