package memstore

import (
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// packed is a record but for its Seen: a fixed header, then user, meta and data,
// in one allocation without pointers. It is a string because it never changes: readers
// take it under the lock and copy from it outside.
type packed string

// Offsets of the header's fields. Numbers are little-endian.
const (
	atID       = 16
	atHandle   = 48
	atWriter   = 64
	atVersion  = 72
	atCreated  = 80
	atIdle     = 88
	atLifetime = 96
	atFiled    = 104 // when this key was created; Created may be from before a rotation
	atMetaLen  = 112
	atUserLen  = 114
	headerLen  = 115
)

const never = math.MaxInt64

func pack(r *store.Record, version uint64, created, filed int64) packed {
	var h [headerLen]byte
	copy(h[:], r.Key.Tag[:])
	copy(h[atID:], r.Key.ID[:])
	copy(h[atHandle:], r.Handle[:])
	copy(h[atWriter:], r.Writer[:])
	binary.LittleEndian.PutUint64(h[atVersion:], version)
	binary.LittleEndian.PutUint64(h[atCreated:], uint64(created))
	binary.LittleEndian.PutUint64(h[atIdle:], uint64(r.Idle))
	binary.LittleEndian.PutUint64(h[atLifetime:], uint64(r.Lifetime))
	binary.LittleEndian.PutUint64(h[atFiled:], uint64(filed))
	binary.LittleEndian.PutUint16(h[atMetaLen:], uint16(len(r.Meta)))
	h[atUserLen] = byte(len(r.User))

	var b strings.Builder
	b.Grow(headerLen + len(r.User) + len(r.Meta) + len(r.Data))
	b.Write(h[:])
	b.WriteString(r.User)
	b.Write(r.Meta)
	b.Write(r.Data)
	return packed(b.String())
}

// unpack fills in all of an empty record but its Data and Meta. Its User shares
// p's memory.
func (s *memory) unpack(r *store.Record, p packed, seen int64) {
	h := p[:headerLen]
	copy(r.Key.Tag[:], h[:atID])
	copy(r.Key.ID[:], h[atID:atHandle])
	copy(r.Handle[:], h[atHandle:atWriter])
	copy(r.Writer[:], h[atWriter:atVersion])
	r.User = string(p.user())
	r.Version = p.version()
	r.Idle = time.Duration(h.uint64(atIdle))
	r.Lifetime = time.Duration(h.uint64(atLifetime))
	r.Created, r.Seen = s.time(p.created()), s.time(seen)
}

// bytes copies meta and, if wanted, data with one allocation, or with none
// where both are empty.
func (p packed) bytes(withData bool) (meta, data []byte) {
	from, to := p.metaAt(), len(p)
	n := p.metaLen()
	if !withData {
		to = from + n
	}
	if from == to {
		return nil, nil
	}
	b := []byte(p[from:to])
	if n > 0 {
		meta = b[:n:n]
	}
	if n < len(b) {
		data = b[n:len(b):len(b)]
	}
	return meta, data
}

func (p packed) uint64(at int) uint64 {
	s := p[at : at+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func (p packed) has(k *store.Key) bool {
	return string(p[atID:atHandle]) == string(k.ID[:]) && string(p[:atID]) == string(k.Tag[:])
}

func (p packed) wrote(w *store.Writer) bool { return string(p[atWriter:atVersion]) == string(w[:]) }

func (p packed) handle() (h store.Handle) {
	copy(h[:], p[atHandle:atWriter])
	return h
}

func (p packed) version() uint64 { return p.uint64(atVersion) }
func (p packed) created() int64  { return int64(p.uint64(atCreated)) }
func (p packed) filed() int64    { return int64(p.uint64(atFiled)) }
func (p packed) metaLen() int    { return int(p[atMetaLen]) | int(p[atMetaLen+1])<<8 }
func (p packed) metaAt() int     { return headerLen + int(p[atUserLen]) }
func (p packed) user() packed    { return p[headerLen:p.metaAt()] }

// ends is the offset at which the record is no longer live.
func (p packed) ends(seen int64) int64 {
	d := int64(never)
	if idle := int64(p.uint64(atIdle)); idle > 0 {
		d = seen + idle
	}
	if life := int64(p.uint64(atLifetime)); life > 0 {
		d = min(d, p.created()+life)
	}
	return d
}
