package sallyport

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// D6: an account was guessed in parallel under the spellings of its name, each
// with a counter of its own. All spellings of one name fold to one.
func TestFoldNameUnifiesSpellings(t *testing.T) {
	for want, spellings := range map[string][]string{
		"alice":             {"alice", "ALICE", "Alice", " alice\t", "ａｌｉｃｅ", "ＡＬＩＣＥ"},
		"alice@example.com": {"Alice@Example.COM", "alice＠example.com", "alice@example.com "},
		"jürgen":            {"Jürgen", "JÜRGEN", "ju\u0308rgen"},
		"ガギ":                {"ｶﾞｷﾞ", "ガギ", "カ\u3099キ\u3099"},
	} {
		for _, s := range spellings {
			if got, err := FoldName(s); err != nil || got != want {
				t.Errorf("%q folds to %q, %v; want %q", s, got, err, want)
			}
		}
	}
}

// D16: different people stay different, and what only looks like a name is none.
func TestFoldNameKeepsPeopleApart(t *testing.T) {
	for _, pair := range [][2]string{
		{"alice", "alicе"}, // Cyrillic е
		{"alice", "alice1"}, {"strasse", "straße"}, {"a.lice", "alice"}, {"alice", "al-ice"},
	} {
		a, err := FoldName(pair[0])
		if err != nil {
			t.Fatal(err)
		}
		if b, err := FoldName(pair[1]); err == nil && a == b {
			t.Errorf("%q and %q are one person", pair[0], pair[1])
		}
	}
	for _, bad := range []string{
		"", " ", "\t\n", "al ice", "alice\x00", "alice\nbob", "al\u200bice", "\u202eecila", "alice\u00ad", "\xff\xfe",
		"\ufeffalice", strings.Repeat("a", 257), "ﬀ\u0000",
	} {
		if got, err := FoldName(bad); !errors.Is(err, ErrBadName) || got != "" {
			t.Errorf("%q folds to %q, %v; want ErrBadName", bad, got, err)
		}
	}
	if _, err := FoldName(strings.Repeat("a", 256)); err != nil {
		t.Errorf("256 bytes: %v", err)
	}
}

// What is folded stays as it is, or a name could be stored under one form and
// looked up under another.
func TestFoldNameIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`[A-Za-zÀ-ʯΑ-ωЀ-ӿ\x{ff01}-\x{ff9f}0-9@._-]{1,20}`)).Draw(t, "name")
		once, err := FoldName(s)
		if err != nil {
			if !errors.Is(err, ErrBadName) {
				t.Fatal(err)
			}
			return
		}
		twice, err := FoldName(once)
		if err != nil || twice != once {
			t.Fatalf("%q folds to %q, and that to %q, %v", s, once, twice, err)
		}
	})
}

func TestStateValid(t *testing.T) {
	for s, want := range map[State]bool{StateDisabled: true, StateEnabled: true, StateEnforced: true, "": false, "Enforced": false, "off": false} {
		if s.Valid() != want {
			t.Errorf("State(%q).Valid() = %v", s, !want)
		}
	}
}

func TestLabelAndGroups(t *testing.T) {
	if got := (&User{Name: "alice"}).Label(); got != "alice" {
		t.Errorf("label %q", got)
	}
	if got := (&User{Name: "alice", DisplayName: "Alice S."}).Label(); got != "Alice S." {
		t.Errorf("label %q", got)
	}
	if got := strings.Join(QualifyGroups("corp", []string{"a", "b:c"}), " "); got != "corp:a corp:b:c" {
		t.Errorf("groups %q", got)
	}
}
