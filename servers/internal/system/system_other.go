//go:build !linux

// Package system is what the servers ask of Linux. On other systems it compiles and refuses.
package system

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

const (
	Pause  = syscall.Signal(0)
	Resume = syscall.Signal(0)
)

// Check returns why no server can be brought up on this system.
func Check() error {
	return fmt.Errorf("servers are brought up on Linux only, not on %s: they need its signals, its process groups and /proc; "+
		"name servers of your own in the variables of docs/servers.md, and run go test", runtime.GOOS)
}

func Lock(*os.File) (bool, error) { return false, Check() }

func Kill(int, syscall.Signal) error { return Check() }

// Nothing is started here, so there is nothing to set.

func DieWithThread(*exec.Cmd) {}

func OwnGroup(*exec.Cmd) {}

func Foreground(*exec.Cmd, int) {}

func RunAs(*exec.Cmd, uint32, uint32) {}
