package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// E6 (CVE-2026-33544, CVE-2026-71326): users who shared upstream connections, or
// buffers of the gateway, saw each other's pages.
func TestE6ManyUsersAtOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way([]Route{appRoute()}))
		f.answers(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, "%s %s", r.Header.Get("X-Sallyport-User"), r.Header.Get("X-Sallyport-Session"))
		})
		server := httptest.NewUnstartedServer(f.proxy)
		server.EnableHTTP2 = true
		server.StartTLS()
		defer server.Close()
		client := server.Client()
		client.Transport.(*http.Transport).TLSClientConfig.ServerName = "app.test" // TLS and request agree
		client.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
		var wg sync.WaitGroup
		for u := range 16 {
			name := fmt.Sprintf("user%d", u)
			f.grantFor(name)
			for range 4 {
				wg.Go(func() {
					for range 25 {
						req, _ := http.NewRequest("GET", server.URL+"/", nil)
						req.Host = "app.test"
						req.Header.Set("Cookie", "__Host-sallyport="+name)
						res, err := client.Do(req)
						if err != nil {
							t.Error(err)
							return
						}
						b, _ := io.ReadAll(res.Body)
						_ = res.Body.Close()
						if want := name + " sid-" + name; string(b) != want {
							t.Errorf("%s got %q", name, b)
							return
						}
					}
				})
			}
		}
		wg.Wait()
	})
}
