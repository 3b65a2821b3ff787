package web_test

import (
	"os"
	"testing"

	"sallyport/web"
	"sallyport/web/webtest"
)

func TestCataloguesAreComplete(t *testing.T) {
	webtest.Catalogues(t, os.DirFS("."), "web.error.window")
}

func TestCatalogueReader(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want map[string]any // nil: refused
	}{
		"flat":              {"a = \"x\" # why", map[string]any{"a": "x"}},
		"dotted and quoted": {`a."b c".'d' = 'y\n'`, map[string]any{"a": map[string]any{"b c": map[string]any{"d": `y\n`}}}},
		"table":             {"[t.u]\nk = \"v\"", map[string]any{"t": map[string]any{"u": map[string]any{"k": "v"}}}},
		"escapes":           {`a = "1\n\"\u3042"`, map[string]any{"a": "1\n\"あ"}},
		"hash in a text":    {`a = "b # c"`, map[string]any{"a": "b # c"}},
		"long":              {"a = \"\"\"\none\ntwo\"\"\"\nb = \"\"", map[string]any{"a": "one\ntwo", "b": ""}},
		"CRLF":              {"a = \"x\"\r\nb = \"y\"\r\n", map[string]any{"a": "x", "b": "y"}},
		"twice":             {"a = \"x\"\na = \"y\"", nil},
		"table over text":   {"a = \"x\"\n[a]\nb = \"y\"", nil},
		"no quotes":         {"a = x", nil},
		"number":            {"a = 1", nil},
		"array":             {"a = [\"x\"]", nil},
		"open text":         {"a = \"x", nil},
		"open long text":    {"a = \"\"\"x", nil},
		"open table":        {"[a", nil},
		"array of tables":   {"[[a]]", nil},
		"after the text":    {"a = \"x\" b = \"y\"", nil},
		"no key":            {"= \"x\"", nil},
		"no text":           {"a =", nil},
		"bad escape":        {`a = "\q"`, nil},
	} {
		var got any
		err := web.UnmarshalCatalogue([]byte(c.text), &got)
		if c.want == nil {
			if err == nil {
				t.Errorf("%s: read as %v, want an error", name, got)
			}
			continue
		}
		if err != nil || !equal(got, c.want) {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, c.want)
		}
	}
}

func FuzzCatalogueReader(f *testing.F) {
	for _, s := range []string{"a = \"x\"", "[t.'u']\nk = '''", "a.b = \"\"\"\n\"\"\"", "[", "a=\"\\u00\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var v any
		if err := web.UnmarshalCatalogue([]byte(s), &v); err == nil {
			if _, ok := v.(map[string]any); !ok {
				t.Fatalf("read as %T", v)
			}
		}
	})
}
