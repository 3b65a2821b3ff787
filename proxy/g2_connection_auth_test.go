package proxy

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"sallyport/proxy/upstream"
)

type connKey struct{}

// ntlmApp signs in connections, as IIS does: after one request with credentials
// everything on the same connection is that user.
func ntlmApp(t *testing.T, scheme string) *httptest.Server {
	var mu sync.Mutex
	users := map[net.Conn]string{}
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := r.Context().Value(connKey{}).(net.Conn)
		mu.Lock()
		defer mu.Unlock()
		if c, ok := strings.CutPrefix(r.Header.Get("Authorization"), scheme+" "); ok {
			users[conn] = c
		}
		if users[conn] == "" {
			w.Header().Set("WWW-Authenticate", scheme)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, "hello "+users[conn])
	}))
	app.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
	app.Start()
	t.Cleanup(app.Close)
	return app
}

// G2 (CVE-2026-71324, traefik#3792): after one user's NTLM sign-in through a
// shared pool, a second client without credentials was that user.
func TestG2SecondClientIsNotTheFirst(t *testing.T) {
	for _, scheme := range []string{"NTLM", "Negotiate"} {
		app := ntlmApp(t, scheme)
		// Without the gateway the app does leak: the fake is a fair one.
		one := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
		for i, auth := range []string{scheme + " alice", ""} {
			req, _ := http.NewRequest("GET", app.URL, nil)
			if auth != "" {
				req.Header.Set("Authorization", auth)
			}
			res, err := one.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if string(b) != "hello alice" {
				t.Fatalf("request %d: the fake app answered %q", i, b)
			}
		}
		one.CloseIdleConnections()

		f := newFixture(t, []Route{appRoute(func(r *Route) { r.Upstream = upstream.Addresses{app.URL} })})
		f.grantFor("alice")
		f.grantFor("bob")
		for _, form := range []string{scheme + " alice", strings.ToLower(scheme) + " alice", "Basic x, " + scheme + " alice"} {
			for _, who := range []string{"alice", "bob", "bob"} {
				var set []func(*http.Request)
				if who == "alice" {
					set = append(set, header("Authorization", form))
				}
				res := f.do("GET", "/", who, set...)
				if body := bodyOf(t, res); strings.Contains(body, "hello") {
					t.Errorf("%s, %q: %s was answered %q", scheme, form, who, body)
				}
				if res.StatusCode != http.StatusBadGateway || res.Header.Get("Www-Authenticate") != "" {
					t.Errorf("%s: status %d, WWW-Authenticate %q", scheme, res.StatusCode, res.Header.Get("Www-Authenticate"))
				}
			}
		}
		if !strings.Contains(f.log.String(), "NTLM or Negotiate") || !strings.Contains(f.log.String(), "SP-7006") {
			t.Error("the log does not say why")
		}
	}
}

// Credentials that belong to a request pass.
func TestG2OtherCredentialsPass(t *testing.T) {
	f := newFixture(t, []Route{appRoute()})
	f.grantFor("alice")
	f.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="the negotiate room"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	res := f.do("GET", "/", "alice", header("Authorization", "Basic YTpi"))
	if got := f.one().header.Get("Authorization"); got != "Basic YTpi" {
		t.Errorf("the app got %q", got)
	}
	if res.StatusCode != 401 || !strings.HasPrefix(res.Header.Get("Www-Authenticate"), "Basic") {
		t.Errorf("status %d, %q", res.StatusCode, res.Header.Get("Www-Authenticate"))
	}
}

func TestG2ConnectAndTrace(t *testing.T) {
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Public = []string{"/"} })})
	for _, line := range []string{"CONNECT app.test:443 HTTP/1.1", "CONNECT / HTTP/1.1", "TRACE / HTTP/1.1", "TRACK / HTTP/1.1"} {
		res, _ := f.raw(line + "\r\nHost: app.test\r\nConnection: close\r\n\r\n")
		if res == nil || res.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %v", line, res)
		}
	}
	if got := f.requests(); len(got) != 0 {
		t.Errorf("reached the app: %+v", got)
	}
}
