// Package probe asks servers for their version, in a few lines of each one's protocol: an answer
// proves that a server is up, and that no driver's pool or retry hides when it came up.
package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	// once bounds a question for the version, so that a server that accepts and says nothing is
	// asked again.
	once = 3 * time.Second
	// patience bounds any other exchange, which nobody repeats: on a busy machine CREATE DATABASE
	// alone takes many seconds.
	patience = 2 * time.Minute
)

// dial connects for one exchange, within ctx and patience.
func dial(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	return c, c.SetDeadline(deadline)
}

// Redis sends one command and returns its reply; the parts of a list stand on lines of their own.
func Redis(ctx context.Context, addr string, args ...string) (string, error) {
	c, err := dial(ctx, addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(c, b.String()); err != nil {
		return "", err
	}
	return reply(bufio.NewReader(c))
}

func reply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return "", errors.New("redis: empty reply")
	}
	switch rest := line[1:]; line[0] {
	case '+', ':':
		return rest, nil
	case '-':
		return "", errors.New("redis: " + rest)
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return "", err
		}
		text := make([]byte, n+2)
		_, err = io.ReadFull(r, text)
		return string(text[:n]), err
	case '*':
		n, err := strconv.Atoi(rest)
		var parts []string
		for i := 0; i < n && err == nil; i++ {
			var part string
			part, err = reply(r)
			parts = append(parts, part)
		}
		return strings.Join(parts, "\n"), err
	}
	return "", fmt.Errorf("redis: not a reply: %q", line)
}

// RedisVersion asks Redis or Valkey for its version.
func RedisVersion(ctx context.Context, addr string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, once)
	defer cancel()
	// INFO is answered while the data are still being loaded, PING is not.
	if _, err := Redis(ctx, addr, "PING"); err != nil {
		return "", err
	}
	info, err := Redis(ctx, addr, "INFO", "server")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"valkey_version:", "redis_version:"} { // Valkey gives both
		if _, after, ok := strings.Cut(info, name); ok {
			version, _, _ := strings.Cut(after, "\r\n")
			return version, nil
		}
	}
	return "", errors.New("redis: no version in INFO")
}
