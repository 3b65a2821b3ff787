package parts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

const installHint = "scripts/install-test-parts.sh"

// Need ends the test because what is missing, and hint says how to get it.
// With CI=true the test fails, otherwise it is skipped. When the environment
// variable SALLYPORT_SKIPS names a file, a line about the skip is added to it,
// because go test does not show skips unless asked: make test prints that file.
func Need(t testing.TB, what, hint string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and CI must not skip: %s", what, hint)
	}
	noteSkip(t, what, hint)
	t.Skipf("SKIPPED: %s is missing. To install it: %s", what, hint)
}

func noteSkip(t testing.TB, what, hint string) {
	t.Helper()
	name := os.Getenv("SALLYPORT_SKIPS")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Logf("the skip could not be noted: %v", err)
		return
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s: %s is missing: %s\n", t.Name(), what, hint); err != nil {
		t.Logf("the skip could not be noted: %v", err)
	}
}

// Root returns the folder of the repository, found by its go.mod above the
// source file of this package.
func Root(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("the source files of this test cannot be found")
	}
	dir := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("no go.mod in %s: the tests were built with -trimpath or moved: %v", dir, err)
	}
	return dir
}

// needProgram returns the path of the first of names that is installed. Debian
// keeps servers in /usr/sbin, which is not on everybody's PATH.
func needProgram(t testing.TB, hint string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path
			}
		}
	}
	Need(t, names[0], hint)
	return ""
}
