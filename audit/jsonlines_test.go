package audit

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
)

var at = time.Date(2026, time.November, 2, 9, 0, 0, 0, time.UTC)

func TestJSONLinesIsOneLineAnEvent(t *testing.T) {
	var b bytes.Buffer
	sink := NewJSONLines(&b)
	first, second := New(at, SignInPassword, Failure), New(at, SignOut, Success)
	first.UserName = "a\nb"
	sink.Emit([]Event{first, second})
	sink.Emit(nil)
	got := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(got) != 2 {
		t.Fatalf("%d lines", len(got))
	}
	for i, want := range []Event{first, second} {
		var e Event
		if err := json.Unmarshal([]byte(got[i]), &e); err != nil || !reflect.DeepEqual(e, want) {
			t.Errorf("line %d: %+v, %v", i, e, err)
		}
	}
}

// H5: a user name with a line feed forged log lines, and with escape sequences it
// rewrote the terminal of whoever read the log. What is logged stays one line of
// visible characters and still says what was typed.
func TestLogInjection(t *testing.T) {
	for _, name := range []string{
		"x\n{\"kind\":\"sign-in.password\",\"result\":\"success\"}",
		"\x1b]0;owned\x07\x1b[2J",
		"\u009b31m",                 // the one-character form of ESC [
		"\u202egnp.exe", "a\u200bb", // reversed, hidden
		"\U000e0041tag", "\x7f", "\u2028", "\x00",
		"日本語 é 🙂 \"quoted\" \\ <&>",
	} {
		var b bytes.Buffer
		e := New(at, SignInPassword, Failure)
		e.UserName = name
		NewJSONLines(&b).Emit([]Event{e})
		line := strings.TrimSuffix(b.String(), "\n")
		for _, r := range line {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' {
				t.Errorf("%q: the line holds %U", name, r)
			}
		}
		var got Event
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.UserName != name {
			t.Errorf("%q came back as %q, %v", name, got.UserName, err)
		}
	}
}

func TestFileFollowsRotation(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be moved there")
	}
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sink, err := OpenFile(path, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	count := func(path string) int {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte("\n"))
	}
	emit := func() { sink.Emit([]Event{New(at, SignOut, Success)}) }
	emit()
	if n := count(path); n != 2 {
		t.Fatalf("%d lines, want what was there and one more", n)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	emit()
	if a, b := count(path+".1"), count(path); a != 2 || b != 1 {
		t.Fatalf("%d lines in the old file and %d in the new", a, b)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	emit()
	if n := count(path); n != 1 {
		t.Fatalf("%d lines after removal", n)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	emit()
	if n := count(path); n != 2 {
		t.Fatalf("%d lines after Close", n)
	}
}

func TestFileReportsWhatItCannotWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if _, err := OpenFile(filepath.Join(dir, "audit.jsonl"), nil); err == nil {
		t.Fatal("it opened a file in a folder that does not exist")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	failures := 0
	sink, err := OpenFile(filepath.Join(dir, "audit.jsonl"), func(error) { failures++ })
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	sink.Emit([]Event{New(at, SignOut, Success)})
	if failures != 1 {
		t.Fatalf("%d failures reported", failures)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	sink.Emit([]Event{New(at, SignOut, Success)})
	if failures != 1 {
		t.Fatal("it did not recover")
	}
}
