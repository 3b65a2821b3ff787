package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	defaultInterval     = 10 * time.Second
	defaultCheckTimeout = 5 * time.Second
)

// Run makes the active health checks until ctx ends; without a health path it
// only waits. It returns nil.
func (u *Upstream) Run(ctx context.Context) error {
	if u.config.Health.Path == "" {
		<-ctx.Done()
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range u.pool.targets {
		g.Go(func() error {
			u.watch(ctx, t)
			return nil
		})
	}
	return g.Wait()
}

// Checked reports whether Run has anything to do.
func (u *Upstream) Checked() bool { return u.config.Health.Path != "" }

// State is what is known of one upstream address.
type State struct {
	Address string // "http://10.0.0.5:8080"
	// Healthy: its last active check passed, if there are any, and no connection to
	// it has failed lately.
	Healthy bool
}

// States returns the state of every address, in the order of the config.
func (u *Upstream) States() []State {
	out := make([]State, len(u.pool.targets))
	now := u.now().UnixNano()
	for i, t := range u.pool.targets {
		out[i] = State{Address: t.scheme + "://" + t.host, Healthy: t.healthy(now)}
	}
	return out
}

func (u *Upstream) watch(ctx context.Context, t *target) {
	ticker := time.NewTicker(or(u.config.Health.Interval, defaultInterval))
	defer ticker.Stop()
	for {
		u.judge(ctx, t)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// judge checks t once and logs when its health changed.
func (u *Upstream) judge(ctx context.Context, t *target) {
	err := u.check(ctx, t)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		// A passing check also ends the pause after a failed connection.
		t.downUntil.Store(0)
	}
	if was := t.failing.Swap(err != nil); was != (err != nil) {
		u.log.LogAttrs(ctx, level(err), "upstream health", slogHealth(t, err)...)
	}
}

func (u *Upstream) check(ctx context.Context, t *target) error {
	ctx, cancel := context.WithTimeout(ctx, or(u.config.Health.Timeout, defaultCheckTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.scheme+"://"+t.host+u.config.Health.Path, nil)
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	req.Header.Set("User-Agent", "Sallyport-health-check")
	if u.config.PreserveHost && u.host != "" {
		req.Host = u.host
	}
	res, err := u.transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	// Reading a little lets the connection be used again; a large page is not
	// worth reading for that.
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
	if res.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("health check: status %d", res.StatusCode)
	}
	return nil
}
