// Package record is the byte format of a record in Redis, and of its key. It knows no client, so
// that its decoder can be fuzzed without building one.
package record

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
	"github.com/sojourn-go/sojourn/store/ticks"
)

// HeadSize is the size of the fixed part.
//
// A record is one string. All numbers are big-endian, all times whole milliseconds since 1970. What
// a client hands in has ticks.Never for an instant that is to be now:
//
//	 0  format      1 byte, 1
//	 1  version     8
//	 9  writer      8
//	17  created     8
//	25  seen        8   in a place of its own, so that a touch writes 8 bytes
//	33  idle        8   0 = no limit
//	41  life        8   0 = no limit
//	49  handle     16
//	65  length of user, 1 byte; of meta, 2 bytes
//	68  user, meta, data
const HeadSize = 68

const milli = ticks.Milli

// Fixed returns what a script reads of a record handed in: from the writer to the lengths.
func Fixed(r *store.Record) string {
	b := make([]byte, 0, HeadSize-9)
	b = append(b, r.Writer[:]...)
	for _, v := range [...]int64{milli.Instant(r.Created), milli.Instant(r.Seen), milli.Span(r.Idle), milli.Span(r.Lifetime)} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	b = append(b, r.Handle[:]...)
	b = append(b, byte(len(r.User)))
	return string(binary.BigEndian.AppendUint16(b, uint16(len(r.Meta))))
}

// Rest returns what stands behind the lengths. It is a copy: a client may send it after the call
// has returned.
func Rest(r *store.Record, user string) string {
	var b strings.Builder
	b.Grow(len(user) + len(r.Meta) + len(r.Data))
	b.WriteString(user)
	b.Write(r.Meta)
	b.Write(r.Data)
	return b.String()
}

// Decode reads a record whose data, or only their beginning, are in b. Meta and Data are parts of
// b. There is no checksum: another format is taken for a later version's, and never for damage.
// Errors: store.ErrCorrupt, driver.ErrVersion.
func Decode(key store.Key, b []byte) (rec store.Record, err error) {
	rec.Key = key
	if len(b) > 0 && b[0] != 1 {
		return rec, driver.ErrVersion
	}
	if len(b) < 65 {
		return rec, driver.Corrupt(rec.Handle)
	}
	copy(rec.Handle[:], b[49:])
	if len(b) < HeadSize {
		return rec, driver.Corrupt(rec.Handle)
	}
	rec.Version = binary.BigEndian.Uint64(b[1:])
	copy(rec.Writer[:], b[9:])
	var t [4]int64
	for i := range t {
		t[i] = int64(binary.BigEndian.Uint64(b[17+8*i:]))
	}
	const longest = int64(store.MaxLife / time.Millisecond)
	const never = ticks.Never
	if rec.Version == 0 || rec.Version > never || t[0] < -never || t[0] > never || t[1] < -never || t[1] > never ||
		t[2] < 0 || t[2] > longest || t[3] < 0 || t[3] > longest {
		return rec, driver.Corrupt(rec.Handle)
	}
	rec.Created, rec.Seen = milli.Time(t[0]), milli.Time(t[1])
	rec.Idle, rec.Lifetime = milli.Duration(t[2]), milli.Duration(t[3])
	user, meta := int(b[65]), int(binary.BigEndian.Uint16(b[66:]))
	if b = b[HeadSize:]; len(b) < user+meta || meta > store.MaxMeta || len(b) > user+meta+store.MaxData {
		return rec, driver.Corrupt(rec.Handle)
	}
	rec.User = string(b[:user])
	rec.Meta = b[user : user+meta : user+meta]
	rec.Data = b[user+meta : len(b) : len(b)]
	return rec, nil
}

// TagKey is the beginning of the names of all keys of a tag under the prefix. They have one hash
// tag, which is all that a cluster looks at.
func TagKey(prefix string, t store.Tag) string { return string(appendTag(nil, prefix, t)) }

// Key is the name of a record's key. An ID is 32 raw bytes.
func Key(prefix string, k store.Key) string {
	var buf [192]byte // on the stack
	return string(append(append(appendTag(buf[:0], prefix, k.Tag), "s:"...), k.ID[:]...))
}

func appendTag(b []byte, prefix string, t store.Tag) []byte {
	b = append(append(b, prefix...), '{')
	return append(base64.RawURLEncoding.AppendEncode(b, t[:]), "}:"...)
}

// ParseKey reads what Key wrote.
func ParseKey(prefix, text string) (k store.Key, ok bool) {
	const tagSize = 22
	text, ok = strings.CutPrefix(text, prefix)
	if !ok || len(text) != 1+tagSize+4+len(k.ID) || text[0] != '{' || text[1+tagSize:][:4] != "}:s:" {
		return k, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(k.Tag[:], []byte(text[1:1+tagSize]))
	copy(k.ID[:], text[1+tagSize+4:])
	return k, err == nil && n == len(k.Tag)
}
