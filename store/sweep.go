package store

import (
	"context"
	"time"

	"sallyport"
)

const (
	// sweepBatch bounds what one Sweep removes of each sort, and so how long others
	// wait for it; the next one goes on.
	sweepBatch = 2000
	// changesKept is how long a node may be away and still learn of each change.
	changesKept = 24 * time.Hour
	// Attempt counters that were not touched for so long go. A lock level of a
	// known user stays: only a success resets it.
	strangersKept = 24 * time.Hour
	countersKept  = 30 * 24 * time.Hour
)

// Sweep removes what has expired: sessions past their limits, revoked, or idle
// since before idleSince (zero: none), with their tokens; hand-offs, devices, old
// changes, forgotten attempt counters, and audit events after 90 days. It returns
// how many rows went, not counting what hung on them.
func (db *DB) Sweep(ctx context.Context, now, idleSince time.Time) (int, error) {
	at := micros(now)
	steps := []struct {
		q    string
		args []any
	}{
		{`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= $1 LIMIT $2)`, []any{at, sweepBatch}},
		{`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE last_seen_at < $1 LIMIT $2)`, []any{micros(idleSince), sweepBatch}},
		{`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE revoked_at > 0 LIMIT $1)`, []any{sweepBatch}},
		{`DELETE FROM handoffs WHERE hash IN (SELECT hash FROM handoffs WHERE expires_at <= $1 LIMIT $2)`, []any{at, sweepBatch}},
		{`DELETE FROM devices WHERE id IN (SELECT id FROM devices WHERE expires_at <= $1 LIMIT $2)`, []any{at, sweepBatch}},
		// The last change stays, so that the highest number is never forgotten.
		{`DELETE FROM changes WHERE seq IN (SELECT seq FROM changes WHERE at < $1
			AND seq < (SELECT max(seq) FROM changes) ORDER BY seq LIMIT $2)`, []any{micros(now.Add(-changesKept)), sweepBatch}},
		{`DELETE FROM attempts WHERE (subject, kind, lane) IN (SELECT subject, kind, lane FROM attempts WHERE last_at < $1
			AND subject NOT IN (SELECT id FROM users) LIMIT $2)`, []any{micros(now.Add(-strangersKept)), sweepBatch}},
		{`DELETE FROM attempts WHERE (subject, kind, lane) IN (SELECT subject, kind, lane FROM attempts WHERE last_at < $1
			AND level = 0 LIMIT $2)`, []any{micros(now.Add(-countersKept)), sweepBatch}},
	}
	total := 0
	for _, s := range steps {
		err := db.change(ctx, "sweep", func(t *tx) error {
			n, err := t.exec(s.q, s.args...)
			total += n
			return err
		})
		if err != nil {
			return total, err
		}
	}
	err := db.change(ctx, "sweep", func(t *tx) error {
		n, err := t.dropOldEvents(now, sweepBatch)
		total += n
		return err
	})
	return total, err
}

// forgetAll ends everything that was granted before.
func (t *tx) forgetAll() error {
	for _, q := range []string{
		`DELETE FROM sessions`, // and with them tokens and hand-offs
		`DELETE FROM devices`,
		`DELETE FROM flows`,
	} {
		if _, err := t.exec(q); err != nil {
			return err
		}
	}
	t.changed(sallyport.ChangeUser, "")
	t.changed(sallyport.ChangeSession, "")
	t.changed(sallyport.ChangeKeys, "")
	return nil
}
