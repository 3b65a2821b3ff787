package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"sallyport"
	"sallyport/gateway"
	"sallyport/sallyporttest"
)

// An admin types the ID that somebody reads to them from a page, and sees the whole
// decision; who is locked out is told before any attempt.
func TestExplainAsTyped(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{MFA: "  lockout: {denials: 2}\n"})
	app := g.URL(sallyporttest.App, "/")
	g.AddUser("alice", "correct horse battery", sallyport.StateEnforced)
	g.Browser().SignIn(app, "alice", "correct horse battery").Register()
	p := g.Browser().SignIn(app, "alice", "correct horse battery").Form("code").Submit("code", "000000")
	id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}</output>`).FindString(p.Body)
	id = strings.TrimSuffix(id, "</output>")
	p.Form("code").Submit("code", "000001")

	typed := func(args ...string) string {
		t.Helper()
		var out, errs output
		if code := run(append([]string{"explain", "--config", g.File}, args...), &cli{Stdout: &out, Stderr: &errs, Now: g.Clock.Now}); code != 0 {
			t.Fatalf("%q: exit code %d\n%s", args, code, errs.String())
		}
		return out.String()
	}
	got := typed("--correlation", id)
	for _, want := range []string{
		`(?m)^Correlation ID: +` + id + `$`, `(?m)^Who: +alice, Alice, alice@example.com$`, `(?m)^When: +20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ$`,
		`(?m)^Where: +127\.0\.0\.1, browser, Mozilla`, `(?m)^Route: +app$`, `(?m)^Demanded: +sign-in, then verification \(multifactor\)$`,
		`(?m)^By rule: +state-enforced$`, `(?m)^Proven: +password at 20`, `(?m)^Result: +failure, wrong-code$`,
		`(?m)^Code: +SP-2001: The verification code is not right`, `(?m)^What to do: +If it happens`, `(?m)^The sign-in ended: +not yet$`,
		`(?m)^\* +20.* sign-in\.verify +failure +softwareOath +wrong-code +SP-2001`, `(?m)^ +20.* user\.lockout +denied`,
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	var past gateway.Past
	if err := json.Unmarshal([]byte(typed("--correlation", id, "--json")), &past); err != nil || past.User != "alice" || past.Code != sallyport.CodeWrongCode || len(past.Events) < 4 {
		t.Errorf("as JSON: %v %+v", err, past)
	}
	if got := typed("--user", "alice", "--url", app, "--ip", "203.0.113.1"); !regexp.MustCompile(`(?m)^locked: verification, for sign-ins from new browsers and addresses until 20\d\d-`).MatchString(got) {
		t.Errorf("the lock is not shown:\n%s", got)
	}
}
