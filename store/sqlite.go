package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"sallyport"
)

// dialect is all that differs between engines.
type dialect struct {
	name string // of the folder of its migrations
	kind goose.Dialect
	// openWriter returns a pool of one connection whose transactions hold the
	// write lock from their start, so that what they read stays true.
	openWriter  func(ctx context.Context, file string) (*sql.DB, error)
	openReaders func(file string, n int) (*sql.DB, error)
	// openFresh opens an empty file and marks it as ours.
	openFresh func(ctx context.Context, file string) (*sql.DB, error)
	// copyTo writes a consistent copy of a database over an empty file, and marks it
	// as a copy.
	copyTo func(ctx context.Context, file, copy string) error
	// version reads a number that changes whenever another connection commits.
	version string
	// kindOf classifies an engine's error.
	kindOf func(error) error
}

var sqliteDialect = dialect{
	name:        "sqlite",
	kind:        goose.DialectSQLite3,
	openWriter:  openSQLiteWriter,
	openReaders: openSQLiteReaders,
	openFresh:   openSQLiteFresh,
	copyTo:      copySQLite,
	version:     `PRAGMA data_version`,
	kindOf:      sqliteKind,
}

// busyTimeout is how long a statement waits for another process's lock.
const busyTimeout = 5 * time.Second

// applicationID marks our files ("SPRT" in ASCII) in the header of SQLite.
const applicationID = 0x53505254

// sqliteDSN makes a URI with what every connection needs. The file must exist:
// SQLite would create it readable by everybody.
func sqliteDSN(file string, more ...string) (string, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	path := filepath.ToSlash(abs)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	u := url.URL{Scheme: "file", Path: path}
	params := append([]string{
		"mode=rw",
		"_dqs=0",
		"_defensive=1",
		"_error_rc=1",
		fmt.Sprintf("_pragma=busy_timeout(%d)", busyTimeout.Milliseconds()),
		"_pragma=foreign_keys(1)",
		"_pragma=trusted_schema(0)",
		"_pragma=cache_size(-1024)",
	}, more...)
	return "file://" + u.EscapedPath() + "?" + strings.Join(params, "&"), nil
}

func openSQLiteWriter(ctx context.Context, file string) (*sql.DB, error) {
	dsn, err := sqliteDSN(file,
		"_txlock=immediate",
		"_pragma=journal_mode(WAL)",
		"_pragma=journal_size_limit(16777216)",
		// FULL, not NORMAL: a power cut must not bring back a revoked session, a used
		// code or a lower lockout counter.
		"_pragma=synchronous(FULL)",
		// What is deleted, a person for example, is to be gone from the file.
		"_pragma=secure_delete(1)")
	if err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	if err := settled(ctx, pool); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return pool, nil
}

// settled makes the first connection. Several processes that turn a restored copy
// into a database with a write-ahead log, all at once, find it locked without the
// engine's own waiting.
func settled(ctx context.Context, pool *sql.DB) error {
	deadline := time.Now().Add(busyTimeout)
	for {
		err := pool.PingContext(ctx)
		var e *sqlite.Error
		if err == nil || !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func openSQLiteReaders(file string, n int) (*sql.DB, error) {
	dsn, err := sqliteDSN(file, "_query_only=1")
	if err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	return pool, nil
}

// openSQLiteFresh writes our mark before there is a write-ahead log, so that the
// header of the file itself carries it from the first byte on. The log is turned
// on here, while nobody else knows the file.
func openSQLiteFresh(ctx context.Context, file string) (*sql.DB, error) {
	dsn, err := sqliteDSN(file)
	if err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	for _, q := range []string{fmt.Sprintf("PRAGMA application_id = %d", applicationID), "PRAGMA journal_mode = WAL"} {
		if _, err := pool.ExecContext(ctx, q); err != nil {
			return nil, errors.Join(err, pool.Close())
		}
	}
	return pool, nil
}

func copySQLite(ctx context.Context, file, copy string) error {
	err := onConnection(ctx, file, `VACUUM INTO $1`, copy)
	if err != nil {
		return err
	}
	return onConnection(ctx, copy, `UPDATE meta SET value = '1' WHERE name = 'copy'`)
}

// onConnection runs one statement on a connection of its own.
func onConnection(ctx context.Context, file, q string, args ...any) error {
	dsn, err := sqliteDSN(file)
	if err != nil {
		return err
	}
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return err
	}
	_, err = pool.ExecContext(ctx, q, args...)
	return errors.Join(err, pool.Close())
}

// sqliteKind tells a broken rule of the data from an engine that is away.
func sqliteKind(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return sallyport.ErrUnavailable
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return sallyport.ErrExists
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return sallyport.ErrNotFound // the user or session that it would belong to
	}
	return sallyport.ErrUnavailable
}

// dbErr says what failed, with the kind of error that callers look for. A row
// that is not there is sallyport.ErrNotFound.
func dbErr(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("store: %s: %w", op, sallyport.ErrNotFound)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("store: %s: %w: %w", op, sallyport.ErrUnavailable, err)
	}
	return fmt.Errorf("store: %s: %w: %w", op, sqliteKind(err), err)
}
