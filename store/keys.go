package store

import (
	"context"
	"fmt"
	"time"

	"sallyport"
	"sallyport/audit"
)

// SigningKeys returns all keys, the earliest active one first, with their private
// halves opened.
func (db *DB) SigningKeys(ctx context.Context) ([]sallyport.SigningKey, error) {
	return list(db.query(ctx, "signing keys", `SELECT kid, pkcs8, created_at, active_at, retire_at
		FROM signing_keys ORDER BY active_at, kid LIMIT $1`, listMax),
		func(scan func(...any) error) (k sallyport.SigningKey, err error) {
			err = scan(&k.KID, &k.PKCS8, timeCol{&k.CreatedAt}, timeCol{&k.ActiveAt}, timeCol{&k.RetireAt})
			if err != nil {
				return k, err
			}
			k.PKCS8, err = db.keys.Open(k.PKCS8, "signing_keys", "pkcs8", k.KID)
			if err != nil {
				return sallyport.SigningKey{}, damaged("signing key "+k.KID, err)
			}
			return k, nil
		})
}

// CreateSigningKey adds a key, with a ChangeKeys, unless there is one that
// becomes active after the time given: then sallyport.ErrExists. A node passes
// the ActiveAt of the latest key it knows (zero for none), so that of several
// nodes that find a new key due at the same time, one makes it and the others
// read again.
func (db *DB) CreateSigningKey(ctx context.Context, k sallyport.SigningKey, after time.Time, events ...audit.Event) error {
	return db.change(ctx, "create signing key", func(t *tx) error {
		var later int
		err := t.query(`SELECT count(*) FROM signing_keys WHERE active_at > $1`, micros(after)).scan(&later)
		if err != nil {
			return err
		}
		if later > 0 {
			return fmt.Errorf("store: create signing key: %w", sallyport.ErrExists)
		}
		_, err = t.exec(`INSERT INTO signing_keys (kid, pkcs8, created_at, active_at, retire_at) VALUES ($1, $2, $3, $4, $5)`,
			k.KID, db.keys.Seal(k.PKCS8, "signing_keys", "pkcs8", k.KID), micros(k.CreatedAt), t.at(k.ActiveAt), micros(k.RetireAt))
		if err != nil {
			return err
		}
		t.changed(sallyport.ChangeKeys, "")
		t.log(events...)
		return nil
	})
}

// DeleteSigningKeys removes the keys that retired before the time given, with a
// ChangeKeys when there were any.
func (db *DB) DeleteSigningKeys(ctx context.Context, before time.Time) error {
	return db.change(ctx, "delete signing keys", func(t *tx) error {
		n, err := t.exec(`DELETE FROM signing_keys WHERE retire_at < $1`, micros(before))
		if err != nil {
			return err
		}
		if n > 0 {
			t.changed(sallyport.ChangeKeys, "")
		}
		return nil
	})
}
