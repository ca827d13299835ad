package sojourn

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
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
	vectors.Test(t, write, "form", runForm, formVectors())
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
	ring, err := NewKeyRing(vectors.Bytes(t, in["key"]))
	if err != nil {
		t.Fatal(err)
	}
	confirmed, err := strconv.ParseUint(in["confirmed"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{m: &Manager{keys: ring}, standing: settled, reading: &reading{}}
	s.m.aad.csrf = token.AAD(token.CSRF, in["manager"], in["name"])
	s.rec.Handle, s.facts.Confirmed = store.Handle(vectors.Bytes(t, in["handle"])), uint32(confirmed)
	return map[string]string{}, s.VerifyCSRF(in["token"])
}

func flashVectors() []vectors.Case {
	return vectors.Raw(map[string]string{
		"one": "\x0fABCDEFGH\"Saved\"", "two": "\x0bABCDEFGH\"a\"\x0bIJKLMNOP\"b\"", "nothing": "", "empty message": "\x08ABCDEFGH",
	}, map[string]string{"cut": "\x0fABCDEFGH\"Save", "no id": "\x03\"a\"", "overlong length": "\x8b\x00ABCDEFGH\"a\""})
}

func csrfVectors() []vectors.Case {
	key, handle := vectors.Key(1), vectors.Key(0x60)[:16]
	spell := func(purpose string, confirmed byte) string {
		plain := append(bytes.Clone(handle), 0, 0, 0, 0, 0, 0, 0, confirmed)
		return vectors.Text(1, vectors.Seal(key, plain, token.AAD(purpose, "", "__Host-session")))
	}
	base := vectors.In(nil, "key", vectors.Hex(key), "manager", "", "name", "__Host-session", "handle", vectors.Hex(handle), "confirmed", "0")
	return []vectors.Case{
		vectors.Good("sign-in", vectors.In(base, "token", spell(token.CSRF, 0))),
		vectors.Good("confirmed twice", vectors.In(base, "confirmed", "2", "token", spell(token.CSRF, 2))),
		vectors.Bad("sign-in before", vectors.In(base, "confirmed", "2", "token", spell(token.CSRF, 1))),
		vectors.Bad("other session", vectors.In(base, "handle", vectors.Hex(vectors.Key(9)[:16]), "token", spell(token.CSRF, 0))),
		vectors.Bad("other key", vectors.In(base, "key", vectors.Hex(vectors.Key(9)), "token", spell(token.CSRF, 0))),
		vectors.Bad("other purpose", vectors.In(base, "token", spell(token.Cookie, 0))),
		vectors.Bad("other manager", vectors.In(base, "manager", "admin", "token", spell(token.CSRF, 0))),
		vectors.Bad("cut", vectors.In(base, "token", spell(token.CSRF, 0)[:84])),
		vectors.Bad("other version", vectors.In(base, "token", otherVersion(spell(token.CSRF, 0)))),
		vectors.Bad("empty", vectors.In(base, "token", "")),
	}
}

// otherVersion is the text of a token with another version byte.
func otherVersion(text string) string {
	b, err := token.AppendDecode(nil, text)
	if err != nil {
		panic(err)
	}
	return token.Encoding.EncodeToString(append([]byte{token.Version + 1}, b[1:]...))
}

func runForm(t testing.TB, in map[string]string) (map[string]string, error) {
	ring, err := NewKeyRing(vectors.Bytes(t, in["key"]))
	if err != nil {
		t.Fatal(err)
	}
	m := &Manager{keys: ring}
	m.aad.form = token.AAD(token.Form, in["manager"], in["name"])
	id, made, _ := m.openForm(unversioned(in["token"]))
	if made.IsZero() {
		return nil, ErrCrossSite
	}
	return map[string]string{"cookie": token.Encoding.EncodeToString(id[:]), "made": strconv.FormatInt(made.Unix(), 10)}, nil
}

func formVectors() []vectors.Case {
	key, id := vectors.Key(1), vectors.Key(0x60)[:16]
	spell := func(purpose string, plain []byte) string {
		return vectors.Text(1, vectors.Seal(key, plain, token.AAD(purpose, "", "__Host-session")))
	}
	plain := binary.BigEndian.AppendUint64(bytes.Clone(id), 1_800_000_000)
	base := vectors.In(nil, "key", vectors.Hex(key), "manager", "", "name", "__Host-session")
	return []vectors.Case{
		vectors.Good("form", vectors.In(base, "token", spell(token.Form, plain))),
		vectors.Bad("a session's", vectors.In(base, "token", spell(token.CSRF, plain))),
		vectors.Bad("without time", vectors.In(base, "token", spell(token.Form, id))),
		vectors.Bad("other key", vectors.In(base, "key", vectors.Hex(vectors.Key(9)), "token", spell(token.Form, plain))),
		vectors.Bad("other manager", vectors.In(base, "manager", "admin", "token", spell(token.Form, plain))),
		vectors.Bad("other name", vectors.In(base, "name", "__Host-id", "token", spell(token.Form, plain))),
		vectors.Bad("cut", vectors.In(base, "token", spell(token.Form, plain)[:88])),
		vectors.Bad("other version", vectors.In(base, "token", otherVersion(spell(token.Form, plain)))),
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
