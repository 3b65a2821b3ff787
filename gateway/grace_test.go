package gateway

import (
	"testing"
	"time"

	"sallyport/config"
)

// A zero that an admin writes is a setting and not the default: no grace, and
// events for ever.
func TestWrittenZerosAreSettings(t *testing.T) {
	cfg := config.Default()
	if grace(cfg) != time.Minute || Retention(cfg) != 90*24*time.Hour {
		t.Errorf("defaults: %v, %v", grace(cfg), Retention(cfg))
	}
	cfg.Store.Grace, cfg.Audit.Retention = 0, 0
	if grace(cfg) >= 0 || Retention(cfg) >= 0 {
		t.Errorf("zeros: %v, %v; sessions and the store take zero for their default", grace(cfg), Retention(cfg))
	}
}
