package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport"
	"sallyport/audit"
)

// Methods returns a user's registered methods, oldest first, with their secrets
// opened.
func (db *DB) Methods(ctx context.Context, user sallyport.UserID) ([]sallyport.Method, error) {
	return list(db.query(ctx, "methods", `SELECT id, user_id, kind, name, secret, counter, drift, created_at, last_used_at
		FROM methods WHERE user_id = $1 ORDER BY created_at, id LIMIT $2`, string(user), listMax),
		func(scan func(...any) error) (m sallyport.Method, err error) {
			err = scan(&m.ID, &m.UserID, &m.Kind, &m.Name, &m.Secret, &m.Counter, &m.Drift,
				timeCol{&m.CreatedAt}, timeCol{&m.LastUsedAt})
			if err != nil {
				return m, err
			}
			m.Secret, err = db.keys.Open(m.Secret, "methods", "secret", string(m.ID))
			if err != nil {
				return sallyport.Method{}, damaged("secret of method "+string(m.ID), err)
			}
			return m, nil
		})
}

// RegisterMethod inserts a method, at most max of its kind for the user;
// sallyport.ErrExists when the same one was stored before.
func (db *DB) RegisterMethod(ctx context.Context, m sallyport.Method, max int, events func(promoted bool) []audit.Event) error {
	return db.change(ctx, "register method", func(t *tx) error {
		before, err := t.user(m.UserID)
		if err != nil {
			return err
		}
		if m.CreatedAt.IsZero() {
			m.CreatedAt = db.now()
		}
		// Inserted before it is counted, so that the form of somebody's last allowed
		// method, sent twice, is told from one method too many.
		_, err = t.exec(`INSERT INTO methods (id, user_id, kind, name, secret, counter, drift, created_at, last_used_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			string(m.ID), string(m.UserID), string(m.Kind), m.Name,
			db.keys.Seal(m.Secret, "methods", "secret", string(m.ID)),
			m.Counter, m.Drift, micros(m.CreatedAt), micros(m.LastUsedAt))
		if err != nil {
			return err
		}
		var have int
		err = t.query(`SELECT count(*) FROM methods WHERE user_id = $1 AND kind = $2`, string(m.UserID), string(m.Kind)).scan(&have)
		if err != nil {
			return err
		}
		if have > max {
			return fmt.Errorf("store: register method: %d of %s: %w", have-1, m.Kind, sallyport.ErrLimit)
		}
		after := before
		after.Reregister = false
		promoted := before.State == sallyport.StateEnabled
		if promoted {
			after.State = sallyport.StateEnforced
		}
		if after != before {
			after.UpdatedAt = m.CreatedAt
			if err := t.updateUser(&before, &after); err != nil {
				return err
			}
		}
		t.changed(sallyport.ChangeUser, string(m.UserID))
		if events == nil {
			return nil
		}
		return t.logInSession(events(promoted)...)
	})
}

// logInSession adds the events of a change of security info, and refuses the
// change with sallyport.ErrExpired when the session that they name has ended: a
// node that has not heard of it yet would let a thief who was just signed out
// register an app of their own. Commands and sign-ins have no session.
func (t *tx) logInSession(events ...audit.Event) error {
	for _, e := range events {
		if e.SessionID == "" {
			continue
		}
		err := t.sessionLive(e.SessionID, e.Time)
		if errors.Is(err, sallyport.ErrNotFound) {
			return fmt.Errorf("store: %s: the session has ended: %w", t.op, sallyport.ErrExpired)
		}
		if err != nil {
			return err
		}
	}
	t.log(events...)
	return nil
}

// UseMethod accepts a counter if it is greater than the last one.
func (db *DB) UseMethod(ctx context.Context, id sallyport.MethodID, counter int64, drift int, at time.Time) error {
	return db.change(ctx, "use method", func(t *tx) error {
		n, err := t.exec(`UPDATE methods SET counter = $2, drift = $3, last_used_at = $4 WHERE id = $1 AND counter < $2`,
			string(id), counter, drift, micros(at))
		if err != nil || n == 1 {
			return err
		}
		var one int
		if err := t.query(`SELECT 1 FROM methods WHERE id = $1`, string(id)).scan(&one); err != nil {
			return err
		}
		return fmt.Errorf("store: use method: %w", sallyport.ErrUsed)
	})
}

// RenameMethod renames a method of the user.
func (db *DB) RenameMethod(ctx context.Context, user sallyport.UserID, id sallyport.MethodID, name string, events ...audit.Event) error {
	return db.change(ctx, "rename method", func(t *tx) error {
		if err := t.logInSession(events...); err != nil {
			return err
		}
		return t.must(`UPDATE methods SET name = $3 WHERE id = $1 AND user_id = $2`, string(id), string(user), name)
	})
}

// DeleteMethod deletes a method of the user, and ends the sessions that it proved
// but by, the one in which it is deleted ("" for none). events is told how many.
func (db *DB) DeleteMethod(ctx context.Context, user sallyport.UserID, id sallyport.MethodID, keepOne bool, by sallyport.SessionID, events func(ended int) []audit.Event) error {
	return db.change(ctx, "delete method", func(t *tx) error {
		var kind sallyport.Kind
		var since time.Time
		err := t.query(`DELETE FROM methods WHERE id = $1 AND user_id = $2 RETURNING kind, created_at`, string(id), string(user)).
			scan(&kind, timeCol{&since})
		if err != nil {
			return err
		}
		// A device does not tell by which method it was verified, so all that may have
		// been by this one are forgotten.
		if _, err := t.exec(`DELETE FROM devices WHERE user_id = $1 AND created_at >= $2`, string(user), micros(since)); err != nil {
			return err
		}
		if keepOne && kind != sallyport.KindRecovery {
			var left int
			err := t.query(`SELECT count(*) FROM methods WHERE user_id = $1 AND kind <> $2`,
				string(user), string(sallyport.KindRecovery)).scan(&left)
			if err != nil {
				return err
			}
			if left == 0 {
				return fmt.Errorf("store: delete method: %w", sallyport.ErrLastMethod)
			}
		}
		ended, err := t.endSessionsProvenBy(user, id, by)
		if err != nil {
			return err
		}
		t.changed(sallyport.ChangeUser, string(user))
		if events == nil {
			return nil
		}
		return t.logInSession(events(ended)...)
	})
}

// ReplaceRecoveryCodes sets a user's recovery codes, given as keyed hashes, to the
// set of the moment made. Kept a second time, a set would bring back the codes
// that were used: the set in force is sallyport.ErrExists, any other that is not
// newer is sallyport.ErrUsed.
func (db *DB) ReplaceRecoveryCodes(ctx context.Context, user sallyport.UserID, hashes [][]byte, made time.Time, events ...audit.Event) error {
	return db.change(ctx, "replace recovery codes", func(t *tx) error {
		if err := t.newerThanCodes(user, hashes, made); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM recovery_codes WHERE user_id = $1`, string(user)); err != nil {
			return err
		}
		for _, h := range hashes {
			if _, err := t.exec(`INSERT INTO recovery_codes (user_id, hash, created_at, used_at) VALUES ($1, $2, $3, 0)`,
				string(user), h, micros(made)); err != nil {
				return err
			}
		}
		return t.logInSession(events...)
	})
}

// newerThanCodes refuses a set of recovery codes that is the one in force, or one
// that is not newer.
func (t *tx) newerThanCodes(user sallyport.UserID, hashes [][]byte, made time.Time) error {
	var newest int64
	err := t.query(`SELECT COALESCE(max(created_at), 0) FROM recovery_codes WHERE user_id = $1`, string(user)).scan(&newest)
	if err != nil || newest == 0 || micros(made) > newest {
		return err
	}
	for _, h := range hashes {
		var same int
		err := t.query(`SELECT count(*) FROM recovery_codes WHERE user_id = $1 AND hash = $2`, string(user), h).scan(&same)
		if err != nil {
			return err
		}
		if same > 0 {
			return fmt.Errorf("store: %s: the set in force: %w", t.op, sallyport.ErrExists)
		}
	}
	return fmt.Errorf("store: %s: a set that is not newer than the one in force: %w", t.op, sallyport.ErrUsed)
}

// UseRecoveryCode consumes one.
func (db *DB) UseRecoveryCode(ctx context.Context, user sallyport.UserID, hash []byte, at time.Time) error {
	return db.change(ctx, "use recovery code", func(t *tx) error {
		n, err := t.exec(`UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND hash = $2 AND used_at = 0`,
			string(user), hash, t.at(at))
		if err != nil || n == 1 {
			return err
		}
		var one int
		err = t.query(`SELECT 1 FROM recovery_codes WHERE user_id = $1 AND hash = $2`, string(user), hash).scan(&one)
		if errors.Is(err, sallyport.ErrNotFound) {
			return err
		}
		return errors.Join(err, fmt.Errorf("store: use recovery code: %w", sallyport.ErrUsed))
	})
}

// RecoveryCodesLeft counts the unused ones.
func (db *DB) RecoveryCodesLeft(ctx context.Context, user sallyport.UserID) (n int, err error) {
	err = db.query(ctx, "recovery codes left",
		`SELECT count(*) FROM recovery_codes WHERE user_id = $1 AND used_at = 0`, string(user)).scan(&n)
	return n, err
}
