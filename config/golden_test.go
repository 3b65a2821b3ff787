package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadFiles compares what is said of every kind of mistake, position and hint
// included, with testdata/bad. `go test ./config -run BadFiles -update` writes
// the expected texts anew; read the difference.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d bad files, %v", len(files), err)
	}
	dir := folder(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := loadIn(t, dir, string(text))
			errs, ok := errors.AsType[Errors](err)
			if !ok || c != nil || len(errs) == 0 {
				t.Fatalf("loaded: %v, %v", c, err)
			}
			for _, e := range errs {
				if e.Hint == "" && !strings.Contains(e.Msg, "did you mean") || e.Line > 0 && (e.Column == 0 || e.File == "") {
					t.Errorf("no suggestion or no place: %+v", e)
				}
			}
			got := strings.ReplaceAll(errs.Render(), dir, "DIR")
			if strings.Contains(got, "hunter2") { // H4
				t.Errorf("a secret is shown:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

var update = flag.Bool("update", false, "write testdata/bad/*.txt")
