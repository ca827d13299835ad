package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

// MySQL reads the version from the greeting that MySQL and MariaDB send to whoever connects.
func MySQL(ctx context.Context, addr string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, once)
	defer cancel()
	c, err := dial(ctx, addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	var head [5]byte // length of the packet in three bytes, its number, the protocol's version
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	if head[4] != 10 {
		return "", fmt.Errorf("mysql: not a greeting: % x", head)
	}
	version, err := r.ReadString(0)
	if err != nil || len(version) < 2 {
		return "", errors.Join(errors.New("mysql: no version in the greeting"), err)
	}
	return version[:len(version)-1], nil
}
