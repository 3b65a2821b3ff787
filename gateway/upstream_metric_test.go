package gateway_test

import (
	"strings"
	"testing"
	"time"

	"sallyport/sallyporttest"
)

// SP-7004 sends the admin to the metrics: they say which upstream is away, by
// route, and when it is asked again.
func TestUpstreamsInMetrics(t *testing.T) {
	dead := "http://127.0.0.1:" + sallyporttest.FreePort(t)
	g := sallyporttest.New(t, sallyporttest.Options{Routes: "  - name: app\n    hosts: [app.localhost]\n    public: [/]\n    upstream: [\"{upstream}\", \"" + dead + "\"]\n" +
		"  - name: twice\n    hosts: [other.localhost]\n    upstream: [\"" + dead + "\", \"" + dead + "/\"]\n"})
	state := func(route, value string) bool {
		return strings.Contains(metrics(t, g), `sallyport_upstream_healthy{route="`+route+`",upstream="`+dead+`"} `+value+"\n")
	}
	if !state("app", "1") || !state("twice", "1") {
		t.Errorf("before any request:\n%s", metrics(t, g))
	}
	for range 2 { // one of the two goes to each
		g.Browser().Get(g.URL(sallyporttest.App, "/")).Echoed()
	}
	if !state("app", "0") || !state("twice", "1") || strings.Count(metrics(t, g), "sallyport_upstream_healthy{") != 3 {
		t.Errorf("after a failed connection:\n%s", metrics(t, g))
	}
	g.Clock.Advance(11 * time.Second)
	if !state("app", "1") {
		t.Error("an upstream that is asked again counts as away")
	}
}
