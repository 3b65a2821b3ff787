package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"sallyport/store"
	"sallyport/store/storetest"
)

// later returns today's migrations with one more, as a later version would have.
func later(t *testing.T, up string) fs.FS {
	t.Helper()
	m := fstest.MapFS{}
	names, err := fs.Glob(store.MigrationFiles, "migrations/sqlite/*.sql")
	must(t, err)
	for _, n := range names {
		b, err := fs.ReadFile(store.MigrationFiles, n)
		must(t, err)
		m[n] = &fstest.MapFile{Data: b}
	}
	m["migrations/sqlite/99999_later.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + up)}
	return m
}

func openWith(t *testing.T, file string, create bool, migrations fs.FS) (*store.DB, error) {
	t.Helper()
	return store.OpenWith(t.Context(), store.Config{SQLite: file},
		store.Options{Keys: storetest.Keys(t), Create: create}, migrations)
}

func TestMigratesForwardAndKeepsWhatIsThere(t *testing.T) {
	file := storetest.NewFile(t)
	clock := storetest.NewClock()
	old := storetest.Open(t, file, clock.Now)
	_, _, k := alice(t, old, clock)
	must(t, old.AppendEvents(t.Context(), event()))

	next := later(t, "ALTER TABLE users ADD COLUMN nickname TEXT NOT NULL DEFAULT '';")
	_, err := openWith(t, file, false, next)
	if !errors.Is(err, store.ErrOldDatabase) || !strings.Contains(err.Error(), "run `sallyport migrate`") {
		t.Fatalf("without Create: got %v, want the command to run", err)
	}

	// The previous version serves on meanwhile.
	db, err := openWith(t, file, true, next)
	must(t, err)
	defer db.Close()
	for _, db := range []*store.DB{db, old} {
		_, err = db.Grant(t.Context(), k.Hash, clock.Now())
		must(t, err)
		must(t, db.AppendEvents(t.Context(), event()))
		must(t, db.VerifyChain(t.Context()))
	}

	for _, create := range []bool{true, false} {
		_, err = openAt(t, file, create)
		if !errors.Is(err, store.ErrNewDatabase) {
			t.Fatalf("this version opens a later database (create %v): %v", create, err)
		}
	}
}

func TestFailedMigrationChangesNothing(t *testing.T) {
	file := storetest.NewFile(t)
	bad := later(t, "ALTER TABLE users ADD COLUMN nickname TEXT;\nINSERT INTO nowhere VALUES (1);")
	if _, err := openWith(t, file, true, bad); err == nil {
		t.Fatal("a failing migration was taken for done")
	}
	if _, err := openAt(t, file, true); err != nil {
		t.Fatalf("this version no longer opens it: %v", err)
	}
	if err := raw(t, file, `UPDATE users SET nickname = 'x'`); err == nil {
		t.Fatal("half of the migration stayed")
	}
}

func TestFailedCreationLeavesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	if _, err := openWith(t, file, true, later(t, "INSERT INTO nowhere VALUES (1);")); err == nil {
		t.Fatal("a failing migration was taken for done")
	}
	if entries, _ := os.ReadDir(filepath.Dir(file)); len(entries) != 0 {
		t.Fatalf("it left %v", entries)
	}
}
