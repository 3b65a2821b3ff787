package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"unicode"
	"unicode/utf8"
)

// NewJSONLines returns a sink that writes each event to w as one line of JSON,
// all events of a transaction in one write. What cannot be written is lost here,
// never in the store.
func NewJSONLines(w io.Writer) Sink { return &jsonLines{w: w} }

type jsonLines struct {
	mu sync.Mutex
	w  io.Writer
}

// Emit implements Sink.
func (s *jsonLines) Emit(events []Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.w.Write(lines(events))
}

func lines(events []Event) []byte {
	var b bytes.Buffer
	for i := range events {
		line, err := json.Marshal(&events[i])
		if err != nil {
			continue // an event is plain data; the store has marshalled it already
		}
		b.Write(EscapeJSON(line))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// EscapeJSON returns JSON with every character escaped that a terminal or an
// editor might obey instead of showing: control characters beyond those that JSON
// itself escapes, and those that reverse or hide text. The value stays the same.
func EscapeJSON(b []byte) []byte {
	obeyed := func(r rune) bool {
		return r >= 0x7f && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError)
	}
	if bytes.IndexFunc(b, obeyed) < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case !obeyed(r):
			out = append(out, b[:n]...)
		case r > 0xffff: // as UTF-16 halves
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		b = b[n:]
	}
	return out
}

// File is a sink that appends to a file of mode 0600. When the file was moved
// away or removed, as log rotation does, it goes on in a new one.
type File struct {
	path   string
	failed func(error)

	mu sync.Mutex
	f  *os.File
}

// OpenFile opens or creates the file. failed hears of events that could not be
// written later; nil ignores them.
func OpenFile(path string, failed func(error)) (*File, error) {
	if failed == nil {
		failed = func(error) {}
	}
	s := &File{path: path, failed: failed}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *File) open() error {
	f, err := os.OpenFile(s.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("audit file: %w", err)
	}
	s.f = f
	return nil
}

// Emit implements Sink.
func (s *File) Emit(events []Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.follow()
	if err == nil {
		_, err = s.f.Write(lines(events))
	}
	if err != nil {
		s.failed(err)
	}
}

// follow opens the file anew when the path no longer leads to the one in hand.
func (s *File) follow() error {
	if s.f == nil {
		return s.open()
	}
	have, err := s.f.Stat()
	if err != nil {
		return fmt.Errorf("audit file: %w", err)
	}
	want, err := os.Stat(s.path)
	if err == nil && os.SameFile(have, want) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("audit file: %w", err)
	}
	_ = s.f.Close()
	s.f = nil
	return s.open()
}

// Close closes the file; events after it open it again.
func (s *File) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f == nil {
		return nil
	}
	err := s.f.Close()
	s.f = nil
	return err
}
