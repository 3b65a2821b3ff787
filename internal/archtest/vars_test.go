package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// constantCalls make values that cannot be changed afterwards, or that the
// standard library lets everybody share.
var constantCalls = []string{
	"errors.New", "fmt.Errorf",
	"regexp.MustCompile", "template.Must", "strings.NewReplacer",
	"netip.MustParseAddr", "netip.MustParsePrefix", "netip.PrefixFrom", "netip.AddrFrom4",
	"language.MustParse", "language.NewMatcher", "reflect.TypeFor", "time.Date",
	"base32.NewEncoding", "base32.StdEncoding.WithPadding", "base64.NewEncoding",
}

func TestNoMutablePackageVariables(t *testing.T) {
	for _, p := range production(load(t, "../..")) {
		for _, fault := range mutableVars(p) {
			t.Error(fault)
		}
	}
}

// mutableVars finds package variables that are not constants in disguise:
// errors, embedded files, compiled patterns, and tables that nobody changes.
func mutableVars(p *pkg) []string {
	var faults []string
	tables := map[string]string{} // name to place
	for _, f := range p.files {
		for _, decl := range f.syntax.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				faults = append(faults, checkVar(f, gen, spec.(*ast.ValueSpec), tables)...)
			}
		}
	}
	for _, f := range p.files {
		faults = append(faults, changesOf(f, tables)...)
	}
	return faults
}

func checkVar(f source, gen *ast.GenDecl, spec *ast.ValueSpec, tables map[string]string) []string {
	if embeds(gen.Doc) || embeds(spec.Doc) {
		return nil
	}
	var faults []string
	for i, name := range spec.Names {
		if name.Name == "_" {
			continue
		}
		where := f.at(name.Pos())
		switch {
		case len(spec.Values) != len(spec.Names):
			faults = append(faults, where+": "+name.Name+" has no value, so somebody will give it one: hand it in instead")
		case !constant(spec.Values[i]):
			faults = append(faults, where+": "+name.Name+" is a mutable package variable: hand it in instead")
		default:
			tables[name.Name] = where
		}
	}
	return faults
}

func embeds(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
}

// constant tells whether an initial value is one that could be a constant if Go
// had constants of its type.
func constant(value ast.Expr) bool {
	switch v := value.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return v.Name != "nil"
	case *ast.SelectorExpr:
		return false // most often a function of another package, as a seam for tests
	case *ast.ParenExpr:
		return constant(v.X)
	case *ast.UnaryExpr:
		return v.Op != token.AND && constant(v.X)
	case *ast.BinaryExpr:
		return true
	case *ast.CompositeLit:
		name := dotted(v.Type)
		return !strings.HasPrefix(name, "sync.") && !strings.HasPrefix(name, "atomic.")
	case *ast.CallExpr:
		if array, ok := v.Fun.(*ast.ArrayType); ok {
			return array.Len == nil // []byte("text")
		}
		return slices.Contains(constantCalls, dotted(v.Fun))
	}
	return false
}

// dotted spells a.b.c.
func dotted(e ast.Expr) string {
	switch v := e.(type) {
	case *ast.Ident:
		return v.Name
	case *ast.SelectorExpr:
		return dotted(v.X) + "." + v.Sel.Name
	}
	return ""
}

// changesOf finds assignments to the tables, to their parts, and addresses taken
// of them. A function with a local variable of the same name is believed to mean
// that one.
func changesOf(f source, tables map[string]string) []string {
	var faults []string
	for _, decl := range f.syntax.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		locals := localNames(fn)
		report := func(e ast.Expr) {
			name := base(e)
			if place, isTable := tables[name]; isTable && !locals[name] {
				faults = append(faults, f.at(e.Pos())+": "+name+" of "+place+" is changed; package variables are constants here")
			}
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, left := range n.Lhs {
						report(left)
					}
				}
			case *ast.IncDecStmt:
				report(n.X)
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					report(n.X)
				}
			case *ast.CallExpr:
				if name := dotted(n.Fun); (name == "delete" || name == "clear") && len(n.Args) > 0 {
					report(n.Args[0])
				}
			}
			return true
		})
	}
	return faults
}

// base returns the variable at the bottom of x.y[i].
func base(e ast.Expr) string {
	switch v := e.(type) {
	case *ast.Ident:
		return v.Name
	case *ast.IndexExpr:
		return base(v.X)
	case *ast.SelectorExpr:
		return base(v.X)
	case *ast.ParenExpr:
		return base(v.X)
	case *ast.StarExpr:
		return base(v.X)
	}
	return ""
}

// localNames collects what a function declares: parameters, results, receivers,
// variables.
func localNames(fn *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	add := func(e ast.Expr) {
		if id, ok := e.(*ast.Ident); ok {
			names[id.Name] = true
		}
	}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				add(name)
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, left := range n.Lhs {
					add(left)
				}
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				add(n.Key)
				add(n.Value)
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				add(name)
			}
		}
		return true
	})
	return names
}

func TestMutableVarsFindsFaults(t *testing.T) {
	for text, want := range map[string]int{
		`var Err = errors.New("x")`:                                         0,
		`var re = regexp.MustCompile("x")`:                                  0,
		`var _ fmt.Stringer = T{}`:                                          0,
		"//go:embed x\nvar files embed.FS":                                  0,
		"var (\n//go:embed x\nfiles embed.FS\n)":                            0,
		`var table = map[string]int{"a": 1}`:                                0,
		`var list = []string{"a"}; func f() { list := list; list[0] = "" }`: 0,
		`var prefix = []byte("x")`:                                          0,
		`var count int`:                                                     1,
		`var mu sync.Mutex`:                                                 1,
		`var pool = sync.Pool{}`:                                            1,
		`var now = time.Now`:                                                1,
		`var client = &http.Client{}`:                                       1,
		`var hook = func() {}`:                                              1,
		`var cache = map[string]int{}; func f() { cache["a"] = 1 }`:         1,
		`var n = 1; func f() { n++ }`:                                       1,
		`var n = 1; func f() *int { return &n }`:                            1,
		`var m = map[string]int{}; func f() { delete(m, "a") }`:             1,
		`var o = T{}; func f() { o.x = 1 }`:                                 1,
		`var s = make(map[string]int)`:                                      1,
	} {
		p := &pkg{files: []source{mustParse(t, "p.go", "package p\n"+text+"\n")}}
		if got := mutableVars(p); len(got) != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
