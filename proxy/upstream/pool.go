package upstream

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const defaultFailFor = 10 * time.Second

// target is one upstream address and what is known of its health.
type target struct {
	scheme, host string
	address      string // host and port, of a plain HTTP upstream
	idle         idleConns
	// downUntil, in Unix nanoseconds, is the end of the time in which it is
	// skipped after it could not be reached.
	downUntil atomic.Int64
	// failing: the last active check failed.
	failing atomic.Bool
}

// healthy reports whether nothing is known against t at now, in Unix nanoseconds.
func (t *target) healthy(now int64) bool { return !t.failing.Load() && t.downUntil.Load() <= now }

// pool takes the upstreams of a route in turn, and skips the unhealthy ones.
type pool struct {
	targets []*target
	next    atomic.Uint32
	failFor time.Duration
	now     func() time.Time
}

func newPool(addresses []string, failFor time.Duration, now func() time.Time) (*pool, error) {
	p := &pool{failFor: or(failFor, defaultFailFor), now: now}
	for _, a := range addresses {
		u, err := url.Parse(a)
		if err != nil {
			return nil, fmt.Errorf("upstream address: %w", err)
		}
		p.targets = append(p.targets, &target{scheme: u.Scheme, host: u.Host, address: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80"))})
	}
	if len(p.targets) == 0 {
		return nil, fmt.Errorf("upstream address: none is given")
	}
	return p, nil
}

// pick returns the next usable target that is not in tried, nil when there is
// none. A lone target is always asked unless an active check says otherwise,
// since skipping it would help nobody.
func (p *pool) pick(tried []*target) *target {
	if len(p.targets) == 1 {
		t := p.targets[0]
		if len(tried) > 0 || t.failing.Load() {
			return nil
		}
		return t
	}
	now := p.now().UnixNano()
	start := int(p.next.Add(1) % uint32(len(p.targets)))
	for i := range p.targets {
		t := p.targets[(start+i)%len(p.targets)]
		if !t.healthy(now) || contains(tried, t) {
			continue
		}
		return t
	}
	return nil
}

// plain reports whether all targets speak HTTP without TLS and have names that go
// as they are into a look-up and a Host header: no letters beyond ASCII, no zones.
func (p *pool) plain() bool {
	for _, t := range p.targets {
		if t.scheme != "http" || strings.ContainsFunc(t.host, func(r rune) bool { return r >= 0x80 || r == '%' }) {
			return false
		}
	}
	return true
}

func contains(list []*target, t *target) bool {
	for _, x := range list {
		if x == t {
			return true
		}
	}
	return false
}

// fail notes that t could not be reached.
func (p *pool) fail(t *target) { t.downUntil.Store(p.now().Add(p.failFor).UnixNano()) }

// aim points the request at t.
func (t *target) aim(req *http.Request, preserveHost bool) {
	req.URL.Scheme, req.URL.Host = t.scheme, t.host
	if !preserveHost {
		req.Host = t.host
	}
}
