package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sallyport"
	"sallyport/audit"
)

const (
	// auditKept is how long audit events are kept where nothing else is said.
	auditKept = 90 * 24 * time.Hour
	// eventsDefault and eventsMax bound one answer of Events.
	eventsDefault = 1000
	eventsMax     = 10_000
)

// ErrChain means that the audit log is not what was written.
var ErrChain = errors.New("the audit log has been altered")

// chainEnds are the two ends of the chain.
type chainEnds struct {
	firstSeq  int64
	firstPrev []byte
	lastSeq   int64
	lastHash  []byte
	mac       []byte
}

const chainSQL = `SELECT first_seq, first_prev, last_seq, last_hash, mac FROM audit_chain WHERE id = 1`

func (c *chainEnds) fields() []any {
	return []any{&c.firstSeq, &c.firstPrev, &c.lastSeq, &c.lastHash, &c.mac}
}

// sum authenticates the ends under the chain key.
func (c *chainEnds) sum(key []byte) []byte {
	m := hmac.New(sha256.New, key)
	fmt.Fprintf(m, "%d %x %d %x", c.firstSeq, c.firstPrev, c.lastSeq, c.lastHash)
	return m.Sum(nil)
}

// genuine reports whether the mac is ours; a log without any event has none.
func (c *chainEnds) genuine(key []byte) bool {
	if c.lastSeq == 0 && len(c.mac) == 0 {
		return true
	}
	return hmac.Equal(c.mac, c.sum(key))
}

// appendEvents links the transaction's events to the chain and returns them as
// written. A chain whose ends were tampered with is carried on under its broken
// mac: the gateway keeps working, and VerifyChain keeps telling.
func (t *tx) appendEvents() ([]audit.Event, error) {
	if len(t.events) == 0 {
		return nil, nil
	}
	var ends chainEnds
	if err := t.query(chainSQL).scan(ends.fields()...); err != nil {
		return nil, err
	}
	genuine := ends.genuine(t.db.chain)
	for i := range t.events {
		e := &t.events[i]
		e.Seq, e.PrevHash, e.Hash = ends.lastSeq+1, "", ""
		e.Time = e.Time.UTC().Truncate(time.Microsecond)
		if e.Node == "" {
			e.Node = t.db.node
		}
		if e.Node == t.db.node && !e.NodeAddress.IsValid() {
			e.NodeAddress = t.db.address
		}
		payload, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("store: %s: audit event: %w", t.op, err)
		}
		hash := link(ends.lastHash, payload)
		if _, err := t.exec(`INSERT INTO audit_events (seq, time, prev, hash, payload) VALUES ($1, $2, $3, $4, $5)`,
			e.Seq, micros(e.Time), ends.lastHash, hash, string(payload)); err != nil {
			return nil, err
		}
		e.PrevHash, e.Hash = hex.EncodeToString(ends.lastHash), hex.EncodeToString(hash)
		ends.lastSeq, ends.lastHash = e.Seq, hash
	}
	if genuine {
		ends.mac = ends.sum(t.db.chain)
	}
	return t.events, t.must(`UPDATE audit_chain SET last_seq = $1, last_hash = $2, mac = $3 WHERE id = 1`,
		ends.lastSeq, ends.lastHash, ends.mac)
}

func link(prev, payload []byte) []byte {
	h := sha256.New()
	h.Write(prev)
	h.Write(payload)
	return h.Sum(nil)
}

// AppendEvents writes events that belong to no other change.
func (db *DB) AppendEvents(ctx context.Context, events ...audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	return db.change(ctx, "append events", func(t *tx) error {
		t.log(events...)
		return nil
	})
}

const eventColumns = `SELECT seq, time, prev, hash, payload FROM audit_events`

type eventRow struct {
	seq, time  int64
	prev, hash []byte
	payload    []byte
}

func scanEventRow(scan func(...any) error) (r eventRow, err error) {
	return r, scan(&r.seq, &r.time, &r.prev, &r.hash, &r.payload)
}

func scanEvent(scan func(...any) error) (e audit.Event, err error) {
	r, err := scanEventRow(scan)
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(r.payload, &e); err != nil {
		return e, damaged("audit event "+strconv.FormatInt(r.seq, 10), err)
	}
	e.Seq, e.PrevHash, e.Hash = r.seq, hex.EncodeToString(r.prev), hex.EncodeToString(r.hash)
	return e, nil
}

// Events returns audit events, latest first: at most f.Limit, 1000 when that is
// 0, never more than 10,000.
func (db *DB) Events(ctx context.Context, f audit.Filter) ([]audit.Event, error) {
	var where []string
	var args []any
	add := func(cond string, arg any) {
		args = append(args, arg)
		where = append(where, strings.ReplaceAll(cond, "?", "$"+strconv.Itoa(len(args))))
	}
	if f.User != "" {
		id, err := db.idOf(ctx, f.User)
		if err != nil {
			return nil, err
		}
		args = append(args, f.User, string(id))
		where = append(where, `(user_id = $1 OR user_name = $1 OR user_id = $2)`)
	}
	if !f.Since.IsZero() {
		add(`time >= ?`, micros(f.Since))
	}
	if !f.Until.IsZero() {
		add(`time < ?`, micros(f.Until))
	}
	if f.Result != "" {
		add(`result = ?`, string(f.Result))
	}
	if f.Kind != "" {
		add(`kind = ?`, string(f.Kind))
	}
	if f.FlowID != "" {
		add(`flow_id = ?`, string(f.FlowID))
	}
	if f.CorrelationID != "" {
		add(`correlation_id = ?`, f.CorrelationID)
	}
	if f.Before > 0 {
		add(`seq < ?`, f.Before)
	}
	q := eventColumns
	if len(where) > 0 {
		q += ` WHERE ` + strings.Join(where, ` AND `)
	}
	limit := f.Limit
	if limit <= 0 {
		limit = eventsDefault
	}
	q += ` ORDER BY seq DESC LIMIT ` + strconv.Itoa(min(limit, eventsMax))
	// Not through db.query: its statements are kept, and these are many.
	rows, err := db.read.QueryContext(ctx, q, args...)
	return list(result{op: "events", rows: rows, err: err}, scanEvent)
}

// idOf returns the ID of the user with that name; "" when there is none.
func (db *DB) idOf(ctx context.Context, name string) (id sallyport.UserID, err error) {
	folded, err := sallyport.FoldName(name)
	if err != nil {
		return "", nil
	}
	err = db.query(ctx, "events", `SELECT user_id FROM names WHERE folded = $1`, folded).scan(&id)
	if errors.Is(err, sallyport.ErrNotFound) {
		return "", nil
	}
	return id, err
}

// FlowEvents returns the events of one flow in order, at most 1000.
func (db *DB) FlowEvents(ctx context.Context, id sallyport.FlowID) ([]audit.Event, error) {
	return list(db.query(ctx, "flow events", eventColumns+` WHERE flow_id = $1 ORDER BY seq LIMIT $2`,
		string(id), eventsDefault), scanEvent)
}

// VerifyChain reads the whole audit log and proves that it is what was written:
// every event links to the one before it, none is missing between the two ends,
// and the ends are those that a holder of the master key wrote. It returns an
// error that wraps ErrChain and says where the chain breaks.
func (db *DB) VerifyChain(ctx context.Context) error {
	// One snapshot, while others append.
	t, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return dbErr("verify", err)
	}
	defer func() { _ = t.Rollback() }()
	run := func(q string, args ...any) result {
		rows, err := t.QueryContext(ctx, q, args...)
		return result{op: "verify", rows: rows, err: err}
	}
	var ends chainEnds
	if err := run(chainSQL).scan(ends.fields()...); errors.Is(err, sallyport.ErrNotFound) {
		return fmt.Errorf("%w: its ends are gone", ErrChain)
	} else if err != nil {
		return err
	}
	if !ends.genuine(db.chain) {
		return fmt.Errorf("%w: its ends were not written with this master key", ErrChain)
	}
	seq, prev := ends.firstSeq, ends.firstPrev
	err = run(eventColumns + ` ORDER BY seq`).each(func(scan func(...any) error) error {
		r, err := scanEventRow(scan)
		if err != nil {
			return err
		}
		if err := r.follows(seq, prev); err != nil {
			return err
		}
		seq, prev = seq+1, r.hash
		return nil
	})
	if err != nil {
		return err
	}
	if seq != ends.lastSeq+1 || !bytes.Equal(prev, ends.lastHash) {
		return fmt.Errorf("%w: it ends at event %d, and event %d was written", ErrChain, seq-1, ends.lastSeq)
	}
	return nil
}

// follows checks one event against its place in the chain.
func (r *eventRow) follows(seq int64, prev []byte) error {
	switch {
	case r.seq != seq:
		return fmt.Errorf("%w: event %d is missing", ErrChain, seq)
	case !bytes.Equal(r.prev, prev):
		return fmt.Errorf("%w: event %d does not follow the one before it", ErrChain, seq)
	case !bytes.Equal(r.hash, link(prev, r.payload)):
		return fmt.Errorf("%w: event %d does not have the content that was written", ErrChain, seq)
	}
	var e struct {
		Seq  int64
		Time time.Time
	}
	if err := json.Unmarshal(r.payload, &e); err != nil || e.Seq != r.seq || micros(e.Time) != r.time {
		return fmt.Errorf("%w: event %d stands under another number or time", ErrChain, seq)
	}
	return nil
}

// dropOldEvents removes up to limit events from the head of the log that are
// older than the retention, and moves the chain's beginning with them.
func (t *tx) dropOldEvents(now time.Time, limit int) (int, error) {
	if t.db.keep < 0 {
		return 0, nil
	}
	var ends chainEnds
	if err := t.query(chainSQL).scan(ends.fields()...); err != nil {
		return 0, err
	}
	genuine := ends.genuine(t.db.chain)
	cutoff, n := micros(now.Add(-t.db.keep)), 0
	errYoung := errors.New("young")
	err := t.query(`SELECT time, hash FROM audit_events WHERE seq >= $1 ORDER BY seq LIMIT $2`, ends.firstSeq, limit).
		each(func(scan func(...any) error) error {
			var at int64
			var hash []byte
			if err := scan(&at, &hash); err != nil {
				return err
			}
			if at >= cutoff {
				return errYoung
			}
			ends.firstSeq, ends.firstPrev, n = ends.firstSeq+1, hash, n+1
			return nil
		})
	if err != nil && !errors.Is(err, errYoung) {
		return 0, err
	}
	if n == 0 {
		return 0, nil
	}
	if genuine {
		ends.mac = ends.sum(t.db.chain)
	}
	if err := t.must(`UPDATE audit_chain SET first_seq = $1, first_prev = $2, mac = $3 WHERE id = 1`,
		ends.firstSeq, ends.firstPrev, ends.mac); err != nil {
		return 0, err
	}
	return t.exec(`DELETE FROM audit_events WHERE seq < $1`, ends.firstSeq)
}
