package kvstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// inlineMax is the longest Data that lies in the record's own entry: below it a second look-up
// costs a reader more than the copy costs a touch.
const inlineMax = 1 << 10

// Offsets of an entry's fields. Numbers are big-endian. The checksum is over the key without the
// store's prefix, and over all of the value but itself; that stays so in every format.
const (
	atFormat   = 0 // format
	atApart    = 1 // 1: Data lies apart; else 0
	atUserLen  = 2
	atMetaLen  = 3
	atSum      = 5
	atHandle   = 9
	atWriter   = 25
	atVersion  = 33
	atCreated  = 41
	atSeen     = 49
	atIdle     = 57
	atLifetime = 65
	atSlot     = 73
	headerLen  = 81 // then user, meta and, unless it lies apart, data
)

const format = 1

// entry is a record as it is stored. Its Meta and Data share memory with what it was read from.
type entry struct {
	store.Record
	slot  int64 // of its expiry entry; 0 if there is none
	apart bool  // Data lies apart
}

func (e *entry) ends() int64 {
	t := int64(never)
	if e.Idle > 0 {
		t = add(e.Seen.UnixNano(), int64(e.Idle))
	}
	if e.Lifetime > 0 {
		t = min(t, add(e.Created.UnixNano(), int64(e.Lifetime)))
	}
	return t
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is the checksum of a value, of which the four bytes at are left out.
func sum(key, value []byte, at int) uint32 {
	c := crc32.Update(0, castagnoli, key)
	c = crc32.Update(c, castagnoli, value[:at])
	return crc32.Update(c, castagnoli, value[at+4:])
}

// encode returns the entry's value. key is the engine's key without the store's prefix.
func (e *entry) encode(key []byte) []byte {
	n := headerLen + len(e.User) + len(e.Meta)
	if !e.apart {
		n += len(e.Data)
	}
	b := make([]byte, headerLen, n)
	b[atFormat], b[atUserLen] = format, byte(len(e.User))
	binary.BigEndian.PutUint16(b[atMetaLen:], uint16(len(e.Meta)))
	copy(b[atHandle:], e.Handle[:])
	copy(b[atWriter:], e.Writer[:])
	binary.BigEndian.PutUint64(b[atVersion:], e.Version)
	for _, f := range []struct {
		at int
		v  int64
	}{{atCreated, e.Created.UnixNano()}, {atSeen, e.Seen.UnixNano()}, {atIdle, int64(e.Idle)}, {atLifetime, int64(e.Lifetime)}, {atSlot, e.slot}} {
		binary.BigEndian.PutUint64(b[f.at:], uint64(f.v))
	}
	b = append(append(b, e.User...), e.Meta...)
	if e.apart {
		b[atApart] = 1
	} else {
		b = append(b, e.Data...)
	}
	binary.BigEndian.PutUint32(b[atSum:], sum(key, b, atSum))
	return b
}

// decode reads into an empty entry what encode wrote for that key, and nothing else. Of what is
// damaged it gives the key only. Errors: [store.ErrCorrupt], [driver.ErrVersion].
func (e *entry) decode(key, b []byte) error {
	if len(key) != 1+len(e.Key.Tag)+len(e.Key.ID) {
		return corrupt(b)
	}
	copy(e.Key.Tag[:], key[1:])
	copy(e.Key.ID[:], key[1+len(e.Key.Tag):])
	if len(b) < atHandle || binary.BigEndian.Uint32(b[atSum:]) != sum(key, b, atSum) {
		return corrupt(b)
	}
	if b[atFormat] != format {
		return driver.ErrVersion
	}
	if len(b) < headerLen {
		return corrupt(b)
	}
	user := headerLen + int(b[atUserLen])
	meta := user + int(binary.BigEndian.Uint16(b[atMetaLen:]))
	num := func(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) }
	copy(e.Handle[:], b[atHandle:])
	copy(e.Writer[:], b[atWriter:])
	e.Version, e.slot, e.apart = uint64(num(atVersion)), num(atSlot), b[atApart] == 1
	e.Created, e.Seen = instantTime(num(atCreated)), instantTime(num(atSeen))
	e.Idle, e.Lifetime = time.Duration(num(atIdle)), time.Duration(num(atLifetime))
	switch {
	case b[atApart] > 1, meta > len(b), meta-user > store.MaxMeta,
		e.Idle < 0, e.Lifetime < 0, e.slot < 0, e.Idle > store.MaxLife, e.Lifetime > store.MaxLife,
		e.apart && len(b) > meta, len(b)-meta > inlineMax:
		return corrupt(b)
	}
	e.User, e.Meta, e.Data = string(b[headerLen:user]), b[user:meta:meta], b[meta:len(b):len(b)]
	return nil
}

// corrupt names the handle as far as the bytes tell it.
func corrupt(b []byte) error {
	if len(b) < atWriter || b[atFormat] != format {
		return driver.Corrupt(store.Handle{})
	}
	return driver.Corrupt(store.Handle(b[atHandle:atWriter]))
}

// Data that lies apart says to which write it belongs, for a reader gets both entries one after the
// other.
const (
	atDataVersion = 4
	atDataWriter  = 12
	dataHeaderLen = 20
)

func (e *entry) encodeData(key []byte) []byte {
	b := make([]byte, dataHeaderLen, dataHeaderLen+len(e.Data))
	binary.BigEndian.PutUint64(b[atDataVersion:], e.Version)
	copy(b[atDataWriter:], e.Writer[:])
	b = append(b, e.Data...)
	binary.BigEndian.PutUint32(b, sum(key, b, 0))
	return b
}

// decodeData reports whether b is whole, and whether it belongs to this version of the entry.
func (e *entry) decodeData(key, b []byte) (data []byte, mine bool, err error) {
	if len(b) < dataHeaderLen || binary.BigEndian.Uint32(b) != sum(key, b, 0) || len(b)-dataHeaderLen > store.MaxData {
		return nil, false, fmt.Errorf("%w: the data of session %v do not match their checksum", store.ErrCorrupt, e.Handle)
	}
	mine = binary.BigEndian.Uint64(b[atDataVersion:]) == e.Version && store.Writer(b[atDataWriter:dataHeaderLen]) == e.Writer
	return b[dataHeaderLen:len(b):len(b)], mine, nil
}

// Guards and clocks are an instant with a checksum.
const instantLen = 12

func encodeInstant(key []byte, t int64) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 4, instantLen), uint64(t))
	binary.BigEndian.PutUint32(b, sum(key, b, 0))
	return b
}

func decodeInstant(key, b []byte) (t int64, ok bool) {
	if len(b) != instantLen || binary.BigEndian.Uint32(b) != sum(key, b, 0) {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(b[4:])), true
}
