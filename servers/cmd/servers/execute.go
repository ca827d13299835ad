package main

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/servers/internal/system"
)

// patience is how long the command has after a signal before it is killed.
const patience = 10 * time.Second

// execute runs the command to its end and returns its exit code, 128 and more when a signal ended
// it. It has a process group of its own, so that a signal that we get reaches all of its children.
func execute(argv, env []string) (int, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	system.OwnGroup(cmd)
	if stdin := int(os.Stdin.Fd()); term.IsTerminal(stdin) {
		// Only the group in front may read the terminal, and it gets Ctrl-C.
		system.Foreground(cmd, stdin)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := servers.Harness(cmd); err != nil {
		return 127, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var kill <-chan time.Time
	for {
		select {
		case s := <-signals:
			system.Kill(-cmd.Process.Pid, s.(syscall.Signal))
			if kill == nil {
				kill = time.After(patience)
			}
		case <-kill:
			system.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		case err := <-ended:
			if kill != nil {
				// A shell may be gone before those that it started.
				system.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			}
			return exitCode(err)
		}
	}
}

func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// quote makes NAME=value safe to paste into a shell.
func quote(line string) string {
	name, value, _ := strings.Cut(line, "=")
	return name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
