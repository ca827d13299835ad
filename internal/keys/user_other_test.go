//go:build !unix

package keys

import "errors"

func makePipe(string) error { return errors.ErrUnsupported }

func runAs(uint32, string, string, ...string) (string, error) { return "", errors.ErrUnsupported }
