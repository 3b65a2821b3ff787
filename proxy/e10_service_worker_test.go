package proxy

import (
	"net/http"
	"testing"
)

// E10: a script injected into an app can register any script of the app's origin
// as a service worker; one whose scope covers /.sallyport/ would answer in our
// name from then on.
func TestE10ServiceWorkers(t *testing.T) {
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Public = []string{"/"} })})
	for path, want := range map[string]int{
		"/.sallyport/x.js": 403, "/.SALLYPORT/x.js": 403, "/sw.js": 403, "/download?id=7": 403, "/app/sw.js": 200, "/static/js/sw.js": 200,
	} {
		if res := f.do("GET", path, "", header("Service-Worker", "script")); res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, res.StatusCode, want)
		}
		if res := f.do("GET", path, ""); res.StatusCode != 200 {
			t.Errorf("%s, as an ordinary request: status %d", path, res.StatusCode)
		}
	}
	for scope, kept := range map[string]bool{"/": false, "/.": false, "/.sallyport/": false, "": false, "/app/": true, "/%2esallyport": false, "app": false} {
		f.answers(func(w http.ResponseWriter, _ *http.Request) { w.Header()["Service-Worker-Allowed"] = []string{scope} })
		if _, got := f.do("GET", "/app/sw.js", "").Header["Service-Worker-Allowed"]; got != kept {
			t.Errorf("scope %q: passed %v, want %v", scope, got, kept)
		}
	}
}
