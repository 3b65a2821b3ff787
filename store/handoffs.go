package store

import (
	"context"
	"time"

	"sallyport"
)

// CreateHandoff stores a hand-off code of a session that is not revoked;
// sallyport.ErrNotFound when it is.
func (db *DB) CreateHandoff(ctx context.Context, h sallyport.Handoff) error {
	return db.change(ctx, "create hand-off", func(t *tx) error {
		return t.must(`INSERT INTO handoffs (hash, state, host, return_url, session_id, flow_id, proofs, device_id, expires_at)
			SELECT $1, $2, $3, $4, s.id, $6, $7, $8, $9 FROM sessions s WHERE s.id = $5 AND s.revoked_at = 0`,
			h.Hash[:], h.State[:], h.Host, h.ReturnURL, string(h.SessionID), string(h.FlowID), text(h.Proofs),
			string(h.DeviceID), micros(h.ExpiresAt))
	})
}

// TakeHandoff removes and returns the hand-off.
func (db *DB) TakeHandoff(ctx context.Context, hash sallyport.TokenHash, now time.Time) (sallyport.Handoff, error) {
	var h sallyport.Handoff
	good := false
	err := db.change(ctx, "take hand-off", func(t *tx) error {
		err := t.query(`DELETE FROM handoffs WHERE hash = $1
			RETURNING hash, state, host, return_url, session_id, flow_id, proofs, device_id, expires_at`, hash[:]).
			scan(hashCol{&h.Hash}, hashCol{&h.State}, &h.Host, &h.ReturnURL, &h.SessionID, &h.FlowID,
				jsonCol{&h.Proofs}, &h.DeviceID, timeCol{&h.ExpiresAt})
		if err != nil {
			return err
		}
		var live int
		err = t.query(`SELECT count(*) FROM sessions WHERE id = $1 AND revoked_at = 0 AND expires_at > $2`,
			string(h.SessionID), micros(now)).scan(&live)
		good = live == 1 && h.ExpiresAt.After(now)
		return err
	})
	if err != nil {
		return sallyport.Handoff{}, err
	}
	if !good { // it is gone nevertheless
		return sallyport.Handoff{}, sallyport.ErrExpired
	}
	return h, nil
}
