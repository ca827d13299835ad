//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package diskstore

import (
	"errors"
	"os"
)

const canLock = false

func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

func unlock(*os.File) {}
