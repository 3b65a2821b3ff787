package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/sallyporttest"
)

// rewrite changes the routing file as an editor does: a new file over the old.
func rewrite(t *testing.T, g *sallyporttest.Gateway, change func(string) string) {
	t.Helper()
	text, err := os.ReadFile(g.File)
	if err != nil {
		t.Fatal(err)
	}
	next := change(string(text))
	if next == string(text) {
		t.Fatal("the change changes nothing")
	}
	if err := os.WriteFile(g.File+".new", []byte(next), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(g.File+".new", g.File); err != nil {
		t.Fatal(err)
	}
}

func metrics(t *testing.T, g *sallyporttest.Gateway) string {
	t.Helper()
	resp, err := http.Get("http://" + g.Addr("admin").String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A change of the file is in force within moments, for open sessions too, and
// their sign-in goes on.
func TestFileChangeReloads(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	g.AddUser("alice", password, sallyport.StateDisabled)
	b := g.Browser()
	address := g.URL(sallyporttest.App, "/")
	b.SignIn(address, "alice", password).Echoed()
	rewrite(t, g, func(s string) string {
		return strings.Replace(s, "    preserve_host: true\n", "    preserve_host: true\n    allow: {users: [bob]}\n", 1)
	})
	sallyporttest.Eventually(t, 5*time.Second, "the new rule is in force", func() bool {
		return b.Get(address).ErrorCode() == sallyport.CodeNotAllowed
	})
	if b.Get(g.URL(sallyporttest.Other, "/")).Echoed().Header.Get("X-Sallyport-User") != "alice" {
		t.Error("the session did not outlive the reload")
	}
}

// C7: a bad file leaves the running state untouched, is logged with its place,
// audited, and shows in the metrics; mending it brings it into force.
func TestBadFileChangesNothing(t *testing.T) {
	for name, spoil := range map[string]func(string) string{
		"unknown key": func(s string) string { return strings.Replace(s, "preserve_host", "preserv_host", 1) },
		"missing secret": func(s string) string {
			return strings.Replace(s, "master_key_file: master.key", "master_key_file: gone.key", 1)
		},
		"not yaml":      func(s string) string { return s + "\n{{{" },
		"needs restart": func(s string) string { return strings.Replace(s, "sqlite: sallyport.db", "sqlite: else.db", 1) },
		"certificates":  func(s string) string { return strings.Replace(s, "internal: true", "acme: {}", 1) },
		"audit file":    func(s string) string { return s + "audit: {file: audit.jsonl}\n" },
		"log level":     func(s string) string { return s + "log: {level: warn}\n" },
		"missing CA":    func(s string) string { return s + "    upstream_tls: {ca_file: gone.pem}\n" },
		"bad address": func(s string) string {
			return strings.Replace(s, "default_state", "trusted_ips: [300.1.2.3]\n  default_state", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := sallyporttest.New(t, sallyporttest.Options{})
			g.AddUser("alice", password, sallyport.StateDisabled)
			b := g.Browser()
			address := g.URL(sallyporttest.App, "/")
			b.SignIn(address, "alice", password).Echoed()
			good, err := os.ReadFile(g.File)
			if err != nil {
				t.Fatal(err)
			}
			rewrite(t, g, spoil)
			sallyporttest.Eventually(t, 5*time.Second, "the fault shows in the metrics", func() bool {
				return strings.Contains(metrics(t, g), "sallyport_config_last_reload_successful 0")
			})
			b.Get(address).Echoed()
			g.Browser().SignIn(address, "alice", password).Echoed()
			if !strings.Contains(g.Logged(), "is not in force") {
				t.Error("the fault was not logged")
			}
			if name == "unknown key" && !strings.Contains(g.Logged(), ":5: unknown key `preserv_host`, did you mean `preserve_host`?") {
				t.Errorf("the fault was logged without its place:\n%s", g.Logged())
			}
			events, err := g.Store().Events(t.Context(), audit.Filter{Kind: audit.ConfigReloaded, Result: audit.Failure})
			if err != nil || len(events) == 0 {
				t.Errorf("the failed reload was not recorded: %v", err)
			}
			rewrite(t, g, func(string) string { return string(good) + "\n# mended\n" })
			sallyporttest.Eventually(t, 5*time.Second, "the mended file is in force", func() bool {
				return strings.Contains(metrics(t, g), "sallyport_config_last_reload_successful 1")
			})
		})
	}
}

// Doubts about a file that is put in force are told, as they are at the start.
func TestReloadWarns(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	rewrite(t, g, func(s string) string {
		return strings.Replace(s, "    preserve_host: true\n", "    preserve_host: true\n    allow: {groups: [payroll]}\n", 1)
	})
	sallyporttest.Eventually(t, 5*time.Second, "the warning is logged", func() bool {
		return strings.Contains(g.Logged(), `nobody is in the group \"local:payroll\"`)
	})
}

func TestHangupReloads(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	sallyporttest.Eventually(t, 5*time.Second, "the gateway is ready", func() bool {
		resp, err := http.Get("http://" + g.Addr("admin").String() + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	before := strings.Count(g.Logged(), "the routing file is in force")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	sallyporttest.Eventually(t, 5*time.Second, "SIGHUP reloads", func() bool {
		return strings.Count(g.Logged(), "the routing file is in force") > before
	})
}

// Reloads in a row, with requests all the while: none of them fails.
func TestReloadUnderLoad(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	g.AddUser("alice", password, sallyport.StateDisabled)
	b := g.Browser()
	address := g.URL(sallyporttest.App, "/x")
	b.SignIn(address, "alice", password).Echoed()
	stop, failed := make(chan struct{}), make(chan string, 100)
	done := make(chan int)
	for range 4 {
		go func() {
			n := 0
			defer func() { done <- n }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				p, err := b.Try(http.MethodGet, address, nil)
				if err != nil || p.Status != http.StatusOK {
					failed <- fmt.Sprint(p, err)
					return
				}
				n++
			}
		}()
	}
	for range 10 {
		if err := g.Reload(t.Context(), "test"); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	total := 0
	for range 4 {
		total += <-done
	}
	if len(failed) > 0 {
		t.Errorf("a request failed during a reload: %s", <-failed)
	}
	if total == 0 {
		t.Error("no request was made meanwhile")
	}
}

// H3: health and metrics are on their own listener only, and carry no person.
func TestAdminListener(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	g.AddUser("alice", password, sallyport.StateEnforced)
	secret, _, _ := g.Browser().SignIn(g.URL(sallyporttest.App, "/secret-path"), "alice", password).Register()
	b := g.Browser()
	b.SignIn(g.URL(sallyporttest.App, "/secret-path"), "alice", password).Verify(secret).Echoed()
	admin := "http://" + g.Addr("admin").String()
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/ca.pem": "BEGIN CERTIFICATE"} {
		resp, err := http.Get(admin + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, text)
		}
		if p := b.Get(g.URL(sallyporttest.Portal, path)); p.Status != http.StatusNotFound {
			t.Errorf("%s answers %d on the portal", path, p.Status)
		}
		if e := b.Get(g.URL(sallyporttest.App, path)).Echoed(); e.URI != path {
			t.Errorf("%s on an app host did not go to the app", path)
		}
	}
	text := withoutUpstreams(metrics(t, g))
	for _, want := range []string{`sallyport_requests_total{decision="allow",route="app",status="2xx"}`, "sallyport_upstream_seconds_count",
		"sallyport_sessions_cached", "sallyport_store_seconds_count", `sallyport_verifications_total{method="softwareOath",result="success"}`,
		"sallyport_certificate_expiry_timestamp_seconds", "go_goroutines"} {
		if !strings.Contains(text, want) {
			t.Errorf("no figure %s", want)
		}
	}
	for _, person := range []string{"alice", "secret-path", "127.0.0.1"} {
		if strings.Contains(text, person) {
			t.Errorf("the metrics name %s", person)
		}
	}
}
