package sqlite

import (
	"database/sql"
	"encoding/binary"
	"hash/crc32"
	"sync"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
	"github.com/sojourn-go/sojourn/store/ticks"
)

// micro is how instants and lives are stored.
const micro = ticks.Micro

// row is a record as it is stored.
type row struct {
	store.Record
	dataSum uint32 // of Data, known even where that was not read
	bad     error  // why it cannot be read: store.ErrCorrupt or driver.ErrVersion; only Key is as stored
}

// exp is when the record ends.
func (r *row) exp() int64 {
	end := int64(ticks.Never)
	if r.Idle > 0 {
		end = min(end, micro.Instant(r.Seen)+micro.Span(r.Idle))
	}
	if r.Lifetime > 0 {
		end = min(end, micro.Instant(r.Created)+micro.Span(r.Lifetime))
	}
	return end
}

// slotOf is the coarse instant under which rows are filed for the sweep: 67 s each. A touch leaves
// it alone, so that it costs no index, and the sweep files such a row anew when it comes by.
func slotOf(exp int64) int64 { return exp >> 26 }

// headLen is the length of the packed columns: version, writer, handle, created, seen, idle, life,
// checksum of data, and checksum of all else. SQLite has no checksums of its pages, so each row has
// these two. A later form has another length, and the last checksum as this one has it.
const headLen = 8 + 8 + 16 + 8 + 8 + 8 + 8 + 4 + 4

func (r *row) head() []byte {
	b := make([]byte, 0, headLen)
	b = binary.BigEndian.AppendUint64(b, r.Version)
	b = append(b, r.Writer[:]...)
	b = append(b, r.Handle[:]...)
	for _, n := range [...]int64{micro.Instant(r.Created), micro.Instant(r.Seen), micro.Span(r.Idle), micro.Span(r.Lifetime)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = binary.BigEndian.AppendUint32(b, r.dataSum)
	b = append(b, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(b[headLen-4:], sumOf(&r.Key, []byte(r.User), b, r.Meta))
	return b
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumOf covers the key too: a row must not pass for another.
func sumOf(k *store.Key, user, head, meta []byte) uint32 {
	var b [16 + 32 + 1 + headLen]byte
	p := append(append(b[:0], k.Tag[:]...), k.ID[:]...)
	p = append(append(p, byte(len(user))), head[:len(head)-4]...)
	return crc32.Update(crc32.Update(crc32.Checksum(p, castagnoli), castagnoli, user), castagnoli, meta)
}

// instantSum guards a single instant, that of a user's revocation or (no tag) of the clock, against
// damage.
func instantSum(tag store.Tag, at int64) int64 {
	var b [24]byte
	copy(b[:], tag[:])
	binary.BigEndian.PutUint64(b[16:], uint64(at))
	return int64(crc32.Checksum(b[:], castagnoli))
}

// scan is where columns are scanned to, without a copy.
type scan struct {
	cols [6]sql.RawBytes // tag, id, usr, head, meta, data
	dest [6]any
}

var scans = sync.Pool{New: func() any {
	s := new(scan)
	for i := range s.dest {
		s.dest[i] = &s.cols[i]
	}
	return s
}}

// read scans a row's columns, and its data if there is any, into bytes of its own. The key stands
// before them, unless it is given.
func read(rows *sql.Rows, key *store.Key, data bool) (r row, err error) {
	s := scans.Get().(*scan)
	defer scans.Put(s)
	from, to := 0, 5
	if key != nil {
		from, r.Key = 2, *key
	}
	if data {
		to = 6
	}
	if err := rows.Scan(s.dest[from:to]...); err != nil {
		return r, err
	}
	usr, head, meta := s.cols[2], s.cols[3], s.cols[4]
	if key == nil {
		if len(s.cols[0]) != len(r.Key.Tag) || len(s.cols[1]) != len(r.Key.ID) {
			r.bad = driver.Corrupt(store.Handle{})
			return r, nil
		}
		copy(r.Key.Tag[:], s.cols[0])
		copy(r.Key.ID[:], s.cols[1])
	}
	if len(head) == headLen {
		r.Handle = store.Handle(head[16:32])
		r.dataSum = binary.BigEndian.Uint32(head[64:])
	}
	switch {
	case len(head) < 4, binary.BigEndian.Uint32(head[len(head)-4:]) != sumOf(&r.Key, usr, head, meta):
		r.bad = driver.Corrupt(r.Handle)
		return r, nil
	case len(head) != headLen:
		r.bad = driver.ErrVersion
		return r, nil
	case len(usr) > store.MaxUser, data && crc32.Checksum(s.cols[5], castagnoli) != r.dataSum:
		r.bad = driver.Corrupt(r.Handle)
		return r, nil
	}
	n := func(at int) int64 { return int64(binary.BigEndian.Uint64(head[at:])) }
	r.Version, r.Writer, r.User = uint64(n(0)), store.Writer(head[8:16]), string(usr)
	r.Created, r.Seen = micro.Time(n(32)), micro.Time(n(40))
	r.Idle, r.Lifetime = micro.Duration(n(48)), micro.Duration(n(56))
	if !data {
		r.Meta = append([]byte(nil), meta...)
		return r, nil
	}
	// One allocation for both; neither can grow into the other.
	all := append(append(make([]byte, 0, len(meta)+len(s.cols[5])), meta...), s.cols[5]...)
	r.Meta, r.Data = all[:len(meta):len(meta)], all[len(meta):]
	return r, nil
}
