package proxy

import (
	"strings"
	"testing"
)

// A2 (CVE-2026-88004): a proxy stripped identity headers and forwarded them as
// trailers, which some servers merge into the header.
func TestA2TrailersOfTheRequest(t *testing.T) {
	f := newFixture(t, identityRoutes())
	for _, announce := range []string{"", "Trailer: X-Sallyport-User, X_Remote_User\r\n"} {
		res, _ := f.raw("POST /public/x HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\nTE: trailers\r\n" + announce +
			"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sallyport-User: mallory\r\nX_Remote_User: mallory\r\nX-Other: mallory\r\n\r\n")
		if res == nil || res.StatusCode != 200 {
			t.Fatalf("answer %+v", res)
		}
		got := f.one()
		checkNoSpoof(t, got)
		if len(got.trailer) != 0 || got.header.Get("Trailer") != "" {
			t.Errorf("trailers reached the app: %v, announced %q", got.trailer, got.header.Get("Trailer"))
		}
		if got.body != "abc" {
			t.Errorf("body %q", got.body)
		}
		if strings.Contains(f.log.String(), "mallory") {
			t.Error("the log holds header values")
		}
	}
}
