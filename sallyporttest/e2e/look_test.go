package e2e_test

import (
	"fmt"
	"github.com/BurntSushi/toml"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/parts"
)

// codeStep is more than the life of a code, which works once.
const codeStep = 31 * time.Second

// look judges a page of ours: its style and pictures are there, no sideways
// scrolling, the standard autocomplete values, no English on a Japanese page, and
// nothing that axe-core finds at the width at which the person works. It keeps
// pictures of both widths, and of some pages in dark colours.
func (p *person) look(name string) {
	p.t.Helper()
	p.fields(name)
	p.language(name)
	if eval[bool](p, "getComputedStyle(document.body).display !== 'flex' || [...document.images].some(i => !i.naturalWidth)") {
		p.t.Errorf("%s (%s): the style sheet or a picture is missing", name, p.lang)
	}
	p.axe(name)
	if p.lang == "en" && slices.Contains(darkPages(), name) {
		p.media("", "dark")
		p.axe(name + ", dark")
		p.b.Screenshot(p.ctx, fmt.Sprintf("e2e/%s-%s-dark", name, p.lang))
		p.media("", "light")
	}
	for _, v := range []view{phone, desk} {
		if v != p.work {
			p.resize(v)
		}
		if w := eval[int](p, "document.scrollingElement.scrollWidth"); int64(w) > v.width {
			p.t.Errorf("%s (%s): %d px wide in a window of %d", name, p.lang, w, v.width)
		}
		eval[bool](p, "(scrollTo(0, 0), new Promise(r => requestAnimationFrame(() => r(true))))") // what is out of sight may stay unpainted
		p.b.Screenshot(p.ctx, fmt.Sprintf("e2e/%s-%s-%d", name, p.lang, v.width))
		p.resize(p.work)
	}
}

// darkPages are looked at in dark colours: together they hold every part of a page.
func darkPages() []string {
	return []string{"sign-in-wrong", "register-key", "recovery-codes", "registered", "verify-wrong", "locked",
		"security-info-edit", "security-info-last", "error-denied", "error-upstream-down-502"}
}

func (p *person) axe(name string) {
	p.t.Helper()
	found, err := p.b.Axe(p.ctx)
	if err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	for _, v := range found {
		p.t.Errorf("%s (%s): %s", name, p.lang, v)
	}
}

// fields holds every field that can be seen against the values that password
// managers and keyboards know.
func (p *person) fields(name string) {
	p.t.Helper()
	type field struct{ Name, Autocomplete, Type string }
	want := map[string]string{"username": "username", "password": "current-password", "code": "one-time-code", "name": "off"}
	for _, f := range eval[[]field](p, `[...document.querySelectorAll("input:not([type=hidden],[type=checkbox],[type=radio])")]
		.map(i => ({Name: i.name, Autocomplete: i.autocomplete, Type: i.type}))`) {
		if w, ok := want[f.Name]; !ok || f.Autocomplete != w {
			p.t.Errorf("%s: field %q has autocomplete %q, want %q", name, f.Name, f.Autocomplete, w)
		}
	}
}

// pageTexts are all that a person reads or hears: text, names for screen readers,
// what stands in buttons and fields by default, the title.
const pageTexts = `(() => {
	const out = [document.title];
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		if (!walk.currentNode.parentElement.closest("script,style,[lang=en]:not(html)")) out.push(walk.currentNode.data);
	}
	for (const e of document.querySelectorAll("[aria-label],[title],[placeholder],[alt],[data-copy-label],[data-copied-label],input[value]:not([type=hidden])")) {
		for (const a of ["aria-label", "title", "placeholder", "alt", "data-copy-label", "data-copied-label", "value"])
			if (e.hasAttribute(a)) out.push(e.getAttribute(a));
	}
	return out.map(s => s.trim()).filter(s => s);
})()`

// language fails where a Japanese page speaks English, or shows a key.
func (p *person) language(name string) {
	p.t.Helper()
	if got := eval[string](p, "document.documentElement.lang"); got != p.lang {
		p.t.Errorf("%s: the page says its language is %q, want %q", name, got, p.lang)
	}
	key := regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)+$|<no value>|\{\{`)
	for _, s := range eval[[]string](p, pageTexts) {
		if key.MatchString(s) {
			p.t.Errorf("%s (%s): a text is missing: %q", name, p.lang, s)
		}
		if p.lang != "en" {
			if e := englishIn(p.english, s); e != "" {
				p.t.Errorf("%s (%s): %q is English (%q of the catalogue)", name, p.lang, s, e)
			}
		}
	}
}

// englishIn returns the text of the English catalogue that s is, or holds.
func englishIn(english []string, s string) string {
	for _, e := range english {
		if s == e || len(e) >= 12 && strings.Contains(e, " ") && strings.Contains(s, e) {
			return e
		}
	}
	return ""
}

// english returns the pieces of text of the English catalogues between
// placeholders, without those that the Japanese ones share.
func english(t *testing.T) []string {
	t.Helper()
	en, ja := catalogue(t, "en"), catalogue(t, "ja")
	if len(en) < 200 || len(ja) < 200 {
		t.Fatalf("only %d English and %d Japanese texts were found", len(en), len(ja))
	}
	placeholder := regexp.MustCompile(`\{\{[^}]*\}\}`)
	var out []string
	for _, s := range en {
		if slices.Contains(ja, s) || s == "English" {
			continue
		}
		for _, piece := range placeholder.Split(s, -1) {
			if piece = strings.TrimSpace(piece); len(piece) > 2 {
				out = append(out, piece)
			}
		}
	}
	return out
}

// catalogue returns all texts of a language, of all packages.
func catalogue(t *testing.T, lang string) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"*/catalog/", "*/*/catalog/"} {
		files, err := filepath.Glob(filepath.Join(parts.Root(t), filepath.FromSlash(pattern+lang+".toml")))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var tree any
			if err := toml.Unmarshal(data, &tree); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			out = append(out, leaves(tree)...)
		}
	}
	return out
}

func leaves(v any) []string {
	var out []string
	switch v := v.(type) {
	case string:
		out = append(out, v)
	case map[string]any:
		for _, c := range v {
			out = append(out, leaves(c)...)
		}
	}
	return out
}
