package diskstore

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Hints tell Sweep where to look. For each record that can expire there is at least one entry in a
// file of hints/ that Sweep reads before the record's end, or right at it:
//
//	 0   1  kind: 'r' record, 'g' guard
//	 1   3  zero
//	 4   8  end, as it was when the entry was made
//	12  16  Key.Tag
//	28  32  Key.ID
//	60   4  CRC-32C of all before it
//
// A file holds what ends within one minute (m), hour (h) or day (d) of UTC; its name is that letter
// and the first minute of it since 1970, in ten digits. An entry goes to the widest file that
// begins after now: so there are few files, and each entry is moved at most three times before it
// is due. An end that moves away (a touch) is left where it is, and filed anew when Sweep comes to
// it; one that moves nearer gets another entry. So there are entries too many, but none too few: an
// entry is written before its record.
//
// Nothing here is synced: what a process has written is safe from its crash, and after a crash of
// the machine, which the name of the machine's run in the file "boot" tells, the next Sweep makes
// all entries anew.
const hintSize = 64

type hint struct {
	kind byte
	end  int64
	key  store.Key
}

func (e *hint) encode() []byte {
	b := make([]byte, 12, hintSize)
	b[0] = e.kind
	binary.BigEndian.PutUint64(b[4:], uint64(e.end))
	b = append(b, e.key.Tag[:]...)
	b = append(b, e.key.ID[:]...)
	return binary.BigEndian.AppendUint32(b, sum(b))
}

// decodeHints reads entries, and tells how many bytes it is done with. Where an append was torn, it
// looks for the next whole entry.
func decodeHints(b []byte) (es []hint, n int) {
	for len(b)-n >= hintSize {
		p := b[n : n+hintSize]
		if p[0] != 'r' && p[0] != 'g' || binary.BigEndian.Uint32(p[60:]) != sum(p[:60]) {
			n++
			continue
		}
		e := hint{kind: p[0], end: int64(binary.BigEndian.Uint64(p[4:]))}
		copy(e.key.Tag[:], p[12:])
		copy(e.key.ID[:], p[28:])
		es = append(es, e)
		n += hintSize
	}
	return es, n
}

// bucket is a file of hints.
type bucket struct {
	from, to int64 // what ends from the one instant until before the other
	name     string
}

var widths = [...]struct {
	letter byte
	width  int64
}{{'d', int64(24 * time.Hour)}, {'h', int64(time.Hour)}, {'m', int64(time.Minute)}}

// takenPrefix names a file that Sweep reads for the last time.
const takenPrefix = "x"

// bucketOf returns the file for an end after now.
func bucketOf(end, now int64) (b bucket) {
	for _, w := range widths {
		from := end - (end%w.width+w.width)%w.width
		b = bucket{from, from + w.width, fmt.Sprintf("%c%010d", w.letter, from/int64(time.Minute))}
		if from > now {
			break
		}
	}
	return b
}

// parseBucket reads a file's name.
func parseBucket(name string) (b bucket, ok bool) {
	b.name = name
	name = strings.TrimPrefix(name, takenPrefix)
	var start int64
	if len(name) < 2 {
		return b, false
	}
	if _, err := fmt.Sscanf(name[1:], "%d", &start); err != nil || start < oldest/int64(time.Minute) || start > never/int64(time.Minute) {
		return b, false
	}
	for _, w := range widths {
		if w.letter == name[0] {
			b.from = start * int64(time.Minute)
			b.to = b.from + min(w.width, never-b.from)
			return b, true
		}
	}
	return b, false
}

// file makes an entry for what ends then.
func (s *engine) file(e hint, now int64) error {
	if e.end == never {
		return nil
	}
	// What has ended already is due at once.
	return s.disk.hints().append(bucketOf(max(e.end, now), now).name, e.encode())
}

func (s *engine) fileRecord(rec *store.Record, now int64) error {
	return s.file(hint{'r', ends(rec), rec.Key}, now)
}

// due lists the files that Sweep has to read, the first first.
func (s *engine) due(now int64) ([]bucket, error) {
	names, err := s.disk.hints().names(0)
	if err != nil {
		return nil, err
	}
	var bs []bucket
	for _, name := range names {
		if b, ok := parseBucket(name); ok && b.from <= now {
			bs = append(bs, b)
		}
	}
	slices.SortFunc(bs, func(a, b bucket) int {
		if a.from != b.from {
			if a.from < b.from {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	return bs, nil
}
