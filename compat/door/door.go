// Package door holds what only the two older APIs, possessions and qsess, need of a session. It is
// not supported for other programs: it may change with any version.
package door

import (
	"encoding"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/internal/door"
)

// Fail makes this request's commit fail with err, which is not nil: none of its changes is written,
// and below [sojourn.Manager.Handler] the answer is that of [sojourn.Options].OnError. It is for
// code that has no way to return an error to the handler; [sojourn.Session.Discard] undoes it. Of
// several errors the first counts. It panics if s is not loaded.
func Fail(s *sojourn.Session, err error) { door.Fail(s, err) }

// Refresh makes this request count as use of the session, though it was told to peek, and sends a
// persistent cookie again, so that the browser's clock starts anew with the store's. It panics if s
// is not loaded.
func Refresh(s *sojourn.Session) { door.Refresh(s) }

// Binary encodes values of a type T by their own methods where *T has both:
// [encoding.BinaryMarshaler] (or [encoding.BinaryAppender]) and [encoding.BinaryUnmarshaler].
// Others it encodes as JSON.
var Binary sojourn.Codec = binaryCodec{}

type binaryCodec struct{}

// Append is part of [sojourn.Codec].
func (binaryCodec) Append(dst []byte, p any) ([]byte, error) {
	if !ownBinary(p) {
		return sojourn.JSON.Append(dst, p)
	}
	if m, ok := p.(encoding.BinaryAppender); ok {
		return m.AppendBinary(dst)
	}
	b, err := p.(encoding.BinaryMarshaler).MarshalBinary()
	return append(dst, b...), err
}

// Decode is part of [sojourn.Codec].
func (binaryCodec) Decode(data []byte, p any) error {
	if ownBinary(p) {
		return p.(encoding.BinaryUnmarshaler).UnmarshalBinary(data)
	}
	return sojourn.JSON.Decode(data, p)
}

func ownBinary(p any) bool {
	_, out := p.(encoding.BinaryMarshaler)
	if !out {
		_, out = p.(encoding.BinaryAppender)
	}
	_, in := p.(encoding.BinaryUnmarshaler)
	return in && out
}
