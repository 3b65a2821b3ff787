package local

import (
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"
	"testing"
)

// The bundled list is what the check needs: large, in lower case, sorted, whole.
func TestCommonPasswordsList(t *testing.T) {
	r, err := gzip.NewReader(bytes.NewReader(commonPasswords))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	long := 0
	for _, l := range lines {
		if len(l) >= defaultMinLength {
			long++
		}
		if l != strings.ToLower(l) || l == "" {
			t.Errorf("%q", l)
		}
	}
	if len(lines) < 10_000 || long < 10_000 || !slices.IsSorted(lines) {
		t.Errorf("%d passwords, %d of a length that is allowed at all", len(lines), long)
	}
	for _, i := range []int{0, len(lines) / 2, len(lines) - 1} {
		if !common(lines[i]) {
			t.Errorf("%q, line %d, is not found", lines[i], i)
		}
	}
}
