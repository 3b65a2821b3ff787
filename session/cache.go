package session

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"sallyport"
)

// cacheSize bounds the memory of the node's cache: about 2 KiB an entry.
const cacheSize = 200_000

// touchEvery is how often last-seen times are written, and so how far other
// nodes may lag.
const touchEvery = time.Minute

// cacheKey is the SHA-256 of a cookie's value, never of the token alone, so that
// a hit has been authenticated as it stands.
type cacheKey [sha256.Size]byte

func keyOf(value string) cacheKey {
	var buf [maxCookie]byte // no allocation: the value is at most that long
	return sha256.Sum256(buf[:copy(buf[:], value)])
}

// entry is a cached grant.
type entry struct {
	grant *sallyport.Grant
	seen  *seen
	dead  atomic.Bool // something in it has changed
}

// seen is the last-seen time of one session, shared by the entries of its hosts.
type seen struct {
	micros  atomic.Int64
	written atomic.Int64
}

func (s *seen) last() time.Time { return time.UnixMicro(s.micros.Load()) }

// touch notes a request. It writes at most once a second, so that the cores do
// not fight over the line.
func (s *seen) touch(now time.Time) {
	if t := now.UnixMicro(); t-s.micros.Load() > int64(time.Second/time.Microsecond) {
		s.micros.Store(t)
	}
}

// cache holds grants by cookie. Hits take no lock of ours.
type cache struct {
	entries *otter.Cache[cacheKey, *entry]
	seq     atomic.Int64 // of the last change that was applied
	pollAt  atomic.Int64 // unix micros of the last successful poll

	mu   sync.Mutex // guards seen, and orders put against apply
	seen map[sallyport.SessionID]*seen
}

func newCache() (*cache, error) {
	c, err := otter.New(&otter.Options[cacheKey, *entry]{MaximumSize: cacheSize})
	if err != nil {
		return nil, fmt.Errorf("session cache: %w", err)
	}
	return &cache{entries: c, seen: map[sallyport.SessionID]*seen{}}, nil
}

func (c *cache) get(k cacheKey) *entry {
	e, _ := c.entries.GetIfPresent(k)
	return e
}

func (c *cache) drop(k cacheKey) { c.entries.Invalidate(k) }

// entry wraps a grant with the session's shared last-seen time.
func (c *cache) entry(g *sallyport.Grant) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.seen[g.Session.ID]
	if s == nil {
		s = &seen{}
		c.seen[g.Session.ID] = s
	}
	// The store may know of a later request on another node.
	if t := g.Session.LastSeenAt.UnixMicro(); t > s.micros.Load() {
		s.micros.Store(t)
		s.written.Store(t)
	}
	return &entry{grant: g, seen: s}
}

// put caches e, unless changes were applied since seq, when e was about to be
// read: then it may be older than one of them.
func (c *cache) put(k cacheKey, e *entry, seq int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seq.Load() == seq {
		c.entries.Set(k, e)
	}
}

// apply drops what changes up to seq concern.
func (c *cache) apply(changes []sallyport.Change, seq int64) {
	if len(changes) == 0 && seq == c.seq.Load() {
		return
	}
	users, sessions, all := map[sallyport.UserID]bool{}, map[sallyport.SessionID]bool{}, false
	for _, ch := range changes {
		switch ch.Kind {
		case sallyport.ChangeUser:
			users[sallyport.UserID(ch.ID)] = true
			all = all || ch.ID == ""
		case sallyport.ChangeSession:
			sessions[sallyport.SessionID(ch.ID)] = true
			all = all || ch.ID == ""
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq.Store(seq)
	if len(changes) > 0 {
		c.kill(func(e *entry) bool { return all || users[e.grant.User.ID] || sessions[e.grant.Session.ID] })
	}
}

// kill drops the entries that match. The caller holds mu.
func (c *cache) kill(match func(*entry) bool) {
	for k, e := range c.entries.All() {
		if match(e) {
			e.dead.Store(true) // also for requests that hold it already
			c.entries.Invalidate(k)
		}
	}
}

func (c *cache) forget(id sallyport.SessionID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kill(func(e *entry) bool { return e.grant.Session.ID == id })
}

func (c *cache) forgetUser(id sallyport.UserID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kill(func(e *entry) bool { return e.grant.User.ID == id })
}

func (c *cache) polled() time.Time { return time.UnixMicro(c.pollAt.Load()) }

// unwritten returns the last-seen times that the store does not have yet, and
// lets go of sessions that no entry refers to.
func (c *cache) unwritten() map[sallyport.SessionID]time.Time {
	live := map[sallyport.SessionID]bool{}
	for _, e := range c.entries.All() {
		live[e.grant.Session.ID] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[sallyport.SessionID]time.Time{}
	for id, s := range c.seen {
		if t := s.micros.Load(); t > s.written.Load() {
			out[id] = time.UnixMicro(t)
		} else if !live[id] {
			delete(c.seen, id)
		}
	}
	return out
}

// wrote notes which last-seen times are in the store.
func (c *cache) wrote(times map[sallyport.SessionID]time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, t := range times {
		if s := c.seen[id]; s != nil {
			s.written.Store(t.UnixMicro())
		}
	}
}

// size is the number of cached grants.
func (c *cache) size() int { return c.entries.EstimatedSize() }
