package challenge_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/challenge"
	"sallyport/store/storetest"
)

// D5: elsewhere a code that was seen over a shoulder, or sent twice within the
// same millisecond, opened a second session. A code works once, on all nodes
// together, and no older one works after it.
func TestCodeWorksOnce(t *testing.T) {
	w := newWorld(t)
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	code := w.code(key)
	older := codeAt(t, key, w.clock.Now().Add(-30*time.Second))
	w.browser().signIn(app+"/", "alice").submit("code", code).want(200, "hello alice")
	page := w.browser().signIn(app+"/", "alice").submit("code", code).want(403, "SP-2002", "used already; wait for the next")
	page.submit("code", older).want(403, "SP-2002")
	w.wait(30 * time.Second)
	page.submit("code", w.code(key)).want(200, "hello alice")
}

func TestCodeWorksOnceInParallel(t *testing.T) {
	file := storetest.NewFile(t)
	w := newWorld(t, func(s *setup) { s.file = file })
	other := w.node(file)
	key := w.withApp(w.user("alice", sallyport.StateEnforced))
	const n = 8
	pages := make([]answer, n)
	for i := range pages {
		node := w
		if i%2 == 1 {
			node = other
		}
		pages[i] = node.browser().signIn(app+"/", "alice").want(200, "Confirm it’s you")
	}
	code := w.code(key)
	var in atomic.Int32
	var wg sync.WaitGroup
	for _, p := range pages {
		wg.Go(func() {
			if strings.Contains(p.submit("code", code).body, "hello alice") {
				in.Add(1)
			}
		})
	}
	wg.Wait()
	if in.Load() != 1 {
		t.Errorf("one code let %d browsers in", in.Load())
	}
}

// A recovery code works once, too.
func TestRecoveryCodeWorksOnce(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateEnabled)
	page := w.browser().signIn(app+"/", "alice")
	codes := page.submit("code", w.code(page.key()))
	kept := codes.recoveryCodes()
	codes.submit().submit().want(200, "hello alice")
	use := func() answer {
		b := w.browser()
		return b.get(portal+"/.sallyport/verify?method=recovery&flow="+flowOf(b.signIn(app+"/", "alice"))).submit("code", kept[0])
	}
	use().want(200, "You have 9 recovery codes left")
	use().want(403, "SP-2002", "used already")
}

// cutOff is a store that cannot be reached once recovery codes are kept, until it
// is mended: the request that kept them ends there.
type cutOff struct {
	challenge.Store
	away bool
}

func (c *cutOff) ReplaceRecoveryCodes(ctx context.Context, user sallyport.UserID, hashes [][]byte, made time.Time, events ...audit.Event) error {
	err := c.Store.ReplaceRecoveryCodes(ctx, user, hashes, made, events...)
	c.away = c.away || err == nil
	return err
}

func (c *cutOff) SaveFlow(ctx context.Context, f *sallyport.Flow, events ...audit.Event) error {
	if c.away {
		return sallyport.ErrUnavailable
	}
	return c.Store.SaveFlow(ctx, f, events...)
}

// D5: a request that is cut off after the codes were kept, and before the flow has
// gone on, leaves the page to be confirmed again. Done so later, it must go on
// without bringing back a code that was used meanwhile.
func TestRecoveryCodesConfirmedAgain(t *testing.T) {
	var c *cutOff
	w := newWorld(t, func(s *setup) {
		s.wrap = func(db challenge.Store) challenge.Store {
			c = &cutOff{Store: db}
			return c
		}
	})
	w.user("alice", sallyport.StateEnabled)
	page := w.browser().signIn(app+"/", "alice")
	codes := page.submit("code", w.code(page.key())).want(200, "shown only now")
	kept := codes.recoveryCodes()
	codes.submit().want(503)
	c.away = false
	w.wait(time.Minute)
	use := func() answer {
		b := w.browser()
		return b.get(portal+"/.sallyport/verify?method=recovery&flow="+flowOf(b.signIn(app+"/", "alice"))).submit("code", kept[0])
	}
	use().want(200, "You have 9 recovery codes left")
	again := codes.b.get(codes.url.String()).want(200, kept[0])
	c.away = false
	again.submit().want(200, "You are all set", "9")
	use().want(403, "SP-2002", "used already")
	if n := w.count(audit.RecoveryRenewed, audit.Success); n != 1 {
		t.Errorf("%d sets in the log, want 1", n)
	}
}

// Codes that were renewed elsewhere since they were shown are not put back into
// force by the page that still shows older ones.
func TestOlderRecoveryCodesStayAway(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", sallyport.StateEnabled)
	page := w.browser().signIn(app+"/", "alice")
	codes := page.submit("code", w.code(page.key())).want(200, "shown only now")
	w.wait(time.Minute)
	must(t, w.db.ReplaceRecoveryCodes(t.Context(), u.ID, [][]byte{{1}}, w.clock.Now()))
	w.wait(time.Minute)
	codes.submit().want(410, "SP-3001")
	if n, err := w.db.RecoveryCodesLeft(t.Context(), u.ID); err != nil || n != 1 {
		t.Errorf("%d codes (%v), want the one of the newer set", n, err)
	}
}
