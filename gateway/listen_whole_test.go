package gateway

import (
	"io"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"sallyport/config"
)

// drip is a body without end that brings a byte now and then, so that no idle
// limit ends it.
type drip struct{ stop chan struct{} }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-d.stop:
		return 0, io.EOF
	case <-time.After(short / 5):
		p[0] = 'x'
		return 1, nil
	}
}

// timeouts.read limits the whole request, however steadily its body comes.
func TestReadLimitsTheWholeRequest(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		ended := make(chan error, 1)
		s := newTestServers(t, testServer{timeouts: config.Timeouts{Read: short, BodyIdle: long, ReadHeader: long, Idle: long},
			main: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, err := io.Copy(io.Discard, r.Body)
				ended <- err
			})})
		runServers(t, s)
		body := drip{make(chan struct{})}
		go func() {
			req, err := http.NewRequest(http.MethodPost, "https://"+testHost+"/", body)
			if err != nil {
				t.Error(err)
				return
			}
			if res, err := testClient(t, s, h2).Do(req); err == nil {
				_ = res.Body.Close()
			}
		}()
		select {
		case err := <-ended:
			if err == nil {
				t.Errorf("http2=%v: the body ended by itself", h2)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("http2=%v: the body goes on beyond the limit", h2)
		}
		close(body.stop)
	}
}

// timeouts.write limits the whole answer, however eagerly it is read.
func TestWriteLimitsTheWholeAnswer(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		ended := make(chan error, 1)
		s := newTestServers(t, testServer{timeouts: config.Timeouts{Write: short, BodyIdle: long, ReadHeader: long, Idle: long},
			main: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				d := drip{make(chan struct{})}
				for b := make([]byte, 1); ; {
					_, _ = d.Read(b)
					if _, err := w.Write(b); err != nil {
						ended <- err
						return
					}
					if err := http.NewResponseController(w).Flush(); err != nil {
						ended <- err
						return
					}
				}
			})})
		runServers(t, s)
		res, err := testClient(t, s, h2).Get("https://" + testHost + "/")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, res.Body) }()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Errorf("http2=%v: the answer goes on beyond the limit", h2)
		}
		_ = res.Body.Close()
	}
}

// What HTTP/2 clients are told they may send is what is written.
func TestHTTP2Buffers(t *testing.T) {
	s := newTestServers(t, testServer{limits: config.Limits{Streams: 7, ConnectionBuffer: 200_000, StreamBuffer: 100_000}})
	runServers(t, s)
	h := dialH2(t, s)
	got := map[string]uint32{}
	err := h.until(func(f http2.Frame) bool {
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
				got["stream"] = v
			}
			if v, ok := f.Value(http2.SettingMaxConcurrentStreams); ok {
				got["streams"] = v
			}
		case *http2.WindowUpdateFrame:
			got["connection"] = f.Increment + 65535 // what every connection begins with
		}
		return len(got) == 3
	})
	if err != nil || got["stream"] != 100_000 || got["connection"] != 200_000 || got["streams"] != 7 {
		t.Errorf("%v, %v", got, err)
	}
}

// timeouts.ping closes the connection of a client that is gone without a word,
// while a request of its goes on.
func TestHTTP2UnansweredPing(t *testing.T) {
	for ping, closed := range map[time.Duration]bool{short: true, long: false} {
		ended := make(chan struct{}, 1)
		s := newTestServers(t, testServer{timeouts: config.Timeouts{BodyIdle: short, Ping: ping, ReadHeader: long, Idle: long},
			main: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				ended <- struct{}{}
			})})
		runServers(t, s)
		h := dialH2(t, s)
		if err := h.request(1, http.MethodGet, "/", true); err != nil {
			t.Fatal(err)
		}
		pinged := false
		if err := h.until(func(f http2.Frame) bool {
			p, ok := f.(*http2.PingFrame)
			pinged = pinged || ok && !p.IsAck()
			return pinged
		}); err != nil {
			t.Fatalf("not asked whether anybody is there: %v", err)
		}
		select {
		case <-ended:
			if !closed {
				t.Error("closed before its time")
			}
		case <-time.After(5 * short):
			if closed {
				t.Error("a client that does not answer keeps its connection")
			}
		}
	}
}
