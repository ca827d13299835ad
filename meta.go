package sojourn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// meta is what the manager keeps beside a record's data, opaque to the store and
// listed with it (docs/format.md): a version byte, then fields of a type byte and
// a length-prefixed value, in strictly ascending order of types; zeros and empty values are left out. Unknown
// fields and flags are kept, so that a rolling deploy of a newer version loses nothing.
//
// Instants are offsets from the record's Created, so that the store's clock
// alone says what they are.
type meta struct {
	facts
	label       string
	addr, agent string
	tail        []byte // not nil: the record only leads to a successor (see credential.successor)
	flags       uint64 // those not known
	unknown     []byte
}

// facts are what every request needs of a session's metadata.
type facts struct {
	issued, auth time.Duration // the token's issue; the sign-in or step-up
	level        Level
	persistent   bool
	bearer       bool
}

const (
	metaVersion  = 1
	metaIssued   = 1
	metaAuth     = 2
	metaLevel    = 3
	metaFlags    = 4
	metaLabel    = 5
	metaAddr     = 6
	metaAgent    = 7
	metaTail     = 8
	flagPersists = 1
	flagBearer   = 2
)

var errMeta = errors.New("session metadata is malformed")

func (m *meta) encode() []byte {
	b := make([]byte, 1, 48)
	b[0] = metaVersion
	field := func(typ byte, v string) {
		if v == "" {
			return
		}
		b = append(b, typ)
		b = binary.AppendUvarint(b, uint64(len(v)))
		b = append(b, v...)
	}
	number := func(typ byte, n uint64) {
		if n == 0 {
			return
		}
		v := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64), n)
		b = append(append(b, typ, byte(len(v))), v...)
	}
	number(metaIssued, uint64(m.issued))
	number(metaAuth, uint64(m.auth))
	number(metaLevel, uint64(m.level))
	flags := m.flags
	if m.persistent {
		flags |= flagPersists
	}
	if m.bearer {
		flags |= flagBearer
	}
	number(metaFlags, flags)
	field(metaLabel, m.label)
	field(metaAddr, m.addr)
	field(metaAgent, m.agent)
	field(metaTail, string(m.tail))
	if b = append(b, m.unknown...); len(b) == 1 {
		return nil // an anonymous session has nothing to say
	}
	return b
}

func decodeMeta(b []byte) (m meta, err error) {
	err = m.decode(b, true)
	return m, err
}

// decodeFacts is decodeMeta without what only lists and writes need: label, addr, agent, unknown.
// It accepts the same bytes, and allocates nothing but a tail.
func decodeFacts(b []byte) (m meta, err error) {
	err = m.decode(b, false)
	return m, err
}

func (m *meta) decode(b []byte, texts bool) error {
	if len(b) == 0 {
		return nil
	}
	if b[0] != metaVersion || len(b) == 1 {
		return errMeta
	}
	var last byte
	for b = b[1:]; len(b) > 0; {
		typ := b[0]
		v, rest, ok := next(b[1:])
		if !ok || typ <= last {
			return errMeta
		}
		switch {
		case !texts && (typ >= metaLabel && typ <= metaAgent && len(v) > 0 || typ > metaTail):
		case typ > metaTail:
			m.unknown = append(m.unknown, b[:len(b)-len(rest)]...)
		case !m.field(typ, v):
			return errMeta
		}
		last, b = typ, rest
	}
	return nil
}

// field stores one field that encode could have written, and says whether it is one.
func (m *meta) field(typ byte, v []byte) bool {
	if len(v) == 0 {
		return false
	}
	switch typ {
	case metaLabel:
		m.label = string(v)
		return true
	case metaAddr:
		m.addr = string(v)
		return true
	case metaAgent:
		m.agent = string(v)
		return true
	case metaTail:
		m.tail = bytes.Clone(v)
		return true
	}
	n, k := binary.Uvarint(v)
	if k != len(v) || v[k-1] == 0 || n > math.MaxInt64 { // 0 and overlong numbers are never written
		return false
	}
	switch typ {
	case metaIssued:
		m.issued = time.Duration(n)
	case metaAuth:
		m.auth = time.Duration(n)
	case metaLevel:
		m.level = Level(n)
		return n <= math.MaxUint8
	case metaFlags:
		m.persistent, m.bearer = n&flagPersists != 0, n&flagBearer != 0
		m.flags = n &^ (flagPersists | flagBearer)
	}
	return true
}
