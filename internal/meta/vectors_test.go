package meta

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/internal/vectors"
)

func TestVectors(t *testing.T) {
	vectors.Test(t, os.Getenv("SOJOURN_WRITE_VECTORS") != "", "meta", runVector, metaVectors())
}

func runVector(t testing.TB, in map[string]string) (map[string]string, error) {
	data := vectors.Bytes(t, in["bytes"])
	m, err := Decode(data)
	if err != nil {
		return nil, err
	}
	if again := m.Encode(); !bytes.Equal(again, data) {
		return nil, errors.New("encodes to other bytes")
	}
	return map[string]string{
		"issued": nanoseconds(m.Issued), "auth": nanoseconds(m.Auth), "level": strconv.Itoa(int(m.Level)),
		"remembered": strconv.FormatBool(m.Remembered), "bearer": strconv.FormatBool(m.Bearer), "label": m.Label,
		"address": m.Addr, "agent": m.Agent, "tail": vectors.Hex(m.Tail), "user": m.User, "confirmed": strconv.FormatUint(uint64(m.Confirmed), 10),
		"received":   strconv.FormatInt(m.Received, 10),
		"otherFlags": strconv.FormatUint(m.flags, 10), "unknown": vectors.Hex(m.unknown),
	}, nil
}

func nanoseconds(d time.Duration) string { return strconv.FormatInt(int64(d), 10) }

func metaVectors() []vectors.Case {
	const nonce = "abcdefghijklmnopqrstuvwxyz012345"
	return vectors.Raw(map[string]string{
		"nothing": "", "sign-in": "\x01\x03\x01\x01",
		"all":                              "\x01\x01\x02\x80\x01\x02\x01\x05\x03\x01\x02\x04\x01\x03\x05\x06backup\x06\x0c192.0.2.0/24\x07\x04curl\x08\x01\x00\x09\x03ada\x0a\x01\x02\x0b\x01\x03",
		"a later version's flag and field": "\x01\x04\x01\x05\x0c\x03new\x0d\x00", "a tail": "\x01\x08\x20" + nonce + "\x09\x03ada", "a visitor's tail": "\x01\x08\x20" + nonce, "a mark": "\x01\x08\x01\x00\x09\x03ada", "signed out": "\x01\x08\x01\x01\x09\x03ada", "a later version's mark": "\x01\x08\x01\x02",
		"most confirmations": "\x01\x0a\x05\xff\xff\xff\xff\x0f", "greatest duration": "\x01\x01\x09\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
	}, map[string]string{
		"version alone": "\x01", "other version": "\x02\x03\x01\x01", "descending": "\x01\x04\x01\x01\x03\x01\x01", "twice": "\x01\x03\x01\x01\x03\x01\x01",
		"unknown twice": "\x01\x0c\x00\x0c\x00", "type 0": "\x01\x00\x01a", "zero level": "\x01\x03\x01\x00", "empty label": "\x01\x05\x00", "empty tail": "\x01\x08\x00", "short tail": "\x01\x08\x1f" + nonce[1:], "long tail": "\x01\x08\x21x" + nonce, "two marks": "\x01\x08\x02\x00\x00", "user without tail": "\x01\x09\x03ada",
		"too many confirmations": "\x01\x0a\x05\x80\x80\x80\x80\x10", "no confirmations": "\x01\x0a\x01\x00", "received never": "\x01\x0b\x01\x00", "empty user": "\x01\x08\x01\x00\x09\x00",
		"overlong number": "\x01\x03\x02\x81\x00", "two numbers": "\x01\x03\x02\x01\x01", "empty number": "\x01\x03\x00", "level 256": "\x01\x03\x02\x80\x02",
		"negative duration": "\x01\x01\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "overlong length": "\x01\x05\x81\x00a", "cut": "\x01\x05\x02a", "type alone": "\x01\x05",
	})
}
