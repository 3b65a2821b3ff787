package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long files must be quiet before a change counts: editors and
// installers write in several steps.
const settle = 200 * time.Millisecond

// Watcher tells when the content of a configuration's files changes.
type Watcher struct {
	fs      *fsnotify.Watcher
	log     *slog.Logger
	changed func()
	cancel  context.CancelFunc
	ended   chan struct{}

	mu      sync.Mutex
	files   []string
	names   map[string]bool // base names that concern us
	folders map[string]bool
	seen    map[string]sum // what the last call of changed was told of
}

type sum = [sha256.Size]byte

// Watch calls changed, on a goroutine of its own, each time the content of the
// routing file or of a file it names changes, until ctx ends or Close. A missing
// file is watched for too.
//
// Folders are watched, not files: editors replace the file, and Kubernetes swaps
// a link beside it.
func Watch(ctx context.Context, c *Config, log *slog.Logger, changed func()) (*Watcher, error) {
	fsw, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &Watcher{fs: fsw, log: log, changed: changed, cancel: cancel, ended: make(chan struct{}), folders: map[string]bool{}}
	w.files = c.Files()
	if err := w.look(); err != nil {
		cancel()
		_ = fsw.Close() // nothing was watched
		return nil, err
	}
	w.seen = w.sums()
	if c.origin.sum != (sum{}) {
		// It may have changed since it was loaded; the first look finds out.
		w.seen[c.origin.file] = c.origin.sum
	}
	go w.run(ctx)
	return w, nil
}

// Follow takes another configuration's files in the place of the former ones.
func (w *Watcher) Follow(c *Config) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files = c.Files()
	if err := w.look(); err != nil {
		w.log.Warn("not every file of the configuration is watched", "error", err)
	}
	// Files known before keep what was seen of them, so that no change is lost;
	// new ones begin as they are.
	now := w.sums()
	for f := range now {
		if old, ok := w.seen[f]; ok {
			now[f] = old
		}
	}
	w.seen = now
}

// Close stops watching; when it returns, changed is not running and will not be
// called again.
func (w *Watcher) Close() {
	w.cancel()
	<-w.ended
}

func (w *Watcher) run(ctx context.Context) {
	defer close(w.ended)
	defer w.fs.Close()
	timer := time.NewTimer(settle) // a first look
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-w.fs.Events:
			if w.concerns(e.Name) {
				timer.Reset(settle)
			}
		case err := <-w.fs.Errors:
			w.log.Warn("events of the file system were lost; looking at the files themselves", "error", err)
			timer.Reset(settle)
		case <-timer.C:
			if w.differs() {
				w.changed()
			}
		}
	}
}

// differs reports whether a file changed since the last call, and remembers.
func (w *Watcher) differs() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.look(); err != nil { // a link may lead elsewhere now
		w.log.Warn("not every file of the configuration is watched", "error", err)
	}
	now := w.sums()
	if maps.Equal(w.seen, now) {
		return false
	}
	w.seen = now
	return true
}

// look watches the folders of the files and of what they are links to.
func (w *Watcher) look() error {
	w.names = map[string]bool{}
	folders := map[string]bool{}
	for _, f := range w.files {
		folders[filepath.Dir(f)] = true
		w.names[filepath.Base(f)] = true
		if real, err := filepath.EvalSymlinks(f); err == nil {
			folders[filepath.Dir(real)] = true
			w.names[filepath.Base(real)] = true
		}
	}
	for f := range w.folders {
		if !folders[f] {
			_ = w.fs.Remove(f) // it may be gone already
			delete(w.folders, f)
		}
	}
	var failed error
	for f := range folders {
		// Adding again is free, and needed where the folder was made anew.
		if err := w.fs.Add(f); err != nil {
			failed = fmt.Errorf("watch %s: %w", f, err)
			continue
		}
		w.folders[f] = true
	}
	return failed
}

// concerns tells the events of our files, and of the links that Kubernetes
// swaps (`..data`), from the rest: a database in the same folder changes all the
// time.
func (w *Watcher) concerns(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	base := filepath.Base(name)
	return w.names[base] || strings.HasPrefix(base, "..")
}

// sums are the contents of the files, as hashes; a missing one has none.
func (w *Watcher) sums() map[string]sum {
	out := map[string]sum{}
	for _, f := range w.files {
		if b, err := os.ReadFile(f); err == nil {
			out[f] = sha256.Sum256(b)
		}
	}
	return out
}
