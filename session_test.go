package sallyport

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"
)

// D8: a demand is met by the strength that was reached, and by nothing else. An
// unknown name is a demand that nobody meets and a strength that meets nothing
// more than none.
func TestStrengthMeets(t *testing.T) {
	all := []Strength{StrengthNone, StrengthSingleFactor, StrengthMultifactor, "phishing-resistant"}
	want := []string{
		"yes no  no  no",
		"yes yes no  no",
		"yes yes yes no",
		"no  no  no  no",
	}
	for i, s := range all {
		for j, word := range strings.Fields(want[i]) {
			if got := s.Meets(all[j]); got != (word == "yes") {
				t.Errorf("%q meets %q: %v", s, all[j], got)
			}
		}
	}
}

// Two factors of one sort are one factor, and a second factor alone is none.
func TestStrengthOf(t *testing.T) {
	for _, test := range []struct {
		kinds string
		want  Strength
	}{
		{"", StrengthNone},
		{"password", StrengthSingleFactor},
		{"federated", StrengthSingleFactor},
		{"password federated password", StrengthSingleFactor},
		{"softwareOath", StrengthNone},
		{"softwareOath recovery", StrengthNone},
		{"password softwareOath", StrengthMultifactor},
		{"recovery federated", StrengthMultifactor},
		{"password trusted-address remembered-device", StrengthSingleFactor},
	} {
		var proofs []Proof
		for _, k := range strings.Fields(test.kinds) {
			proofs = append(proofs, Proof{Kind: Kind(k)})
		}
		if got := StrengthOf(proofs); got != test.want {
			t.Errorf("%q reaches %q, want %q", test.kinds, got, test.want)
		}
	}
}

func TestKinds(t *testing.T) {
	for k, want := range map[Kind]struct {
		first, mfa bool
		amr        string
	}{
		KindPassword:  {true, false, "pwd"},
		KindFederated: {true, false, "fed"},
		KindTOTP:      {false, true, "otp"},
		KindRecovery:  {false, true, "otp"},
		"":            {},
		"unknown":     {},
	} {
		if k.First() != want.first || k.MFA() != want.mfa || k.AMR() != want.amr {
			t.Errorf("%q: first %v, MFA %v, amr %q", k, k.First(), k.MFA(), k.AMR())
		}
	}
}

func TestLatestProofs(t *testing.T) {
	at := func(m int) time.Time { return time.Date(2026, 11, 2, 9, m, 0, 0, time.UTC) }
	proofs := []Proof{
		{Kind: KindPassword, At: at(1)}, {Kind: KindTOTP, At: at(5)}, {Kind: KindFederated, At: at(3)}, {Kind: KindRecovery, At: at(4)},
	}
	if got := VerifiedAt(proofs); !got.Equal(at(5)) {
		t.Errorf("verified at %v", got)
	}
	if got := FirstFactorAt(proofs); !got.Equal(at(3)) {
		t.Errorf("first factor at %v", got)
	}
	if !VerifiedAt(proofs[:1]).IsZero() || !FirstFactorAt(nil).IsZero() {
		t.Error("never is not zero")
	}
}

func TestMemo(t *testing.T) {
	var m Memo
	if m.Load() != nil {
		t.Fatal("the zero memo is not empty")
	}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			m.Store(i)
			if v, ok := m.Load().(int); !ok || v < 0 || v > 9 {
				t.Errorf("loaded %v", v)
			}
		})
	}
	wg.Wait()
}

func TestNeedZero(t *testing.T) {
	if !(Need{}).Zero() || !(Need{Cause: "state-enabled"}).Zero() {
		t.Error("no need is not zero")
	}
	for _, n := range []Need{{FirstFactor: true}, {Strength: StrengthMultifactor}, {Register: true}, {Fresh: time.Second}} {
		if n.Zero() {
			t.Errorf("%+v is taken for no need", n)
		}
	}
}

func TestReasonString(t *testing.T) {
	if got := (Reason{Name: "trusted-address", Detail: "office"}).String() + (Reason{Name: "state"}).String(); got != "trusted-address (office)state" {
		t.Error(got)
	}
}

func TestFieldErrors(t *testing.T) {
	var e FieldErrors
	e.Add("upstream", "write https://…", "no scheme in %q", "app")
	e.Add("[0].host", "", "missing")
	e.Add("", "", "empty")
	got := e.Under("routes[2]").Error()
	want := "routes[2].upstream: no scheme in \"app\" (write https://…)\nroutes[2][0].host: missing\nroutes[2]: empty"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The proofs of a session are stored as JSON: what comes back must prove no more.
func TestProofJSON(t *testing.T) {
	p := Proof{Kind: KindTOTP, At: time.Date(2026, 11, 2, 9, 0, 0, 1000, time.UTC), MethodID: "m"}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var got Proof
	if err := json.Unmarshal(b, &got); err != nil || got != p {
		t.Errorf("%s came back as %+v, %v", b, got, err)
	}
}
