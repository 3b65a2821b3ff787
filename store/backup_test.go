package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/store"
	"sallyport/store/storetest"
)

func backup(t *testing.T, db *store.DB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup.db")
	must(t, db.Backup(t.Context(), file, audit.New(storetest.Start, audit.BackupMade, audit.Success)))
	return file
}

// D7: a session that was revoked, or a device that was removed, after the backup
// was made would live again in the restored copy.
func TestRestoreForgetsTrust(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.New(t, clock.Now)
	u, s, k := alice(t, db, clock)
	token := storetest.NewHash()
	must(t, db.CreateDevice(t.Context(), sallyport.Device{ID: "d", UserID: u.ID, ExpiresAt: clock.Now().Add(time.Hour)}, token))
	h := storetest.NewHandoff(s, clock.Now())
	must(t, db.CreateHandoff(t.Context(), h))
	f := storetest.NewFlow(u.ID, clock.Now())
	must(t, db.CreateFlow(t.Context(), f))
	must(t, db.SetPassword(t.Context(), "nobody", "", clock.Now()), sallyport.ErrNotFound)

	file := backup(t, db)
	_, before, err := db.Changes(t.Context(), 0)
	must(t, err)

	// A command may look into it without taking it into service.
	looked, err := openAt(t, file, false)
	must(t, err)
	_, err = looked.Grant(t.Context(), k.Hash, clock.Now())
	must(t, err)
	must(t, looked.Close())

	restored := storetest.Open(t, file, clock.Now)
	_, err = restored.Grant(t.Context(), k.Hash, clock.Now())
	must(t, err, sallyport.ErrNotFound)
	_, err = restored.DeviceByToken(t.Context(), token, u.ID, clock.Now())
	must(t, err, sallyport.ErrNotFound)
	_, _, err = restored.UseDevice(t.Context(), sallyport.DeviceUse{Token: token, UserID: u.ID, Now: clock.Now()}, audit.Event{}, audit.Event{})
	must(t, err, sallyport.ErrNotFound)
	_, err = restored.TakeHandoff(t.Context(), h.Hash, clock.Now())
	must(t, err, sallyport.ErrNotFound)
	_, err = restored.Flow(t.Context(), f.ID, clock.Now())
	must(t, err, sallyport.ErrNotFound)
	must(t, restored.FinishFlow(t.Context(), f), sallyport.ErrConflict)
	if _, err := restored.User(t.Context(), u.ID); err != nil {
		t.Fatalf("it forgot the user as well: %v", err)
	}
	events, err := restored.Events(t.Context(), audit.Filter{Kind: audit.BackupRestored})
	must(t, err)
	if len(events) != 1 {
		t.Fatalf("the restore is in the audit log %d times", len(events))
	}
	must(t, restored.VerifyChain(t.Context()))
	if changes, _, err := restored.Changes(t.Context(), before); err != nil || len(changes) == 0 {
		t.Fatalf("nodes are not told: %v, %v", changes, err)
	}

	// Only the first start forgets.
	s2, k2 := storetest.NewSession(u.ID, clock.Now())
	must(t, restored.CreateSession(t.Context(), s2, k2))
	must(t, restored.Close())
	again := storetest.Open(t, file, clock.Now)
	_, err = again.Grant(t.Context(), k2.Hash, clock.Now())
	must(t, err)

	// And the original goes on.
	_, err = db.Grant(t.Context(), k.Hash, clock.Now())
	must(t, err)
}

func TestBackupWhileOthersWrite(t *testing.T) {
	db := storetest.New(t, nil)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if err := db.AppendEvents(t.Context(), event(), event()); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	var files []string
	for range 5 {
		files = append(files, backup(t, db))
	}
	close(stop)
	wg.Wait()
	for _, f := range files {
		copied, err := openAt(t, f, true)
		must(t, err)
		must(t, copied.VerifyChain(t.Context()))
	}
}

func TestBackupFile(t *testing.T) {
	db := storetest.New(t, nil)
	file := backup(t, db)
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(file)); len(entries) != 1 {
		t.Fatalf("it left files beside the copy: %v", entries)
	}
	err := db.Backup(t.Context(), file)
	if !errors.Is(err, sallyport.ErrExists) {
		t.Fatalf("it overwrites: %v", err)
	}
	if err := db.Backup(t.Context(), filepath.Join(t.TempDir(), "none", "x.db"), event()); err == nil {
		t.Fatal("it wrote into a folder that does not exist")
	}
	events, err := db.Events(t.Context(), audit.Filter{})
	must(t, err)
	if len(events) != 1 {
		t.Fatalf("%d events of one backup", len(events))
	}
}

// An unrecorded backup is no backup.
func TestBackupWithoutAuditIsRemoved(t *testing.T) {
	file := storetest.NewFile(t)
	db := storetest.Open(t, file, nil)
	must(t, raw(t, file, `CREATE TRIGGER broken BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'disk full'); END`))
	to := filepath.Join(t.TempDir(), "backup.db")
	must(t, db.Backup(t.Context(), to, event()), sallyport.ErrUnavailable)
	if _, err := os.Stat(to); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the file is there: %v", err)
	}
}

// A log left behind by the database that the copy replaced would be replayed over
// the copy.
func TestRestoreBesideAnotherLogIsRefused(t *testing.T) {
	file := backup(t, storetest.New(t, nil))
	must(t, os.WriteFile(file+"-wal", []byte(strings.Repeat("x", 5000)), 0o600))
	_, err := openAt(t, file, true)
	if !errors.Is(err, store.ErrForeign) || !strings.Contains(err.Error(), "remove "+file+"-wal") {
		t.Fatalf("got %v", err)
	}
}
