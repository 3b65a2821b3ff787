package challenge_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport"
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
