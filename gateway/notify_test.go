//go:build unix

package gateway

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeManager listens where systemd would.
func fakeManager(t *testing.T) (next func() string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sp") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	addr := &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"}
	c, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	t.Setenv("NOTIFY_SOCKET", addr.Name)
	return func() string {
		t.Helper()
		buf := make([]byte, 512)
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("no notice: %v", err)
		}
		return string(buf[:n])
	}
}

func TestNotifyServiceManager(t *testing.T) {
	next := fakeManager(t)
	notifyReady()
	if got := next(); got != "READY=1" {
		t.Errorf("ready: %q", got)
	}
	done := notifyReload()
	if got := next(); !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") {
		t.Errorf("reload: %q", got)
	}
	done()
	if got := next(); got != "READY=1" {
		t.Errorf("reloaded: %q", got)
	}
}

// The servers say that they stop, and keep the watchdog fed while they run.
func TestServersNotify(t *testing.T) {
	next := fakeManager(t)
	t.Setenv("WATCHDOG_USEC", "50000")
	s := newTestServers(t, testServer{})
	stop := runServers(t, s)
	for range 3 {
		if got := next(); got != "WATCHDOG=1" {
			t.Errorf("watchdog: %q", got)
		}
	}
	stop()
	for got := next(); got != "STOPPING=1"; got = next() {
		if got != "WATCHDOG=1" {
			t.Fatalf("stopping: %q", got)
		}
	}
}

func TestNotifyWithoutServiceManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	notifyReady() // does nothing, and does not fail
	notifyReload()()
	notifyStopping()
}
