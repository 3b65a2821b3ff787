package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// watching loads good from dir and returns a channel of changes.
func watching(t *testing.T, dir string, c *Config) (*Watcher, chan struct{}) {
	t.Helper()
	changes := make(chan struct{}, 100)
	w, err := Watch(t.Context(), c, slog.New(slog.DiscardHandler), func() { changes <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Close()
		goleak.VerifyNone(t, goleak.IgnoreCurrent())
	})
	return w, changes
}

func expectChange(t *testing.T, changes chan struct{}) {
	t.Helper()
	select {
	case <-changes:
	case <-time.After(10 * time.Second):
		t.Fatal("the change was not noticed")
	}
}

// expectNone makes sure that nothing is pending: a change made now must be the
// first one that is told of.
func expectNone(t *testing.T, changes chan struct{}, then func()) {
	t.Helper()
	timer := time.NewTimer(3 * settle)
	defer timer.Stop()
	select {
	case <-changes:
		t.Fatal("a change was told of that was none")
	case <-timer.C:
	}
	then()
	expectChange(t, changes)
}

func TestWatchWritesAndReplacements(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "sallyport.yaml")
	write(t, file, []byte(good), 0o600)
	c := mustLoad(t, dir, good)
	_, changes := watching(t, dir, c)

	write(t, file, []byte(good+"# written\n"), 0o600)
	expectChange(t, changes)

	// As editors do it: another file takes the place.
	write(t, file+".new", []byte(good+"# replaced\n"), 0o600)
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	expectChange(t, changes)

	// A database in the same folder, and the same content again, are no change.
	expectNone(t, changes, func() { write(t, file, []byte(good+"# again\n"), 0o600) })
	write(t, filepath.Join(dir, "sallyport.db-wal"), []byte("x"), 0o600)
	write(t, file, []byte(good+"# again\n"), 0o600)
	expectNone(t, changes, func() { write(t, filepath.Join(dir, "master.key"), []byte("another"), 0o600) })
}

// A change between loading and watching is not lost: at a start the store and the
// listeners come in between.
func TestWatchSeesWhatChangedBefore(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "sallyport.yaml")
	write(t, file, []byte(good), 0o600)
	c, err := Load(file, testEnv)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, []byte(good+"# meanwhile\n"), 0o600)
	_, changes := watching(t, dir, c)
	expectChange(t, changes)
	expectNone(t, changes, func() { write(t, file, []byte(good+"# later\n"), 0o600) })
}

func TestWatchKubernetesLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need privileges on Windows")
	}
	dir := folder(t)
	for _, v := range []string{"..1", "..2"} {
		if err := os.Mkdir(filepath.Join(dir, v), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, v, "sallyport.yaml"), []byte(good+"# "+v+"\n"), 0o600)
	}
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("..1", "..data")
	link("..data/sallyport.yaml", "sallyport.yaml")
	_, changes := watching(t, dir, mustLoad(t, dir, good))
	link("..2", "..data_tmp")
	if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	expectChange(t, changes)
}

func TestWatchFollowsAnotherConfiguration(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "sallyport.yaml")
	write(t, file, []byte(good), 0o600)
	w, changes := watching(t, dir, mustLoad(t, dir, good))
	elsewhere := filepath.Join(t.TempDir(), "logo.svg")
	write(t, elsewhere, []byte("<svg/>"), 0o600)
	w.Follow(mustLoad(t, dir, good+"ui: {logo_file: "+elsewhere+"}\n"))
	expectNone(t, changes, func() { write(t, elsewhere, []byte("<svg></svg>"), 0o600) })
	// What is no longer named is no longer watched.
	w.Follow(mustLoad(t, dir, good))
	write(t, elsewhere, []byte("<svg> </svg>"), 0o600)
	expectNone(t, changes, func() { write(t, file, []byte(good+"# x\n"), 0o600) })
}
