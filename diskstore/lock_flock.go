//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package diskstore

import (
	"os"
	"syscall"
)

var errNoLock error // there is one

// tryLock locks an open directory against other holders, which the system forgets when the process
// ends, however it ends.
func tryLock(f *os.File) (ok bool, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	err2 := conn.Control(func(fd uintptr) {
		for {
			if err = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EINTR {
				return
			}
		}
	})
	if err2 != nil {
		return false, err2
	}
	if err == syscall.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}

func unlock(f *os.File) {
	if conn, err := f.SyscallConn(); err == nil {
		conn.Control(func(fd uintptr) { syscall.Flock(int(fd), syscall.LOCK_UN) })
	}
}
