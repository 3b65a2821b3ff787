package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"

	"sallyport"
	"sallyport/audit"
)

func isGone(err error) bool {
	return errors.Is(err, sallyport.ErrNotFound) || errors.Is(err, sallyport.ErrExpired)
}

// deviceCookie is the name of the cookie that remembers this browser for one
// user, so that another user's sign-in on it does not wipe the first one's.
func (m *Manager) deviceCookie(user sallyport.UserID) string {
	mac := hmac.New(sha256.New, []byte("sallyport device cookie"))
	mac.Write([]byte(user))
	return deviceCookieName + hex.EncodeToString(mac.Sum(nil)[:8])
}

// PeekDevice returns the remembered device that this browser shows for the user,
// without using it: it only chooses the lane of attempt counters. nil: none.
func (m *Manager) PeekDevice(r *http.Request, user sallyport.UserID) (*sallyport.Device, error) {
	token, ok := m.cookies.read(r, m.deviceCookie(user))
	if !ok {
		return nil, nil
	}
	d, err := m.store.DeviceByToken(r.Context(), sallyport.HashToken(token), user, m.now())
	if errors.Is(err, sallyport.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("remembered device: %w", err)
	}
	return &d, nil
}

// UseDevice judges the remembered device that this browser shows for the user,
// and sets the rotated token. nil: verification is needed. A token that had been
// rotated out kills the device and is reported. used or stolen is written with
// what became of it.
func (m *Manager) UseDevice(w http.ResponseWriter, r *http.Request, user sallyport.UserID, used, stolen audit.Event) (*sallyport.Device, error) {
	name := m.deviceCookie(user)
	token, ok := m.cookies.read(r, name)
	if !ok || m.limits.Load().device <= 0 {
		return nil, nil
	}
	now, next := m.now(), sallyport.NewToken()
	d, outcome, err := m.store.UseDevice(r.Context(), sallyport.DeviceUse{
		Token: sallyport.HashToken(token), Next: sallyport.HashToken(next), UserID: user, Now: now,
	}, used, stolen)
	if err != nil && !errors.Is(err, sallyport.ErrNotFound) {
		return nil, fmt.Errorf("remembered device: %w", err)
	}
	switch outcome {
	case sallyport.DeviceRotated:
		m.cookies.set(w, name, next, d.ExpiresAt.Sub(now))
		return &d, nil
	case sallyport.DeviceGrace:
		return &d, nil
	case sallyport.DeviceStolen:
		m.cache.forgetUser(user)
		m.log.Warn("a remembered-device token was used after it was rotated out; the device is forgotten",
			"user_id", user, "device_id", d.ID, "client", clientAddress(r))
	}
	m.cookies.clear(w, name)
	return nil, nil
}

// CurrentDevice returns the ID of the remembered device that this browser shows
// for the user, "" if none, for marking it in a list.
func (m *Manager) CurrentDevice(r *http.Request, user sallyport.UserID) sallyport.DeviceID {
	d, err := m.PeekDevice(r, user)
	if err != nil || d == nil {
		return ""
	}
	return d.ID
}
