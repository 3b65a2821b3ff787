package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"sallyport"
)

// changesMax bounds one answer of Changes; a node that is further behind is told
// that everything changed.
const changesMax = 1000

// appendChanges writes the transaction's changes.
func (t *tx) appendChanges() error {
	for _, c := range t.changes {
		_, err := t.exec(`INSERT INTO changes (at, kind, id) VALUES ($1, $2, $3)`, micros(t.db.now()), string(c.Kind), c.ID)
		if err != nil {
			return err
		}
	}
	return nil
}

// poller keeps one connection that does nothing but poll: the engine's version
// number changes on it when any other connection commits, of this process or of
// another.
type poller struct {
	mu      sync.Mutex
	conn    *sql.Conn
	version int64
	seq     int64 // the highest as of version
	known   bool
}

func (p *poller) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.drop()
}

func (p *poller) drop() error {
	conn := p.conn
	p.conn, p.known = nil, false
	if conn == nil {
		return nil
	}
	if err := conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
		return err
	}
	return nil
}

// Changes returns the changes after a sequence number in order, and the highest
// there is. When nobody has written since the last call it costs one read of a
// counter in shared memory. A caller too far behind, or ahead because a backup
// was restored, gets one change of each kind with an empty ID: all.
func (db *DB) Changes(ctx context.Context, after int64) ([]sallyport.Change, int64, error) {
	p := &db.poll
	p.mu.Lock()
	defer p.mu.Unlock()
	changes, seq, err := p.read(ctx, db, after)
	if err != nil {
		_ = p.drop() // the next call begins anew
		return nil, 0, dbErr("changes", err)
	}
	return changes, seq, nil
}

func (p *poller) read(ctx context.Context, db *DB, after int64) ([]sallyport.Change, int64, error) {
	if p.conn == nil {
		conn, err := db.read.Conn(ctx)
		if err != nil {
			return nil, 0, err
		}
		p.conn = conn
	}
	// First the version, then the rows: what is committed in between shows again
	// in the next call.
	var version int64
	if err := p.conn.QueryRowContext(ctx, db.dialect.version).Scan(&version); err != nil {
		return nil, 0, err
	}
	if p.known && version == p.version && after == p.seq {
		return nil, p.seq, nil
	}
	var first, last int64
	err := p.conn.QueryRowContext(ctx, `SELECT COALESCE(min(seq), 0), COALESCE(max(seq), 0) FROM changes`).Scan(&first, &last)
	if err != nil {
		return nil, 0, err
	}
	p.version, p.seq, p.known = version, last, true
	if after > last || after < first-1 || last-after > changesMax {
		return everything(last), last, nil
	}
	rows, err := p.conn.QueryContext(ctx, `SELECT seq, kind, id FROM changes WHERE seq > $1 AND seq <= $2 ORDER BY seq`, after, last)
	changes, err := list(result{op: "changes", rows: rows, err: err}, func(scan func(...any) error) (c sallyport.Change, err error) {
		return c, scan(&c.Seq, &c.Kind, &c.ID)
	})
	return changes, last, err
}

func everything(seq int64) []sallyport.Change {
	return []sallyport.Change{
		{Seq: seq, Kind: sallyport.ChangeUser},
		{Seq: seq, Kind: sallyport.ChangeSession},
		{Seq: seq, Kind: sallyport.ChangeKeys},
	}
}
