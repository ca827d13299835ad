//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package diskstore

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// errNoLock is what Open says here.
var errNoLock = fmt.Errorf("%w on %s: processes share the folder by flock(2), which this system lacks; sqlitestore keeps sessions in a file there", errors.ErrUnsupported, runtime.GOOS)

func tryLock(*os.File) (bool, error) { return false, errNoLock }

func unlock(*os.File) {}
