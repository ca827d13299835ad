//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// endWithChildren has the command's children end with it when its context does: a test may leave
// some, and all of its group go.
func endWithChildren(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
