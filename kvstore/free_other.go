//go:build !(linux || darwin || freebsd)

package kvstore

import "errors"

func free(string) (uint64, error) { return 0, errors.ErrUnsupported }
