package webtest

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// The checkers find what they are there for: otherwise every test that uses them
// would pass for nothing.
func TestCheckersFindFaults(t *testing.T) {
	source := fstest.MapFS{
		"catalog/en.toml": {Data: []byte("[a]\nok = \"Fine {{.N}}\"\nmissing = \"x\"\nsame = \"Same\"\nholes = \"{{.A}}\"\nempty = \"y\"\nname = \"QR\"")},
		"catalog/ja.toml": {Data: []byte("[a]\nok = \"よい{{.N}}\"\nsame = \"Same\"\nholes = \"{{.B}}\"\nempty = \" \"\nname = \"QR\"\nextra = \"z\"")},
	}
	got := strings.Join(catalogueFaults(t, source, []string{"a.name"}), "\n")
	for _, want := range []string{"ja lacks a.missing", "a.same is the English", "a.holes has other placeholders", "a.empty is empty", "ja has a.extra"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Count(got, "\n") != 4 {
		t.Errorf("more than the five faults:\n%s", got)
	}
	if len(catalogueFaults(t, fstest.MapFS{}, nil)) == 0 {
		t.Error("no catalogues, no fault")
	}
}

func TestUntranslatedTextIsFound(t *testing.T) {
	page := `<html lang="ja"><p>日本語 <b>Sign out</b> SP-1001</p><i lang="en">English</i><img alt="Alternative"><script>code()</script>Alice</html>`
	if got := untranslated(t, page, []string{"Alice"}); !slices.Equal(got, []string{"Sign", "out", "Alternative"}) {
		t.Errorf("found %q", got)
	}
}

func TestMarkupIsFound(t *testing.T) {
	for _, page := range []string{`<evil>`, `<p onclick="x">`, `<a href=" JavaScript:x">`, `<p style="x">`, `<script>x</script>`, `<script src="https://a.example/x.js"></script>`, `<style></style>`} {
		if len(markup(t, page)) == 0 {
			t.Errorf("%s passed", page)
		}
	}
	if got := markup(t, `<p class="x">&lt;evil&gt;</p><script src="/.sallyport/assets/x/app.js"></script>`); len(got) != 0 {
		t.Errorf("found %q", got)
	}
}
