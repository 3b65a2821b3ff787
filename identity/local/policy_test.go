package local_test

import (
	"strings"
	"testing"

	"sallyport/identity/local"
)

func TestPasswordPolicy(t *testing.T) {
	names := []string{"alice", "alice.ashford@corp.example", "Alice Ashford", "田中 花子", "Bo"}
	for password, want := range map[string]local.Reason{
		goodPassword:                     "",
		"plover garden 41":               "",
		"長いぱすわーどです":                      "",
		"corp-walnut-basket":             "", // the company's domain is nobody's name
		"bottle-walnut-9":                "", // Bo is too short to count
		"":                               local.TooShort,
		"Xq7!fd":                         local.TooShort,
		"か\u3099か\u3099か\u3099か\u3099":   local.TooShort, // four characters, as typed on a Mac
		"がぎぐげご12":                        local.TooShort,
		strings.Repeat("xy9 ", 64):       "",
		strings.Repeat("xy9 ", 64) + "z": local.TooLong,
		strings.Repeat("x", 1<<20):       local.TooLong,
		"password":                       local.Common,
		"PASSWORD":                       local.Common,
		"Password2026!":                  local.Common,
		"qwertyuiop":                     local.Common,
		"1234567890":                     local.Common,
		"dragon1234":                     local.Common,
		"x-ALICE-walnut":                 local.ContainsName,
		"my ashford key":                 local.ContainsName,
		"これは田中のです12":                     local.ContainsName,
		"walnut\x00basket":               local.NotText,
		"walnut\nbasket":                 local.NotText,
		"walnut\xffbasket":               local.NotText,
		"walnut\u202ebasket":             local.NotText,
	} {
		got := (local.PasswordPolicy{}).Check(password, names...)
		switch {
		case got == nil && want != "":
			t.Errorf("%.40q is good, want %s", password, want)
		case got != nil && got.Reason != want:
			t.Errorf("%.40q: %s, want %q", password, got.Reason, want)
		case got != nil && (got.Min != 8 || got.Max != 256 || strings.Contains(got.Error(), "walnut")):
			t.Errorf("%.40q: %+v", password, got)
		}
	}
}

func TestPasswordPolicySettings(t *testing.T) {
	if got := (local.PasswordPolicy{AllowCommon: true}).Check("qwertyuiop"); got != nil {
		t.Errorf("common passwords are allowed, but: %v", got)
	}
	if got := (local.PasswordPolicy{MinLength: 20}).Check(goodPassword); got == nil || got.Reason != local.TooShort || got.Min != 20 {
		t.Errorf("19 of 20 characters: %v", got)
	}
}

func TestEveryPolicyReasonHasItsText(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range []local.Reason{local.TooShort, local.TooLong, local.Common, local.ContainsName, local.NotText} {
		seen[(&local.PolicyError{Reason: r, Min: 8, Max: 256}).Error()] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d texts for 5 reasons: %v", len(seen), seen)
	}
}

func TestValidate(t *testing.T) {
	if faults := (local.Config{Domains: []string{"CORP", "example.com"}}).Validate(); len(faults) != 0 {
		t.Fatal(faults)
	}
	faults := local.Config{
		Domains:  []string{"CORP", "@example.com"},
		Password: local.PasswordPolicy{MinLength: 4},
		Hash:     local.HashCost{Time: 17, MemoryMiB: 1, Parallel: -1},
	}.Validate()
	var paths []string
	for _, f := range faults {
		paths = append(paths, f.Path)
		if f.Hint == "" {
			t.Errorf("%s has no hint", f.Path)
		}
	}
	if got := strings.Join(paths, " "); got != "domains[1] password.min_length hash.time hash.memory_mib hash.parallel" {
		t.Errorf("faults at %s", got)
	}
}

func BenchmarkPolicy(b *testing.B) {
	for b.Loop() {
		if err := (local.PasswordPolicy{}).Check(goodPassword); err != nil {
			b.Fatal(err)
		}
	}
}
