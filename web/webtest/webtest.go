// Package webtest checks catalogues and drawn pages in the tests of every package
// that has some.
package webtest

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/net/html"
	"golang.org/x/text/language"

	"sallyport/web"
)

var placeholder = regexp.MustCompile(`{{[^}]*}}`)

// Catalogues fails the test when the catalogues of a source have not the same
// keys with the same placeholders, when a text is empty, or when a text of another
// language equals the English one. Keys in same may be equal.
func Catalogues(t *testing.T, source fs.FS, same ...string) {
	t.Helper()
	for _, fault := range catalogueFaults(t, source, same) {
		t.Error(fault)
	}
}

func catalogueFaults(t *testing.T, source fs.FS, same []string) []string {
	t.Helper()
	texts := map[string]map[string]string{} // language, key, text
	files, err := fs.Glob(source, "catalog/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		texts[strings.TrimSuffix(path.Base(f), ".toml")] = read(t, source, f)
	}
	if texts["en"] == nil || texts["ja"] == nil {
		return []string{"there must be catalog/en.toml and catalog/ja.toml"}
	}
	var faults []string
	for lang, got := range texts {
		for key, en := range texts["en"] {
			text, ok := got[key]
			switch {
			case !ok:
				faults = append(faults, fmt.Sprintf("%s lacks %s", lang, key))
			case strings.TrimSpace(text) == "":
				faults = append(faults, fmt.Sprintf("%s: %s is empty", lang, key))
			case lang != "en" && text == en && !slices.Contains(same, key):
				faults = append(faults, fmt.Sprintf("%s: %s is the English text", lang, key))
			case placeholders(text) != placeholders(en):
				faults = append(faults, fmt.Sprintf("%s: %s has other placeholders than English", lang, key))
			}
		}
		for key := range got {
			if _, ok := texts["en"][key]; !ok {
				faults = append(faults, fmt.Sprintf("%s has %s, which English lacks", lang, key))
			}
		}
	}
	return faults
}

// placeholders are the {{…}} of a text, sorted.
func placeholders(text string) string {
	found := placeholder.FindAllString(text, -1)
	slices.Sort(found)
	return strings.Join(found, " ")
}

// read returns the texts of a catalogue; of a plural its "other" form, which every
// language has.
func read(t *testing.T, source fs.FS, file string) map[string]string {
	t.Helper()
	b, err := fs.ReadFile(source, file)
	if err != nil {
		t.Fatal(err)
	}
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	mf, err := bundle.ParseMessageFileBytes(b, path.Base(file))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	out := map[string]string{}
	for _, m := range mf.Messages {
		out[m.ID] = m.Other
	}
	return out
}

// latin are words of a text in Latin letters.
var latin = regexp.MustCompile(`\p{Latin}[\p{Latin}’'-]+`)

// Japanese fails the test when a drawn Japanese page has text that was not
// translated: words in Latin letters that are not among the allowed ones. Allowed
// texts (names and addresses put in by the test) are cut out first. Text in
// elements with another lang attribute, and codes such as SP-1001, are left out.
func Japanese(t *testing.T, page string, allowed ...string) {
	t.Helper()
	words := untranslated(t, page, append(allowed, "QR", "ID", "Cookie", "UTC", "Sallyport"))
	if len(words) > 0 {
		t.Errorf("not translated: %q", words)
	}
}

func untranslated(t *testing.T, page string, allowed []string) []string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	look := func(text string) {
		for _, a := range allowed {
			if a != "" {
				text = strings.ReplaceAll(text, a, " ")
			}
		}
		text = regexp.MustCompile(`SP-\d{4}`).ReplaceAllString(text, " ")
		found = append(found, latin.FindAllString(text, -1)...)
	}
	var visit func(*html.Node)
	visit = func(n *html.Node) {
		if n.Type == html.TextNode {
			look(n.Data)
		}
		if n.Type == html.ElementNode {
			if n.Data == "style" || n.Data == "script" {
				return
			}
			for _, a := range n.Attr {
				switch a.Key {
				case "lang":
					if n.Data != "html" && a.Val != "ja" {
						return
					}
				case "aria-label", "title", "alt", "placeholder", "data-copy-label", "data-copied-label", "data-label":
					look(a.Val)
				}
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			visit(c)
		}
	}
	visit(doc)
	return found
}

// Inert fails the test when something that a user typed came into a page as
// markup: a script of no address of ours, an event attribute, a style attribute,
// an element named evil, or an address with a scheme that runs code.
func Inert(t *testing.T, page string) {
	t.Helper()
	for _, fault := range markup(t, page) {
		t.Error(fault)
	}
}

func markup(t *testing.T, page string) []string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var faults []string
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "evil" {
			faults = append(faults, "typed text became the element <evil>")
		}
		src := ""
		for _, a := range n.Attr {
			if a.Key == "src" {
				src = a.Val
			}
			value := strings.ToLower(strings.TrimSpace(a.Val))
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "evil" ||
				(a.Key == "href" || a.Key == "src" || a.Key == "action") && strings.HasPrefix(value, "javascript:") {
				faults = append(faults, fmt.Sprintf("<%s> has %s=%q", n.Data, a.Key, a.Val))
			}
		}
		if n.Data == "script" && !strings.HasPrefix(src, web.AssetsPath) || n.Data == "style" {
			faults = append(faults, fmt.Sprintf("inline <%s>", n.Data))
		}
	}
	return faults
}

// Hostile are names that a user, a directory or a provider could send.
func Hostile() []string {
	return []string{
		`<script>alert(1)</script>`,
		`"><evil evil="1">`,
		`' onmouseover='alert(1)`,
		`" autofocus onfocus="alert(1)`,
		`</title><script>alert(1)</script>`,
		`</textarea></style></script><evil>`,
		`javascript:alert(1)`,
		`{{.}}{{t "web.copy"}}`,
		"<evil\x00>", "\u202ekcatta", `<!--`, `]]>`, `&lt;evil&gt;<evil>`,
	}
}
