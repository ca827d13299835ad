package sojourn

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// A Codec turns values into bytes and back. It is called for each value on its own, may run at the
// same time for many requests, and must not keep the bytes.
type Codec interface {
	// Append appends the encoding of *p to dst. p points to a value, as for Decode.
	Append(dst []byte, p any) ([]byte, error)
	// Decode stores the value in *p. It must survive any bytes.
	Decode(data []byte, p any) error
}

// JSON encodes values with encoding/json. It is the default.
var JSON Codec = jsonCodec{}

// Gob encodes values with encoding/gob. Every value carries its type's description, so it is larger
// and slower than JSON.
var Gob Codec = gobCodec{}

type jsonCodec struct{}

// Append takes a short cut for strings that need no escaping: they are the commonest values, and
// encoding/json spends most of its time on reflection there.
func (jsonCodec) Append(dst []byte, p any) ([]byte, error) {
	if s, ok := p.(*string); ok && plainJSON(*s) {
		return appendQuoted(dst, *s), nil
	}
	b, err := json.Marshal(p)
	return append(dst, b...), err
}

func (jsonCodec) Decode(data []byte, p any) error {
	if s, ok := p.(*string); ok {
		if t, ok := unquoted(data); ok {
			*s = t
			return nil
		}
	}
	return json.Unmarshal(data, p)
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// unquoted gives a string that stands in JSON as it is.
func unquoted(data []byte) (s string, ok bool) {
	if len(data) < 2 || data[0] != '"' || data[len(data)-1] != '"' {
		return "", false
	}
	s = string(data[1 : len(data)-1])
	return s, plainJSON(s)
}

// plainJSON tells that s stands in JSON as it is.
func plainJSON(s string) bool {
	for i := range len(s) {
		if !plain[s[i]] {
			return false
		}
	}
	return true
}

// plain has the bytes that stand in JSON as they are, one by one.
var plain = func() (is [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		is[c] = !strings.ContainsRune(`"\<>&`, rune(c))
	}
	return is
}()

type gobCodec struct{}

func (gobCodec) Append(dst []byte, p any) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	err := gob.NewEncoder(buf).Encode(p)
	return buf.Bytes(), err
}

func (gobCodec) Decode(data []byte, p any) error {
	return gob.NewDecoder(bytes.NewReader(data)).Decode(p)
}
