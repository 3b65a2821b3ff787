// Package examples holds runnable set-ups; this test loads each of their routing
// files, so that none of them goes stale.
package examples

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sallyport/config"
	"sallyport/internal/seal"
)

func TestRoutingFilesLoad(t *testing.T) {
	found := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) != "sallyport.yaml" {
			return err
		}
		found++
		t.Run(path, func(t *testing.T) { load(t, path) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 4 {
		t.Errorf("%d routing files among the examples, want at least 4", found)
	}
}

// load loads a copy of the file whose paths lead into a temporary folder: the
// folders that it names belong to the machine it is meant for.
func load(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	local := regexp.MustCompile(`/(var/lib/sallyport|run/secrets|etc/sallyport)/`).ReplaceAllString(string(text), "")
	for _, key := range regexp.MustCompile(`master_key_file: *(\S+)`).FindAllStringSubmatch(local, -1) {
		if err := os.WriteFile(filepath.Join(dir, key[1]), seal.Generate(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "sallyport.yaml")
	if err := os.WriteFile(file, []byte(local), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(file, func(string) (string, bool) { return "", false }); err != nil {
		t.Errorf("%s does not load:\n%v", path, strings.ReplaceAll(err.Error(), dir, ""))
	}
}
