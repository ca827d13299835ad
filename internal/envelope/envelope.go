// Package envelope keeps a session's values as the bytes of its record's data (docs/format.md,
// section 7): a version byte, then for each value its name and bytes, each a field, in strictly
// ascending order of names. No data at all is the empty envelope.
package envelope

import (
	"bytes"
	"errors"
	"slices"

	"github.com/sojourn-go/sojourn/internal/field"
)

const version = 1

// ErrMalformed says that bytes are not an envelope.
var ErrMalformed = errors.New("session data is malformed")

// Values is a request's view of a session's values. It reads straight out of the record until the
// first change. The zero Values is empty. It is not safe for concurrent use.
type Values struct {
	data []byte // an envelope that Check accepted
	edit *edit  // counts instead of data, once something was changed
}

// edit is a changed envelope.
type edit struct {
	entries []entry // sorted
	encoded []byte  // what Encode gives, if it was asked for since the last change
	room    [8]entry
}

// Both parts of an entry may share memory with the record that they were read from.
type entry struct{ name, raw []byte }

// Of returns the values in data, which [Check] has accepted. It keeps data and never writes to it.
func Of(data []byte) Values { return Values{data: data} }

// Check accepts exactly what Encode makes, so that look-ups need not check again. Errors:
// [ErrMalformed], [field.ErrVersion].
func Check(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if data[0] != version {
		return field.ErrVersion
	}
	if len(data) == 1 {
		return ErrMalformed
	}
	var last []byte
	for b := data[1:]; len(b) > 0; {
		name, _, rest, ok := next(b)
		if !ok || bytes.Compare(name, last) <= 0 { // as an empty name is, if it is the first
			return ErrMalformed
		}
		last, b = name, rest
	}
	return nil
}

// next cuts one name and value off b.
func next(b []byte) (name, raw, rest []byte, ok bool) {
	name, b, _ = field.Cut(b) // where there is none, there is no second either
	raw, rest, ok = field.Cut(b)
	return name, raw, rest, ok
}

// Get returns the value's bytes, which the caller must not change.
func (v *Values) Get(name string) ([]byte, bool) {
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
		n, raw, rest, _ := next(b)
		if string(n) == name {
			return raw, true
		}
		b = rest
	}
	return nil, false
}

// Names lists the names, sorted.
func (v *Values) Names() (names []string) {
	if v.edit != nil {
		for _, e := range v.edit.entries {
			names = append(names, string(e.name))
		}
		return names
	}
	if len(v.data) == 0 {
		return nil
	}
	for b := v.data[1:]; len(b) > 0; {
		n, _, rest, _ := next(b)
		names, b = append(names, string(n)), rest
	}
	return names
}

func (v *Values) find(name string) (int, bool) {
	return slices.BinarySearchFunc(v.edit.entries, name, func(e entry, n string) int { return bytes.Compare(e.name, []byte(n)) })
}

// open makes the view changeable.
func (v *Values) open() {
	if v.edit != nil {
		return
	}
	v.edit = &edit{}
	v.edit.entries = v.edit.room[:0]
	if len(v.data) == 0 {
		return
	}
	for b := v.data[1:]; len(b) > 0; {
		n, raw, rest, _ := next(b)
		v.edit.entries = append(v.edit.entries, entry{n, raw})
		b = rest
	}
}

// Set stores raw under name, which is not empty. It keeps raw, which the caller must not change
// afterwards.
func (v *Values) Set(name string, raw []byte) {
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

// Delete removes the value. Deleting what is not there is no change.
func (v *Values) Delete(name string) {
	if _, ok := v.Get(name); !ok {
		return
	}
	v.open()
	v.edit.encoded = nil
	i, _ := v.find(name)
	v.edit.entries = slices.Delete(v.edit.entries, i, i+1)
}

// Clear removes all values.
func (v *Values) Clear() { *v = Values{edit: &edit{}} }

// Encode returns the values as an envelope, nil if there are none. The caller must not change it.
func (v *Values) Encode() []byte {
	if v.edit == nil {
		return v.data
	}
	if len(v.edit.entries) == 0 {
		return nil
	}
	if v.edit.encoded != nil {
		return v.edit.encoded
	}
	b := make([]byte, 0, v.Size())
	b = append(b, version)
	for _, e := range v.edit.entries {
		b = field.Append(b, e.name)
		b = field.Append(b, e.raw)
	}
	v.edit.encoded = b
	return b
}

// Size returns the length of what Encode gives.
func (v *Values) Size() int {
	if v.edit == nil {
		return len(v.data)
	}
	if len(v.edit.entries) == 0 {
		return 0
	}
	n := 1
	for _, e := range v.edit.entries {
		n += field.Size(len(e.name)) + field.Size(len(e.raw))
	}
	return n
}
