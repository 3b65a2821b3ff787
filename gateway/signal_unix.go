//go:build unix

package gateway

import (
	"os"
	"os/signal"
	"syscall"
)

// onHangup calls f at SIGHUP until stop is called.
func onHangup(f func()) (stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-c:
				f()
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(c); close(done) }
}
