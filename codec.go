package sojourn

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"encoding/json"
	"unicode/utf8"
)

// A Codec turns values into bytes and back. It is called for each value on its
// own, may run at the same time for many requests, and must not keep the bytes.
type Codec interface {
	// Append appends the encoding of v to dst.
	Append(dst []byte, v any) ([]byte, error)
	// Decode stores the value in *p. It must survive any bytes.
	Decode(data []byte, p any) error
}

// JSON encodes values with encoding/json. It is the default.
var JSON Codec = jsonCodec{}

// Gob encodes values with encoding/gob. Every value carries its type's
// description, so it is larger and slower than JSON.
var Gob Codec = gobCodec{}

// Binary encodes values that implement [encoding.BinaryMarshaler] (or
// [encoding.BinaryAppender]) and [encoding.BinaryUnmarshaler] by their own methods, and others as JSON.
var Binary Codec = binaryCodec{}

type jsonCodec struct{}

// Append takes a short cut for strings that need no escaping: they are the
// commonest values, and encoding/json spends most of its time on reflection there.
func (jsonCodec) Append(dst []byte, v any) ([]byte, error) {
	if s, ok := v.(string); ok && plainJSON(s) {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"'), nil
	}
	b, err := json.Marshal(v)
	return append(dst, b...), err
}

func (jsonCodec) Decode(data []byte, p any) error {
	if s, ok := p.(*string); ok && len(data) >= 2 && data[0] == '"' && data[len(data)-1] == '"' {
		if t := string(data[1 : len(data)-1]); plainJSON(t) {
			*s = t
			return nil
		}
	}
	return json.Unmarshal(data, p)
}

// plainJSON tells that s stands in JSON as it is.
func plainJSON(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

type gobCodec struct{}

func (gobCodec) Append(dst []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	err := gob.NewEncoder(buf).Encode(v)
	return buf.Bytes(), err
}

func (gobCodec) Decode(data []byte, p any) error {
	return gob.NewDecoder(bytes.NewReader(data)).Decode(p)
}

type binaryCodec struct{}

func (binaryCodec) Append(dst []byte, v any) ([]byte, error) {
	switch m := v.(type) {
	case encoding.BinaryAppender:
		return m.AppendBinary(dst)
	case encoding.BinaryMarshaler:
		b, err := m.MarshalBinary()
		return append(dst, b...), err
	}
	return JSON.Append(dst, v)
}

func (binaryCodec) Decode(data []byte, p any) error {
	if m, ok := p.(encoding.BinaryUnmarshaler); ok {
		return m.UnmarshalBinary(data)
	}
	return JSON.Decode(data, p)
}
