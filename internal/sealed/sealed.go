// Package sealed is the inside of a sealed session, a record that its client keeps (docs/format.md,
// section 10): fixed fields, three length-prefixed ones, and padding that hides their exact
// lengths.
package sealed

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/internal/field"
	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/store"
)

const (
	version  = 1
	block    = 64 // the padding makes the length a multiple of it
	fixed    = 1 + 32 + 16 + 16 + 5*8
	overhead = 1 + 4 + 24 + 16 // version, key id, nonce, tag; a foreign Sealer is measured when it writes
)

// ErrMalformed says that bytes are no sealed session.
var ErrMalformed = errors.New("sealed session is malformed")

// Encode returns the plaintext of the session rec whose credential is c.
func Encode(c *token.Credential, rec *store.Record) []byte {
	b := make([]byte, 0, fixed+len(rec.User)+len(rec.Meta)+len(rec.Data)+2*block)
	b = append(b, version)
	b = append(b, c.Secret[:]...)
	b = append(b, c.Tag[:]...)
	b = append(b, rec.Handle[:]...)
	for _, n := range []int64{int64(rec.Version), rec.Created.UnixNano(), rec.Seen.UnixNano(), int64(rec.Idle), int64(rec.Lifetime)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = field.Append(b, rec.User)
	b = field.Append(b, rec.Meta)
	b = field.Append(b, rec.Data)
	b = append(b, 0x80) // ISO/IEC 7816-4 padding
	for len(b)%block != 0 {
		b = append(b, 0)
	}
	return b
}

// Decode reads what Encode wrote, and nothing else. The record shares b's memory. Errors:
// [ErrMalformed].
func Decode(b []byte) (c token.Credential, rec store.Record, err error) {
	fail := func() (token.Credential, store.Record, error) {
		return token.Credential{}, store.Record{}, ErrMalformed
	}
	if len(b) < fixed || len(b)%block != 0 || b[0] != version {
		return fail()
	}
	b = b[1:]
	b = b[copy(c.Secret[:], b):]
	b = b[copy(c.Tag[:], b):]
	b = b[copy(rec.Handle[:], b):]
	var n [5]int64
	for i := range n {
		n[i] = int64(binary.BigEndian.Uint64(b))
		b = b[8:]
	}
	rec.Version, rec.Idle, rec.Lifetime = uint64(n[0]), time.Duration(n[3]), time.Duration(n[4])
	rec.Created, rec.Seen = time.Unix(0, n[1]), time.Unix(0, n[2])
	var fields [3][]byte
	for i := range fields {
		var ok bool
		if fields[i], b, ok = field.Cut(b); !ok {
			return fail()
		}
	}
	if len(b) == 0 || len(b) > block || strings.TrimRight(string(b), "\x00") != "\x80" {
		return fail()
	}
	rec.Key, rec.User = c.Key(), string(fields[0])
	rec.Writer = store.Writer{1} // not in the cookie, which nobody else writes
	rec.Meta, rec.Data = fields[1], fields[2]
	if rec.Idle < 0 || rec.Lifetime < 0 || store.Check(&rec) != nil {
		return fail()
	}
	return c, rec, nil
}

// Room is how much data fits beside rec's user and meta into a text of that many characters.
func Room(characters int, rec *store.Record) int {
	raw := characters*3/4 - overhead
	plain := raw - raw%block
	const lengths, padding, metaGrowth = 2 + 2 + 3, 1, 24
	return plain - fixed - lengths - padding - metaGrowth - len(rec.User) - len(rec.Meta)
}
