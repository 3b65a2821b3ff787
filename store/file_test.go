package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sallyport"
	"sallyport/store"
	"sallyport/store/storetest"
)

func openAt(t *testing.T, file string, create bool) (*store.DB, error) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{SQLite: file}, store.Options{Keys: storetest.Keys(t), Create: create})
	if err == nil {
		t.Cleanup(func() { _ = db.Close() })
	}
	return db, err
}

func TestOpenWithoutCreateRefusesMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none.db")
	_, err := openAt(t, file, false)
	if !errors.Is(err, store.ErrNoDatabase) || !strings.Contains(err.Error(), "sallyport migrate") {
		t.Fatalf("got %v, want the command that creates it", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(file)); len(entries) != 0 {
		t.Fatalf("it left %v", entries)
	}
}

func TestOpenMakesFilesPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the folder's access list rules there")
	}
	// A name that is not plain must not become another file.
	file := filepath.Join(t.TempDir(), "a b%41?x#.db")
	db, err := openAt(t, file, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.AppendEvents(t.Context(), event()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, e.Name())
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", e.Name(), info.Mode().Perm())
		}
	}
	if got, want := strings.Join(names, " "), "a b%41?x#.db a b%41?x#.db-shm a b%41?x#.db-wal"; got != want {
		t.Errorf("files are %q, want %q", got, want)
	}
}

func TestOpenTakesRightsFromOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the folder's access list rules there")
	}
	file := storetest.NewFile(t)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, file, true); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Fatalf("mode is %o", info.Mode().Perm())
	}
}

// What is not ours is refused with a plain sentence and stays as it is, byte for
// byte, with nothing beside it.
func TestOpenLeavesForeignFilesAlone(t *testing.T) {
	good, err := os.ReadFile(storetest.NewFile(t))
	if err != nil {
		t.Fatal(err)
	}
	unmarked := bytes.Clone(good)
	copy(unmarked[68:72], "\x00\x00\x00\x00")
	for _, test := range []struct {
		name, says string
		content    []byte
	}{
		{"empty", "empty", nil},
		{"text", "not an SQLite file", []byte(strings.Repeat("not a database\n", 100))},
		{"short", "not an SQLite file", good[:50]},
		{"cut off", "cut off", good[:len(good)-5000]},
		{"another program's", "another program", otherDatabase(t)},
		{"unmarked", "another program", unmarked},
	} {
		for _, create := range []bool{true, false} {
			t.Run(test.name, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "x.db")
				if err := os.WriteFile(file, test.content, 0o640); err != nil {
					t.Fatal(err)
				}
				_, err := openAt(t, file, create)
				if !errors.Is(err, store.ErrForeign) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), file) {
					t.Fatalf("got %v, want %q and the file's name", err, test.says)
				}
				after, err := os.ReadFile(file)
				if err != nil || !bytes.Equal(after, test.content) {
					t.Fatalf("the file was changed (%v)", err)
				}
				if info, _ := os.Stat(file); runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
					t.Errorf("its mode was changed to %o", info.Mode().Perm())
				}
				if entries, _ := os.ReadDir(filepath.Dir(file)); len(entries) != 1 {
					t.Fatalf("files appeared beside it: %v", entries)
				}
			})
		}
	}
	t.Run("a folder", func(t *testing.T) {
		if _, err := openAt(t, t.TempDir(), true); !errors.Is(err, store.ErrForeign) {
			t.Fatalf("got %v", err)
		}
	})
}

// Damage behind an intact header shows when it is read, as a store that is away.
func TestDamageInsideIsUnavailable(t *testing.T) {
	file := storetest.NewFile(t)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(b); i++ {
		b[i] = 0xff
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = openAt(t, file, true)
	if !errors.Is(err, sallyport.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
}

func otherDatabase(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "other.db")
	pool, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pool.ExecContext(context.Background(), `CREATE TABLE contacts (name TEXT); INSERT INTO contacts VALUES ('x')`)
	if err := errors.Join(err, pool.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
