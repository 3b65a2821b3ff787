package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"sallyport"
	"sallyport/audit"
)

// Backup writes a consistent copy to file while others work, marked as a copy.
// The copy appears under its name only when it is complete. It refuses to
// overwrite: sallyport.ErrExists.
func (db *DB) Backup(ctx context.Context, file string, events ...audit.Event) error {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("backup: %s: %w", file, sallyport.ErrExists)
	}
	temp, err := tempFile(file, ".part-*")
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer removeDatabase(temp)
	if err := db.dialect.copyTo(ctx, db.file, temp); err != nil {
		return dbErr("backup", err)
	}
	if err := publish(temp, file); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("backup: %s: %w", file, sallyport.ErrExists)
	} else if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := db.AppendEvents(ctx, events...); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

// forgetIfRestored makes the first start from a backup forget what was granted
// before: trust that was revoked after the backup was made must not come back.
func (db *DB) forgetIfRestored(ctx context.Context) error {
	var isCopy string
	if err := db.query(ctx, "open", `SELECT value FROM meta WHERE name = 'copy'`).scan(&isCopy); err != nil {
		return err
	}
	if isCopy == "0" {
		return nil
	}
	err := db.change(ctx, "take a backup into service", func(t *tx) error {
		// Of two nodes that start at once, one does it.
		n, err := t.exec(`UPDATE meta SET value = '0' WHERE name = 'copy' AND value <> '0'`)
		if err != nil || n == 0 {
			return err
		}
		e := audit.New(t.db.now(), audit.BackupRestored, audit.Success)
		e.Actor = "system"
		e.After = "sessions, remembered devices and pending sign-ins forgotten"
		t.log(e)
		return t.forgetAll()
	})
	if err == nil {
		db.log.Warn("this database is a restored backup: all sessions and remembered devices were forgotten", "file", db.file)
	}
	return err
}
