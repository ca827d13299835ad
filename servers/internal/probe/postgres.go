package probe

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// Postgres logs in without a password, runs one statement unless it is empty, and returns the first
// column of its first row ("" where it has none).
func Postgres(ctx context.Context, addr, user, database, statement string) (string, error) {
	c, err := dial(ctx, addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	hello := binary.BigEndian.AppendUint32(nil, 3<<16) // version 3.0
	hello = append(hello, "user\x00"+user+"\x00database\x00"+database+"\x00\x00"...)
	if err := send(c, "", hello); err != nil {
		return "", err
	}
	r := bufio.NewReader(c)
	if _, err := untilReady(r); err != nil || statement == "" {
		return "", err
	}
	if err := send(c, "Q", append([]byte(statement), 0)); err != nil {
		return "", err
	}
	return untilReady(r)
}

// PostgresVersion asks for the server's version.
func PostgresVersion(ctx context.Context, addr, user, database string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, once)
	defer cancel()
	return Postgres(ctx, addr, user, database, "SHOW server_version")
}

func send(c net.Conn, kind string, body []byte) error {
	m := binary.BigEndian.AppendUint32([]byte(kind), uint32(len(body)+4))
	_, err := c.Write(append(m, body...))
	return err
}

// untilReady reads messages until the server is ready for a statement.
func untilReady(r *bufio.Reader) (first string, err error) {
	rows := 0
	var failed error
	for {
		var head [5]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return "", errors.Join(failed, err)
		}
		n := binary.BigEndian.Uint32(head[1:])
		if n < 4 || n > 1<<20 {
			return "", fmt.Errorf("postgres: message of %d bytes", n)
		}
		body := make([]byte, n-4)
		if _, err := io.ReadFull(r, body); err != nil {
			return "", errors.Join(failed, err)
		}
		switch head[0] {
		case 'Z':
			return first, failed
		case 'E':
			failed = errors.New("postgres: " + strings.ReplaceAll(strings.Trim(string(body), "\x00"), "\x00", " "))
		case 'D':
			if rows++; rows == 1 {
				first = column(body)
			}
		case 'R':
			if len(body) >= 4 && binary.BigEndian.Uint32(body) != 0 {
				return "", errors.New("postgres: asks for a password")
			}
		}
	}
}

// column is the first column of a row: number of columns, then length and bytes of each.
func column(row []byte) string {
	if len(row) < 6 {
		return ""
	}
	n := int32(binary.BigEndian.Uint32(row[2:]))
	if n < 0 || int(n) > len(row)-6 {
		return ""
	}
	return string(row[6 : 6+n])
}
