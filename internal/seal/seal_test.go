package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func keyring(t *testing.T, b byte) *Keyring {
	t.Helper()
	k, err := New(bytes.Repeat([]byte{b}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealOpens(t *testing.T) {
	k := keyring(t, 1)
	for _, plain := range [][]byte{nil, {}, []byte("secret"), bytes.Repeat([]byte("x"), 1<<16)} {
		got, err := k.Open(k.Seal(plain, "methods", "secret", "1"), "methods", "secret", "1")
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %v", len(plain), err)
		}
	}
	if a, b := k.Seal(nil, "t", "c", "r"), k.Seal(nil, "t", "c", "r"); bytes.Equal(a, b) {
		t.Error("the same value seals to the same bytes: the nonce is not random")
	}
}

// A secret copied to another row, column or table, or read under another key, or
// altered anywhere, does not open.
func TestSealIsBoundToItsPlace(t *testing.T) {
	k := keyring(t, 1)
	sealed := k.Seal([]byte("secret"), "methods", "secret", "1")
	for _, place := range [][3]string{
		{"methods", "secret", "2"}, {"methods", "name", "1"}, {"flows", "secret", "1"},
		{"methods\x00secret", "1", ""}, {"methods", "secret\x001", ""}, {"", "", ""},
	} {
		if _, err := k.Open(sealed, place[0], place[1], place[2]); !errors.Is(err, ErrOpen) {
			t.Errorf("opened at %q: %v", place, err)
		}
	}
	if _, err := keyring(t, 2).Open(sealed, "methods", "secret", "1"); !errors.Is(err, ErrOpen) {
		t.Errorf("opened under another key: %v", err)
	}
	for i := range sealed {
		for _, altered := range [][]byte{sealed[:i], flip(sealed, i)} {
			if _, err := k.Open(altered, "methods", "secret", "1"); !errors.Is(err, ErrOpen) {
				t.Errorf("opened when altered at byte %d: %v", i, err)
			}
		}
	}
	if _, err := k.Open(append(bytes.Clone(sealed), 0), "methods", "secret", "1"); !errors.Is(err, ErrOpen) {
		t.Errorf("opened with a byte more: %v", err)
	}
}

func flip(b []byte, i int) []byte {
	out := bytes.Clone(b)
	out[i] ^= 1
	return out
}

func TestDeriveSeparatesPurposes(t *testing.T) {
	k := keyring(t, 1)
	a := k.Derive("cookies", 32)
	if !bytes.Equal(a, k.Derive("cookies", 32)) {
		t.Error("not repeatable")
	}
	if bytes.Equal(a, k.Derive("codes", 32)) || bytes.Equal(a, keyring(t, 2).Derive("cookies", 32)) {
		t.Error("two purposes or two keys share bytes")
	}
	if len(k.Derive("x", 64)) != 64 {
		t.Error("length")
	}
	if bytes.Contains([]byte(k.ID()), bytes.Repeat([]byte{1}, 4)) || k.ID() == keyring(t, 2).ID() || k.ID() != keyring(t, 1).ID() {
		t.Errorf("ID %q does not name the key", k.ID())
	}
}

// C7: a missing or damaged master key refuses the start; it is never replaced by
// an empty one.
func TestReadFileRefusesWhatIsNoKey(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadFile(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	for name, content := range map[string]string{
		"empty": "", "blank": "\n", "text": "correct horse", "short": base64.StdEncoding.EncodeToString(make([]byte, 31)),
		"long": base64.StdEncoding.EncodeToString(make([]byte, 33)), "two": strings.Repeat(string(Generate()), 2),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := ReadFile(path)
		if err == nil || k != nil {
			t.Errorf("%s: taken for a key", name)
		} else if !strings.Contains(err.Error(), path) || content != "" && strings.Contains(err.Error(), strings.TrimSpace(content)) && name != "blank" {
			t.Errorf("%s: the error must name the file and not its content: %v", name, err)
		}
	}
}

func TestGenerate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	key := Generate()
	if bytes.Equal(key, Generate()) {
		t.Fatal("two keys are the same")
	}
	if err := os.WriteFile(path, append([]byte("  "), key...), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Open(k.Seal([]byte("x"), "t", "c", "r"), "t", "c", "r"); err != nil {
		t.Fatal(err)
	}
}
