package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzLoad: whatever the bytes, the reader ends without a panic, gives a Config
// or faults and never both, and each fault stands inside the file.
func FuzzLoad(f *testing.F) {
	dir := folder(f)
	for _, pattern := range []string{"testdata/example/*.yaml", "testdata/bad/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			f.Add(mustRead(f, name))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := load("f.yaml", filepath.Join(dir, "f.yaml"), text, testEnv)
		if err == nil {
			shown, err := c.YAML()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(shown), "hunter2") && !strings.Contains(string(text), "hunter2") && !strings.Contains(string(text), "SECRET") {
				t.Fatalf("a secret is shown:\n%s", shown)
			}
			return
		}
		errs, ok := errors.AsType[Errors](err)
		if !ok || c != nil || len(errs) == 0 {
			t.Fatalf("%v, %v", c, err)
		}
		lines := strings.Split(strings.ReplaceAll(strings.TrimPrefix(string(text), "\uFEFF"), "\r\n", "\n"), "\n")
		for _, e := range errs {
			if e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > len([]rune(lines[e.Line-1]))+1 || e.Length < 1 || e.Msg == "" {
				t.Fatalf("a fault outside the file: %+v", e)
			}
		}
		if out := errs.Render(); utf8.Valid(text) && !utf8.ValidString(out) {
			t.Fatalf("%q", out)
		}
	})
}
