package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"sallyport/audit"
	"sallyport/internal/seal"
)

// Why a database was not opened. The errors that wrap these say which command
// to run.
var (
	// ErrNoDatabase: there is no file, or an empty one.
	ErrNoDatabase = errors.New("no database")
	// ErrOldDatabase: an earlier version of Sallyport made it.
	ErrOldDatabase = errors.New("database of an earlier version")
	// ErrNewDatabase: a later version of Sallyport made it.
	ErrNewDatabase = errors.New("database of a later version")
	// ErrForeign: the file is damaged or belongs to another program. It was not
	// touched.
	ErrForeign = errors.New("not a Sallyport database")
)

// readers is how many queries run at the same time. Each connection keeps a page
// cache of its own, so this bounds memory too.
const readers = 4 // and one that polls

// Options are what a DB is opened with.
type Options struct {
	// Keys seal secrets and authenticate the audit chain. Must be set.
	Keys *seal.Keyring
	// Create makes a missing database, migrates an older one, and takes a restored
	// backup into service. Without it, Open refuses all but a current database.
	Create bool
	// Now is the clock for what has no time of its own, such as a user's UpdatedAt;
	// nil: time.Now.
	Now func() time.Time
	// Sinks hear of audit events after their commit, in the order of the chain.
	// They must not call the store.
	Sinks []audit.Sink
	// Node is the name put into audit events that carry none, with the address of
	// this machine.
	Node string
	// Retention is how long audit events are kept. 0: 90 days; negative: for ever.
	Retention time.Duration
	// Observe hears of every operation: a constant name, how long it took, and its
	// error, if any. nil: nobody listens.
	Observe func(operation string, took time.Duration, err error)
	// Log hears of migrations and restored backups; nil discards.
	Log *slog.Logger
}

// DB is the store. It is safe for concurrent use, and several processes may have
// the same database open.
type DB struct {
	dialect dialect
	file    string
	keys    *seal.Keyring
	chain   []byte // key of the audit chain's mac
	now     func() time.Time
	sinks   []audit.Sink
	node    string
	address netip.Addr // of this machine; zero if it has none but loopback
	log     *slog.Logger
	keep    time.Duration // audit events; negative: for ever
	observe func(operation string, took time.Duration, err error)

	read     *sql.DB
	readStmt sync.Map // SQL text -> *sql.Stmt

	write     *sql.DB
	writing   chan struct{} // holds one element while a write transaction runs
	writeStmt map[string]*sql.Stmt
	wanted    []string // SQL texts to prepare once the connection is free

	poll poller
}

// Open opens the database of cfg. See Options.Create for what it may change; the
// errors that it returns for a file it will not open wrap ErrNoDatabase,
// ErrOldDatabase, ErrNewDatabase or ErrForeign.
func Open(ctx context.Context, cfg Config, o Options) (*DB, error) {
	return open(ctx, cfg, o, migrationFiles)
}

func open(ctx context.Context, cfg Config, o Options, migrations fs.FS) (*DB, error) {
	if o.Keys == nil {
		return nil, errors.New("store: no master key")
	}
	if cfg.SQLite == "" {
		return nil, errors.New("store: no path for the database")
	}
	db := &DB{
		dialect:   sqliteDialect,
		file:      cfg.SQLite,
		keys:      o.Keys,
		chain:     o.Keys.Derive("audit chain", 32),
		now:       o.Now,
		sinks:     o.Sinks,
		node:      o.Node,
		address:   machineAddress(),
		log:       o.Log,
		keep:      o.Retention,
		observe:   o.Observe,
		writing:   make(chan struct{}, 1),
		writeStmt: make(map[string]*sql.Stmt),
	}
	if db.now == nil {
		db.now = time.Now
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if db.keep == 0 {
		db.keep = auditKept
	}
	if db.observe == nil {
		db.observe = func(string, time.Duration, error) {}
	}
	if err := db.prepareFile(ctx, o.Create, migrations); err != nil {
		return nil, err
	}
	if err := db.connect(ctx, o.Create, migrations); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (db *DB) connect(ctx context.Context, create bool, migrations fs.FS) error {
	var err error
	if db.write, err = db.dialect.openWriter(ctx, db.file); err != nil {
		return dbErr("open", err)
	}
	if db.read, err = db.dialect.openReaders(db.file, readers+1); err != nil {
		return dbErr("open", err)
	}
	if err := db.migrate(ctx, create, migrations); err != nil {
		return err
	}
	if create {
		return db.forgetIfRestored(ctx)
	}
	return nil
}

// machineAddress returns the address by which other machines know this one: the
// first that is neither loopback nor of one link only.
func machineAddress() netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{} // events then carry the name alone
	}
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().IsGlobalUnicast() {
			return p.Addr()
		}
	}
	return netip.Addr{}
}

// Close ends all connections. Calls after it return sallyport.ErrUnavailable.
func (db *DB) Close() error {
	var errs []error
	errs = append(errs, db.poll.close())
	for _, pool := range []*sql.DB{db.read, db.write} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	return db.query(ctx, "ping", `SELECT 1 FROM meta LIMIT 1`).scan(&one)
}
