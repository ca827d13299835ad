//go:build !unix

package host

import (
	"errors"
	"runtime"
)

var errNoPause = errors.New("host: processes cannot be paused on " + runtime.GOOS + ", which has no SIGSTOP")

// Pause fails.
func (p *Process) Pause() error { return errNoPause }

// Resume fails.
func (p *Process) Resume() error { return errNoPause }
