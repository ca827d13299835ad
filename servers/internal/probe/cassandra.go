package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// The parts of the CQL protocol, version 4, that one query needs.
const (
	opError   = 0x00
	opStartup = 0x01
	opReady   = 0x02
	opQuery   = 0x07
	opResult  = 0x08
)

// Cassandra runs one query and returns the first column of each row. Only columns of simple types
// are understood.
func Cassandra(ctx context.Context, addr, query string) ([]string, error) {
	c, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	startup := binary.BigEndian.AppendUint16(nil, 1)
	startup = appendString(appendString(startup, "CQL_VERSION"), "3.0.0")
	if _, err := exchange(c, opStartup, startup, opReady); err != nil {
		return nil, err
	}
	body := binary.BigEndian.AppendUint32(nil, uint32(len(query)))
	body = append(body, query...)
	body = append(body, 0, 1, 0) // consistency ONE, no flags
	answer, err := exchange(c, opQuery, body, opResult)
	if err != nil {
		return nil, err
	}
	return rows(answer)
}

// CassandraVersion asks for the node's release.
func CassandraVersion(ctx context.Context, addr string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*once) // a node that starts is slow
	defer cancel()
	got, err := Cassandra(ctx, addr, "SELECT release_version FROM system.local")
	if err != nil {
		return "", err
	}
	if len(got) != 1 {
		return "", fmt.Errorf("cassandra: %d rows in system.local", len(got))
	}
	return got[0], nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func exchange(c net.Conn, op byte, body []byte, want byte) ([]byte, error) {
	frame := []byte{4, 0, 0, 1, op} // version, flags, stream, operation
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(body)))
	if _, err := c.Write(append(frame, body...)); err != nil {
		return nil, err
	}
	var head [9]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[5:])
	if n > 1<<20 {
		return nil, fmt.Errorf("cassandra: answer of %d bytes", n)
	}
	answer := make([]byte, n)
	if _, err := io.ReadFull(c, answer); err != nil {
		return nil, err
	}
	switch {
	case head[4] == opError && n > 6:
		return nil, fmt.Errorf("cassandra: %s", answer[6:])
	case head[4] != want:
		return nil, fmt.Errorf("cassandra: answer %#x, want %#x", head[4], want)
	}
	return answer, nil
}

// reader takes values off a message; after one that is not there, bad is set.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return make([]byte, max(0, min(n, 8)))
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) int() int       { return int(int32(binary.BigEndian.Uint32(r.take(4)))) }
func (r *reader) short() int     { return int(binary.BigEndian.Uint16(r.take(2))) }
func (r *reader) string() string { return string(r.take(r.short())) }

func rows(b []byte) ([]string, error) {
	r := &reader{b: b}
	if kind := r.int(); kind != 2 {
		return nil, nil // the statement has no rows
	}
	flags, columns := r.int(), r.int()
	if flags&1 != 0 { // one keyspace and table for all columns
		r.string()
		r.string()
	}
	for range min(columns, 100) {
		if flags&1 == 0 {
			r.string()
			r.string()
		}
		r.string() // name
		r.short()  // type
	}
	var first []string
	for range min(r.int(), 1000) {
		for i := range min(columns, 100) {
			cell := ""
			if n := r.int(); n > 0 {
				cell = string(r.take(n))
			}
			if i == 0 {
				first = append(first, cell)
			}
		}
	}
	if r.bad {
		return nil, errors.New("cassandra: an answer that cannot be read")
	}
	return first, nil
}
