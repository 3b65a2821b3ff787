// Package comments collects the comments of struct fields from Go sources, so
// that the manual and the schema say what the code says.
package comments

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Packages that hold parts of the routing file, below the module's root.
func packages() []string {
	return []string{
		"config", "challenge", "identity/ldap", "identity/local", "identity/oidc", "policy",
		"proxy", "proxy/upstream", "session", "store", "web",
	}
}

// Collect returns the comment of every field that has a `yaml` tag, by
// "package.Type.Field", where root is the module's folder. Such a field without
// a comment is an error.
func Collect(root string) (map[string]string, error) {
	out := map[string]string{}
	for _, pkg := range packages() {
		dir := filepath.Join(root, filepath.FromSlash(pkg))
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("collect comments: %w", err)
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
			if err := collectFile(filepath.Join(dir, e.Name()), pkg, out); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func collectFile(file, pkg string, out map[string]string) error {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return fmt.Errorf("collect comments: %w", err)
	}
	for _, decl := range f.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range g.Specs {
			t, ok := spec.(*ast.TypeSpec)
			if !ok || !t.Name.IsExported() {
				continue
			}
			if s, ok := t.Type.(*ast.StructType); ok {
				if err := collectStruct(s, pkg+"."+t.Name.Name, out); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func collectStruct(s *ast.StructType, name string, out map[string]string) error {
	for _, field := range s.Fields.List {
		if field.Tag == nil || !strings.Contains(field.Tag.Value, `yaml:"`) ||
			strings.Contains(field.Tag.Value, `yaml:"-"`) || strings.Contains(field.Tag.Value, ",inline") {
			continue
		}
		for _, n := range field.Names {
			text := strings.Join(strings.Fields(field.Doc.Text()), " ")
			if text == "" {
				return fmt.Errorf("%s.%s has no comment", path.Base(name), n.Name)
			}
			out[name+"."+n.Name] = text
		}
	}
	return nil
}
