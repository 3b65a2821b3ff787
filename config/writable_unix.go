//go:build unix

package config

import "syscall"

// writable asks the system whether files may be made in a folder; it makes none.
func writable(dir string) error {
	const write, search = 2, 1 // W_OK and X_OK of access(2)
	return syscall.Access(dir, write|search)
}
