package sojourn

import (
	"encoding/binary"
	"errors"
	"time"
)

// meta is what the manager keeps beside a record's data, opaque to the store and
// listed with it (docs/format.md): a version byte, then fields of a type byte and
// a length-prefixed value. Unknown fields are kept, so that a rolling
// deploy of a newer version loses nothing.
//
// Instants are offsets from the record's Created, so that the store's clock
// alone says what they are.
type meta struct {
	issued, auth time.Duration // the token's issue; the sign-in or step-up
	level        Level
	persistent   bool
	bearer       bool
	label        string
	addr, agent  string
	tail         []byte // not nil: the record only leads to a successor (see credential.successor)
	unknown      []byte
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
	var flags uint64
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
	if len(b) == 0 {
		return m, nil
	}
	if b[0] != metaVersion {
		return m, errMeta
	}
	for b = b[1:]; len(b) > 0; {
		typ := b[0]
		v, rest, ok := next(b[1:])
		if !ok {
			return m, errMeta
		}
		whole := b[:len(b)-len(rest)]
		if !m.field(typ, v) {
			m.unknown = append(m.unknown, whole...)
		}
		b = rest
	}
	if m.issued < 0 || m.auth < 0 {
		return m, errMeta
	}
	return m, nil
}

// field stores one field, or says that it does not know it.
func (m *meta) field(typ byte, v []byte) bool {
	n, k := binary.Uvarint(v)
	numeric := k == len(v) && k > 0
	switch {
	case typ == metaIssued && numeric:
		m.issued = time.Duration(n)
	case typ == metaAuth && numeric:
		m.auth = time.Duration(n)
	case typ == metaLevel && numeric && n <= 255:
		m.level = Level(n)
	case typ == metaFlags && numeric && n&^(flagPersists|flagBearer) == 0:
		m.persistent, m.bearer = n&flagPersists != 0, n&flagBearer != 0
	case typ == metaLabel:
		m.label = string(v)
	case typ == metaAddr:
		m.addr = string(v)
	case typ == metaAgent:
		m.agent = string(v)
	case typ == metaTail:
		m.tail = append([]byte{}, v...)
	default:
		return false
	}
	return true
}
