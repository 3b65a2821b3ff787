// Package storetest opens real stores for tests, and holds the contract of the
// store as tests that every engine must pass.
package storetest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sallyport/audit"
	"sallyport/internal/seal"
	"sallyport/store"
)

// Start is where a Clock begins.
var Start = time.Date(2026, time.November, 2, 9, 0, 0, 0, time.UTC)

// Clock is a clock that a test moves. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock at Start.
func NewClock() *Clock { return &Clock{now: Start} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Keys returns a keyring that is the same in every test.
func Keys(t testing.TB) *seal.Keyring {
	t.Helper()
	k, err := seal.New(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// New returns an empty store on a file of its own, closed when the test ends.
// now may be nil.
func New(t testing.TB, now func() time.Time, sinks ...audit.Sink) *store.DB {
	t.Helper()
	return Open(t, NewFile(t), now, sinks...)
}

// NewFile makes an empty database and returns its path, for tests that open it
// more than once.
func NewFile(t testing.TB) string {
	t.Helper()
	b, err := template()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sallyport.db")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Open opens a database as one more node; it is closed when the test ends.
func Open(t testing.TB, file string, now func() time.Time, sinks ...audit.Sink) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{SQLite: file},
		store.Options{Keys: Keys(t), Create: true, Now: now, Sinks: sinks, Node: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// template is an empty database, migrated once for all tests of a process.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "sallyport-test-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	keys, err := seal.New(make([]byte, seal.KeySize)) // an empty database holds nothing sealed
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "sallyport.db")
	db, err := store.Open(context.Background(), store.Config{SQLite: file}, store.Options{Keys: keys, Create: true})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})
