package archtest

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// module is the import path of the module's root.
const module = "sallyport"

// source is one parsed Go file.
type source struct {
	name      string // relative to the root, with slashes
	test      bool   // *_test.go
	generated bool
	lines     int
	fset      *token.FileSet
	syntax    *ast.File
}

// pkg is a folder with Go files. Its path is relative to the root, "." for the
// root itself.
type pkg struct {
	path  string
	files []source
}

// load parses every Go file of the module below root.
func load(t *testing.T, root string) map[string]*pkg {
	t.Helper()
	pkgs := map[string]*pkg{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			if rel != "." && skipDir(name, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		src, err := parse(rel, text)
		if err != nil {
			return err
		}
		dir := path.Dir(rel)
		if pkgs[dir] == nil {
			pkgs[dir] = &pkg{path: dir}
		}
		pkgs[dir].files = append(pkgs[dir].files, src)
		return nil
	})
	if err != nil {
		t.Fatalf("read the module: %v", err)
	}
	return pkgs
}

// skipDir leaves out what the go command leaves out too: hidden folders, test
// data and other modules; and the folders of npm.
func skipDir(dir, name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules" {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return !errors.Is(err, fs.ErrNotExist)
}

func parse(name string, text []byte) (source, error) {
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	return source{
		name:      name,
		test:      strings.HasSuffix(name, "_test.go"),
		generated: ast.IsGenerated(syntax),
		lines:     strings.Count(string(text), "\n"),
		fset:      fset,
		syntax:    syntax,
	}, nil
}

// at says where a node stands, as file:line.
func (s source) at(pos token.Pos) string {
	return s.name + ":" + strconv.Itoa(s.fset.Position(pos).Line)
}

// imports returns the packages of this module that the file imports.
func (s source) imports() []string {
	var inside []string
	for _, spec := range s.syntax.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		if name == module {
			inside = append(inside, ".")
		} else if rest, ok := strings.CutPrefix(name, module+"/"); ok {
			inside = append(inside, rest)
		}
	}
	return inside
}

// production returns the files that are compiled into the program: no tests,
// and none of the packages that exist for tests.
func production(pkgs map[string]*pkg) map[string]*pkg {
	kept := map[string]*pkg{}
	for name, p := range pkgs {
		if forTests(name) {
			continue
		}
		q := &pkg{path: name}
		for _, f := range p.files {
			if !f.test {
				q.files = append(q.files, f)
			}
		}
		if len(q.files) > 0 {
			kept[name] = q
		}
	}
	return kept
}

// forTests tells packages that only tests import, such as store/storetest.
func forTests(name string) bool {
	return strings.HasSuffix(name, "test") || name == "internal/parts"
}
