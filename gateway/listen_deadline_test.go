package gateway

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// countingConn counts the deadlines that reach the system.
type countingConn struct {
	net.Conn
	set int
}

func (c *countingConn) SetReadDeadline(t time.Time) error {
	c.set++
	return c.Conn.SetReadDeadline(t)
}

func pipe(t *testing.T) (*trackedConn, *countingConn, net.Conn) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	counted := &countingConn{Conn: a}
	return &trackedConn{Conn: counted, from: &tracker{stall: time.Minute}}, counted, b
}

// Putting a deadline off costs nothing and holds; bringing it forward is in force
// at once, also for a Read that waits already. (G3)
func TestReadDeadlines(t *testing.T) {
	c, counted, _ := pipe(t)
	start := time.Now()
	for range 1000 {
		if err := errors.Join(c.SetReadDeadline(time.Now().Add(50*time.Millisecond)), c.SetReadDeadline(time.Time{})); err != nil {
			t.Fatal(err)
		}
	}
	if counted.set > 1 {
		t.Errorf("%d deadlines reached the system, want 1", counted.set)
	}
	if err := c.SetReadDeadline(start.Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) < 200*time.Millisecond {
		t.Errorf("a Read ended after %v with %v, want a time-out after 200ms", time.Since(start), err)
	}

	// Lifted: a Read outlives every time that was armed before.
	c, _, peer := pipe(t)
	if err := errors.Join(c.SetReadDeadline(time.Now().Add(20*time.Millisecond)), c.SetReadDeadline(time.Time{})); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	time.AfterFunc(100*time.Millisecond, func() {
		_, err := io.WriteString(peer, "x")
		sent <- err
	})
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Errorf("a Read without a deadline ended with %v", err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}

	// Aborted from another goroutine while it waits, as the server does.
	time.AfterFunc(20*time.Millisecond, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an aborted Read ended with %v", err)
	}
	// And used again.
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(peer, "y") }()
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Errorf("after an aborted Read: %v", err)
	}
}
