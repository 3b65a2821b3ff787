package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport"
	"sallyport/policy"
	"sallyport/proxy/upstream"
)

// benchServers is the same 1 KiB page behind the whole gateway and behind a bare
// reverse proxy with a transport and buffers of the same kind.
type benchServers struct{ gateway, bare *httptest.Server }

func newBenchServers(b *testing.B) benchServers {
	app := benchApp(b)
	sessions := &hashSessions{grants: map[sallyport.TokenHash]*sallyport.Grant{sallyport.HashToken("alice"): newGrant("alice")}}
	keys := NewKeys(&memoryKeys{}, KeyOptions{})
	if err := keys.Load(context.Background()); err != nil {
		b.Fatal(err)
	}
	p, err := New(Options{
		Routes: []Route{{Name: "app", Hosts: []string{"app.test"}, Path: "/", Config: upstream.Config{Upstream: upstream.Addresses{app}, PreserveHost: true}}},
		Portal: "https://login.test", PortalHandler: http.NotFoundHandler(), Reserved: http.NotFoundHandler(), Sessions: sessions, Challenger: &challenges{}, Pages: textPages{},
		Keys: keys, Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	target, err := url.Parse(app)
	if err != nil {
		b.Fatal(err)
	}
	bare := &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(target)
			pr.SetXForwarded()
			pr.Out.Host = pr.In.Host
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 512, IdleConnTimeout: 90 * time.Second, DisableCompression: true, ReadBufferSize: 16 << 10, WriteBufferSize: 16 << 10,
			ForceAttemptHTTP2: true, ResponseHeaderTimeout: 85 * time.Second, ExpectContinueTimeout: time.Second},
		BufferPool: upstream.NewBuffers(),
	}
	s := benchServers{httptest.NewServer(p), httptest.NewServer(bare)}
	b.Cleanup(func() { s.gateway.Close(); s.bare.Close(); p.Close() })
	return s
}

// benchApp answers every request with 1 KiB and allocates nothing, so that what
// is counted is the proxy's.
func benchApp(b *testing.B) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ln.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Mon, 02 Nov 2026 08:00:00 GMT\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				var buf [8 << 10]byte
				for n := 0; ; {
					k, err := conn.Read(buf[n:])
					if err != nil {
						return
					}
					if n += k; bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
						if _, err := conn.Write(answer); err != nil {
							return
						}
						n = 0
					}
				}
			}()
		}
	}()
	return "http://" + ln.Addr().String()
}

// hashSessions does what a warm session manager does: cookie, hash, lookup.
type hashSessions struct {
	mu     sync.RWMutex
	grants map[sallyport.TokenHash]*sallyport.Grant
}

func (s *hashSessions) Load(r *http.Request) (*sallyport.Grant, error) {
	c, err := r.Cookie("__Host-sallyport")
	if err != nil {
		return nil, nil
	}
	h := sallyport.HashToken(c.Value)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.grants[h], nil
}

// getter is a client of one connection that allocates next to nothing, so that
// what is measured is the server's.
type getter struct {
	conn    net.Conn
	request []byte
	buf     [8 << 10]byte
	length  int
}

func newGetter(b *testing.B, s *httptest.Server) *getter {
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	g := &getter{conn: conn, request: []byte("GET /page?x=1 HTTP/1.1\r\nHost: app.test\r\nUser-Agent: bench\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\nCookie: a=1; __Host-sallyport=alice\r\n\r\n")}
	return g
}

func (g *getter) get() error {
	if _, err := g.conn.Write(g.request); err != nil {
		return fmt.Errorf("asking: %w", err)
	}
	n := 0
	for g.length == 0 || n < g.length {
		k, err := g.conn.Read(g.buf[n:])
		if err != nil {
			return fmt.Errorf("reading: %w", err)
		}
		n += k
		if g.length == 0 {
			if end := bytes.Index(g.buf[:n], []byte("\r\n\r\n")); end >= 0 {
				if !bytes.HasPrefix(g.buf[:n], []byte("HTTP/1.1 200")) {
					return fmt.Errorf("answered %q", g.buf[:n])
				}
				g.length = end + 4 + 1024
			}
		}
	}
	return nil
}

func benchGet(b *testing.B, s *httptest.Server) {
	b.ReportAllocs()
	b.SetParallelism(32) // 64 connections on two processors
	b.RunParallel(func(pb *testing.PB) {
		g := newGetter(b, s)
		for pb.Next() {
			if err := g.get(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkGateway is an allowed, signed-in GET of 1 KiB through the whole chain.
func BenchmarkGateway(b *testing.B) { benchGet(b, newBenchServers(b).gateway) }

// BenchmarkBare is the same through a bare httputil.ReverseProxy.
func BenchmarkBare(b *testing.B) { benchGet(b, newBenchServers(b).bare) }

// BenchmarkGatewayVersusBare measures both in turns, and reports the gateway's
// share of the bare proxy's throughput.
func BenchmarkGatewayVersusBare(b *testing.B) {
	s := newBenchServers(b)
	const conns = 64
	clients := map[*httptest.Server][]*getter{}
	for range conns {
		clients[s.gateway] = append(clients[s.gateway], newGetter(b, s.gateway))
		clients[s.bare] = append(clients[s.bare], newGetter(b, s.bare))
	}
	burst := func(server *httptest.Server, each int, clock, cpu *time.Duration) {
		start, used := time.Now(), cpuTime()
		var wg sync.WaitGroup
		for _, g := range clients[server] {
			wg.Go(func() {
				for range each {
					if err := g.get(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		*clock += time.Since(start)
		*cpu += cpuTime() - used
	}
	var gateway, bare, gatewayCPU, bareCPU, ignored time.Duration
	burst(s.gateway, 50, &ignored, &ignored)
	burst(s.bare, 50, &ignored, &ignored)
	for b.Loop() {
		burst(s.bare, 50, &bare, &bareCPU)
		burst(s.gateway, 50, &gateway, &gatewayCPU)
	}
	b.ReportMetric(float64(bare)/float64(gateway), "of-bare")
	b.ReportMetric(float64(gateway.Nanoseconds())/float64(b.N*conns*50), "ns/gateway-get")
	b.ReportMetric(float64(bare.Nanoseconds())/float64(b.N*conns*50), "ns/bare-get")
	if bareCPU > 0 {
		b.ReportMetric(float64(gatewayCPU)/float64(bareCPU), "cpu-of-bare")
	}
}

// BenchmarkMatch finds a route among many, by host and by path.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		tab := newTable()
		for i := range n {
			host := fmt.Sprintf("app%d.test", i/10)
			tab.add(host, "", newRoute(Route{Name: fmt.Sprint(i), Path: fmt.Sprintf("/team%d/app", i%10)}, nil))
		}
		host := fmt.Sprintf("app%d.test", (n-1)/10)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if m, err := tab.host(host).match("/Team7/app/list/page.aspx"); err != nil || m.route == nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMatchOneHost is the same with all routes on one host.
func BenchmarkMatchOneHost(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		tab := newTable()
		for i := range n {
			tab.add("app.test", "", newRoute(Route{Name: fmt.Sprint(i), Path: fmt.Sprintf("/team%d/app", i)}, nil))
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if m, err := tab.host("app.test").match("/team7/app/list/page.aspx"); err != nil || m.route == nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchMemo(b *testing.B) (*Proxy, *route, *sallyport.Grant, *exchange) {
	keys := NewKeys(&memoryKeys{}, KeyOptions{})
	if err := keys.Load(context.Background()); err != nil {
		b.Fatal(err)
	}
	x := &exchange{}
	x.info.Start = time.Now()
	rt := newRoute(Route{Name: "app", Path: "/", Allow: Allow{Groups: []string{"local:staff"}}}, nil)
	return &Proxy{keys: keys, portalOrigin: "https://login.test"}, rt, newGrant("alice"), x
}

// BenchmarkDecide is the remembered decision of a signed-in user.
func BenchmarkDecide(b *testing.B) {
	p, rt, g, x := benchMemo(b)
	b.ReportAllocs()
	for b.Loop() {
		if p.decide(x, g, rt, policy.AddressClass{}).Effect != policy.Allow {
			b.Fatal("denied")
		}
	}
}

// BenchmarkAssertion is the cached assertion, and a new one.
func BenchmarkAssertion(b *testing.B) {
	p, rt, g, x := benchMemo(b)
	m := p.memo(g, rt)
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.assert(m, g, rt, "app.test", x.info.Start); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("signed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.signed.Store(nil)
			if _, err := p.assert(m, g, rt, "app.test", x.info.Start); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCleanPath judges an ordinary path.
func BenchmarkCleanPath(b *testing.B) {
	u, err := url.ParseRequestURI("/team7/app/list/page.aspx?id=7")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cleanPath(u); err != nil {
			b.Fatal(err)
		}
	}
}
