//go:build !unix

package config

// writable knows no way to ask here without making a file.
func writable(string) error { return nil }
