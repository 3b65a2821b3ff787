package parts

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets the kernel end the program when the test process dies
// without cleaning up, for example on a time-out of go test.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
