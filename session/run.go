package session

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// pollEvery is how often a node looks for changes: what an admin does is in force
// on open sessions within a second.
const pollEvery = 500 * time.Millisecond

// sweepEvery is how often expired rows are removed.
const sweepEvery = 5 * time.Minute

// Start looks at the store once, so that the first request finds a manager that
// knows where it stands. Call it before Run.
func (m *Manager) Start(ctx context.Context) error {
	_, seq, err := m.store.Changes(ctx, 1<<62)
	if err != nil {
		return err
	}
	m.cache.apply(nil, seq)
	m.cache.pollAt.Store(m.now().UnixMicro())
	return nil
}

// Run follows changes of the store, writes last-seen times behind, and sweeps,
// until ctx ends. Last-seen times are written a last time on the way out.
func (m *Manager) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { m.every(ctx, pollEvery, m.Poll); return nil })
	g.Go(func() error {
		m.every(ctx, touchEvery, m.Flush)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		m.Flush(last)
		return nil
	})
	g.Go(func() error { m.every(ctx, sweepEvery, m.sweep); return nil })
	return g.Wait()
}

func (m *Manager) every(ctx context.Context, d time.Duration, do func(context.Context)) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			do(ctx)
		}
	}
}

// Poll applies what changed in the store since the last poll.
func (m *Manager) Poll(ctx context.Context) {
	now := m.now()
	changes, seq, err := m.store.Changes(ctx, m.cache.seq.Load())
	if err != nil {
		if ctx.Err() == nil {
			m.log.Error("cannot see changes of the store; open sessions go on until the grace period ends", "error", err)
		}
		return
	}
	m.cache.apply(changes, seq)
	m.cache.pollAt.Store(now.UnixMicro())
}

// Flush writes last-seen times to the store.
func (m *Manager) Flush(ctx context.Context) {
	times := m.cache.unwritten()
	if len(times) == 0 {
		return
	}
	if err := m.store.TouchSessions(ctx, times); err != nil {
		m.log.Error("cannot write last-seen times; will try again", "error", err)
		return
	}
	m.cache.wrote(times)
}

func (m *Manager) sweep(ctx context.Context) {
	now := m.now()
	n, err := m.store.Sweep(ctx, now, now.Add(-m.limits.Load().idle-2*touchEvery))
	switch {
	case err != nil && ctx.Err() == nil:
		m.log.Error("cannot remove expired rows; will try again", "error", err)
	case n > 0:
		m.log.Debug("removed expired rows", "rows", n)
	}
}

// Stats are figures for the metrics.
type Stats struct {
	Cached int           // grants in the node's cache
	Behind time.Duration // since the last successful look at the store
}

// Stats returns the manager's figures.
func (m *Manager) Stats() Stats {
	return Stats{Cached: m.cache.size(), Behind: m.now().Sub(m.cache.polled())}
}
