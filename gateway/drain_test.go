package gateway_test

import (
	"net/http"
	"testing"
	"time"

	"sallyport"
	"sallyport/sallyporttest"
)

// A stop lets a request in flight finish, with all that it needs.
func TestStopDrains(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	g := sallyporttest.New(t, sallyporttest.Options{Upstream: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			<-release
		}
		sallyporttest.Echo().ServeHTTP(w, r)
	})})
	g.AddUser("alice", password, sallyport.StateDisabled)
	b := g.Browser()
	b.SignIn(g.URL(sallyporttest.App, "/"), "alice", password).Echoed()
	answered := make(chan string, 1)
	go func() {
		p, err := b.Try(http.MethodGet, g.URL(sallyporttest.App, "/slow"), nil)
		if err != nil {
			answered <- err.Error()
			return
		}
		answered <- http.StatusText(p.Status)
	}()
	<-entered
	admin, stopped := g.Addr("admin").String(), make(chan struct{})
	go func() { g.Stop(); close(stopped) }()
	sallyporttest.Eventually(t, 5*time.Second, "new connections are refused", func() bool {
		_, err := g.Browser().Try(http.MethodGet, g.URL(sallyporttest.App, "/"), nil)
		return err != nil
	})
	// Balancers are told to look elsewhere, by a listener that outlives the others.
	resp, err := http.Get("http://" + admin + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz says %s while requests are drained", resp.Status)
	}
	close(release)
	if got := <-answered; got != "OK" {
		t.Errorf("the request in flight ended with %s", got)
	}
	<-stopped
}
