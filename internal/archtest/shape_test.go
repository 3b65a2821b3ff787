package archtest

import (
	"go/ast"
	"strings"
	"testing"
)

const (
	maxFileLines     = 500
	maxFunctionLines = 80
)

func TestEveryPackageHasAComment(t *testing.T) {
	for name, p := range load(t, "../..") {
		var comment, files string
		for _, f := range p.files {
			if f.test {
				continue
			}
			files = f.name
			if f.syntax.Doc != nil {
				comment = f.syntax.Doc.Text()
			}
			if want := "Package " + f.syntax.Name.Name + " "; f.syntax.Name.Name != "main" && comment != "" && !strings.HasPrefix(comment, want) {
				t.Errorf("%s: the package comment does not begin with %q", f.name, want)
			}
		}
		if files != "" && strings.TrimSpace(comment) == "" {
			t.Errorf("%s has no package comment", name)
		}
	}
}

func TestFilesAndFunctionsStaySmall(t *testing.T) {
	eachFile(t, false, func(f source) []string {
		if f.generated {
			return nil
		}
		return tooLong(f)
	})
}

func TestNoInit(t *testing.T) {
	eachFile(t, false, initFunctions)
}

func TestNoSleepInTests(t *testing.T) {
	eachFile(t, true, sleeps)
}

// eachFile reports the faults that check finds in the files of the program, or
// in those of the tests.
func eachFile(t *testing.T, tests bool, check func(source) []string) {
	t.Helper()
	for name, p := range load(t, "../..") {
		for _, f := range p.files {
			if (f.test || tests && forTests(name)) != tests {
				continue
			}
			for _, fault := range check(f) {
				t.Error(fault)
			}
		}
	}
}

func tooLong(f source) []string {
	var faults []string
	if f.lines > maxFileLines {
		faults = append(faults, f.name+": the file is longer than 500 lines")
	}
	for _, decl := range f.syntax.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1; n > maxFunctionLines {
			faults = append(faults, f.at(fn.Pos())+": "+fn.Name.Name+" is longer than 80 lines")
		}
	}
	return faults
}

func initFunctions(f source) []string {
	var faults []string
	for _, decl := range f.syntax.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			faults = append(faults, f.at(fn.Pos())+": init runs behind everybody's back; call a function instead")
		}
	}
	return faults
}

// sleeps finds time.Sleep: it makes a test slow and, on a busy machine, wrong.
func sleeps(f source) []string {
	var faults []string
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
				faults = append(faults, f.at(n.Pos())+": time.Sleep in a test; wait for what the test waits for")
			}
		}
		return true
	})
	return faults
}

func mustParse(t *testing.T, name, text string) source {
	t.Helper()
	f, err := parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestShapeChecksFindFaults(t *testing.T) {
	long := "package p\nfunc f() {\n" + strings.Repeat("\t_ = 1\n", 79) + "}\n"
	for name, c := range map[string]struct {
		check func(source) []string
		text  string
		want  int
	}{
		"81 lines":   {tooLong, long, 1},
		"80 lines":   {tooLong, strings.Replace(long, "\t_ = 1\n", "", 1), 0},
		"500 lines":  {tooLong, "package p\n" + strings.Repeat("\n", 499), 0},
		"501 lines":  {tooLong, "package p\n" + strings.Repeat("\n", 500), 1},
		"init":       {initFunctions, "package p\nfunc init() {}\n", 1},
		"method":     {initFunctions, "package p\ntype t int\nfunc (t) init() {}\n", 0},
		"sleep":      {sleeps, "package p\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", 1},
		"sleep twin": {sleeps, "package p\nfunc f() { clock.Sleep(1) }\n", 0},
	} {
		if got := c.check(mustParse(t, "p.go", c.text)); len(got) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
