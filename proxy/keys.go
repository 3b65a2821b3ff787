package proxy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport"
	"sallyport/audit"
)

// KeyStore keeps the keys that sign assertions. *store.DB implements it. All
// methods return an error that wraps sallyport.ErrUnavailable when the store is
// away.
type KeyStore interface {
	// SigningKeys returns all keys, with their private keys opened.
	SigningKeys(ctx context.Context) ([]sallyport.SigningKey, error)
	// CreateSigningKey inserts a key, with a ChangeKeys and the events, unless
	// there is one that becomes active after the time given: sallyport.ErrExists.
	CreateSigningKey(ctx context.Context, k sallyport.SigningKey, after time.Time, events ...audit.Event) error
	// DeleteSigningKeys removes the keys whose RetireAt is before that time.
	DeleteSigningKeys(ctx context.Context, before time.Time) error
}

// Defaults and bounds of key rotation.
const (
	defaultRotate  = 30 * 24 * time.Hour
	defaultPublish = time.Hour
	defaultOverlap = time.Hour
	keyTick        = 30 * time.Second
)

var errNoKey = fmt.Errorf("no signing key is loaded: %w", sallyport.ErrUnavailable)

// KeyOptions say how keys rotate.
type KeyOptions struct {
	Rotate  time.Duration    // life of a key before the next one; 0: 30 days
	Publish time.Duration    // how long a key is published before it signs; 0: 1 h
	Overlap time.Duration    // how long it stays published after it stopped, beyond the life of an assertion; 0: 1 h
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: slog.Default
}

// Keys are the signing keys of all nodes, as last read from the store. Load must
// succeed once before anything is signed. It is safe for concurrent use.
type Keys struct {
	store KeyStore
	o     KeyOptions
	ring  atomic.Pointer[ring]
	wake  chan struct{}
}

// NewKeys returns keys that are not loaded yet.
func NewKeys(store KeyStore, o KeyOptions) *Keys {
	o.Rotate, o.Publish, o.Overlap = or(o.Rotate, defaultRotate), or(o.Publish, defaultPublish), or(o.Overlap, defaultOverlap)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Keys{store: store, o: o, wake: make(chan struct{}, 1)}
}

func or(d, def time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return def
}

// Run keeps the keys in step with the store and the clock, and rotates them, until
// ctx ends. It returns nil.
func (k *Keys) Run(ctx context.Context) error {
	ticker := time.NewTicker(min(keyTick, k.o.Publish/2+1))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-k.wake:
		}
		if err := k.Load(ctx); err != nil && ctx.Err() == nil {
			// What was loaded goes on signing; the next tick tries again.
			k.o.Log.LogAttrs(ctx, slog.LevelWarn, "signing keys", slog.Any("cause", err))
		}
	}
}

// Refresh makes Run read the store at once: a ChangeKeys was seen.
func (k *Keys) Refresh() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Load reads the keys, makes the next one when it is due, removes retired ones,
// and puts what is there to use.
func (k *Keys) Load(ctx context.Context) error {
	keys, err := k.store.SigningKeys(ctx)
	if err != nil {
		return fmt.Errorf("reading the signing keys: %w", err)
	}
	now := k.o.Now().UTC()
	next, due, err := k.next(keys, now)
	if err != nil {
		return err
	}
	if due {
		e := audit.New(now, audit.KeyRotated, audit.Success)
		e.Actor, e.After = "system", next.KID
		var latest time.Time // zero: there is none
		if len(keys) > 0 {
			latest = slices.MaxFunc(keys, bySeniority).ActiveAt
		}
		if err := k.store.CreateSigningKey(ctx, next, latest, e); err != nil && !errors.Is(err, sallyport.ErrExists) {
			return fmt.Errorf("storing a signing key: %w", err)
		}
		// Another node may have made one in the same moment; all nodes go by what
		// the store holds.
		if keys, err = k.store.SigningKeys(ctx); err != nil {
			return fmt.Errorf("reading the signing keys: %w", err)
		}
	}
	r, err := newRing(keys, now)
	if err != nil {
		return err
	}
	k.ring.Store(r)
	if slices.ContainsFunc(keys, func(s sallyport.SigningKey) bool { return s.RetireAt.Before(now) }) {
		if err := k.store.DeleteSigningKeys(ctx, now); err != nil {
			return fmt.Errorf("removing retired signing keys: %w", err)
		}
	}
	return nil
}

// next returns the key to create, if one is due: at once when none can sign now,
// else as soon as the newest will have signed for its whole time when the new one
// takes over.
func (k *Keys) next(keys []sallyport.SigningKey, now time.Time) (sallyport.SigningKey, bool, error) {
	active := now.Add(k.o.Publish)
	if activeKey(keys, now) == nil {
		active = now
	} else if newest := slices.MaxFunc(keys, bySeniority); newest.ActiveAt.Add(k.o.Rotate).After(active) {
		return sallyport.SigningKey{}, false, nil
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return sallyport.SigningKey{}, false, fmt.Errorf("making a signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return sallyport.SigningKey{}, false, fmt.Errorf("making a signing key: %w", err)
	}
	return sallyport.SigningKey{
		KID: sallyport.NewID(), PKCS8: der, CreatedAt: now, ActiveAt: active,
		RetireAt: active.Add(k.o.Rotate + k.o.Publish + assertionLife + k.o.Overlap),
	}, true, nil
}

// activeKey returns the key that signs at now: of those whose time has come and
// that are not retired, the latest. nil if none.
func activeKey(keys []sallyport.SigningKey, now time.Time) *sallyport.SigningKey {
	var best *sallyport.SigningKey
	for i := range keys {
		s := &keys[i]
		if s.ActiveAt.After(now) || !s.RetireAt.After(now) {
			continue
		}
		if best == nil || bySeniority(*s, *best) > 0 {
			best = s
		}
	}
	return best
}

// bySeniority orders keys alike on every node.
func bySeniority(a, b sallyport.SigningKey) int {
	if c := a.ActiveAt.Compare(b.ActiveAt); c != 0 {
		return c
	}
	return strings.Compare(a.KID, b.KID)
}

// ring is the keys as of one reading. It is immutable; a nil ring signs nothing.
type ring struct {
	id        string
	signer    jose.Signer
	published []string
	jwks      []byte
}

func newRing(keys []sallyport.SigningKey, now time.Time) (*ring, error) {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, bySeniority)
	active := activeKey(keys, now)
	if active == nil {
		return nil, errNoKey
	}
	r := &ring{id: active.KID}
	var set jose.JSONWebKeySet
	for _, s := range keys {
		if !s.RetireAt.After(now) {
			continue
		}
		private, err := parseKey(s.PKCS8)
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", s.KID, err)
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &private.PublicKey, KeyID: s.KID, Algorithm: string(jose.ES256), Use: "sig"})
		r.published = append(r.published, s.KID)
		if s.KID != active.KID {
			continue
		}
		key := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: s.KID}}
		if r.signer, err = jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT")); err != nil {
			return nil, fmt.Errorf("signing key %s: %w", s.KID, err)
		}
	}
	var err error
	if r.jwks, err = json.Marshal(set); err != nil {
		return nil, fmt.Errorf("writing the key set: %w", err)
	}
	return r, nil
}

func parseKey(der []byte) (*ecdsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("it is not an ECDSA key on P-256")
	}
	return private, nil
}

// kid is the ID of the key that signs, "" when none does.
func (r *ring) kid() string {
	if r == nil {
		return ""
	}
	return r.id
}

// publishes reports whether upstreams can still check what kid signed.
func (r *ring) publishes(kid string) bool { return r != nil && slices.Contains(r.published, kid) }

// sign returns c as a compact JWS.
func (r *ring) sign(c claims) (string, error) {
	if r == nil {
		return "", errNoKey
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("writing an assertion: %w", err)
	}
	signed, err := r.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing an assertion: %w", err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("writing an assertion: %w", err)
	}
	return token, nil
}
