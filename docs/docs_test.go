// Package docs holds the manual; its tests keep the manual true.
package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rows is how many rows each family of the threat model has.
var rows = map[string]int{"A": 8, "B": 6, "C": 9, "D": 16, "E": 11, "F": 5, "G": 6, "H": 6}

// Every row is there, names tests that exist or says "later", and those that this
// version must hold are not "later".
func TestThreatModelIsComplete(t *testing.T) {
	text, err := os.ReadFile("threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| ([A-H]\d+) \| (.+) \| (.+) \|$`)
	test := regexp.MustCompile("`([a-z0-9/.]+):((?:Test|Fuzz)\\w+)`")
	later := map[string]bool{"B5": true, "D8": true, "D10": true, "D11": true, "D12": true, "D13": true, "D14": true,
		"D15": true, "D16": true, "E9": true, "E11": true, "G6": true}
	seen := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		id, tests := m[1], m[3]
		if seen[id] {
			t.Errorf("%s stands there twice", id)
		}
		seen[id] = true
		found := test.FindAllStringSubmatch(tests, -1)
		if len(found) == 0 && !strings.HasPrefix(tests, "later") {
			t.Errorf("%s names no test", id)
		}
		if strings.HasPrefix(tests, "later") && !later[id] {
			t.Errorf("%s is put off, and must not be", id)
		}
		for _, f := range found {
			if !exists(t, f[1], f[2]) {
				t.Errorf("%s: there is no %s in %s", id, f[2], f[1])
			}
		}
	}
	for family, n := range rows {
		for i := 1; i <= n; i++ {
			if id := fmt.Sprint(family, i); !seen[id] {
				t.Errorf("row %s is missing", id)
			}
		}
	}
}

// exists reports whether a package folder has a test of that name.
func exists(t *testing.T, folder, name string) bool {
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}

// Links between documents lead somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	for _, pattern := range []string{"*.md", "../*.md", "../examples/*/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range link.FindAllStringSubmatch(string(text), -1) {
				if strings.Contains(m[1], "://") {
					continue
				}
				if _, err := os.Stat(filepath.Join(filepath.Dir(f), m[1])); err != nil {
					t.Errorf("%s: the link to %s leads nowhere", f, m[1])
				}
			}
		}
	}
}
