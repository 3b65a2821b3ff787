package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"sallyport"
	"sallyport/audit"
)

const userColumns = `u.id, u.name, u.email, u.display_name, u.state, u.sign_in_disabled, u.reregister, u.language,
	u.created_at, u.updated_at, u.last_sign_in_at, u.trust_ended_at`

func userFields(u *sallyport.User) []any {
	return []any{&u.ID, &u.Name, &u.Email, &u.DisplayName, &u.State, &u.SignInDisabled, &u.Reregister, &u.Language,
		timeCol{&u.CreatedAt}, timeCol{&u.UpdatedAt}, timeCol{&u.LastSignInAt}, timeCol{&u.TrustEndedAt}}
}

func scanUser(scan func(...any) error) (u sallyport.User, err error) {
	err = scan(userFields(&u)...)
	return u, err
}

// User returns a user by ID.
func (db *DB) User(ctx context.Context, id sallyport.UserID) (sallyport.User, error) {
	var u sallyport.User
	err := db.query(ctx, "user", `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, string(id)).scan(userFields(&u)...)
	return u, err
}

// UserByName returns the user with that folded name or address.
func (db *DB) UserByName(ctx context.Context, folded string) (sallyport.User, error) {
	var u sallyport.User
	err := db.query(ctx, "user by name", `SELECT `+userColumns+`
		FROM names n JOIN users u ON u.id = n.user_id WHERE n.folded = $1`, folded).scan(userFields(&u)...)
	return u, err
}

// UserByLink returns the user of an account at a provider.
func (db *DB) UserByLink(ctx context.Context, provider, issuer, subject string) (sallyport.User, error) {
	var u sallyport.User
	err := db.query(ctx, "user by link", `SELECT `+userColumns+` FROM links l JOIN users u ON u.id = l.user_id
		WHERE l.provider = $1 AND l.issuer = $2 AND l.subject = $3`, provider, issuer, subject).scan(userFields(&u)...)
	return u, err
}

// Users returns users in order of their folded names, after the given one.
func (db *DB) Users(ctx context.Context, after string, limit int) ([]sallyport.User, error) {
	if limit <= 0 {
		limit = math.MaxInt32
	}
	return list(db.query(ctx, "users", `SELECT `+userColumns+` FROM users u WHERE u.folded > $1 ORDER BY u.folded LIMIT $2`,
		after, limit), scanUser)
}

// CreateUser inserts a user with links.
func (db *DB) CreateUser(ctx context.Context, u sallyport.User, links []sallyport.Link, events ...audit.Event) error {
	if u.ID == "" || !u.State.Valid() {
		return fmt.Errorf("store: create user: no ID, or state %q", u.State)
	}
	if u.CreatedAt.IsZero() {
		u.CreatedAt = db.now()
	}
	if u.UpdatedAt.IsZero() {
		u.UpdatedAt = u.CreatedAt
	}
	return db.change(ctx, "create user", func(t *tx) error {
		folded, err := sallyport.FoldName(u.Name)
		if err != nil {
			return fmt.Errorf("store: create user: name: %w", err)
		}
		_, err = t.exec(`INSERT INTO users (id, folded, name, email, display_name, state, sign_in_disabled, reregister,
				language, created_at, updated_at, last_sign_in_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			string(u.ID), folded, u.Name, u.Email, u.DisplayName, string(u.State), u.SignInDisabled, u.Reregister,
			u.Language, micros(u.CreatedAt), micros(u.UpdatedAt), micros(u.LastSignInAt))
		if err != nil {
			return err
		}
		if err := t.setNames(&u); err != nil {
			return err
		}
		for _, l := range links {
			l.UserID = u.ID
			if err := t.insertLink(l); err != nil {
				return err
			}
		}
		t.log(events...)
		return nil
	})
}

// setNames makes the user known under name and address, and nothing else;
// sallyport.ErrExists when one of them is somebody else's.
func (t *tx) setNames(u *sallyport.User) error {
	if _, err := t.exec(`DELETE FROM names WHERE user_id = $1`, string(u.ID)); err != nil {
		return err
	}
	name, err := sallyport.FoldName(u.Name)
	if err != nil {
		return fmt.Errorf("store: %s: name: %w", t.op, err)
	}
	all := []string{name}
	if u.Email != "" {
		mail, err := sallyport.FoldName(u.Email)
		if err != nil {
			return fmt.Errorf("store: %s: address: %w", t.op, err)
		}
		if mail != name {
			all = append(all, mail)
		}
	}
	for _, n := range all {
		if _, err := t.exec(`INSERT INTO names (folded, user_id) VALUES ($1, $2)`, n, string(u.ID)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) user(id sallyport.UserID) (sallyport.User, error) {
	var u sallyport.User
	err := t.query(`SELECT `+userColumns+` FROM users u WHERE u.id = $1`, string(id)).scan(userFields(&u)...)
	return u, err
}

// ChangeUser reads a user, lets change alter a copy, and writes it with the
// events that change returns. Disabling sign-in also ends the user's sessions
// and pending flows: enabling it again must not bring them back. change must not
// call the store's writing methods.
func (db *DB) ChangeUser(ctx context.Context, id sallyport.UserID, change func(*sallyport.User) ([]audit.Event, error)) (sallyport.User, error) {
	var out sallyport.User
	err := db.change(ctx, "change user", func(t *tx) error {
		before, err := t.user(id)
		if err != nil {
			return err
		}
		after := before
		events, err := change(&after)
		if err != nil {
			return err
		}
		after.ID, after.CreatedAt, after.UpdatedAt = before.ID, before.CreatedAt, before.UpdatedAt
		if after == before {
			out = before
			return nil
		}
		now := db.now()
		after.UpdatedAt = now
		if err := t.updateUser(&before, &after); err != nil {
			return err
		}
		if after.SignInDisabled && !before.SignInDisabled {
			if err := errors.Join(t.endSessions(id, "", now), t.expireFlows(id, now)); err != nil {
				return err
			}
		}
		t.changed(sallyport.ChangeUser, string(id))
		t.log(events...)
		out, err = t.user(id)
		return err
	})
	return out, err
}

// updateUser writes after, and the names where they differ.
func (t *tx) updateUser(before, after *sallyport.User) error {
	if !after.State.Valid() {
		return fmt.Errorf("store: %s: state %q", t.op, after.State)
	}
	folded, err := sallyport.FoldName(after.Name)
	if err != nil {
		return fmt.Errorf("store: %s: name: %w", t.op, err)
	}
	err = t.must(`UPDATE users SET folded = $2, name = $3, email = $4, display_name = $5, state = $6,
			sign_in_disabled = $7, reregister = $8, language = $9, updated_at = $10, last_sign_in_at = $11
		WHERE id = $1`,
		string(after.ID), folded, after.Name, after.Email, after.DisplayName, string(after.State),
		after.SignInDisabled, after.Reregister, after.Language, micros(after.UpdatedAt), micros(after.LastSignInAt))
	if err != nil {
		return err
	}
	if after.Name == before.Name && after.Email == before.Email {
		return nil
	}
	return t.setNames(after)
}

// RecordSignIn notes a successful first factor. An empty display name or address
// in u is no news and leaves what is known.
func (db *DB) RecordSignIn(ctx context.Context, u sallyport.User, link sallyport.Link, at time.Time) error {
	return db.change(ctx, "record sign-in", func(t *tx) error {
		before, err := t.user(u.ID)
		if err != nil {
			return err
		}
		after := before
		after.LastSignInAt = at
		if u.DisplayName != "" {
			after.DisplayName = u.DisplayName
		}
		if u.Email != "" && u.Email != before.Email {
			free, err := t.addressFree(u.ID, u.Email)
			if err != nil {
				return err
			}
			if free {
				after.Email = u.Email
			}
		}
		if after.DisplayName != before.DisplayName || after.Email != before.Email {
			after.UpdatedAt = at
			t.changed(sallyport.ChangeUser, string(u.ID))
		}
		if err := t.updateUser(&before, &after); err != nil {
			return err
		}
		_, err = t.exec(`UPDATE links SET username = CASE WHEN $5 = '' THEN username ELSE $5 END, last_used_at = $6
			WHERE provider = $1 AND issuer = $2 AND subject = $3 AND user_id = $4`,
			link.Provider, link.Issuer, link.Subject, string(u.ID), link.Username, micros(at))
		return err
	})
}

// addressFree reports whether the user may have that address.
func (t *tx) addressFree(id sallyport.UserID, email string) (bool, error) {
	folded, err := sallyport.FoldName(email)
	if err != nil {
		return false, nil // not an address that could name anybody
	}
	var n int
	err = t.query(`SELECT count(*) FROM names WHERE folded = $1 AND user_id <> $2`, folded, string(id)).scan(&n)
	return n == 0, err
}

// DeleteUser removes a user and all that is theirs but the audit log.
func (db *DB) DeleteUser(ctx context.Context, id sallyport.UserID, events ...audit.Event) error {
	return db.change(ctx, "delete user", func(t *tx) error {
		if err := t.must(`DELETE FROM users WHERE id = $1`, string(id)); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM flows WHERE user_id = $1`, string(id)); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM attempts WHERE subject = $1`, string(id)); err != nil {
			return err
		}
		t.changed(sallyport.ChangeUser, string(id))
		t.log(events...)
		return nil
	})
}

// distrust makes first factors that were shown before at begin no session any more.
// Ending flows does not reach a sign-in whose password is being judged: until it is,
// the flow has no user.
func (t *tx) distrust(id sallyport.UserID, at time.Time) error {
	_, err := t.exec(`UPDATE users SET trust_ended_at = $2 WHERE id = $1`, string(id), t.at(at))
	return err
}

// endTrust ends what was granted on the strength of earlier factors: sessions,
// remembered devices, and sign-ins under way.
func (t *tx) endTrust(id sallyport.UserID, at time.Time) error {
	if err := t.distrust(id, at); err != nil {
		return err
	}
	if err := t.endSessions(id, "", at); err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM devices WHERE user_id = $1`, string(id)); err != nil {
		return err
	}
	if err := t.expireFlows(id, at); err != nil {
		return err
	}
	t.changed(sallyport.ChangeUser, string(id))
	return nil
}

// SetPassword sets a local user's password hash and ends all that was granted
// under the old one.
func (db *DB) SetPassword(ctx context.Context, id sallyport.UserID, hash string, at time.Time, events ...audit.Event) error {
	return db.change(ctx, "set password", func(t *tx) error {
		if err := t.must(`UPDATE users SET password = $2, updated_at = $3 WHERE id = $1`, string(id), hash, t.at(at)); err != nil {
			return err
		}
		t.log(events...)
		return t.endTrust(id, at)
	})
}

// RequireReregister deletes the user's authenticator apps and recovery codes,
// ends sessions and remembered devices, and sets Reregister.
func (db *DB) RequireReregister(ctx context.Context, id sallyport.UserID, at time.Time, events ...audit.Event) error {
	return db.change(ctx, "require re-registration", func(t *tx) error {
		if err := t.must(`UPDATE users SET reregister = $2, updated_at = $3 WHERE id = $1`, string(id), true, t.at(at)); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM methods WHERE user_id = $1 AND kind = $2`, string(id), string(sallyport.KindTOTP)); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM recovery_codes WHERE user_id = $1`, string(id)); err != nil {
			return err
		}
		t.log(events...)
		return t.endTrust(id, at)
	})
}

// RevokeUser ends all sessions and remembered devices of the user.
func (db *DB) RevokeUser(ctx context.Context, id sallyport.UserID, at time.Time, events ...audit.Event) error {
	return db.change(ctx, "revoke user", func(t *tx) error {
		if _, err := t.user(id); err != nil {
			return err
		}
		t.log(events...)
		return t.endTrust(id, at)
	})
}

// PasswordHash returns a user's PHC string.
func (db *DB) PasswordHash(ctx context.Context, id sallyport.UserID) (hash string, err error) {
	err = db.query(ctx, "password hash",
		`SELECT password FROM users WHERE id = $1 AND password <> ''`, string(id)).scan(&hash)
	return hash, err
}

// UpgradePasswordHash replaces the PHC string of the same password if it is
// still old.
func (db *DB) UpgradePasswordHash(ctx context.Context, id sallyport.UserID, old, hash string) error {
	return db.change(ctx, "upgrade password hash", func(t *tx) error {
		_, err := t.exec(`UPDATE users SET password = $3 WHERE id = $1 AND password = $2`, string(id), old, hash)
		return err
	})
}
