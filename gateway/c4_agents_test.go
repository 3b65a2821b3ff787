package gateway_test

import (
	"strings"
	"testing"

	"sallyport"
	"sallyport/sallyporttest"
)

// C4: elsewhere a User-Agent of a health checker, or a header that a balancer
// sends, was taken for a reason to let a request in.
func TestC4NoAgentGrantsAnything(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	g.AddUser("alice", password, sallyport.StateDisabled)
	for name, values := range map[string][]string{
		"User-Agent":     {"kube-probe/1.30", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "Sallyport", "Go-http-client/1.1", ""},
		"X-Health-Check": {"1"}, "X-Probe": {"true"}, "X-Auth-Request-User": {"alice"}, "X-Remote-User": {"alice"},
		"X-Sallyport-User": {"alice"}, "X-Forwarded-User": {"alice"}, "X-Forwarded-Email": {"alice@example.com"},
		"X-Sallyport-Assertion": {"e30.e30."}, "Authorization": {"Bearer x", "Basic YWxpY2U6eA=="},
	} {
		for _, v := range values {
			b := g.Browser()
			b.Header.Set(name, v)
			if p := b.Get(g.URL(sallyporttest.App, "/")); strings.Contains(p.Body, `"URI"`) {
				t.Errorf("%s: %q was let through to the app", name, v)
			}
		}
	}
}
