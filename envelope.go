package sojourn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
)

// The envelope of a record's data (docs/format.md): a version byte, then for each value
// its name and bytes, each behind its length as a uvarint, in strictly
// ascending order of names. No data at all is the empty envelope.
const envelopeVersion = 1

var errEnvelope = errors.New("session data is malformed")

// Both parts of an entry may share memory with the record that they were read from.
type entry struct{ name, raw []byte }

// values is a request's view of a session's data. It reads straight out of
// the record until the first change.
type values struct {
	data []byte // an envelope that checkEnvelope passed
	edit *edit  // counts instead of data, once something was changed
}

// edit is a changed envelope.
type edit struct {
	entries []entry // sorted
	encoded []byte  // what encode gives, if it was asked for since the last change
	room    [8]entry
}

// next cuts one length-prefixed field off b.
func next(b []byte) (field, rest []byte, ok bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) || k > 1 && b[k-1] == 0 { // the last clause refuses overlong lengths
		return nil, nil, false
	}
	end := k + int(n)
	return b[k:end:end], b[end:], true // clipped: who appends to a field must not write over the next
}

// nextEntry cuts one name and value off b.
func nextEntry(b []byte) (name, raw, rest []byte, ok bool) {
	if name, b, ok = next(b); !ok {
		return nil, nil, nil, false
	}
	raw, b, ok = next(b)
	return name, raw, b, ok
}

// checkEnvelope accepts exactly what encode makes, so that look-ups need not check again.
func checkEnvelope(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if data[0] != envelopeVersion || len(data) == 1 {
		return errEnvelope
	}
	var last []byte
	for b := data[1:]; len(b) > 0; {
		name, _, rest, ok := nextEntry(b)
		if !ok || len(name) == 0 || bytes.Compare(name, last) <= 0 {
			return errEnvelope
		}
		last, b = name, rest
	}
	return nil
}

func (v *values) get(name string) ([]byte, bool) {
	if v.edit != nil {
		if i, ok := v.find(name); ok {
			return v.edit.entries[i].raw, true
		}
		return nil, false
	}
	if len(v.data) == 0 {
		return nil, false
	}
	for b := v.data[1:]; len(b) > 0; {
		n, raw, rest, _ := nextEntry(b)
		if string(n) == name {
			return raw, true
		}
		b = rest
	}
	return nil, false
}

func (v *values) find(name string) (int, bool) {
	return slices.BinarySearchFunc(v.edit.entries, name, func(e entry, n string) int { return bytes.Compare(e.name, []byte(n)) })
}

// open makes the view changeable.
func (v *values) open() {
	if v.edit != nil {
		return
	}
	v.edit = &edit{}
	v.edit.entries = v.edit.room[:0]
	if len(v.data) == 0 {
		return
	}
	for b := v.data[1:]; len(b) > 0; {
		n, raw, rest, _ := nextEntry(b)
		v.edit.entries = append(v.edit.entries, entry{n, raw})
		b = rest
	}
}

func (v *values) set(name string, raw []byte) {
	v.open()
	e := v.edit
	e.encoded = nil
	i, ok := v.find(name)
	if ok {
		e.entries[i].raw = raw
	} else {
		e.entries = slices.Insert(e.entries, i, entry{[]byte(name), raw})
	}
}

func (v *values) delete(name string) {
	if _, ok := v.get(name); !ok {
		return
	}
	v.open()
	v.edit.encoded = nil
	if i, ok := v.find(name); ok {
		v.edit.entries = slices.Delete(v.edit.entries, i, i+1)
	}
}

func (v *values) clear() { *v = values{edit: &edit{}} }

// encode gives the envelope of the view.
func (v *values) encode() []byte {
	if v.edit == nil {
		return v.data
	}
	if len(v.edit.entries) == 0 {
		return nil
	}
	if v.edit.encoded != nil {
		return v.edit.encoded
	}
	b := make([]byte, 0, v.size())
	b = append(b, envelopeVersion)
	for _, e := range v.edit.entries {
		b = binary.AppendUvarint(b, uint64(len(e.name)))
		b = append(b, e.name...)
		b = binary.AppendUvarint(b, uint64(len(e.raw)))
		b = append(b, e.raw...)
	}
	v.edit.encoded = b
	return b
}

// size is the length of what encode gives.
func (v *values) size() int {
	if v.edit == nil {
		return len(v.data)
	}
	if len(v.edit.entries) == 0 {
		return 0
	}
	n := 1
	for _, e := range v.edit.entries {
		n += fieldSize(len(e.name)) + fieldSize(len(e.raw))
	}
	return n
}

func fieldSize(n int) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], uint64(n)) + n
}
