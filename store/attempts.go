package store

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"sallyport"
	"sallyport/audit"
)

// fingerprintsKept is how many wrong guesses are remembered to count a repeated
// one once.
const fingerprintsKept = 3

// counter is one row of attempts.
type counter struct {
	denials      int
	level        int // locks since the last success
	last         time.Time
	lockedUntil  time.Time
	fingerprints [][]byte // latest first
}

const counterSQL = `SELECT denials, level, last_at, locked_until, fingerprints FROM attempts
	WHERE subject = $1 AND kind = $2 AND lane = $3`

// read takes the counter from a query of counterSQL; no row is a counter at zero.
func (c *counter) read(r result) error {
	err := r.scan(&c.denials, &c.level, timeCol{&c.last}, timeCol{&c.lockedUntil}, jsonCol{&c.fingerprints})
	if errors.Is(err, sallyport.ErrNotFound) {
		return nil
	}
	return err
}

// settle applies what time alone has done.
func (c *counter) settle(now time.Time, rule sallyport.Lockout) {
	if !c.lockedUntil.IsZero() && !c.locked(now) {
		c.denials, c.lockedUntil = 0, time.Time{}
	}
	if c.lockedUntil.IsZero() && rule.ResetAfter > 0 && now.Sub(c.last) >= rule.ResetAfter {
		c.denials, c.fingerprints = 0, nil
	}
}

func (c *counter) locked(now time.Time) bool { return c.lockedUntil.After(now) }

// state describes a settled counter.
func (c *counter) state(now time.Time, rule sallyport.Lockout) sallyport.AttemptState {
	if rule.Denials <= 0 {
		return sallyport.AttemptState{Left: math.MaxInt32}
	}
	return sallyport.AttemptState{
		Locked: c.locked(now),
		Until:  c.lockedUntil,
		Left:   max(0, rule.Denials-c.denials),
	}
}

// charge counts one guess and locks when the rule says so. It reports whether
// the guess counted.
func (c *counter) charge(a sallyport.Attempt) bool {
	if len(a.Fingerprint) > 0 {
		if slices.ContainsFunc(c.fingerprints, func(f []byte) bool { return bytes.Equal(f, a.Fingerprint) }) {
			return false
		}
		c.fingerprints = slices.Insert(c.fingerprints, 0, a.Fingerprint)
		c.fingerprints = c.fingerprints[:min(len(c.fingerprints), fingerprintsKept)]
	}
	c.denials++
	c.last = a.At
	if c.denials >= a.Rule.Denials {
		c.lockedUntil = a.At.Add(lockTime(a.Rule, c.level))
		c.level++
	}
	return true
}

// lockTime doubles with every lock since the last success, up to the longest.
func lockTime(rule sallyport.Lockout, level int) time.Duration {
	d := rule.LockFor
	for range level {
		if d >= rule.LockMax/2 {
			return max(rule.LockFor, rule.LockMax)
		}
		d *= 2
	}
	return d
}

// ChargeAttempt charges one attempt before it is judged, atomically.
func (db *DB) ChargeAttempt(ctx context.Context, a sallyport.Attempt) (sallyport.AttemptState, error) {
	if a.Rule.Denials <= 0 {
		return (&counter{}).state(a.At, a.Rule), nil
	}
	var out sallyport.AttemptState
	err := db.change(ctx, "charge attempt", func(t *tx) error {
		var c counter
		if err := c.read(t.query(counterSQL, a.Subject, string(a.Kind), string(a.Lane))); err != nil {
			return err
		}
		if c.locked(a.At) {
			out = c.state(a.At, a.Rule)
			return nil
		}
		c.settle(a.At, a.Rule)
		counted := c.charge(a)
		out = c.state(a.At, a.Rule)
		out.Locked = false // this one is still to be judged, the next is refused
		if !counted {
			return nil
		}
		_, err := t.exec(`INSERT INTO attempts (subject, kind, lane, denials, level, last_at, locked_until, fingerprints)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (subject, kind, lane) DO UPDATE SET denials = excluded.denials, level = excluded.level,
				last_at = excluded.last_at, locked_until = excluded.locked_until, fingerprints = excluded.fingerprints`,
			a.Subject, string(a.Kind), string(a.Lane), c.denials, c.level, micros(c.last), micros(c.lockedUntil),
			text(c.fingerprints))
		return err
	})
	if err != nil {
		return sallyport.AttemptState{Locked: true}, err
	}
	return out, nil
}

// AttemptState reads a lane's state and changes nothing.
func (db *DB) AttemptState(ctx context.Context, a sallyport.Attempt) (sallyport.AttemptState, error) {
	var c counter
	if err := c.read(db.query(ctx, "attempt state", counterSQL, a.Subject, string(a.Kind), string(a.Lane))); err != nil {
		return sallyport.AttemptState{Locked: true}, err
	}
	c.settle(a.At, a.Rule)
	return c.state(a.At, a.Rule), nil
}

// ClearAttempts sets one lane's count and lock level to zero after a success.
func (db *DB) ClearAttempts(ctx context.Context, subject string, kind sallyport.AttemptKind, lane sallyport.Lane) error {
	return db.change(ctx, "clear attempts", func(t *tx) error {
		_, err := t.exec(`DELETE FROM attempts WHERE subject = $1 AND kind = $2 AND lane = $3`,
			subject, string(kind), string(lane))
		return err
	})
}

// Unlock clears all attempt counters of the subjects.
func (db *DB) Unlock(ctx context.Context, subjects []string, events ...audit.Event) error {
	return db.change(ctx, "unlock", func(t *tx) error {
		for _, s := range subjects {
			if _, err := t.exec(`DELETE FROM attempts WHERE subject = $1`, s); err != nil {
				return err
			}
		}
		t.log(events...)
		return nil
	})
}

// Lockouts returns the lanes of the subjects that are locked now.
func (db *DB) Lockouts(ctx context.Context, subjects []string, now time.Time) ([]sallyport.LockedLane, error) {
	var out []sallyport.LockedLane
	for _, s := range subjects {
		lanes, err := list(db.query(ctx, "lockouts", `SELECT subject, kind, lane, denials, locked_until FROM attempts
			WHERE subject = $1 AND locked_until > $2 ORDER BY kind, lane LIMIT $3`, s, micros(now), listMax),
			func(scan func(...any) error) (l sallyport.LockedLane, err error) {
				return l, scan(&l.Subject, &l.Kind, &l.Lane, &l.Denials, timeCol{&l.Until})
			})
		if err != nil {
			return nil, err
		}
		out = append(out, lanes...)
	}
	return out, nil
}
