package challenge

import (
	"net/netip"
	"sync"
	"time"
)

// throttleKeys bounds the memory of a throttle: about 100 bytes a key.
const throttleKeys = 50_000

// throttle lets each key through n times a minute, in bursts of as many: the
// generic cell rate algorithm, which keeps one time a key. It is safe for
// concurrent use and its memory is bounded.
type throttle struct {
	every time.Duration // one pass costs this much
	burst time.Duration
	max   int

	mu  sync.Mutex
	due map[string]time.Time // theoretical arrival time of the next pass
}

// newThrottle returns a throttle of n passes a minute; n <= 0 lets all through.
func newThrottle(n int) *throttle {
	t := &throttle{burst: time.Minute, max: throttleKeys, due: map[string]time.Time{}}
	if n > 0 {
		t.every = time.Minute / time.Duration(n)
	}
	return t
}

// pass charges one pass to key. When there is none left it charges nothing and
// returns how long to wait.
func (t *throttle) pass(key string, now time.Time) (wait time.Duration, ok bool) {
	if t.every == 0 {
		return 0, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	due, known := t.due[key]
	if !known && len(t.due) >= t.max {
		t.makeRoom(now)
	}
	if due.Before(now) {
		due = now
	}
	if over := due.Sub(now) + t.every - t.burst; over > 0 {
		return over, false
	}
	t.due[key] = due.Add(t.every)
	return 0, true
}

// makeRoom forgets keys that are idle again and, when an attacker fills the map
// faster than that, any others: the throttle then gets weaker, but the counters
// of wrong guesses, which are in the store, do not.
func (t *throttle) makeRoom(now time.Time) {
	for k, due := range t.due {
		if !due.After(now) {
			delete(t.due, k)
		}
	}
	for k := range t.due {
		if len(t.due) < t.max {
			return
		}
		delete(t.due, k)
	}
}

// addressKey is the throttle key of a client: an IPv6 client owns a /64, so its
// addresses count as one.
func addressKey(ip netip.Addr) string {
	if !ip.IsValid() {
		return "unknown"
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
