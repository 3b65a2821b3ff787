package web_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sallyport"
	"sallyport/web"
)

var update = flag.Bool("update", false, "write docs/errors.md")

const document = "../docs/errors.md"

func TestErrorsDocumentIsCurrent(t *testing.T) {
	want, err := newUI(t, web.Config{}, "").ErrorsDocument()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(document, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil || !bytes.Equal(bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")), want) {
		t.Errorf("docs/errors.md is stale (%v); run: go test ./web -update", err)
	}
}

// TestEveryCodeIsDescribed reads the codes from the source of the root package,
// so that a new one cannot be forgotten.
func TestEveryCodeIsDescribed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../code.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []sallyport.Code
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, err := strconv.Unquote(lit.Value)
			if err == nil && strings.HasPrefix(s, "SP-") {
				codes = append(codes, sallyport.Code(s))
			}
		}
		return true
	})
	if len(codes) < 40 {
		t.Fatalf("only %d codes found in code.go", len(codes))
	}
	described := web.ErrorCodes()
	for _, c := range codes {
		if !slices.Contains(described, c) {
			t.Errorf("%s is not in web/errordocs.go", c)
		}
	}
	for _, c := range described {
		if !slices.Contains(codes, c) {
			t.Errorf("%s is described, but code.go does not have it", c)
		}
	}
	if !slices.IsSorted(described) {
		t.Error("the codes are not in order")
	}
	doc, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range codes {
		if n := bytes.Count(doc, []byte("\n### "+string(c)+":")); n != 1 {
			t.Errorf("%s has %d headings in docs/errors.md", c, n)
		}
	}
}
