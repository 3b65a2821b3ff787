//go:build !linux

package parts

import "os/exec"

// dieWithParent does nothing: only Linux ends a program with its parent.
func dieWithParent(*exec.Cmd) {}
