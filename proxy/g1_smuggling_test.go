package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// G1 (CVE-2025-22871): a front and a back that disagree about where a request
// ends let one client's bytes begin another's request. Each of these is refused,
// or reaches the app as exactly one request.
func TestG1Smuggling(t *testing.T) {
	f := newFixture(t, []Route{appRoute(func(r *Route) { r.Public = []string{"/public"} })})
	const smuggled = "GET /secret HTTP/1.1\r\nHost: app.test\r\nX-Smuggled: 1\r\n\r\n"
	const head = "POST /public HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n"
	for name, request := range map[string]string{
		"CL.TE":                   head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"TE.CL":                   head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + fmt.Sprintf("%x\r\n", len(smuggled)) + smuggled + "\r\n0\r\n\r\n",
		"TE.TE identity":          head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + smuggled,
		"TE.TE twice":             head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"TE unknown":              head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled,
		"TE with a tab":           head + "Transfer-Encoding:\tchunked, identity\r\n\r\n0\r\n\r\n" + smuggled,
		"space before colon":      head + "Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n" + smuggled,
		"obs-fold":                head + "X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + smuggled,
		"obs-fold TE":             head + "Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled,
		"duplicate lengths":       head + "Content-Length: 0\r\nContent-Length: 90\r\n\r\n" + smuggled,
		"list of lengths":         head + "Content-Length: 0, 90\r\n\r\n" + smuggled,
		"signed length":           head + "Content-Length: +0\r\n\r\n" + smuggled,
		"hex length":              head + "Content-Length: 0x0\r\n\r\n" + smuggled,
		"bare LF chunks":          head + "Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n" + smuggled,
		"bare LF in an extension": head + "Transfer-Encoding: chunked\r\n\r\n1;x=\n5c\r\na\r\n0\r\n\r\n" + smuggled,
		"bare CR":                 head + "X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + smuggled,
		"NUL in a value":          head + "X-A: b\x00c\r\nContent-Length: 0\r\n\r\n" + smuggled,
		"two hosts":               head + "Host: evil.test\r\nContent-Length: 0\r\n\r\n",
		"chunk size overflow":     head + "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n" + smuggled,
		"underscore length":       head + "Content_Length: 90\r\nContent-Length: 0\r\n\r\n" + smuggled,
	} {
		// The case's name finds its requests again: the app may see one late.
		request = strings.Replace(request, head, head+"X-Case: "+name+"\r\n", 1)
		if res, body := f.raw(request); res != nil && res.StatusCode == http.StatusOK && body != "the app" {
			t.Errorf("%s: answered %q", name, body)
		}
	}
	// The connections of the pool are still in step.
	for range 5 {
		if res := f.do("GET", "/public", ""); bodyOf(t, res) != "the app" {
			t.Fatal("the next request got another one's answer")
		}
	}
	f.gateway.Close()
	f.app.Close()
	count := map[string]int{}
	for _, g := range f.requests() {
		count[g.header.Get("X-Case")]++
		if g.uri != "/public" || g.header.Get("X-Smuggled") != "" {
			t.Errorf("%s: the app saw %s %s %v", g.header.Get("X-Case"), g.method, g.uri, g.header)
		}
	}
	for name, n := range count {
		if n > 1 && name != "" {
			t.Errorf("%s reached the app as %d requests", name, n)
		}
	}
	if count[""] != 5 {
		t.Errorf("%d plain requests reached the app, want 5", count[""])
	}
}
