package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"sallyport"
	"sallyport/audit"
)

// listMax bounds the sessions and devices of one user in a list.
const listMax = 1000

const sessionColumns = `s.id, s.user_id, s.provider, s.groups, s.created_at, s.last_seen_at, s.expires_at, s.revoked_at,
	s.address, s.user_agent, s.browser`

func sessionFields(s *sallyport.Session) []any {
	return []any{&s.ID, &s.UserID, &s.Provider, jsonCol{&s.Groups}, timeCol{&s.CreatedAt}, timeCol{&s.LastSeenAt},
		timeCol{&s.ExpiresAt}, timeCol{&s.RevokedAt}, addrCol{&s.Address}, &s.UserAgent, hashCol{&s.Browser}}
}

// CreateSession inserts a session with its first host token. A user who is gone
// or may not sign in gets none: sallyport.ErrNotFound, sallyport.ErrDenied.
func (db *DB) CreateSession(ctx context.Context, s sallyport.Session, token sallyport.HostToken, events ...audit.Event) error {
	return db.change(ctx, "create session", func(t *tx) error {
		u, err := t.user(s.UserID)
		if err != nil {
			return err
		}
		if u.SignInDisabled {
			return sallyport.ErrDenied
		}
		if first := sallyport.FirstFactorAt(token.Proofs); !first.IsZero() && first.Before(u.TrustEndedAt) {
			return sallyport.ErrExpired
		}
		_, err = t.exec(`INSERT INTO sessions (id, user_id, provider, groups, created_at, last_seen_at, expires_at,
				revoked_at, address, user_agent, browser)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			string(s.ID), string(s.UserID), s.Provider, text(s.Groups), micros(s.CreatedAt), micros(s.LastSeenAt),
			micros(s.ExpiresAt), micros(s.RevokedAt), address(s.Address), s.UserAgent, s.Browser[:])
		if err != nil {
			return err
		}
		token.SessionID = s.ID
		t.log(events...)
		return t.insertToken(token)
	})
}

func (t *tx) insertToken(k sallyport.HostToken) error {
	_, err := t.exec(`INSERT INTO tokens (hash, session_id, host, proofs, device_id, created_at)
		VALUES ($1, $2, $3, $4, $5, $6)`,
		k.Hash[:], string(k.SessionID), k.Host, text(k.Proofs), string(k.DeviceID), micros(k.CreatedAt))
	return err
}

// liveSession is the condition for a session that still opens something at time
// $2; $1 is its ID.
const liveSession = `SELECT 1 FROM sessions WHERE id = $1 AND revoked_at = 0 AND expires_at > $2`

func (t *tx) sessionLive(id sallyport.SessionID, at time.Time) error {
	var one int
	return t.query(liveSession, string(id), t.at(at)).scan(&one)
}

// RotateToken replaces the token stored under old by a new one of the same
// session and host.
func (db *DB) RotateToken(ctx context.Context, old sallyport.TokenHash, k sallyport.HostToken, events ...audit.Event) error {
	return db.change(ctx, "rotate token", func(t *tx) error {
		if err := t.sessionLive(k.SessionID, k.CreatedAt); err != nil {
			return err
		}
		err := t.must(`UPDATE tokens SET hash = $4, proofs = $5, device_id = $6, created_at = $7
			WHERE hash = $1 AND session_id = $2 AND host = $3`,
			old[:], string(k.SessionID), k.Host, k.Hash[:], text(k.Proofs), string(k.DeviceID), micros(k.CreatedAt))
		if err != nil {
			return err
		}
		t.changed(sallyport.ChangeSession, string(k.SessionID))
		t.log(events...)
		return nil
	})
}

// AddToken inserts an app host's token for a live session.
func (db *DB) AddToken(ctx context.Context, k sallyport.HostToken, events ...audit.Event) error {
	return db.change(ctx, "add token", func(t *tx) error {
		if err := t.sessionLive(k.SessionID, k.CreatedAt); err != nil {
			return err
		}
		n, err := t.exec(`DELETE FROM tokens WHERE session_id = $1 AND host = $2`, string(k.SessionID), k.Host)
		if err != nil {
			return err
		}
		if n > 0 { // nodes may hold a grant of the earlier one
			t.changed(sallyport.ChangeSession, string(k.SessionID))
		}
		t.log(events...)
		return t.insertToken(k)
	})
}

// Grant resolves a host token.
func (db *DB) Grant(ctx context.Context, hash sallyport.TokenHash, now time.Time) (*sallyport.Grant, error) {
	g := &sallyport.Grant{}
	fields := sessionFields(&g.Session)
	fields = append(fields, userFields(&g.User)...)
	fields = append(fields, hashCol{&g.Token.Hash}, &g.Token.SessionID, &g.Token.Host, jsonCol{&g.Token.Proofs},
		&g.Token.DeviceID, timeCol{&g.Token.CreatedAt}, &g.Registered, timeCol{&g.RememberedUntil})
	err := db.query(ctx, "grant", `SELECT `+sessionColumns+`, `+userColumns+`,
			k.hash, k.session_id, k.host, k.proofs, k.device_id, k.created_at,
			EXISTS (SELECT 1 FROM methods m WHERE m.user_id = u.id AND m.kind <> $3),
			COALESCE((SELECT d.expires_at FROM devices d WHERE d.id = k.device_id AND d.user_id = u.id AND d.expires_at > $2), 0)
		FROM tokens k JOIN sessions s ON s.id = k.session_id JOIN users u ON u.id = s.user_id
		WHERE k.hash = $1 AND s.revoked_at = 0 AND s.expires_at > $2`,
		hash[:], micros(now), string(sallyport.KindRecovery)).scan(fields...)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// TouchSessions raises last-seen times; it never lowers one.
func (db *DB) TouchSessions(ctx context.Context, seen map[sallyport.SessionID]time.Time) error {
	// In parts, so that sign-ins do not wait for thousands of updates.
	for ids := range slices.Chunk(slices.Collect(maps.Keys(seen)), 500) {
		err := db.change(ctx, "touch sessions", func(t *tx) error {
			for _, id := range ids {
				if _, err := t.exec(`UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2`,
					string(id), micros(seen[id])); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// RevokeSession ends one session, its tokens and hand-offs, and the flows of its
// browser. Revoking one that has ended changes nothing and records nothing.
func (db *DB) RevokeSession(ctx context.Context, id sallyport.SessionID, at time.Time, events ...audit.Event) error {
	return db.change(ctx, "revoke session", func(t *tx) error {
		var browser sallyport.TokenHash
		err := t.query(`UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0 RETURNING browser`,
			string(id), t.at(at)).scan(hashCol{&browser})
		if errors.Is(err, sallyport.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.endFlows(browser, at); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM tokens WHERE session_id = $1`, string(id)); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM handoffs WHERE session_id = $1`, string(id)); err != nil {
			return err
		}
		t.changed(sallyport.ChangeSession, string(id))
		t.log(events...)
		return nil
	})
}

// endSessions revokes the user's sessions but except; see dropRevoked.
func (t *tx) endSessions(user sallyport.UserID, except sallyport.SessionID, at time.Time) error {
	_, err := t.countEnded(user, except, at)
	return err
}

func (t *tx) countEnded(user sallyport.UserID, except sallyport.SessionID, at time.Time) (int, error) {
	n, err := t.exec(`UPDATE sessions SET revoked_at = $3 WHERE user_id = $1 AND id <> $2 AND revoked_at = 0`,
		string(user), string(except), t.at(at))
	if err != nil {
		return 0, err
	}
	return n, t.dropRevoked(user)
}

// endSessionsOf revokes the user's sessions that began with a provider.
func (t *tx) endSessionsOf(user sallyport.UserID, provider string, at time.Time) error {
	_, err := t.exec(`UPDATE sessions SET revoked_at = $3 WHERE user_id = $1 AND provider = $2 AND revoked_at = 0`,
		string(user), provider, t.at(at))
	if err != nil {
		return err
	}
	return t.dropRevoked(user)
}

// endSessionsProvenBy revokes the user's sessions but except in which the method
// was shown, and returns how many.
func (t *tx) endSessionsProvenBy(user sallyport.UserID, method sallyport.MethodID, except sallyport.SessionID) (int, error) {
	n, err := t.exec(`UPDATE sessions SET revoked_at = $4 WHERE user_id = $1 AND id <> $3 AND revoked_at = 0
		AND id IN (SELECT session_id FROM tokens WHERE proofs LIKE '%"' || $2 || '"%')`,
		string(user), string(method), string(except), t.at(time.Time{}))
	if err != nil {
		return 0, err
	}
	return n, t.dropRevoked(user)
}

// dropRevoked removes the tokens and hand-offs of the user's revoked sessions.
func (t *tx) dropRevoked(user sallyport.UserID) error {
	if _, err := t.exec(`DELETE FROM tokens WHERE session_id IN
		(SELECT id FROM sessions WHERE user_id = $1 AND revoked_at > 0)`, string(user)); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM handoffs WHERE session_id IN
		(SELECT id FROM sessions WHERE user_id = $1 AND revoked_at > 0)`, string(user))
	return err
}

// RevokeUserSessions ends all sessions of a user but except, and returns how
// many.
func (db *DB) RevokeUserSessions(ctx context.Context, user sallyport.UserID, except sallyport.SessionID, at time.Time, events ...audit.Event) (n int, err error) {
	err = db.change(ctx, "revoke sessions", func(t *tx) error {
		if err := t.distrust(user, at); err != nil {
			return err
		}
		// Sign-ins under way end too: a parked one could begin a session afterwards.
		if n, err = t.countEnded(user, except, at); err != nil {
			return err
		}
		if err := t.expireFlows(user, at); err != nil {
			return err
		}
		t.changed(sallyport.ChangeUser, string(user))
		t.log(events...)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Sessions returns a user's live sessions, latest first, at most 1000.
func (db *DB) Sessions(ctx context.Context, user sallyport.UserID, now time.Time) ([]sallyport.Session, error) {
	return list(db.query(ctx, "sessions", `SELECT `+sessionColumns+` FROM sessions s
		WHERE s.user_id = $1 AND s.revoked_at = 0 AND s.expires_at > $2
		ORDER BY s.created_at DESC, s.id DESC LIMIT $3`, string(user), micros(now), listMax),
		func(scan func(...any) error) (s sallyport.Session, err error) {
			err = scan(sessionFields(&s)...)
			return s, err
		})
}
