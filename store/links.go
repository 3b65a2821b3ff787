package store

import (
	"context"
	"time"

	"sallyport"
	"sallyport/audit"
)

func (t *tx) insertLink(l sallyport.Link) error {
	if l.CreatedAt.IsZero() {
		l.CreatedAt = t.db.now()
	}
	_, err := t.exec(`INSERT INTO links (provider, issuer, subject, user_id, username, created_at, last_used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		l.Provider, l.Issuer, l.Subject, string(l.UserID), l.Username, micros(l.CreatedAt), micros(l.LastUsedAt))
	return err
}

// Links returns a user's links, oldest first.
func (db *DB) Links(ctx context.Context, user sallyport.UserID) ([]sallyport.Link, error) {
	return list(db.query(ctx, "links", `SELECT provider, issuer, subject, user_id, username, created_at, last_used_at
		FROM links WHERE user_id = $1 ORDER BY created_at, provider, issuer, subject`, string(user)),
		func(scan func(...any) error) (l sallyport.Link, err error) {
			return l, scan(&l.Provider, &l.Issuer, &l.Subject, &l.UserID, &l.Username,
				timeCol{&l.CreatedAt}, timeCol{&l.LastUsedAt})
		})
}

// CreateLink adds a link.
func (db *DB) CreateLink(ctx context.Context, l sallyport.Link, events ...audit.Event) error {
	return db.change(ctx, "create link", func(t *tx) error {
		t.changed(sallyport.ChangeUser, string(l.UserID))
		t.log(events...)
		return t.insertLink(l)
	})
}

// DeleteLink removes a link of the user and ends the sessions that began with
// that provider.
func (db *DB) DeleteLink(ctx context.Context, user sallyport.UserID, provider, subject string, at time.Time, events ...audit.Event) error {
	return db.change(ctx, "delete link", func(t *tx) error {
		err := t.must(`DELETE FROM links WHERE user_id = $1 AND provider = $2 AND subject = $3`, string(user), provider, subject)
		if err != nil {
			return err
		}
		if err := t.endSessionsOf(user, provider, at); err != nil {
			return err
		}
		if err := t.distrust(user, at); err != nil {
			return err
		}
		// A sign-in under way may have begun with it as well.
		if err := t.expireFlows(user, at); err != nil {
			return err
		}
		t.changed(sallyport.ChangeUser, string(user))
		t.log(events...)
		return nil
	})
}
