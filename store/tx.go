package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport"
	"sallyport/audit"
)

// tx is a write transaction. What it logs and changes is appended just before
// the commit.
type tx struct {
	db      *DB
	ctx     context.Context
	op      string
	sql     *sql.Tx
	events  []audit.Event
	changes []sallyport.Change
}

// change runs fn in a write transaction, appends its audit events and changes,
// commits, and tells the sinks. An error of fn, of the audit log or of the
// commit leaves everything as it was.
func (db *DB) change(ctx context.Context, op string, fn func(*tx) error) (err error) {
	start := time.Now()
	defer func() { db.observe(op, time.Since(start), err) }()
	select {
	case db.writing <- struct{}{}:
	case <-ctx.Done():
		return dbErr(op, ctx.Err())
	}
	defer func() { <-db.writing }()

	events, err := db.transact(ctx, op, fn)
	if err != nil {
		return err
	}
	db.prepareWanted(ctx)
	// Still holding the turn, so that sinks see the order of the chain.
	if len(events) > 0 {
		for _, s := range db.sinks {
			s.Emit(events)
		}
	}
	return nil
}

func (db *DB) transact(ctx context.Context, op string, fn func(*tx) error) (_ []audit.Event, err error) {
	t := &tx{db: db, ctx: ctx, op: op}
	if t.sql, err = db.write.BeginTx(ctx, nil); err != nil {
		return nil, dbErr(op, err)
	}
	done := false
	defer func() {
		if !done { // also when fn panics
			_ = t.sql.Rollback()
		}
	}()
	if err := fn(t); err != nil {
		return nil, err
	}
	if err := t.appendChanges(); err != nil {
		return nil, err
	}
	events, err := t.appendEvents()
	if err != nil {
		return nil, err
	}
	done = true
	if err := t.sql.Commit(); err != nil {
		return nil, dbErr(op, err)
	}
	return events, nil
}

// log adds events to the transaction.
func (t *tx) log(events ...audit.Event) { t.events = append(t.events, events...) }

// changed tells every node about a change, once.
func (t *tx) changed(kind sallyport.ChangeKind, id string) {
	c := sallyport.Change{Kind: kind, ID: id}
	if !slices.Contains(t.changes, c) {
		t.changes = append(t.changes, c)
	}
}

// at encodes the moment of a change. A forgotten one is now: 0 would mean that it
// never happened.
func (t *tx) at(at time.Time) int64 {
	if at.IsZero() {
		at = t.db.now()
	}
	return micros(at)
}

// stmt returns the prepared form of q, nil before its first use: the one
// connection is busy with this transaction, so it is prepared after it.
func (t *tx) stmt(q string) *sql.Stmt {
	if s, ok := t.db.writeStmt[q]; ok {
		return t.sql.StmtContext(t.ctx, s)
	}
	if !slices.Contains(t.db.wanted, q) {
		t.db.wanted = append(t.db.wanted, q)
	}
	return nil
}

// prepareWanted prepares what the last transaction ran unprepared. Every SQL
// text is a constant, so their number is bounded.
func (db *DB) prepareWanted(ctx context.Context) {
	for _, q := range db.wanted {
		s, err := db.write.PrepareContext(ctx, q)
		if err != nil {
			break // it runs unprepared until this works
		}
		db.writeStmt[q] = s
	}
	db.wanted = db.wanted[:0]
}

// exec runs a statement and returns how many rows it touched.
func (t *tx) exec(q string, args ...any) (int, error) {
	var res sql.Result
	var err error
	if s := t.stmt(q); s != nil {
		res, err = s.ExecContext(t.ctx, args...)
	} else {
		res, err = t.sql.ExecContext(t.ctx, q, args...)
	}
	if err != nil {
		return 0, dbErr(t.op, err)
	}
	n, err := res.RowsAffected()
	return int(n), dbErr(t.op, err)
}

// must runs a statement that has to touch a row; sallyport.ErrNotFound else.
func (t *tx) must(q string, args ...any) error {
	n, err := t.exec(q, args...)
	if err == nil && n == 0 {
		return dbErr(t.op, sql.ErrNoRows)
	}
	return err
}

// query runs a query; see result.
func (t *tx) query(q string, args ...any) result {
	var rows *sql.Rows
	var err error
	if s := t.stmt(q); s != nil {
		rows, err = s.QueryContext(t.ctx, args...)
	} else {
		rows, err = t.sql.QueryContext(t.ctx, q, args...)
	}
	return result{op: t.op, rows: rows, err: err}
}

// query runs a read-only query with a constant text, prepared once.
func (db *DB) query(ctx context.Context, op, q string, args ...any) (r result) {
	start := time.Now()
	defer func() { db.observe(op, time.Since(start), dbErrOrNil(op, r.err)) }()
	s, ok := db.readStmt.Load(q)
	if !ok {
		fresh, err := db.read.PrepareContext(ctx, q)
		if err != nil {
			return result{op: op, err: err}
		}
		var raced bool
		if s, raced = db.readStmt.LoadOrStore(q, fresh); raced {
			_ = fresh.Close()
		}
	}
	rows, err := s.(*sql.Stmt).QueryContext(ctx, args...)
	return result{op: op, rows: rows, err: err}
}

func dbErrOrNil(op string, err error) error {
	if err == nil {
		return nil
	}
	return dbErr(op, err)
}

// result is what a query returned; exactly one of its methods must be called.
type result struct {
	op   string
	rows *sql.Rows
	err  error
}

// scan reads the first row; sallyport.ErrNotFound when there is none.
func (r result) scan(dest ...any) error {
	if r.err != nil {
		return dbErr(r.op, r.err)
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return dbErr(r.op, err)
		}
		return dbErr(r.op, sql.ErrNoRows)
	}
	if err := r.rows.Scan(dest...); err != nil {
		return dbErr(r.op, err)
	}
	return dbErr(r.op, r.rows.Close())
}

// each calls fn for every row.
func (r result) each(fn func(scan func(...any) error) error) error {
	if r.err != nil {
		return dbErr(r.op, r.err)
	}
	defer r.rows.Close()
	for r.rows.Next() {
		scan := func(dest ...any) error { return dbErr(r.op, r.rows.Scan(dest...)) }
		if err := fn(scan); err != nil {
			return err
		}
	}
	return dbErr(r.op, r.rows.Err())
}

// list reads all rows with one function a row.
func list[T any](r result, read func(scan func(...any) error) (T, error)) ([]T, error) {
	var out []T
	err := r.each(func(scan func(...any) error) error {
		v, err := read(scan)
		if err != nil {
			return err
		}
		out = append(out, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// damaged is the error for a value that the store itself wrote and cannot read
// back: nothing may be granted on it.
func damaged(what string, err error) error {
	return fmt.Errorf("store: %s: %w", what, errors.Join(sallyport.ErrUnavailable, err))
}
