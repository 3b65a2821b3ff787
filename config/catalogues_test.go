package config

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// An admin's catalogue need not be complete: what it lacks is listed, text by
// text, and shown in English.
func TestIncompleteCatalogue(t *testing.T) {
	dir := folder(t)
	with := func(list string) string { return good + "ui: {catalogues: " + list + ", language: fr}\n" }
	if got := warned(t, dir, with("[fr.toml]")); got != "" {
		t.Errorf("a complete catalogue is doubted:\n%s", got)
	}
	text := bytes.Replace(catalogue(t), []byte("\ncontinue = "), []byte("\n# continue = "), 1)
	write(t, filepath.Join(dir, "fr.toml"), text, os.FileMode(0o644))
	got := warned(t, dir, with("[fr.toml]"))
	for _, want := range []string{": " + filepath.Join(dir, "fr.toml") + " lacks a text, which pages show in English: web.continue\n", "catalogues: [fr.toml]", "add them"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
	// It belongs to what is watched, and is found beside the routing file.
	if files := mustLoad(t, dir, with("[fr.toml]")).Files(); !slices.Contains(files, filepath.Join(dir, "fr.toml")) {
		t.Errorf("a change of the catalogue would not be seen: %q", files)
	}
}

// The language of the pages may be one that an admin added, and no other.
func TestLanguageOfTheAdmin(t *testing.T) {
	dir := folder(t)
	if c := mustLoad(t, dir, good+"ui: {catalogues: [fr.toml], language: FR}\n"); c.UI.Language != "FR" {
		t.Errorf("language %q", c.UI.Language)
	}
	if _, err := loadIn(t, dir, good+"ui: {language: fr}\n"); err == nil || !strings.Contains(err.Error(), `the pages are not there in "fr"`) {
		t.Errorf("fr without a catalogue: %v", err)
	}
}
