package demoapp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

var (
	errNoFolder    = errors.New("no folder for uploads")
	errFolderFull  = errors.New("the folder for uploads is full")
	errFileTooBig  = errors.New("the file is too large")
	errReadUpload  = errors.New("the upload broke off")
	errStoreUpload = errors.New("the file cannot be stored")
)

// storedFile is one uploaded file. Its path is a random name of our own.
type storedFile struct {
	Name  string
	Who   string
	Size  int64
	Added time.Time
	path  string
}

// fileStore holds uploads: the list in memory, the bytes on disk.
type fileStore struct {
	dir      string
	maxFiles int
	maxBytes int64

	mu       sync.Mutex
	files    []storedFile // oldest first
	reserved int          // places held by uploads under way
}

func newFileStore(dir string, maxFiles int, maxBytes int64) *fileStore {
	return &fileStore{dir: dir, maxFiles: maxFiles, maxBytes: maxBytes}
}

// list returns the files, newest first.
func (s *fileStore) list() []storedFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := slices.Clone(s.files)
	slices.Reverse(files)
	return files
}

// find returns the file of that name.
func (s *fileStore) find(name string) (storedFile, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.files, func(f storedFile) bool { return f.Name == name })
	if i < 0 {
		return storedFile{}, false
	}
	return s.files[i], true
}

// removeAll deletes every file. Nothing may use the store meanwhile or after.
func (s *fileStore) removeAll() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, f := range s.files {
		if err := os.Remove(f.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove upload: %w", err))
		}
	}
	s.files = nil
	return errors.Join(errs...)
}

// batch is the files of one form: all of them appear in the list, or none.
type batch struct {
	store *fileStore
	files []storedFile
}

// add streams one file to disk. The errors are errNoFolder, errFolderFull,
// errFileTooBig, errReadUpload or errStoreUpload, wrapped.
func (b *batch) add(name, who string, now time.Time, r io.Reader) error {
	if b.store.dir == "" {
		return errNoFolder
	}
	if !b.store.reserve() {
		return errFolderFull
	}
	path, size, err := b.store.write(r)
	if err != nil {
		b.store.release(1)
		return err
	}
	b.files = append(b.files, storedFile{Name: cleanName(name), Who: who, Size: size, Added: now, path: path})
	return nil
}

// commit puts the files into the list, each under a name that is still free.
func (b *batch) commit() {
	s := b.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range b.files {
		f.Name = freeName(f.Name, func(name string) bool {
			return slices.ContainsFunc(s.files, func(g storedFile) bool { return g.Name == name })
		})
		s.files = append(s.files, f)
	}
	s.reserved -= len(b.files)
	b.files = nil
}

// discard deletes what was not committed.
func (b *batch) discard() error {
	var errs []error
	for _, f := range b.files {
		if err := os.Remove(f.path); err != nil {
			errs = append(errs, fmt.Errorf("discard upload: %w", err))
		}
	}
	b.store.release(len(b.files))
	b.files = nil
	return errors.Join(errs...)
}

// reserve holds a place before the bytes arrive, so that many uploads at once
// cannot together exceed the limit on disk.
func (s *fileStore) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.files)+s.reserved >= s.maxFiles {
		return false
	}
	s.reserved++
	return true
}

func (s *fileStore) release(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved -= n
}

// write streams r into a new file and removes it again if anything goes wrong.
func (s *fileStore) write(r io.Reader) (path string, size int64, err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return "", 0, fmt.Errorf("%w: %w", errStoreUpload, err)
	}
	f, err := os.CreateTemp(s.dir, "upload-*")
	if err != nil {
		return "", 0, fmt.Errorf("%w: %w", errStoreUpload, err)
	}
	defer func() {
		if closeErr := f.Close(); closeErr != nil && err == nil {
			err = fmt.Errorf("%w: %w", errStoreUpload, closeErr)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	src := &markedReader{r: io.LimitReader(r, s.maxBytes+1)}
	size, err = io.Copy(f, src)
	switch {
	case src.err != nil:
		return "", 0, fmt.Errorf("%w: %w", errReadUpload, src.err)
	case err != nil:
		return "", 0, fmt.Errorf("%w: %w", errStoreUpload, err)
	case size > s.maxBytes:
		return "", 0, errFileTooBig
	}
	return f.Name(), size, nil
}

// markedReader remembers its error, to tell a broken client from a full disk.
type markedReader struct {
	r   io.Reader
	err error
}

func (m *markedReader) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if err != nil && err != io.EOF { // as in io.Copy: a wrapped io.EOF is a fault
		m.err = err
	}
	return n, err // io.Reader must return io.EOF as it is
}
