package gateway

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// The service manager is told through the socket that systemd names in the
// environment (sd_notify(3)); elsewhere all of this does nothing. A failed notice
// is not worth stopping for: systemd acts on what it misses.

// notifyReady says that every listener is bound and served.
func notifyReady() { notify(daemon.SdNotifyReady) }

// notifyReload says that the routing file is being read again; the function it
// returns says that this is over.
func notifyReload() (done func()) {
	// Type=notify-reload wants to know when, by the monotonic clock.
	notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	return notifyReady
}

// notifyStopping says that requests are being drained.
func notifyStopping() { notify(daemon.SdNotifyStopping) }

func notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		slog.Default().Debug("cannot notify the service manager", "error", err)
	}
}

// watchdog tells systemd twice in each WatchdogSec that this process is alive,
// until ctx ends.
func watchdog(ctx context.Context) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		slog.Default().Warn("the watchdog of the service manager stays off", "error", err)
	}
	if err != nil || every == 0 {
		return
	}
	t := time.NewTicker(every / 2)
	defer t.Stop()
	for {
		notify(daemon.SdNotifyWatchdog)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
