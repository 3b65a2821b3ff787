package gateway_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/sallyporttest"
)

// MFA.md 10.1: what each step of a sign-in and its summary say, in the store and,
// the same, as JSON lines in the audit file.
func TestAuditFields(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{Extra: "audit: {file: audit.jsonl}\nlocations:\n  - {name: here, ranges: [127.0.0.0/8]}\n"})
	u := g.AddUser("alice", password, sallyport.StateEnabled)
	address := g.URL(sallyporttest.App, "/")
	secret, _, _ := g.Browser().SignIn(address, "alice", password).Register()
	b := g.Browser()
	p := b.SignIn(address, "alice", password).Form("code").Submit("code", "000000")
	g.Clock.Advance(31 * time.Second) // a code works once; and a step that takes a while
	p.Form("code").Submit("code", sallyporttest.Code(t, secret, g.Clock.Now()), "remember", "on").Echoed()
	signOut(t, g, b)
	b.SignIn(address, "alice", password).Echoed()

	// The last two flows: one with a code, one on the remembered device.
	all, err := g.Store().Events(t.Context(), audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var flows [][]audit.Event
	for _, ev := range all {
		if ev.Kind == audit.SignInSummary {
			events, err := g.Store().FlowEvents(t.Context(), ev.FlowID)
			if err != nil {
				t.Fatal(err)
			}
			flows = append(flows, events)
		}
	}
	if len(flows) != 3 {
		t.Fatalf("%d summaries of 3 sign-ins", len(flows))
	}
	for _, ev := range slices.Concat(flows[1], flows[0]) {
		known := ev.UserID == u.ID && ev.UserName == "alice" && ev.Name == "Alice" && ev.Email == "alice@example.com"
		from := ev.Client == "browser" && strings.Contains(ev.UserAgent, "Chrome/150") && ev.Address.String() == "127.0.0.1" && ev.Place == "here"
		if ev.ID == "" || ev.Time.IsZero() || ev.CorrelationID == "" || ev.Result == "" || !known || !from || ev.Route != "app" ||
			ev.Provider != "local" || ev.Node != "test" || ev.Actor != "user" {
			t.Errorf("something is missing in %+v", ev)
		}
	}
	withCode := summaryOf(flows[1])
	if withCode.Result != audit.Success || withCode.Demanded != "multifactor" || withCode.Rule == "" || withCode.Reason == "" ||
		withCode.Duration < 31*time.Second || withCode.Method != sallyport.KindTOTP || withCode.Device == "" {
		t.Errorf("the summary with a code: %+v", withCode)
	}
	var steps []string
	for _, s := range withCode.Steps {
		steps = append(steps, string(s.Method)+" "+string(s.Result)+" "+s.Reason)
		if s.Time.IsZero() || s.Duration <= 0 {
			t.Errorf("a step without its time: %+v", s)
		}
	}
	if want := []string{"password success ", "softwareOath failure wrong-code", "softwareOath success "}; !slices.Equal(steps, want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
	i := slices.IndexFunc(flows[1], func(e audit.Event) bool { return e.Kind == audit.SignInVerify && e.Result == audit.Failure })
	if i < 0 || flows[1][i].Code != sallyport.CodeWrongCode || flows[1][i].Method != sallyport.KindTOTP {
		t.Errorf("no event of the wrong code, with its error code, in %+v", flows[1])
	}
	if s := summaryOf(flows[0]); s.Skipped != "remembered-device" || s.Rule == "" {
		t.Errorf("the summary on a remembered device does not say what made it skip: %+v", s)
	}
	sameInFile(t, filepath.Join(g.Dir, "audit.jsonl"), all)
}

// summaryOf returns the summary among the events of a flow.
func summaryOf(events []audit.Event) audit.Event {
	i := slices.IndexFunc(events, func(e audit.Event) bool { return e.Kind == audit.SignInSummary })
	if i < 0 {
		return audit.Event{}
	}
	return events[i]
}

// sameInFile fails unless the file holds these events (latest first), a line each.
func sameInFile(t *testing.T, file string, events []audit.Event) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) < len(events) {
		t.Fatalf("%d lines in the audit file, %d events in the store", len(lines), len(events))
	}
	for i, ev := range events {
		want, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		if got := lines[len(events)-1-i]; got != string(want) {
			t.Errorf("line of event %d:\n got %s\nwant %s", ev.Seq, got, want)
		}
	}
}

// MFA.md 10.2, what no person does: start and stop of a node, keys, and what ends
// or stands in on its own.
func TestAuditOfTheNode(t *testing.T) {
	dir := t.TempDir()
	g := sallyporttest.New(t, sallyporttest.Options{Dir: dir})
	u := g.AddUser("alice", password, sallyport.StateEnforced)
	address := g.URL(sallyporttest.App, "/")
	secret, _, _ := g.Browser().SignIn(address, "alice", password).Register()
	b := g.Browser()
	b.SignIn(address, "alice", password).Verify(secret, "remember", "on").Echoed()
	signOut(t, g, b)
	b.SignIn(address, "alice", password).Echoed()
	g.Clock.Advance(2 * time.Hour) // past session.idle
	if p := b.Get(address); p.FindForm("password") == nil {
		t.Fatalf("an idle session is open: %s", p.Text())
	}
	g.Stop()
	g = sallyporttest.New(t, sallyporttest.Options{Dir: dir})
	for kind, check := range map[audit.Kind]func(audit.Event) bool{
		audit.NodeStarted: func(e audit.Event) bool { return e.Actor == "system" && e.After == "test" },
		audit.NodeStopped: func(e audit.Event) bool { return e.Actor == "system" && e.Node == "test" },
		audit.KeyRotated:  func(e audit.Event) bool { return e.Actor == "system" && e.After != "" },
		audit.DeviceUsed:  func(e audit.Event) bool { return e.UserID == u.ID && e.CorrelationID != "" && e.Address.IsValid() },
		audit.SessionExpired: func(e audit.Event) bool {
			return e.UserID == u.ID && e.SessionID != "" && e.Reason == "idle" && e.Result == audit.Expired
		},
	} {
		events, err := g.Store().Events(t.Context(), audit.Filter{Kind: kind})
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 || !check(events[0]) {
			t.Errorf("%s: %+v", kind, events)
		}
	}
	if err := g.Store().VerifyChain(t.Context()); err != nil {
		t.Error(err)
	}
}

// withoutUpstreams takes the addresses of upstreams out of the figures: the config
// names them, and no client.
func withoutUpstreams(text string) string {
	return regexp.MustCompile(`,upstream="[^"]*"`).ReplaceAllString(text, "")
}

// No personal data in labels: they are these names alone, and nothing that comes
// from a stranger's request becomes a value of one.
func TestMetricsHaveFixedLabels(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	u := g.AddUser("alice", password, sallyport.StateDisabled)
	b := g.Browser()
	b.SignIn(g.URL(sallyporttest.App, "/"), "alice", password).Echoed()
	b.Get(g.URL(sallyporttest.App, "/.sallyport/nothing-here"))
	for _, host := range []string{"marker-host.localhost", "127.0.0.1"} {
		req, err := http.NewRequest("MARKER", "https://"+sallyporttest.Portal+":"+g.Port+"/marker-path?marker-query", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		if resp, err := b.Client.Do(req); err == nil {
			resp.Body.Close()
		}
	}
	text := withoutUpstreams(metrics(t, g))
	for _, word := range []string{"marker", "MARKER", "nothing-here", "alice", string(u.ID), "127.0.0.1"} {
		if strings.Contains(text, word) {
			t.Errorf("the metrics name %s", word)
		}
	}
	for _, m := range regexp.MustCompile(`[{,]([a-z_]+)="`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains([]string{"route", "status", "decision", "method", "result", "operation", "host", "version", "le", "quantile"}, m[1]) {
			t.Errorf("label %s", m[1])
		}
	}
}
