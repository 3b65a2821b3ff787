//go:build unix

package store_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Root creates the database with a command; the service, which owns the folder,
// must be able to open it.
func TestDatabaseBelongsToTheFoldersOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const owner = 12345
	dir := filepath.Join(t.TempDir(), "data")
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.Chown(dir, owner, owner))
	file := filepath.Join(dir, "sallyport.db")
	db, err := openAt(t, file, true)
	must(t, err)
	must(t, db.AppendEvents(t.Context(), event()))
	must(t, db.Backup(t.Context(), filepath.Join(dir, "backup.db")))
	for _, name := range []string{file, file + "-wal", file + "-shm", filepath.Join(dir, "backup.db")} {
		info, err := os.Stat(name)
		must(t, err)
		if st := info.Sys().(*syscall.Stat_t); st.Uid != owner || st.Gid != owner {
			t.Errorf("%s belongs to %d:%d", filepath.Base(name), st.Uid, st.Gid)
		}
	}
}
