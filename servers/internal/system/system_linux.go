// Package system is what the servers ask of Linux. On other systems it compiles and refuses.
package system

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// The signals that other systems may lack.
const (
	Pause  = syscall.SIGSTOP
	Resume = syscall.SIGCONT
)

// Check returns why no server can be brought up on this system: nil on Linux.
func Check() error { return nil }

// Lock locks the file for this process alone and reports whether it could: another may have it.
func Lock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// Kill sends the signal to a process, or to a group if its id is negative.
func Kill(pid int, sig syscall.Signal) error { return syscall.Kill(pid, sig) }

// attributes returns those of the command.
func attributes(cmd *exec.Cmd) *syscall.SysProcAttr {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	return cmd.SysProcAttr
}

// DieWithThread has the kernel kill the command's process when the thread ends that started it.
func DieWithThread(cmd *exec.Cmd) { attributes(cmd).Pdeathsig = syscall.SIGKILL }

// OwnGroup starts the command in a process group of its own.
func OwnGroup(cmd *exec.Cmd) { attributes(cmd).Setpgid = true }

// Foreground gives the terminal to the command's own group.
func Foreground(cmd *exec.Cmd, terminal int) {
	a := attributes(cmd)
	a.Foreground, a.Ctty = true, terminal
}

// RunAs starts the command as another user.
func RunAs(cmd *exec.Cmd, uid, gid uint32) {
	attributes(cmd).Credential = &syscall.Credential{Uid: uid, Gid: gid}
}
