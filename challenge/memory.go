package challenge

import (
	"sync"
	"time"

	"sallyport"
)

// keyedLocks lets one request at a time work on a flow on this node, so that a
// double click meets the outcome of the first click instead of racing it. Across
// nodes the store decides. The zero value is ready.
type keyedLocks struct {
	mu    sync.Mutex
	locks map[string]*keyedLock
}

type keyedLock struct {
	sync.Mutex
	waiting int
}

func (k *keyedLocks) lock(key string) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*keyedLock{}
	}
	l := k.locks[key]
	if l == nil {
		l = &keyedLock{}
		k.locks[key] = l
	}
	l.waiting++
	k.mu.Unlock()
	l.Lock()
}

func (k *keyedLocks) unlock(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.locks[key]
	l.waiting--
	if l.waiting == 0 {
		delete(k.locks, key)
	}
	l.Unlock()
}

// recentMax bounds the memory of finished flows.
const recentMax = 4096

// recent remembers where flows that this node finished led to, for as long as a
// flow lives, so that the back button and a double click lead there too.
type recent struct {
	mu    sync.Mutex
	flows map[sallyport.FlowID]finished
	order []sallyport.FlowID // a ring, oldest at next
	next  int
}

type finished struct {
	browser sallyport.TokenHash
	again   string
	until   time.Time
}

func newRecent() *recent {
	return &recent{flows: map[sallyport.FlowID]finished{}, order: make([]sallyport.FlowID, recentMax)}
}

func (m *recent) add(f *sallyport.Flow, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.flows, m.order[m.next])
	m.order[m.next] = f.ID
	m.next = (m.next + 1) % recentMax
	m.flows[f.ID] = finished{browser: f.Browser, again: againURL(f), until: now.Add(flowLife)}
}

// find returns where a flow of this browser led to.
func (m *recent) find(id sallyport.FlowID, browser sallyport.TokenHash, now time.Time) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.flows[id]
	if !ok || f.browser != browser || !now.Before(f.until) {
		return "", false
	}
	return f.again, true
}
