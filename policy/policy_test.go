package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sallyport"
)

// known is somebody whose first factor was shown, in state enforced, with a
// method registered.
func known(change ...func(*Facts)) Facts {
	f := Facts{SignedIn: true, UserName: "alice", UserEmail: "alice@example.com", State: sallyport.StateEnforced, Strength: sallyport.StrengthSingleFactor, Registered: true, Groups: []string{"local:staff"}}
	for _, c := range change {
		c(&f)
	}
	return f
}

func TestZeroDenies(t *testing.T) {
	if (Decision{}).Effect != Deny {
		t.Error("the zero decision does not deny")
	}
	if d := Decide(Facts{}); d.Effect != Require || !d.Need.FirstFactor {
		t.Errorf("nothing known: %+v", d)
	}
	if Effect(9).String() != "deny" {
		t.Error("an unknown effect does not read as deny")
	}
}

// The rules of MFA.md 1.2 and section 5, in their order.
func TestDecide(t *testing.T) {
	verified := func(f *Facts) { f.Strength = sallyport.StrengthMultifactor }
	state := func(s sallyport.State) func(*Facts) { return func(f *Facts) { f.State = s } }
	trusted := func(f *Facts) { f.Address = AddressClass{Trusted: true, Location: "hq"} }
	remembered := func(f *Facts) { f.Remembered = true }
	none := func(f *Facts) { f.Registered = false }
	for _, c := range []struct {
		name  string
		facts Facts
		want  string // effect, rule, what was skipped or needed, last reason
	}{
		{"public", Facts{Target: Target{Public: true}}, "allow public - public-path"},
		{"public, though sign-in is disabled", known(func(f *Facts) { f.Target.Public = true; f.SignInDisabled = true }), "allow public - public-path"},
		{"nobody", Facts{Address: AddressClass{Trusted: true}, Remembered: true, Strength: sallyport.StrengthMultifactor}, "require first-factor first not-signed-in"},
		{"disabled", known(state(sallyport.StateDisabled)), "allow state-disabled state-disabled state-disabled"},
		{"enforced", known(), "require state-enforced verify:state-enforced address-not-trusted"},
		{"enforced, verified", known(verified), "allow state-enforced - verified (multifactor)"},
		{"enabled", known(state(sallyport.StateEnabled)), "require state-enabled verify:state-enabled address-not-trusted"},
		{"enabled, nothing registered", known(state(sallyport.StateEnabled), none), "require state-enabled register:state-enabled nothing-registered"},
		{"asked to register again", known(none, func(f *Facts) { f.Reregister = true }), "require state-enforced register:admin-request nothing-registered"},
		{"trusted address", known(trusted), "allow trusted-address trusted-address trusted-address (hq)"},
		{"trusted address, nothing registered", known(trusted, none), "allow trusted-address trusted-address trusted-address (hq)"},
		{"remembered device", known(remembered), "allow remembered-device remembered-device remembered-device"},
		{"address before device", known(remembered, trusted), "allow trusted-address trusted-address trusted-address (hq)"},
		{"sign-in disabled comes first", known(verified, trusted, func(f *Facts) { f.SignInDisabled = true }), "deny user SP-4003 sign-in-disabled"},
		{"locked comes before all that skips", known(trusted, remembered, func(f *Facts) { f.Locked = true }), "deny lockout SP-2003 locked-out"},
		{"unknown state", known(verified, state("strange")), "deny state SP-4002 state-unknown (strange)"},
		{"no state", known(verified, state("")), "deny state SP-4002 state-unknown"},
		{"group", known(verified, func(f *Facts) { f.Target.Groups = []string{"x:y", "local:staff"} }), "allow state-enforced - verified (multifactor)"},
		{"no group", known(verified, func(f *Facts) { f.Target.Groups = []string{"partners:staff"} }), "deny allow SP-4001 not-in-allow"},
		{"user by name", known(verified, func(f *Facts) { f.Target.Users = []string{"alice"}; f.Target.Groups = []string{"x:y"} }), "allow state-enforced - verified (multifactor)"},
		{"user by address", known(verified, func(f *Facts) { f.Target.Users = []string{"alice@example.com"} }), "allow state-enforced - verified (multifactor)"},
		{"another user", known(verified, func(f *Facts) { f.Target.Users = []string{"bob"} }), "deny allow SP-4001 not-in-allow"},
		{"nameless users match no empty rule", known(verified, func(f *Facts) {
			f.UserName, f.UserEmail, f.Groups = "", "", []string{""}
			f.Target.Users, f.Target.Groups = []string{""}, []string{""}
		}), "deny allow SP-4001 not-in-allow"},
	} {
		d := Decide(c.facts)
		what := d.Skipped
		switch {
		case d.Code != "":
			what = string(d.Code)
		case d.Need.FirstFactor:
			what = "first"
		case d.Need.Register:
			what = "register:" + d.Need.Cause
		case d.Need.Strength != "":
			what = "verify:" + d.Need.Cause
		case what == "":
			what = "-"
		}
		if got := fmt.Sprintf("%s %s %s %s", d.Effect, d.Rule, what, d.Reasons[len(d.Reasons)-1]); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func anyFacts(t *rapid.T) Facts {
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	names := rapid.SliceOfN(rapid.SampledFrom([]string{"alice", "bob", ""}), 0, 2)
	groups := rapid.SliceOfN(rapid.SampledFrom([]string{"a:x", "b:y", ""}), 0, 2)
	return Facts{
		Target:   Target{Public: flag("public"), Users: names.Draw(t, "users"), Groups: groups.Draw(t, "groups")},
		SignedIn: flag("signedIn"), UserName: rapid.SampledFrom([]string{"alice", "carol", ""}).Draw(t, "name"), Groups: groups.Draw(t, "of"),
		State:          rapid.SampledFrom([]sallyport.State{"", "x", sallyport.StateDisabled, sallyport.StateEnabled, sallyport.StateEnforced}).Draw(t, "state"),
		SignInDisabled: flag("disabled"), Locked: flag("locked"), Registered: flag("registered"), Reregister: flag("reregister"), Remembered: flag("remembered"),
		Strength: rapid.SampledFrom([]sallyport.Strength{"", "x", sallyport.StrengthSingleFactor, sallyport.StrengthMultifactor}).Draw(t, "strength"),
		Address:  AddressClass{Trusted: flag("trusted")},
	}
}

// Whatever the facts, what must never happen does not, and every answer says why.
func TestDecideProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFacts(t)
		d := Decide(f)
		again, err := json.Marshal(Decide(f))
		if first, err2 := json.Marshal(d); err != nil || err2 != nil || string(first) != string(again) {
			t.Fatalf("not pure: %s, then %s", first, again)
		}
		if len(d.Reasons) == 0 || d.Rule == "" {
			t.Fatalf("no reason: %+v", d)
		}
		if d.Effect == Deny && d.Code == "" {
			t.Fatalf("denied without a code: %+v", d)
		}
		if (d.Effect == Require) == d.Need.Zero() {
			t.Fatalf("effect and need disagree: %+v", d)
		}
		if d.Effect != Allow || f.Target.Public {
			return
		}
		switch {
		case !f.SignedIn, f.SignInDisabled, f.Locked, !f.State.Valid():
			t.Fatalf("allowed: %+v", f)
		case len(f.Target.Users)+len(f.Target.Groups) > 0 && (f.UserName == "" || !slices.Contains(f.Target.Users, f.UserName)) &&
			!slices.ContainsFunc(f.Target.Groups, func(g string) bool { return g != "" && slices.Contains(f.Groups, g) }):
			t.Fatalf("entered without being allowed: %+v", f)
		case f.State != sallyport.StateDisabled && f.Strength != sallyport.StrengthMultifactor && !f.Address.Trusted && !f.Remembered:
			t.Fatalf("no second factor and nothing in its place: %+v", f)
		}
	})
}

// Knowing less never widens access.
func TestLessIsNeverMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFacts(t)
		less := f
		switch rapid.IntRange(0, 5).Draw(t, "without") {
		case 0:
			less.SignedIn = false
		case 1:
			less.Groups = nil
		case 2:
			less.Strength = ""
		case 3:
			less.Address = AddressClass{}
		case 4:
			less.Remembered = false
		case 5:
			less.UserName, less.UserEmail = "", ""
		}
		if Decide(less).Effect == Allow && Decide(f).Effect != Allow {
			t.Fatalf("%+v is refused, but %+v is allowed", f, less)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	f := known(func(f *Facts) {
		f.Target.Groups = []string{"x:y", "local:staff"}
		f.Strength = sallyport.StrengthMultifactor
	})
	b.ReportAllocs()
	for b.Loop() {
		if Decide(f).Effect != Allow {
			b.Fatal("denied")
		}
	}
}
