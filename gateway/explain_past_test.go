package gateway_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"sallyport"
	"sallyport/audit"
	"sallyport/gateway"
	"sallyport/sallyporttest"
)

var correlation = regexp.MustCompile(`<output>([0-9a-f]{8}-[0-9a-f-]{27})</output>`)

// correlationOn returns the correlation ID that a page shows.
func correlationOn(t *testing.T, p *sallyporttest.Page) string {
	t.Helper()
	m := correlation.FindStringSubmatch(p.Body)
	if m == nil {
		t.Fatalf("no correlation ID on\n%s", p.Text())
	}
	return m[1]
}

// MFA.md 14: the correlation ID on a page leads to the whole decision of that
// attempt, whatever became of the sign-in; asking changes nothing.
func TestExplainPast(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{MFA: "  default_state: disabled\n", Routes: usualRoutesWith("    allow: {users: [alice]}\n"),
		Extra: "locations:\n  - {name: desk, ranges: [127.0.0.1]}\n"})
	app := g.URL(sallyporttest.App, "/")
	g.AddUser("alice", password, sallyport.StateEnforced)
	g.AddUser("bob", password, sallyport.StateDisabled)
	secret, _, _ := g.Browser().SignIn(app, "alice", password).Register()

	wrong := g.Browser().SignIn(app, "alice", password).Form("code").Submit("code", "000000")
	id := correlationOn(t, wrong)
	past := func(id string) *gateway.Past {
		t.Helper()
		before, err := g.Store().Events(t.Context(), audit.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := gateway.ExplainPast(t.Context(), g.Store(), id)
		if err != nil {
			t.Fatal(err)
		}
		if after, err := g.Store().Events(t.Context(), audit.Filter{}); err != nil || len(after) != len(before) {
			t.Errorf("asking left %d events (%v)", len(after)-len(before), err)
		}
		return p
	}
	x := past(" SP-2001 " + strings.ToUpper(id)) // as the copy button gives it
	if x.User != "alice" || x.Email != "alice@example.com" || x.Address.String() != "127.0.0.1" || x.Place != "desk" || x.Route != "app" ||
		x.Client != "browser" || x.UserAgent == "" || x.Node != "test" || x.Time.IsZero() {
		t.Errorf("who, when and where: %+v", x)
	}
	if x.Demanded != "multifactor" || x.Rule != "state-enforced" || x.Skipped != "" || len(x.Proven) != 1 || x.Proven[0].Method != sallyport.KindPassword {
		t.Errorf("demanded %q by %q, proven %+v, skipped %q", x.Demanded, x.Rule, x.Proven, x.Skipped)
	}
	if x.Result != audit.Failure || x.Reason != "wrong-code" || x.Code != sallyport.CodeWrongCode || x.Outcome != nil ||
		!strings.Contains(x.Meaning, "not right") || x.Advice == "" {
		t.Errorf("the result: %+v", x)
	}
	// What comes after is told as well, and kept apart from the request's own result.
	wrong.Verify(secret).Echoed()
	x = past(id)
	if x.Code != sallyport.CodeWrongCode || x.Outcome == nil || x.Outcome.Result != audit.Success || len(x.Proven) != 2 || x.Proven[1].Method != sallyport.KindTOTP {
		t.Errorf("after the right code: %+v", x)
	}

	denied := past(correlationOn(t, g.Browser().SignIn(app, "bob", password)))
	if denied.Result != audit.Denied || denied.Code != sallyport.CodeNotAllowed || denied.Rule != "allow" || denied.Outcome == nil || denied.Outcome.Result != audit.Denied {
		t.Errorf("not allowed: %+v", denied)
	}
	nobody := past(correlationOn(t, g.Browser().SignIn(app, "mallory", password)))
	if nobody.User != "mallory" || nobody.UserID != "" || nobody.Code != sallyport.CodeSignInFailed || len(nobody.Proven) != 0 {
		t.Errorf("an unknown name: %+v", nobody)
	}
	for _, id := range []string{"", " ", "00000000-0000-7000-8000-000000000000", "%"} {
		if _, err := gateway.ExplainPast(t.Context(), g.Store(), id); !errors.Is(err, sallyport.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}
