// Package field reads and writes the length-prefixed fields of the byte formats (docs/format.md,
// section 1): a uvarint length in its shortest form, then that many bytes.
package field

import (
	"encoding/binary"
	"errors"
)

// ErrVersion says that bytes begin with a version that is not known here: another node's, not
// damage.
var ErrVersion = errors.New("written by another version of this library")

// Cut cuts one field off b. ok is false if b does not begin with one. f and rest share b's memory;
// appending to f copies it first.
func Cut(b []byte) (f, rest []byte, ok bool) {
	if len(b) > 0 && int(b[0]) < min(len(b), 0x80) { // a length of one byte, the commonest
		end := 1 + int(b[0])
		return b[1:end:end], b[end:], true
	}
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) || b[k-1] == 0 { // the last clause refuses overlong lengths: a length of 0 was met above
		return nil, nil, false
	}
	end := k + int(n)
	return b[k:end:end], b[end:], true // clipped: who appends to a field must not write over the next
}

// Append appends f with its length to dst.
func Append[T string | []byte](dst []byte, f T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(f)))
	return append(dst, f...)
}

// Size returns the length of a field of n bytes, its own length included.
func Size(n int) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], uint64(n)) + n
}
