package storetest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/store"
)

// Opener opens an empty store for one test.
type Opener func(t testing.TB, now func() time.Time, sinks ...audit.Sink) *store.DB

// Run tests everything that the Store interfaces promise of one node.
func Run(t *testing.T, open Opener) {
	groups := map[string][]contractTest{
		"users":    userTests,
		"links":    linkTests,
		"sessions": sessionTests,
		"handoffs": handoffTests,
		"devices":  deviceTests,
		"methods":  methodTests,
		"attempts": attemptTests,
		"flows":    flowTests,
		"keys":     keyTests,
		"changes":  changeTests,
		"audit":    auditTests,
		"sweep":    sweepTests,
		"errors":   errorTests,
	}
	for name, tests := range groups {
		t.Run(name, func(t *testing.T) {
			for _, test := range tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					test.run(newEnv(t, open))
				})
			}
		})
	}
}

type contractTest struct {
	name string
	run  func(*env)
}

// env is what one test works with.
type env struct {
	*testing.T
	db    *store.DB
	clock *Clock
	ctx   context.Context
	sink  *Recorder
}

func newEnv(t *testing.T, open Opener) *env {
	clock, sink := NewClock(), &Recorder{}
	return &env{T: t, db: open(t, clock.Now, sink), clock: clock, ctx: t.Context(), sink: sink}
}

func (e *env) now() time.Time { return e.clock.Now() }

func (e *env) ok(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// fails demands an error of that kind, and of no other.
func (e *env) fails(err, kind error) {
	e.Helper()
	if !errors.Is(err, kind) {
		e.Fatalf("got error %v, want %v", err, kind)
	}
	for _, other := range []error{sallyport.ErrNotFound, sallyport.ErrExists, sallyport.ErrConflict, sallyport.ErrUsed,
		sallyport.ErrExpired, sallyport.ErrLimit, sallyport.ErrLastMethod, sallyport.ErrUnavailable, sallyport.ErrDenied} {
		if !errors.Is(other, kind) && errors.Is(err, other) {
			e.Fatalf("error %v is %v and %v", err, kind, other)
		}
	}
}

func (e *env) equal(got, want any) {
	e.Helper()
	if !reflect.DeepEqual(got, want) {
		e.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

// logged demands that the audit log holds these kinds, in order, and nothing
// more.
func (e *env) logged(kinds ...audit.Kind) {
	e.Helper()
	events, err := e.db.Events(e.ctx, audit.Filter{})
	e.ok(err)
	slices.Reverse(events)
	got := make([]audit.Kind, len(events))
	for i, ev := range events {
		got[i] = ev.Kind
	}
	if !slices.Equal(got, kinds) {
		e.Fatalf("audit log has %v, want %v", got, kinds)
	}
}

// changed demands that these changes followed after seq, and returns the last.
func (e *env) changed(after int64, want ...sallyport.Change) int64 {
	e.Helper()
	got, seq, err := e.db.Changes(e.ctx, after)
	e.ok(err)
	for i := range got {
		got[i].Seq = 0
	}
	if !slices.Equal(got, want) {
		e.Fatalf("changes are %v, want %v", got, want)
	}
	return seq
}

// seq returns the highest change.
func (e *env) seq() int64 {
	e.Helper()
	_, seq, err := e.db.Changes(e.ctx, 0)
	e.ok(err)
	return seq
}

func (e *env) event(k audit.Kind) audit.Event { return audit.New(e.now(), k, audit.Success) }

func userChange(id sallyport.UserID) sallyport.Change {
	return sallyport.Change{Kind: sallyport.ChangeUser, ID: string(id)}
}

func sessionChange(id sallyport.SessionID) sallyport.Change {
	return sallyport.Change{Kind: sallyport.ChangeSession, ID: string(id)}
}

// user creates a user.
func (e *env) user(name string) sallyport.User {
	e.Helper()
	u := sallyport.User{
		ID: sallyport.UserID(sallyport.NewID()), Name: name, Email: name + "@example.com", DisplayName: "The " + name,
		State: sallyport.StateEnabled, Language: "ja", CreatedAt: e.now(), UpdatedAt: e.now(),
	}
	e.ok(e.db.CreateUser(e.ctx, u, nil))
	return u
}

// session creates a session of the user with a portal token.
func (e *env) session(u sallyport.User) (sallyport.Session, sallyport.HostToken) {
	e.Helper()
	s, k := NewSession(u.ID, e.now())
	e.ok(e.db.CreateSession(e.ctx, s, k))
	return s, k
}

// NewSession returns a session of 12 hours and its portal token.
func NewSession(user sallyport.UserID, now time.Time) (sallyport.Session, sallyport.HostToken) {
	s := sallyport.Session{
		ID: sallyport.SessionID(sallyport.NewID()), UserID: user, Provider: "staff", Groups: []string{"staff:clerks"},
		CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(12 * time.Hour), UserAgent: "Browser/1",
	}
	return s, NewHostToken(s, "login.example.com", now)
}

// NewHostToken returns a token of the session for a host.
func NewHostToken(s sallyport.Session, host string, now time.Time) sallyport.HostToken {
	return sallyport.HostToken{
		Hash: NewHash(), SessionID: s.ID, Host: host, CreatedAt: now,
		Proofs: []sallyport.Proof{{Kind: sallyport.KindPassword, At: now}},
	}
}

// NewHash returns the hash of a fresh token.
func NewHash() sallyport.TokenHash { return sallyport.HashToken(sallyport.NewToken()) }

func (e *env) grant(h sallyport.TokenHash) *sallyport.Grant {
	e.Helper()
	g, err := e.db.Grant(e.ctx, h, e.now())
	e.ok(err)
	return g
}

func (e *env) noGrant(h sallyport.TokenHash) {
	e.Helper()
	g, err := e.db.Grant(e.ctx, h, e.now())
	e.fails(err, sallyport.ErrNotFound)
	if g != nil {
		e.Fatal("a grant beside the error")
	}
}

// Recorder is a sink that remembers. It is safe for concurrent use.
type Recorder struct {
	mu     sync.Mutex
	events []audit.Event
}

// Emit implements audit.Sink.
func (r *Recorder) Emit(events []audit.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, events...)
}

// Events returns what was emitted so far.
func (r *Recorder) Events() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}
