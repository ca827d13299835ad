package diskstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// # The file of a session
//
// All numbers are big-endian, all instants nanoseconds since 1970 UTC, all durations nanoseconds.
//
//	offset  size
//	     0     8  magic "sojourn" and the format's version, 1
//	     8     8  Version
//	    16     8  Writer
//	    24    16  Handle
//	    40     8  Created
//	    48     8  Seen, when the file was written
//	    56     8  Idle
//	    64     8  Lifetime
//	    72    16  Key.Tag
//	    88    32  Key.ID
//	   120     1  length of User
//	   121     1  zero
//	   122     2  length of Meta
//	   124     4  length of Data
//	   128     4  CRC-32C of Data
//	   132     4  CRC-32C of the 132 bytes before it, User and Meta
//	   136        User, Meta, Data
//
// A later version changes the eighth byte, and keeps magic, lengths and sums where they are: what
// has a wrong sum is damaged, and what has another version is not.
//
// The key is in the file so that a file under another's name (a copy, a symbolic link) is found
// out. Data has a sum of its own, so that lists need not read it, and the handle of a session with
// damaged data can still be told.
//
// The time of last use is Seen or the file's modification time, whichever is later: a touch sets
// the latter alone, in one system call that no crash can tear, and whoever uses touch(1) on the
// file does the same. A modification time in the future counts as now.
//
// # The file of a guard (.g)
//
//	0   8  magic "sojourg" and 1
//	8   8  instant of the last Revoke without Only
//	16  4  CRC-32C of the 16 bytes before it
//
// The clock's file has the same form with magic "sojourc". The journal is described in journal.go,
// the files of hints/ in hints.go.
const (
	recordMagic = "sojourn\x01"
	guardMagic  = "sojourg\x01"
	clockMagic  = "sojourc\x01"

	headSize  = 136
	headMost  = headSize + store.MaxUser + store.MaxMeta // a read of this much has all but Data
	fileMost  = headMost + store.MaxData
	stampSize = 20
)

// never is the end of a record without limits.
const never = math.MaxInt64

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(parts ...[]byte) (crc uint32) {
	for _, p := range parts {
		crc = crc32.Update(crc, castagnoli, p)
	}
	return crc
}

// encode returns the bytes of rec's file.
func encode(rec *store.Record) []byte {
	b := make([]byte, headSize, headSize+len(rec.User)+len(rec.Meta)+len(rec.Data))
	be := binary.BigEndian
	copy(b, recordMagic)
	be.PutUint64(b[8:], rec.Version)
	copy(b[16:], rec.Writer[:])
	copy(b[24:], rec.Handle[:])
	be.PutUint64(b[40:], uint64(rec.Created.UnixNano()))
	be.PutUint64(b[48:], uint64(rec.Seen.UnixNano()))
	be.PutUint64(b[56:], uint64(rec.Idle))
	be.PutUint64(b[64:], uint64(rec.Lifetime))
	copy(b[72:], rec.Key.Tag[:])
	copy(b[88:], rec.Key.ID[:])
	b[120] = byte(len(rec.User))
	be.PutUint16(b[122:], uint16(len(rec.Meta)))
	be.PutUint32(b[124:], uint32(len(rec.Data)))
	be.PutUint32(b[128:], sum(rec.Data))
	b = append(b, rec.User...)
	b = append(b, rec.Meta...)
	be.PutUint32(b[132:], sum(b[:132], b[headSize:]))
	return append(b, rec.Data...)
}

// decode reads a file of the given size, of which b is the beginning: all of it for a whole record,
// or at least all but Data, which is then left out and not judged. The record's bytes are parts of
// b. Errors: store.ErrCorrupt, with the handle where the head is sound; driver.ErrVersion.
func decode(b []byte, size int64, whole bool) (rec store.Record, err error) {
	if len(b) < headSize || string(b[:7]) != recordMagic[:7] {
		return rec, damaged("not a session file")
	}
	be := binary.BigEndian
	user, meta, data := int(b[120]), int(be.Uint16(b[122:])), int(be.Uint32(b[124:]))
	head := headSize + user + meta
	if meta > store.MaxMeta || data > store.MaxData || size != int64(head+data) || len(b) < head {
		return rec, damaged("wrong length")
	}
	if be.Uint32(b[132:]) != sum(b[:132], b[headSize:head]) {
		return rec, damaged("the head does not match its checksum")
	}
	if b[7] != recordMagic[7] {
		return rec, driver.ErrVersion
	}
	rec = store.Record{
		User:     string(b[headSize : headSize+user]),
		Version:  be.Uint64(b[8:]),
		Idle:     time.Duration(be.Uint64(b[56:])),
		Lifetime: time.Duration(be.Uint64(b[64:])),
		Created:  instant(int64(be.Uint64(b[40:]))),
		Seen:     instant(int64(be.Uint64(b[48:]))),
		Meta:     b[headSize+user : head : head],
	}
	copy(rec.Writer[:], b[16:])
	copy(rec.Handle[:], b[24:])
	copy(rec.Key.Tag[:], b[72:])
	copy(rec.Key.ID[:], b[88:])
	if b[121] != 0 || rec.Idle < 0 || rec.Idle > store.MaxLife || rec.Lifetime < 0 || rec.Lifetime > store.MaxLife {
		return store.Record{}, damaged("values out of range") // with a right sum: nobody's accident
	}
	if whole {
		if int64(len(b)) != size {
			return store.Record{}, damaged("wrong length")
		}
		rec.Data = b[head:size:size]
		if be.Uint32(b[128:]) != sum(rec.Data) {
			return store.Record{}, damagedData(rec.Handle)
		}
	}
	return rec, nil
}

func damaged(what string) error { return fmt.Errorf("%w: %s", store.ErrCorrupt, what) }

func damagedData(h store.Handle) error {
	return fmt.Errorf("%w: the data of session %v do not match their checksum", store.ErrCorrupt, h)
}

// stamp returns the bytes of a guard or a clock.
func stamp(magic string, at int64) []byte {
	b := binary.BigEndian.AppendUint64([]byte(magic), uint64(at))
	return binary.BigEndian.AppendUint32(b, sum(b))
}

func readStamp(magic string, b []byte) (at int64, err error) {
	if len(b) != stampSize || string(b[:8]) != magic || binary.BigEndian.Uint32(b[16:]) != sum(b[:16]) {
		return 0, damaged("not a " + map[string]string{guardMagic: "guard", clockMagic: "clock"}[magic])
	}
	return int64(binary.BigEndian.Uint64(b[8:])), nil
}

func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// ends returns the instant at which rec ends, or never. What ends after the year 2262 counts as
// never here; who judges a life asks rec itself.
func ends(rec *store.Record) int64 {
	e := rec.Expires()
	if e.IsZero() || e.After(instant(never)) {
		return never
	}
	return max(e.UnixNano(), oldest)
}

// oldest is the earliest instant that a file holds, in 1823; whatever began before it is over,
// since no life is longer than store.MaxLife.
const oldest = -1 << 62
