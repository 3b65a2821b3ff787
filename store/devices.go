package store

import (
	"bytes"
	"context"
	"errors"
	"time"

	"sallyport"
	"sallyport/audit"
)

const (
	// deviceGrace is how long a rotated token still skips verification, for tabs
	// that sent it at the same time.
	deviceGrace = time.Minute
	// retiredKept is how many rotated tokens of a device are remembered.
	retiredKept = 200
)

const deviceColumns = `d.id, d.user_id, d.user_agent, d.address, d.created_at, d.last_used_at, d.expires_at`

func deviceFields(d *sallyport.Device) []any {
	return []any{&d.ID, &d.UserID, &d.UserAgent, addrCol{&d.Address}, timeCol{&d.CreatedAt}, timeCol{&d.LastUsedAt},
		timeCol{&d.ExpiresAt}}
}

// CreateDevice stores a remembered device with the hash of its first token.
func (db *DB) CreateDevice(ctx context.Context, d sallyport.Device, token sallyport.TokenHash, events ...audit.Event) error {
	return db.change(ctx, "create device", func(t *tx) error {
		t.log(events...)
		_, err := t.exec(`INSERT INTO devices (id, user_id, token, user_agent, address, created_at, last_used_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			string(d.ID), string(d.UserID), token[:], d.UserAgent, address(d.Address), micros(d.CreatedAt),
			micros(d.LastUsedAt), micros(d.ExpiresAt))
		return err
	})
}

// UseDevice judges a presented device token, in one transaction. An event
// without a kind is not written.
func (db *DB) UseDevice(ctx context.Context, u sallyport.DeviceUse, used, stolen audit.Event) (sallyport.Device, sallyport.DeviceOutcome, error) {
	var d sallyport.Device
	outcome := sallyport.DeviceRefused
	err := db.change(ctx, "use device", func(t *tx) (err error) {
		d, outcome, err = t.judgeDevice(u)
		if err != nil {
			return err
		}
		event := used
		if outcome == sallyport.DeviceStolen {
			event = stolen
			t.changed(sallyport.ChangeUser, string(u.UserID))
		}
		if event.Kind != "" {
			t.log(event)
		}
		return nil
	})
	if err != nil {
		return sallyport.Device{}, sallyport.DeviceRefused, err
	}
	return d, outcome, nil
}

func (t *tx) judgeDevice(u sallyport.DeviceUse) (d sallyport.Device, _ sallyport.DeviceOutcome, err error) {
	err = t.query(`SELECT `+deviceColumns+` FROM devices d WHERE d.token = $1 AND d.user_id = $2 AND d.expires_at > $3`,
		u.Token[:], string(u.UserID), micros(u.Now)).scan(deviceFields(&d)...)
	if err == nil {
		return t.rotateDevice(d, u)
	}
	if !errors.Is(err, sallyport.ErrNotFound) {
		return d, sallyport.DeviceRefused, err
	}

	var current, successor []byte
	var retired time.Time
	fields := append(deviceFields(&d), &current, &successor, timeCol{&retired})
	err = t.query(`SELECT `+deviceColumns+`, d.token, r.successor, r.retired_at
		FROM retired_tokens r JOIN devices d ON d.id = r.device_id
		WHERE r.hash = $1 AND d.user_id = $2 AND d.expires_at > $3`,
		u.Token[:], string(u.UserID), micros(u.Now)).scan(fields...)
	switch {
	case err != nil:
		return d, sallyport.DeviceRefused, err
	case u.Now.Sub(retired) <= deviceGrace:
		return d, sallyport.DeviceGrace, nil
	case bytes.Equal(successor, current):
		// A presented successor would have been rotated out itself; this one never
		// reached the browser.
		return t.reissueDevice(d, current, u)
	}
	return d, sallyport.DeviceStolen, t.must(`DELETE FROM devices WHERE id = $1`, string(d.ID))
}

// rotateDevice makes u.Next the current token and remembers the presented one.
func (t *tx) rotateDevice(d sallyport.Device, u sallyport.DeviceUse) (sallyport.Device, sallyport.DeviceOutcome, error) {
	_, err := t.exec(`INSERT INTO retired_tokens (hash, device_id, successor, retired_at) VALUES ($1, $2, $3, $4)`,
		u.Token[:], string(d.ID), u.Next[:], micros(u.Now))
	if err != nil {
		return d, sallyport.DeviceRefused, err
	}
	_, err = t.exec(`DELETE FROM retired_tokens WHERE device_id = $1 AND retired_at <
			(SELECT retired_at FROM retired_tokens WHERE device_id = $1 ORDER BY retired_at DESC LIMIT 1 OFFSET $2)`,
		string(d.ID), retiredKept-1)
	if err != nil {
		return d, sallyport.DeviceRefused, err
	}
	return t.setDeviceToken(d, u)
}

// reissueDevice gives the presented token a new successor in place of the lost
// one, which is void. If it was not lost after all, two browsers share the device,
// and one of them is a thief's: presenting the void one kills it.
func (t *tx) reissueDevice(d sallyport.Device, lost []byte, u sallyport.DeviceUse) (sallyport.Device, sallyport.DeviceOutcome, error) {
	_, err := t.exec(`INSERT INTO retired_tokens (hash, device_id, successor, retired_at) VALUES ($1, $2, $3, $4)`,
		lost, string(d.ID), []byte{}, micros(u.Now.Add(-2*deviceGrace)))
	if err != nil {
		return d, sallyport.DeviceRefused, err
	}
	err = t.must(`UPDATE retired_tokens SET successor = $2, retired_at = $3 WHERE hash = $1`,
		u.Token[:], u.Next[:], micros(u.Now))
	if err != nil {
		return d, sallyport.DeviceRefused, err
	}
	return t.setDeviceToken(d, u)
}

func (t *tx) setDeviceToken(d sallyport.Device, u sallyport.DeviceUse) (sallyport.Device, sallyport.DeviceOutcome, error) {
	err := t.must(`UPDATE devices SET token = $2, last_used_at = $3 WHERE id = $1`, string(d.ID), u.Next[:], micros(u.Now))
	if err != nil {
		return d, sallyport.DeviceRefused, err
	}
	d.LastUsedAt = time.UnixMicro(micros(u.Now)).UTC()
	return d, sallyport.DeviceRotated, nil
}

// DeviceByToken returns the device whose current or graced token this is.
func (db *DB) DeviceByToken(ctx context.Context, token sallyport.TokenHash, user sallyport.UserID, now time.Time) (sallyport.Device, error) {
	var d sallyport.Device
	err := db.query(ctx, "device by token", `SELECT `+deviceColumns+` FROM devices d
		WHERE d.user_id = $2 AND d.expires_at > $3 AND (d.token = $1 OR d.id =
			(SELECT r.device_id FROM retired_tokens r WHERE r.hash = $1 AND r.retired_at >= $4))`,
		token[:], string(user), micros(now), micros(now.Add(-deviceGrace))).scan(deviceFields(&d)...)
	return d, err
}

// Devices returns a user's remembered devices, latest first, at most 1000.
func (db *DB) Devices(ctx context.Context, user sallyport.UserID, now time.Time) ([]sallyport.Device, error) {
	return list(db.query(ctx, "devices", `SELECT `+deviceColumns+` FROM devices d
		WHERE d.user_id = $1 AND d.expires_at > $2 ORDER BY d.created_at DESC, d.id DESC LIMIT $3`,
		string(user), micros(now), listMax),
		func(scan func(...any) error) (d sallyport.Device, err error) {
			err = scan(deviceFields(&d)...)
			return d, err
		})
}

// RemoveDevice forgets one device of the user.
func (db *DB) RemoveDevice(ctx context.Context, user sallyport.UserID, id sallyport.DeviceID, events ...audit.Event) error {
	return db.change(ctx, "remove device", func(t *tx) error {
		t.changed(sallyport.ChangeUser, string(user))
		t.log(events...)
		return t.must(`DELETE FROM devices WHERE id = $1 AND user_id = $2`, string(id), string(user))
	})
}

// RemoveDevices forgets all of them and returns how many.
func (db *DB) RemoveDevices(ctx context.Context, user sallyport.UserID, events ...audit.Event) (n int, err error) {
	err = db.change(ctx, "remove devices", func(t *tx) error {
		t.changed(sallyport.ChangeUser, string(user))
		t.log(events...)
		n, err = t.exec(`DELETE FROM devices WHERE user_id = $1`, string(user))
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
