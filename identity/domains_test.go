package identity_test

import (
	"errors"
	"testing"

	"sallyport"
	"sallyport/identity"
)

// F3: a mail gateway once took the last @ of alice@evil.example@example.com for
// the domain, another the first, and a quoted local part hid a second address.
// Only a name with one plain domain of ours around it loses it.
func TestCutDomainF3(t *testing.T) {
	d, err := identity.NewDomains([]string{"CORP", "Example.com", "bücher.example"})
	if err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{
		`alice`:              `alice`,
		`ALICE`:              `alice`,
		`CORP\alice`:         `alice`,
		`corp\Alice`:         `alice`,
		`alice@example.com`:  `alice`,
		`alice@EXAMPLE.com.`: `alice`,
		`alice@corp`:         `alice`,
		`ａｌｉｃｅ＠ｅｘａｍｐｌｅ．ｃｏｍ`:                  `alice`, // typed with a Japanese input method
		`ＣＯＲＰ＼ａｌｉｃｅ`:                         `alice`,
		`alice@bücher.example`:               `alice`,
		`alice@xn--bcher-kva.example`:        `alice`,
		"alice@bu\u0308cher.example":         `alice`,
		`alice@evil.example`:                 `alice@evil.example`,
		`alice@example.com@evil.example`:     `alice@example.com@evil.example`,
		`alice@evil.example@example.com`:     `alice@evil.example@example.com`,
		`"alice@evil.example"@example.com`:   `"alice@evil.example"@example.com`,
		`"alice"@example.com`:                `"alice"@example.com`,
		`alice(x)@example.com`:               `alice(x)@example.com`,
		`<alice@example.com>`:                `<alice@example.com>`,
		`alice,bob@example.com`:              `alice,bob@example.com`,
		`alice@exаmple.com`:                  `alice@exаmple.com`, // a Cyrillic a
		`alice@sub.example.com`:              `alice@sub.example.com`,
		`alice@example.com.evil.example`:     `alice@example.com.evil.example`,
		`alice@evilexample.com`:              `alice@evilexample.com`,
		`CORP\alice@example.com`:             `corp\alice@example.com`,
		`CORP\CORP\alice`:                    `corp\corp\alice`,
		`@example.com`:                       `@example.com`,
		`CORP\`:                              `corp\`,
		`\alice`:                             `\alice`,
		`alice@`:                             `alice@`,
		`alice@..example.com`:                `alice@..example.com`,
		`alice@[192.0.2.1]`:                  `alice@[192.0.2.1]`,
		`alice@example.com:evil.example`:     `alice@example.com:evil.example`,
		`alice@` + "example\u00ad" + `.com`:  "",
		"alice@example.com\x00.evil.example": "",
		"alice@example.com\n@evil.example":   "",
		"alice\u200d@example.com":            "",
		"alice @example.com":                 "",
		`alice@example` + "\u2024" + `com`:   "",
	} {
		folded, err := sallyport.FoldName(typed)
		if want == "" {
			if !errors.Is(err, sallyport.ErrBadName) {
				t.Errorf("%q is a usable name: %q", typed, folded)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", typed, err)
			continue
		}
		if got := d.Cut(folded); got != want {
			t.Errorf("%q is cut to %q, want %q", typed, got, want)
		}
	}
}

func TestDomainsThatAreNone(t *testing.T) {
	for _, bad := range []string{"", " ", "@example.com", `CORP\`, "a..b", "a b", "\u202eexample.com", "bü\u00adcher.example", "."} {
		if _, err := identity.NewDomains([]string{"CORP", bad}); err == nil {
			t.Errorf("%q is taken for a domain", bad)
		}
	}
}

func TestTextReplacesWhatCouldForge(t *testing.T) {
	for in, want := range map[string]string{
		"Alice":                    "Alice",
		" 田中 花子\t":                 "田中 花子\uFFFD",
		"adm\x00ins":               "adm\uFFFDins",
		"x\r\nX-Sallyport-User: y": "x\uFFFD\uFFFDX-Sallyport-User: y",
		"a\xffb":                   "a\uFFFDb",
		"a\u0085b\u2028":           "a\uFFFDb\uFFFD",
	} {
		if got := identity.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTextCutsAtACharacter(t *testing.T) {
	long := make([]byte, 0, 3*identity.MaxText)
	for range identity.MaxText {
		long = append(long, "あ"...)
	}
	for cut := range 3 {
		got := identity.Text("abc"[:cut] + string(long))
		if len(got) > identity.MaxText || len(got) < identity.MaxText-3 || identity.Text(got) != got {
			t.Errorf("%d bytes, last %q", len(got), got[len(got)-3:])
		}
		for _, r := range got[cut:] {
			if r != 'あ' {
				t.Fatalf("a broken character %q in the middle", r)
			}
		}
	}
}
