package main

import (
	"bufio"
	"io"
	"sync"
	"time"
)

// logWriter gathers log lines and writes them many at a time: with a line for
// each request, one system call each would cost as much as the gateway's own
// work. A line waits at most flushEvery.
type logWriter struct {
	mu   sync.Mutex
	buf  *bufio.Writer
	done chan struct{}
	once sync.Once
}

const (
	flushEvery = 100 * time.Millisecond
	logBuffer  = 64 << 10
)

func newLogWriter(w io.Writer) *logWriter {
	l := &logWriter{buf: bufio.NewWriterSize(w, logBuffer), done: make(chan struct{})}
	go l.run()
	return l
}

// Write implements io.Writer. A whole line is never split between two writes
// below, so that several processes may log to the same file.
func (l *logWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(p) > l.buf.Available() {
		if err := l.buf.Flush(); err != nil {
			return 0, err
		}
	}
	return l.buf.Write(p)
}

func (l *logWriter) run() {
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-t.C:
			l.flush()
		}
	}
}

func (l *logWriter) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.buf.Flush() // where standard error is closed there is nobody to tell
}

// Close writes what is left.
func (l *logWriter) Close() {
	l.once.Do(func() { close(l.done) })
	l.flush()
}
