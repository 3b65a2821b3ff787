package session

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"sallyport"
	"sallyport/audit"
)

// HandoffPath is where an app host takes a hand-off code, in the query `code`.
const HandoffPath = "/.sallyport/handoff"

// handoffLife is how long a code may take from the portal to the app host.
const handoffLife = 60 * time.Second

// Handoff makes a one-time code that carries g to the app host of f.ReturnURL,
// and returns where to send the browser.
func (m *Manager) Handoff(ctx context.Context, g *sallyport.Grant, f *sallyport.Flow) (location string, err error) {
	u, err := url.Parse(f.ReturnURL)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("hand-off to %q: not an absolute URL", f.ReturnURL)
	}
	if f.State == (sallyport.TokenHash{}) {
		return "", fmt.Errorf("hand-off of flow %s: no browser is bound to it", f.ID)
	}
	code := sallyport.NewToken()
	err = m.store.CreateHandoff(ctx, sallyport.Handoff{
		Hash: sallyport.HashToken(code), State: f.State, Host: u.Hostname(), ReturnURL: f.ReturnURL,
		SessionID: g.Session.ID, FlowID: f.ID, Proofs: g.Token.Proofs, DeviceID: g.Token.DeviceID,
		ExpiresAt: m.now().Add(handoffLife),
	})
	if err != nil {
		return "", fmt.Errorf("hand-off: %w", err)
	}
	return origin(u) + HandoffPath + "?code=" + code, nil
}

// Redeem takes the hand-off code of the request (on an app host), sets the
// host's cookie, and returns the absolute URL to go on to. The code dies here,
// right or wrong. A fault of the request is a *httperr.Error with CodeHandoff.
func (m *Manager) Redeem(w http.ResponseWriter, r *http.Request) (returnURL string, err error) {
	code := r.URL.Query().Get("code")
	if len(code) != tokenLen {
		return "", fault(sallyport.CodeHandoff, "hand-off without a code")
	}
	now := m.now()
	h, err := m.store.TakeHandoff(r.Context(), sallyport.HashToken(code), now)
	if err != nil {
		if isGone(err) {
			return "", fault(sallyport.CodeHandoff, "hand-off: %w", err)
		}
		return "", fmt.Errorf("hand-off: %w", err)
	}
	state, ok := m.cookies.read(r, stateCookieName)
	hash := sallyport.HashToken(state)
	// Without this check somebody could sign a victim in as themselves by sending
	// them a link (login CSRF), or use a code that leaked.
	if !ok || subtle.ConstantTimeCompare(hash[:], h.State[:]) != 1 {
		return "", fault(sallyport.CodeHandoff, "hand-off of flow %s came from another browser", h.FlowID)
	}
	if h.Host != requestHost(r) {
		return "", fault(sallyport.CodeHandoff, "hand-off of flow %s was for host %s", h.FlowID, h.Host)
	}
	token := sallyport.NewToken()
	err = m.store.AddToken(r.Context(), sallyport.HostToken{
		Hash: sallyport.HashToken(token), SessionID: h.SessionID, Host: h.Host,
		Proofs: h.Proofs, DeviceID: h.DeviceID, CreatedAt: now,
	})
	if err != nil {
		if isGone(err) {
			return "", fault(sallyport.CodeHandoff, "hand-off of flow %s: the session has ended", h.FlowID)
		}
		return "", fmt.Errorf("hand-off: %w", err)
	}
	m.cookies.set(w, hostCookieName, token, 0)
	return h.ReturnURL, nil
}

// Remember makes this browser a remembered device of the user.
func (m *Manager) Remember(w http.ResponseWriter, r *http.Request, user sallyport.UserID, events ...audit.Event) error {
	life := m.limits.Load().device
	if life <= 0 {
		return nil
	}
	now, token := m.now(), sallyport.NewToken()
	err := m.store.CreateDevice(r.Context(), sallyport.Device{
		ID: sallyport.DeviceID(sallyport.NewID()), UserID: user, UserAgent: clip(r.UserAgent(), 512),
		Address: clientAddress(r), CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(life),
	}, sallyport.HashToken(token), events...)
	if err != nil {
		return fmt.Errorf("remembering a device: %w", err)
	}
	m.cookies.set(w, m.deviceCookie(user), token, life)
	return nil
}
