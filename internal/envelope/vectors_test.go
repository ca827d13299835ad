package envelope

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/sojourn-go/sojourn/internal/vectors"
)

func TestVectors(t *testing.T) {
	vectors.Test(t, os.Getenv("SOJOURN_WRITE_VECTORS") != "", "envelope", runVector, envelopeVectors())
}

func runVector(t testing.TB, in map[string]string) (map[string]string, error) {
	data := vectors.Bytes(t, in["bytes"])
	if err := Check(data); err != nil {
		return nil, err
	}
	v := Of(data)
	out := map[string]string{}
	for _, name := range v.Names() {
		raw, _ := v.Get(name)
		out[name] = vectors.Hex(raw)
	}
	v.open()
	if again := v.Encode(); !bytes.Equal(again, data) {
		return nil, errors.New("encodes to other bytes")
	}
	return out, nil
}

func envelopeVectors() []vectors.Case {
	long := string(binary.AppendUvarint(nil, 200)) + string(bytes.Repeat([]byte{'v'}, 200))
	return vectors.Raw(map[string]string{
		"no values": "", "one": "\x01\x04note\x03\"x\"", "two": "\x01\x01a\x011\x01b\x012", "empty value": "\x01\x01a\x00",
		"prefix first": "\x01\x01a\x011\x02aa\x012", "two-byte length": "\x01\x01a" + long,
	}, map[string]string{
		"version alone": "\x01", "other version": "\x02\x01a\x011", "zero version": "\x00\x01a\x011", "descending": "\x01\x01b\x012\x01a\x011",
		"twice": "\x01\x01a\x011\x01a\x012", "no name": "\x01\x00\x011", "cut": "\x01\x01a\x021", "no value": "\x01\x01a",
		"overlong length": "\x01\x81\x00a\x011", "huge length": "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a",
		"length over 64 bits": "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02a", "trailing byte": "\x01\x01a\x011\x00",
	})
}
