//go:build !unix

package keys

import "errors"

func runAs(uint32, string, string, ...string) (string, error) { return "", errors.ErrUnsupported }
