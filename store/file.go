package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// prepareFile makes sure that there is a file of ours to open, without opening it
// as a database: what is not ours stays as it is.
func (db *DB) prepareFile(ctx context.Context, create bool, migrations fs.FS) error {
	err := inspect(db.file)
	switch {
	case errors.Is(err, ErrNoDatabase) && create:
		return db.create(ctx, migrations)
	case errors.Is(err, ErrNoDatabase):
		return fmt.Errorf("%w; run `sallyport migrate` to create it", err)
	case err != nil:
		return err
	case create:
		return db.tighten()
	}
	return nil
}

// Offsets in the header of SQLite's file format.
const (
	headerSize     = 100
	offPageSize    = 16
	offReadVersion = 19 // 2: with a write-ahead log
	offPageCount   = 28
	offApplication = 68
	magic          = "SQLite format 3\x00"
)

// inspect judges a file by its header.
func inspect(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w at %s", ErrNoDatabase, path)
	}
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: %w: not a regular file", path, ErrForeign)
	}
	if info.Size() == 0 {
		return fmt.Errorf("%s: %w: the file is empty; remove it, or restore a backup", path, ErrForeign)
	}
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(f, head); err != nil || string(head[:len(magic)]) != magic {
		return fmt.Errorf("%s: %w: not an SQLite file; it was left as it is", path, ErrForeign)
	}
	if binary.BigEndian.Uint32(head[offApplication:]) != applicationID {
		return fmt.Errorf("%s: %w: an SQLite file of another program; it was left as it is", path, ErrForeign)
	}
	// SQLite would replay whatever log lies there. A copy is made without one, so
	// this one belongs to the database that the copy replaced.
	if head[offReadVersion] == 1 && logged(path) {
		return fmt.Errorf("%s: %w: the write-ahead log beside it belongs to another database; remove %s-wal and %s-shm",
			path, ErrForeign, path, path)
	}
	pageSize := int64(binary.BigEndian.Uint16(head[offPageSize:]))
	if pageSize == 1 {
		pageSize = 65536
	}
	want := pageSize * int64(binary.BigEndian.Uint32(head[offPageCount:]))
	// With a write-ahead log beside it the file may be short: the pages are there.
	if info.Size() < want && !logged(path) {
		return fmt.Errorf("%s: %w: cut off at %d of %d bytes; it was left as it is, restore a backup",
			path, ErrForeign, info.Size(), want)
	}
	return nil
}

// logged reports whether a write-ahead log lies beside the database.
func logged(path string) bool {
	info, err := os.Stat(path + "-wal")
	return err == nil && info.Size() > 0
}

// create makes a new database under another name and then gives it its own, so
// that nobody ever sees half of one, and of two creators one wins.
func (db *DB) create(ctx context.Context, migrations fs.FS) error {
	if logged(db.file) {
		return fmt.Errorf("%w at %s, but its write-ahead log is there: restore the file, or remove %s-wal",
			ErrNoDatabase, db.file, db.file)
	}
	temp, err := tempFile(db.file, ".new-*")
	if err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	defer removeDatabase(temp)
	if err := db.createAt(ctx, temp, migrations); err != nil {
		return err
	}
	if err := publish(temp, db.file); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

func (db *DB) createAt(ctx context.Context, file string, migrations fs.FS) error {
	pool, err := db.dialect.openFresh(ctx, file)
	if err != nil {
		return dbErr("create", err)
	}
	_, err = db.migrateUp(ctx, pool, migrations)
	if cerr := pool.Close(); err == nil && cerr != nil {
		err = dbErr("create", cerr)
	}
	return err
}

// tighten takes the rights of group and others from an existing database.
func (db *DB) tighten() error {
	info, err := os.Stat(db.file)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	if !privateModes || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	db.log.Warn("the database was open to other accounts; its mode is 0600 now", "file", db.file)
	for _, name := range []string{db.file, db.file + "-wal", db.file + "-shm"} {
		if err := os.Chmod(name, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("open the database: %w", err)
		}
	}
	return nil
}

// tempFile makes an empty file beside path, mode 0600, owned like the folder.
func tempFile(path, suffix string) (string, error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+suffix)
	if err != nil {
		return "", err
	}
	err = errors.Join(f.Chmod(0o600), ownLike(f, dir), f.Close())
	if err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// publish gives temp its final name, durably; fs.ErrExist when that is taken.
func publish(temp, final string) error {
	if err := syncFile(temp); err != nil {
		return err
	}
	err := os.Link(temp, final)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without hard links.
		if _, serr := os.Lstat(final); serr == nil {
			return fs.ErrExist
		}
		err = os.Rename(temp, final)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(final))
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// removeDatabase removes a temporary database with what SQLite puts beside it.
func removeDatabase(path string) {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		_ = os.Remove(path + suffix)
	}
}
