package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
	"sallyport/internal/seal"
)

// Options are what a Manager is built from.
type Options struct {
	// Portal is the origin of the portal, "https://login.example.com".
	Portal string
	Keys   *seal.Keyring
	// Grace is how long cached sessions go on after the last successful look at
	// the store. 0: one minute.
	Grace time.Duration
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: slog.Default
}

// Manager loads, makes, raises and ends sessions. It is safe for concurrent use.
type Manager struct {
	store   Store
	cookies cookies
	cache   *cache
	portal  string
	grace   time.Duration
	now     func() time.Time
	log     *slog.Logger
	limits  atomic.Pointer[limits]
	origin  *http.CrossOriginProtection
}

type limits struct {
	idle, absolute, device time.Duration
}

// SignIn is a completed flow about to become a session.
type SignIn struct {
	User     sallyport.User
	Provider string
	Groups   []string // qualified
	Proofs   []sallyport.Proof
	DeviceID sallyport.DeviceID // remembered device that stood in for verification
	// Raises is the session that the flow began with; what it had shown counts only
	// while that one lives. "" is none.
	Raises sallyport.SessionID
	Events []audit.Event
}

// New returns a manager; Run must be running for changes to be seen.
func New(cfg Config, devices DeviceConfig, store Store, o Options) (*Manager, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Grace == 0 {
		o.Grace = time.Minute
	}
	c, err := newCookies(o.Keys)
	if err != nil {
		return nil, err
	}
	ca, err := newCache()
	if err != nil {
		return nil, err
	}
	m := &Manager{store: store, cookies: c, cache: ca, portal: strings.TrimSuffix(o.Portal, "/"),
		grace: o.Grace, now: o.Now, log: o.Log, origin: http.NewCrossOriginProtection()}
	m.Configure(cfg, devices)
	return m, nil
}

// Configure puts new limits in force, for open sessions too; zero fields mean the
// defaults. A lower absolute limit does not shorten sessions that are open.
func (m *Manager) Configure(cfg Config, devices DeviceConfig) {
	l := &limits{idle: cfg.Idle, absolute: cfg.Absolute, device: time.Duration(devices.Days) * 24 * time.Hour}
	if l.idle == 0 {
		l.idle = time.Hour
	}
	if l.absolute == 0 {
		l.absolute = 12 * time.Hour
	}
	m.limits.Store(l)
}

// Load returns the grant of the request's host token; nil without an error when
// there is none or it is no longer good. On a hit it does no I/O. An error wraps
// sallyport.ErrUnavailable: it must end in a refusal, never in "anonymous".
func (m *Manager) Load(r *http.Request) (*sallyport.Grant, error) {
	value, ok := hostCookie(r.Header["Cookie"])
	if !ok {
		return nil, nil
	}
	e, err := m.lookup(r.Context(), value)
	if e == nil || err != nil {
		return nil, err
	}
	// A cookie is good on its own host only, whoever carries it elsewhere.
	if e.grant.Token.Host != requestHost(r) {
		return nil, nil
	}
	reqctx.From(r.Context()).Language = e.grant.User.Language
	return e.grant, nil
}

// lookup finds the entry of a cookie value, in the cache or in the store.
func (m *Manager) lookup(ctx context.Context, value string) (*entry, error) {
	now := m.now()
	k := keyOf(value)
	if e := m.cache.get(k); e != nil {
		if m.good(e, now) {
			e.seen.touch(now)
			return e, nil
		}
		m.cache.drop(k)
	}
	return m.fetch(ctx, k, value, now)
}

// good says whether a cached entry may answer at now without a look at the store.
// Past the grace period it may not: whatever changed since the last poll is not
// known here. If the store is away, fetch refuses.
func (m *Manager) good(e *entry, now time.Time) bool {
	g := e.grant
	return !e.dead.Load() && now.Before(g.Session.ExpiresAt) &&
		now.Sub(e.seen.last()) <= m.limits.Load().idle && now.Sub(m.cache.polled()) <= m.grace
}

// fetch resolves a cookie in the store and remembers the answer.
func (m *Manager) fetch(ctx context.Context, k cacheKey, value string, now time.Time) (*entry, error) {
	token, ok := m.cookies.open(hostCookieName, value)
	if !ok {
		return nil, nil // forged, truncated, or of another master key: the store is not asked
	}
	seq := m.cache.seq.Load()
	g, err := m.store.Grant(ctx, sallyport.HashToken(token), now)
	switch {
	case errors.Is(err, sallyport.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("loading a session: %w", err)
	case g.User.SignInDisabled:
		return nil, nil
	}
	e := m.cache.entry(g)
	// Other nodes write last-seen up to a minute behind.
	if now.Sub(e.seen.last()) > m.limits.Load().idle+touchEvery {
		ev := audit.New(now, audit.SessionExpired, audit.Expired)
		ev.SessionID, ev.Actor, ev.Reason = g.Session.ID, "system", "idle"
		ev.About(g.User)
		return nil, m.store.RevokeSession(ctx, g.Session.ID, now, ev)
	}
	e.seen.touch(now)
	m.cache.put(k, e, seq)
	return e, nil
}

// SignIn makes the portal session of a completed flow and sets its cookie. Where
// this browser has a live session of the same user and the flow only added a
// verification, that session goes on under a new token with its earlier proofs
// kept; after a new first factor it ends and a new one begins. A session of
// another user ends. A token that came with the request never stays in use.
func (m *Manager) SignIn(w http.ResponseWriter, r *http.Request, s SignIn) (*sallyport.Grant, error) {
	now := m.now()
	old, err := m.Load(r)
	if err != nil {
		return nil, err
	}
	if s.Raises != "" && (old == nil || old.Session.ID != s.Raises) {
		return nil, fault(sallyport.CodeSessionExpired, "the session of this sign-in has ended")
	}
	token := sallyport.NewToken()
	t := sallyport.HostToken{Hash: sallyport.HashToken(token), Host: requestHost(r),
		Proofs: s.Proofs, DeviceID: s.DeviceID, CreatedAt: now}
	raised := old != nil && old.User.ID == s.User.ID &&
		!sallyport.FirstFactorAt(s.Proofs).After(sallyport.FirstFactorAt(old.Token.Proofs))
	if raised {
		t.SessionID = old.Session.ID
		t.Proofs = mergeProofs(old.Token.Proofs, s.Proofs)
		if t.DeviceID == "" {
			t.DeviceID = old.Token.DeviceID
		}
		err = m.store.RotateToken(r.Context(), old.Token.Hash, t, s.Events...)
		if errors.Is(err, sallyport.ErrNotFound) {
			// Revoked, signed out or raised elsewhere since it was cached. What it had
			// shown must not begin a session anew: that would undo a revocation.
			m.cache.forget(old.Session.ID)
			return nil, fault(sallyport.CodeSessionExpired, "the session ended before it could be raised: %w", err)
		}
	} else {
		err = m.begin(r, old, &t, s, now)
		if errors.Is(err, sallyport.ErrExpired) {
			return nil, fault(sallyport.CodeSessionExpired, "what was shown stopped counting during the sign-in: %w", err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("beginning a session: %w", err)
	}
	m.cache.forget(t.SessionID)
	m.cookies.set(w, hostCookieName, token, 0)
	g, err := m.store.Grant(r.Context(), t.Hash, now)
	if err != nil {
		return nil, fmt.Errorf("reading the new session: %w", err)
	}
	return g, nil
}

// begin ends the browser's old session, if any, and stores a new one for t.
func (m *Manager) begin(r *http.Request, old *sallyport.Grant, t *sallyport.HostToken, s SignIn, now time.Time) error {
	if old != nil {
		ev := audit.New(now, audit.SessionRevoked, audit.Success)
		ev.SessionID, ev.Actor, ev.Reason = old.Session.ID, "user", "signed-in-anew"
		ev.About(old.User)
		if err := m.store.RevokeSession(r.Context(), old.Session.ID, now, ev); err != nil {
			return err
		}
		m.cache.forget(old.Session.ID)
	}
	t.SessionID = sallyport.SessionID(sallyport.NewID())
	return m.store.CreateSession(r.Context(), sallyport.Session{
		ID: t.SessionID, UserID: s.User.ID, Provider: s.Provider, Groups: s.Groups,
		CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(m.limits.Load().absolute),
		Address: clientAddress(r), UserAgent: clip(r.UserAgent(), 512), Browser: m.flowBrowser(r),
	}, *t, s.Events...)
}

// SignOut ends the request's session on every host and clears its cookie. The
// flows of its browser end with it: one that waits in another tab with all its
// factors shown would sign the person in again. No session is no error.
func (m *Manager) SignOut(w http.ResponseWriter, r *http.Request, events ...audit.Event) error {
	g, err := m.Load(r)
	if err != nil {
		return err
	}
	if g != nil {
		// An app host does not see the flow cookie; the session knows its browser.
		if err := m.store.RevokeSession(r.Context(), g.Session.ID, m.now(), events...); err != nil {
			return fmt.Errorf("ending a session: %w", err)
		}
		m.cache.forget(g.Session.ID)
	}
	if b := m.flowBrowser(r); b != (sallyport.TokenHash{}) && (g == nil || g.Session.Browser != b) {
		if err := m.store.EndFlows(r.Context(), b, m.now()); err != nil {
			return fmt.Errorf("ending the flows of a browser: %w", err)
		}
	}
	m.cookies.clear(w, hostCookieName)
	return nil
}

// Forget drops what this node has cached of a user, so that a change made here is
// seen at once and not at the next poll.
func (m *Manager) Forget(user sallyport.UserID) { m.cache.forgetUser(user) }

// requestHost is the normalised host of a request, without its port: cookies do
// not know ports.
func requestHost(r *http.Request) string {
	host := reqctx.From(r.Context()).Host
	if i := strings.LastIndexByte(host, ':'); i > 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return host
}

func clientAddress(r *http.Request) netip.Addr { return reqctx.From(r.Context()).Client }

// mergeProofs keeps the latest proof of each kind and method.
func mergeProofs(old, add []sallyport.Proof) []sallyport.Proof {
	out := append([]sallyport.Proof(nil), add...)
	for _, p := range old {
		known := false
		for _, q := range add {
			known = known || q.Kind == p.Kind && q.MethodID == p.MethodID
		}
		if !known {
			out = append(out, p)
		}
	}
	return out
}

func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// fault is a client's mistake.
func fault(code sallyport.Code, format string, args ...any) error {
	return httperr.New(http.StatusForbidden, code, fmt.Errorf(format, args...))
}

// origin returns scheme://host[:port] of an absolute URL.
func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }
