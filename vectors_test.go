package sojourn

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"os"
	"strconv"
	"testing"

	"github.com/sojourn-go/sojourn/internal/field"
	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/internal/vectors"
	"github.com/sojourn-go/sojourn/store"
)

// R41, R44-R46: the formats of this package; those below internal run their own.
func TestVectors(t *testing.T) {
	write := os.Getenv("SOJOURN_WRITE_VECTORS") != ""
	vectors.Test(t, write, "flash", runFlash, flashVectors())
	vectors.Test(t, write, "csrf", runCSRF, csrfVectors())
}

func runFlash(t testing.TB, in map[string]string) (map[string]string, error) {
	data := vectors.Bytes(t, in["bytes"])
	out := map[string]string{}
	n := 0
	for item := range items(data) {
		out[strconv.Itoa(len(out))] = vectors.Hex(item[:flashID]) + " " + string(item[flashID:])
		n += field.Size(len(item))
	}
	if n != len(data) {
		return nil, errors.New("damaged")
	}
	return out, nil
}

func runCSRF(t testing.TB, in map[string]string) (map[string]string, error) {
	s := &Session{m: &Manager{}, loaded: true, reading: &reading{state: state{live: true, cred: token.Credential{Secret: [32]byte(vectors.Bytes(t, in["secret"]))}}}}
	if err := s.VerifyCSRF(in["token"]); err != nil {
		return nil, err
	}
	mac := s.csrf()
	return map[string]string{"mac": vectors.Hex(mac[:])}, nil
}

func flashVectors() []vectors.Case {
	return vectors.Raw(map[string]string{
		"one": "\x0fABCDEFGH\"Saved\"", "two": "\x0bABCDEFGH\"a\"\x0bIJKLMNOP\"b\"", "nothing": "", "empty message": "\x08ABCDEFGH",
	}, map[string]string{"cut": "\x0fABCDEFGH\"Save", "no id": "\x03\"a\"", "overlong length": "\x8b\x00ABCDEFGH\"a\""})
}

func csrfVectors() []vectors.Case {
	c := token.Credential{Secret: [32]byte(vectors.Key(0x80))}
	s := &Session{m: &Manager{}, loaded: true, reading: &reading{state: state{live: true, cred: c}}}
	mac := s.csrf()
	spell := func(mask []byte) string {
		b := append(bytes.Clone(mask), mac[:]...)
		subtle.XORBytes(b[32:], b[:32], b[32:])
		return base64.RawURLEncoding.EncodeToString(b)
	}
	base := vectors.In(nil, "secret", vectors.Hex(c.Secret[:]))
	return []vectors.Case{
		vectors.Good("masked", vectors.In(base, "token", spell(vectors.Key(0x11)))),
		vectors.Good("masked with zeros", vectors.In(base, "token", spell(make([]byte, 32)))),
		vectors.Bad("other session", vectors.In(base, "secret", vectors.Hex(vectors.Key(9)), "token", spell(vectors.Key(0x11)))),
		vectors.Bad("cut", vectors.In(base, "token", spell(vectors.Key(0x11))[:84])),
		vectors.Bad("empty", vectors.In(base, "token", "")),
	}
}

// The tag of a user has no secret in it; its vector stands here, since the code is package store's.
func TestTagVector(t *testing.T) {
	sum := sha256.Sum256([]byte("sojourn tag v1\x00ada"))
	if tag := store.TagOf("ada"); !bytes.Equal(tag[:], sum[:16]) {
		t.Errorf("tag %x, want %x", tag, sum[:16])
	}
}
