package sealed

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/internal/keys"
	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/internal/vectors"
	"github.com/sojourn-go/sojourn/store"
)

func TestVectors(t *testing.T) {
	vectors.Test(t, os.Getenv("SOJOURN_WRITE_VECTORS") != "", "sealed", runVector, sealedVectors())
}

func runVector(t testing.TB, in map[string]string) (map[string]string, error) {
	k, err := keys.New(vectors.Bytes(t, in["key"]))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := token.AppendDecode(nil, in["text"])
	if err != nil || len(raw) == 0 || raw[0] != token.Version {
		return nil, token.ErrOpen
	}
	plain, err := k.Open(nil, raw[1:], token.AAD(token.Sealed, in["manager"], in["name"]))
	if err != nil {
		return nil, err
	}
	c, rec, err := Decode(plain)
	if err != nil {
		return nil, err
	}
	if again := Encode(&c, &rec); !bytes.Equal(again, plain) {
		return nil, errors.New("encodes to other bytes")
	}
	return map[string]string{
		"secret": vectors.Hex(c.Secret[:]), "tag": vectors.Hex(c.Tag[:]), "handle": rec.Handle.String(),
		"version": strconv.FormatUint(rec.Version, 10), "created": rec.Created.UTC().Format(time.RFC3339Nano),
		"seen": rec.Seen.UTC().Format(time.RFC3339Nano), "idle": strconv.FormatInt(int64(rec.Idle), 10), "lifetime": strconv.FormatInt(int64(rec.Lifetime), 10),
		"user": rec.User, "meta": vectors.Hex(rec.Meta), "data": vectors.Hex(rec.Data),
	}, nil
}

func sealedVectors() []vectors.Case {
	key := vectors.Key(1)
	c := token.Credential{Secret: [32]byte(vectors.Key(0x80)), Tag: store.TagOf("ada")}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	rec := store.Record{Handle: store.Handle(vectors.Key(3)[:16]), User: "ada", Version: 7, Created: at, Seen: at.Add(time.Minute),
		Idle: 30 * time.Minute, Lifetime: 12 * time.Hour, Meta: []byte{1, 3, 1, 1}, Data: []byte("\x01\x04note\x03\"x\"")}
	plain := Encode(&c, &rec)
	aad := token.AAD(token.Sealed, "", "__Host-session")
	base := vectors.In(nil, "key", vectors.Hex(key), "manager", "", "name", "__Host-session")
	of := func(plain []byte) map[string]string {
		return vectors.In(base, "text", vectors.Text(1, vectors.Seal(key, plain, aad)))
	}
	edit := func(f func(b []byte) []byte) map[string]string { return of(f(bytes.Clone(plain))) }
	visitor := store.Record{Handle: rec.Handle, Version: 1, Created: at, Seen: at}
	return []vectors.Case{
		vectors.Good("a user's", of(plain)),
		vectors.Good("a visitor's, without limits or data", of(Encode(&c, &visitor))),
		vectors.Bad("another cookie's", vectors.In(of(plain), "name", "__Host-admin")),
		vectors.Bad("another manager's", vectors.In(of(plain), "manager", "api")),
		vectors.Bad("a token's seal", vectors.In(base, "text", vectors.Text(1, vectors.Seal(key, plain, token.AAD(token.Cookie, "", "__Host-session"))))),
		vectors.Bad("other version", edit(func(b []byte) []byte { b[0] = 2; return b })),
		vectors.Bad("no padding", edit(func(b []byte) []byte { return bytes.TrimRight(b, "\x80\x00") })),
		vectors.Bad("a block of padding too much", edit(func(b []byte) []byte { return append(b, make([]byte, block)...) })),
		vectors.Bad("padding not zero", edit(func(b []byte) []byte { b[len(b)-1] = 1; return b })),
		vectors.Bad("padding without mark", edit(func(b []byte) []byte { return bytes.Replace(b, []byte("\x80\x00\x00"), []byte("\x00\x00\x00"), 1) })),
		vectors.Bad("negative idle", edit(func(b []byte) []byte { b[1+32+16+16+3*8] = 0x80; return b })),
		vectors.Bad("idle beyond 100 years", edit(func(b []byte) []byte { b[1+32+16+16+3*8] = 0x70; return b })),
		vectors.Bad("tag of another user", edit(func(b []byte) []byte { b[40] ^= 1; return b })),
		vectors.Bad("length beyond the end", edit(func(b []byte) []byte { b[fixed] = 0x7f; return b })),
		vectors.Bad("overlong length", edit(func(b []byte) []byte {
			b = bytes.TrimRight(b, "\x00")
			b = append(append(bytes.Clone(b[:fixed]), 0x83, 0x00), b[fixed+1:]...)
			return append(b, make([]byte, (block-len(b)%block)%block)...)
		})),
		vectors.Bad("short", of(plain[:block])),
	}
}

// What Room allows fits, whatever the renewals of the record add to its meta, and 64 bytes more do
// not.
func TestRoom(t *testing.T) {
	c := token.New("ada")
	rec := store.Record{User: "ada", Meta: []byte{1, 3, 1, 1}, Created: time.Now(), Seen: time.Now()}
	for _, characters := range []int{1000, 4074, 4 * 4074} {
		room := Room(characters, &rec)
		length := func(data, meta int) int {
			r := rec
			r.Data, r.Meta = make([]byte, data), make([]byte, meta)
			return token.Encoding.EncodedLen(overhead + len(Encode(&c, &r)))
		}
		if n := length(room, len(rec.Meta)+24); n > characters {
			t.Errorf("%d bytes take %d characters of %d", room, n, characters)
		}
		if n := length(room+2*block, len(rec.Meta)); n <= characters {
			t.Errorf("%d bytes would fit into %d characters, too", room+2*block, characters)
		}
	}
}

// R10: the inside of a sealed session, of which the seal protects us until a key leaks.
func FuzzSealed(f *testing.F) {
	for _, v := range vectors.Read(f, "sealed") {
		if raw, err := token.AppendDecode(nil, v.In["text"]); err == nil && len(raw) > 0 {
			k, err := keys.New(vectors.Bytes(f, v.In["key"]))
			if err != nil {
				f.Fatal(err)
			}
			if plain, err := k.Open(nil, raw[1:], token.AAD(token.Sealed, v.In["manager"], v.In["name"])); err == nil {
				f.Add(plain)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, rec, err := Decode(b)
		if err == nil && !bytes.Equal(Encode(&c, &rec), b) {
			t.Fatalf("%x encodes to %x", b, Encode(&c, &rec))
		}
	})
}
