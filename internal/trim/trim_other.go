//go:build !linux

package trim

// Startup does nothing here.
func Startup() error { return nil }
