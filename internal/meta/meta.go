// Package meta is what the manager keeps beside a record's data, opaque to the store and listed
// with it (docs/format.md, section 9): a version byte, then fields of a type byte and a
// length-prefixed value, in strictly ascending order of types; zeros and empty values are left out.
package meta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/sojourn-go/sojourn/internal/field"
)

// Meta is a record's metadata. Unknown fields and flags are kept, so that a rolling deploy of a
// newer version loses nothing.
//
// Instants are offsets from the record's Created, so that the store's clock alone says what they
// are.
type Meta struct {
	Facts
	Label       string
	Addr, Agent string
	// Tail, if not nil, says that the record is no session but what one has left at a former key:
	// the nonce of its successor, 32 bytes, or a mark of one byte that nothing follows. Issued and
	// Received are then those of the token that led to it.
	Tail []byte
	// User is, in a tail, the user of the session that left it; elsewhere it is empty, since the
	// record itself names the user.
	User    string
	flags   uint64 // those not known
	unknown []byte
}

// Facts are what every request needs of a session's metadata.
type Facts struct {
	Issued, Auth time.Duration // the token's issue; the sign-in or step-up
	Level        uint8
	Remembered   bool
	Bearer       bool
	// Confirmed counts how often the user has confirmed the sign-in. Times would not do to tell one
	// confirmation from the next.
	Confirmed uint32
	// Received is when a renewed token first came back from the client, in nanoseconds since 1970
	// by the store's clock; 0 if it did not yet.
	Received int64
}

// Awaited reports whether a renewal issued the token, and it has not come back yet: the answer that
// carried it may be lost.
func (f *Facts) Awaited() bool { return f.Issued > 0 && f.Received == 0 }

// Types of fields, and flags.
const (
	version        = 1
	typeIssued     = 1
	typeAuth       = 2
	typeLevel      = 3
	typeFlags      = 4
	typeLabel      = 5
	typeAddr       = 6
	typeAgent      = 7
	typeTail       = 8
	typeUser       = 9
	typeConfirms   = 10
	typeReceived   = 11
	typeLast       = typeReceived // those after it belong to later versions
	nonceLen       = 32           // of a tail that leads to its successor
	markLen        = 1            // of one that leads nowhere
	flagRemembered = 1
	flagBearer     = 2
)

// ErrMalformed says that bytes are no metadata.
var ErrMalformed = errors.New("session metadata is malformed")

// Encode returns the metadata's bytes, nil where there is nothing to say.
func (m *Meta) Encode() []byte {
	b := make([]byte, 1, 48)
	b[0] = version
	text := func(typ byte, v string) {
		if v != "" {
			b = field.Append(append(b, typ), v)
		}
	}
	number := func(typ byte, n uint64) {
		if n == 0 {
			return
		}
		v := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64), n)
		b = append(append(b, typ, byte(len(v))), v...)
	}
	number(typeIssued, uint64(m.Issued))
	number(typeAuth, uint64(m.Auth))
	number(typeLevel, uint64(m.Level))
	flags := m.flags
	if m.Remembered {
		flags |= flagRemembered
	}
	if m.Bearer {
		flags |= flagBearer
	}
	number(typeFlags, flags)
	text(typeLabel, m.Label)
	text(typeAddr, m.Addr)
	text(typeAgent, m.Agent)
	text(typeTail, string(m.Tail))
	text(typeUser, m.User)
	number(typeConfirms, uint64(m.Confirmed))
	number(typeReceived, uint64(m.Received))
	if b = append(b, m.unknown...); len(b) == 1 {
		return nil // an anonymous session has nothing to say
	}
	return b
}

// Decode reads what Encode wrote, and nothing else. Errors: [ErrMalformed].
func Decode(b []byte) (m Meta, err error) {
	err = m.decode(b, true)
	return m, err
}

// DecodeFacts is Decode without what only lists and writes need: label, addr, agent, unknown. It
// accepts the same bytes, and allocates nothing but a tail and its user.
func DecodeFacts(b []byte) (m Meta, err error) {
	err = m.decode(b, false)
	return m, err
}

func (m *Meta) decode(b []byte, texts bool) error {
	if len(b) == 0 {
		return nil
	}
	if b[0] != version {
		return field.ErrVersion
	}
	if len(b) == 1 {
		return ErrMalformed
	}
	var last byte
	for b = b[1:]; len(b) > 0; {
		typ := b[0]
		v, rest, ok := field.Cut(b[1:])
		if !ok || typ <= last {
			return ErrMalformed
		}
		switch {
		case !texts && (typ >= typeLabel && typ <= typeAgent && len(v) > 0 || typ > typeLast):
		case typ > typeLast:
			m.unknown = append(m.unknown, b[:len(b)-len(rest)]...)
		case !m.field(typ, v):
			return ErrMalformed
		}
		last, b = typ, rest
	}
	if m.User != "" && m.Tail == nil { // a session's record names its user itself
		return ErrMalformed
	}
	return nil
}

// field stores one field that Encode could have written, and reports whether it is one.
func (m *Meta) field(typ byte, v []byte) bool {
	if len(v) == 0 {
		return false
	}
	switch typ {
	case typeLabel:
		m.Label = string(v)
		return true
	case typeAddr:
		m.Addr = string(v)
		return true
	case typeAgent:
		m.Agent = string(v)
		return true
	case typeTail:
		m.Tail = bytes.Clone(v)
		return len(v) == nonceLen || len(v) == markLen
	case typeUser:
		m.User = string(v)
		return true
	}
	n, k := binary.Uvarint(v)
	if k != len(v) || v[k-1] == 0 || n > math.MaxInt64 { // 0 and overlong numbers are never written
		return false
	}
	switch typ {
	case typeIssued:
		m.Issued = time.Duration(n)
	case typeAuth:
		m.Auth = time.Duration(n)
	case typeLevel:
		m.Level = uint8(n)
		return n <= math.MaxUint8
	case typeConfirms:
		m.Confirmed = uint32(n)
		return n <= math.MaxUint32
	case typeReceived:
		m.Received = int64(n)
	case typeFlags:
		m.Remembered, m.Bearer = n&flagRemembered != 0, n&flagBearer != 0
		m.flags = n &^ (flagRemembered | flagBearer)
	}
	return true
}
