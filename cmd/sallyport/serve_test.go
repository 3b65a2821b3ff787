//go:build unix

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sallyport/config"
	"sallyport/sallyporttest"
)

// served is a gateway as an admin runs it: `sallyport init`, a routing file,
// `sallyport serve`, and commands beside it.
type served struct {
	*testing.T
	file, app string
	roots     *x509.CertPool
	log       *output
	ended     chan int
}

// output is what a command writes, while others read it.
type output struct {
	mu sync.Mutex
	b  strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

const servedFile = `version: 1
server: {https: "127.0.0.1:%[1]s", http: "", admin: "127.0.0.1:%[2]s", portal: "login.localhost:%[1]s"}
tls: {internal: true}
store: {sqlite: sallyport.db}
secrets: {master_key_file: master.key}
identity: [{name: local, type: local, hash: {time: 1, memory_mib: 8}}]
routes: [{name: app, hosts: [app.localhost], upstream: "%[3]s"}]
`

func serve(t *testing.T) *served {
	t.Helper()
	upstream := &http.Server{Handler: sallyporttest.Echo(), ReadHeaderTimeout: 10 * time.Second}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = upstream.Serve(ln) }()
	t.Cleanup(func() { _ = upstream.Close() })
	dir, port, admin := t.TempDir(), sallyporttest.FreePort(t), sallyporttest.FreePort(t)
	s := &served{T: t, file: filepath.Join(dir, "sallyport.yaml"), app: "https://app.localhost:" + port, log: &output{}, ended: make(chan int, 1)}
	s.command("", "init", "--dir", dir)
	if err := os.WriteFile(s.file, fmt.Appendf(nil, servedFile, port, admin, "http://"+ln.Addr().String()), 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.ended <- run([]string{"serve", "--config", s.file}, &cli{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: s.log, Now: time.Now})
	}()
	var pem []byte
	sallyporttest.Eventually(t, 10*time.Second, "the gateway is ready", func() bool {
		if body, ok := fetch("http://127.0.0.1:" + admin + "/readyz"); !ok || !strings.HasPrefix(body, "ready") {
			return false
		}
		body, ok := fetch("http://127.0.0.1:" + admin + "/ca.pem")
		pem = []byte(body)
		return ok
	})
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(pem)
	return s
}

func fetch(address string) (string, bool) {
	resp, err := http.Get(address)
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err == nil && resp.StatusCode == http.StatusOK
}

// command runs a command as an admin types it, and returns what it printed.
func (s *served) command(stdin string, args ...string) string {
	s.Helper()
	var out, errs output
	if code := run(args, &cli{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Now: time.Now}); code != 0 {
		s.Fatalf("%q ended with %d: %s", args, code, errs.String())
	}
	return out.String()
}

// browser returns a client with cookies that reaches the gateway's hosts.
func (s *served) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.Fatal(err)
	}
	c := &http.Client{Jar: jar, Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.roots},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, strings.NewReplacer("app.localhost", "127.0.0.1", "login.localhost", "127.0.0.1").Replace(addr))
		},
	}}
	s.Cleanup(c.CloseIdleConnections)
	return c
}

// open opens the app, or posts a form, as a browser does, and returns the page.
func (s *served) open(c *http.Client, address string, form url.Values) (string, *url.URL) {
	s.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return string(body), resp.Request.URL
}

// signIn signs a local user in, up to the app.
func (s *served) signIn(c *http.Client, name, password string) {
	s.Helper()
	page, at := s.open(c, s.app+"/", nil)
	form := url.Values{"username": {name}, "password": {password}}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	action := regexp.MustCompile(`<form[^>]*action="([^"]*sign-in[^"]*)"`).FindStringSubmatch(page)
	if action == nil {
		s.Fatalf("no sign-in form at %s:\n%s", at, page)
	}
	next, err := at.Parse(html.UnescapeString(action[1]))
	if err != nil {
		s.Fatal(err)
	}
	if body, at := s.open(c, next.String(), form); !strings.Contains(body, `"X-Sallyport-User":["`+name+`"]`) {
		s.Fatalf("signing in as %s ended at %s:\n%s", name, at, body)
	}
}

// Commands on users work while the gateway runs, and open sessions notice within a
// second; so does a backup. What requests log is a line of JSON each, as stderr is
// no terminal. SIGTERM ends it all.
func TestServe(t *testing.T) {
	s := serve(t)
	const password = "correct horse battery"
	for name, act := range map[string][]string{
		"set-state":          {"enforced"},
		"set-password":       {"--password-stdin"},
		"unlink":             {"--provider", "local"},
		"require-reregister": nil,
		"revoke":             nil,
		"disable":            nil,
		"delete":             nil,
	} {
		s.command(password, "user", "add", name, "--state", "disabled", "--password-stdin", "--config", s.file)
		b := s.browser()
		s.signIn(b, name, password)
		s.command("staple battery horse", append([]string{"user", name, name, "--config", s.file}, act...)...)
		sallyporttest.Eventually(t, time.Second, "the session noticed "+name, func() bool {
			body, _ := s.open(b, s.app+"/", nil)
			return !strings.Contains(body, "X-Sallyport-User")
		})
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	s.command("", "backup", copied, "--config", s.file)
	if info, err := os.Stat(copied); err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v %v", info, err)
	}
	if out := s.command("", "audit", "list", "--kind", "store.backup", "--json", "--config", s.file); strings.Count(out, "\n") != 1 {
		t.Errorf("events of the backup: %s", out)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case code := <-s.ended:
		if code != 0 {
			t.Errorf("serve ended with %d: %s", code, s.log)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("serve did not stop")
	}
	requests := 0
	for line := range strings.Lines(s.log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if fields["msg"] != "request" {
			continue
		}
		if fields["correlation_id"] == nil {
			t.Errorf("no correlation ID in %s", line)
		}
		if host, _ := fields["host"].(string); !strings.HasPrefix(host, "app.") || fields["decision"] != "allow" {
			continue
		}
		requests++
		if fields["route"] != "app" || fields["user_id"] == nil || fields["upstream"] == nil || fields["upstream_time"] == nil {
			t.Errorf("something is missing in %s", line)
		}
	}
	if requests == 0 {
		t.Errorf("no allowed request was logged: %s", s.log)
	}
}

// Text on a terminal, JSON otherwise, unless log.format says which.
func TestLogFormat(t *testing.T) {
	terminal, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	for _, test := range []struct {
		stderr io.Writer
		format string
		json   bool
	}{
		{terminal, "", false}, {terminal, "auto", false}, {terminal, "text", false}, {terminal, "json", true},
		{io.Discard, "", true}, {io.Discard, "auto", true}, {io.Discard, "text", false}, {io.Discard, "json", true},
	} {
		log, lines, flush := newLogger(&cli{Stderr: test.stderr}, config.Log{Format: test.format})
		_, isJSON := log.Handler().(*slog.JSONHandler)
		if isJSON != test.json || (lines != nil) != test.json {
			t.Errorf("%T with format %q: JSON %v, lines apart %v", test.stderr, test.format, isJSON, lines != nil)
		}
		flush()
	}
}
