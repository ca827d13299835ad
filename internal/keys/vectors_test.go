package keys

import (
	"bytes"
	"encoding/base64"
	"os"
	"strconv"
	"testing"

	"github.com/sojourn-go/sojourn/internal/vectors"
)

func TestVectors(t *testing.T) {
	write := os.Getenv("SOJOURN_WRITE_VECTORS") != ""
	vectors.Test(t, write, "key", runKey, keyVectors())
	vectors.Test(t, write, "keyfile", runKeyFile, keyFileVectors())
	vectors.Test(t, write, "seal", runSeal, sealVectors())
}

func runKey(t testing.TB, in map[string]string) (map[string]string, error) {
	key := vectors.Bytes(t, in["key"])
	if _, err := New(key); err != nil {
		return nil, err
	}
	id := IDOf(key)
	return map[string]string{"id": vectors.Hex(id[:])}, nil
}

func runKeyFile(_ testing.TB, in map[string]string) (map[string]string, error) {
	k, err := Parse([]byte(in["text"]))
	if err != nil {
		return nil, err
	}
	return map[string]string{"active": vectors.Hex(k.active[:]), "keys": strconv.Itoa(k.Len())}, nil
}

func runSeal(t testing.TB, in map[string]string) (map[string]string, error) {
	k, err := New(vectors.Bytes(t, in["key"]))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := k.Open(nil, vectors.Bytes(t, in["sealed"]), vectors.Bytes(t, in["aad"]))
	return map[string]string{"plain": vectors.Hex(plain)}, err
}

func keyVectors() []vectors.Case {
	return []vectors.Case{
		vectors.Good("a key", vectors.In(nil, "key", vectors.Hex(vectors.Key(1)))),
		vectors.Good("another", vectors.In(nil, "key", vectors.Hex(vectors.Key(0x40)))),
		vectors.Bad("short", vectors.In(nil, "key", vectors.Hex(vectors.Key(1)[:31]))),
		vectors.Bad("long", vectors.In(nil, "key", vectors.Hex(append(vectors.Key(1), 0)))),
		vectors.Bad("zeros", vectors.In(nil, "key", vectors.Hex(make([]byte, 32)))),
		vectors.Bad("one byte repeated", vectors.In(nil, "key", vectors.Hex(bytes.Repeat([]byte{0xa5}, 32)))),
		vectors.Bad("text", vectors.In(nil, "key", vectors.Hex([]byte("correct horse battery staple 123")))),
	}
}

func keyFileVectors() []vectors.Case {
	b64 := func(n byte) string { return base64.StdEncoding.EncodeToString(vectors.Key(n)) }
	f := func(s string) map[string]string { return vectors.In(nil, "text", s) }
	return []vectors.Case{
		vectors.Good("one key", f("# comment\nactive "+b64(1)+"\n")),
		vectors.Good("all states", f("prepared "+b64(1)+"\r\n\tactive \t"+b64(2)+"\n\nretired "+b64(3)+"\nrevoked "+b64(4))),
		vectors.Bad("empty", f("")),
		vectors.Bad("no active key", f("prepared "+b64(1))),
		vectors.Bad("two active keys", f("active "+b64(1)+"\nactive "+b64(2))),
		vectors.Bad("a key twice", f("active "+b64(1)+"\nretired "+b64(1))),
		vectors.Bad("revoked and active", f("active "+b64(1)+"\nrevoked "+b64(1))),
		vectors.Bad("a revoked key twice", f("active "+b64(1)+"\nrevoked "+b64(4)+"\nrevoked "+b64(4))),
		vectors.Bad("a revoked key of 31 bytes", f("active "+b64(1)+"\nrevoked "+base64.StdEncoding.EncodeToString(vectors.Key(4)[:31]))),
		vectors.Bad("a revoked key of zeros", f("active "+b64(1)+"\nrevoked "+base64.StdEncoding.EncodeToString(make([]byte, 32)))),
		vectors.Bad("unknown state", f("ACTIVE "+b64(1))),
		vectors.Bad("no state", f(b64(1))),
		vectors.Bad("unpadded", f("active "+b64(1)[:43])),
	}
}

func sealVectors() []vectors.Case {
	key, aad := vectors.Key(1), []byte("associated data")
	base := vectors.In(nil, "key", vectors.Hex(key), "aad", vectors.Hex(aad))
	good := vectors.Seal(key, []byte("plaintext"), aad)
	flip := func(i int) []byte { b := bytes.Clone(good); b[i] ^= 1; return b }
	return []vectors.Case{
		vectors.Good("plaintext", vectors.In(base, "sealed", vectors.Hex(good))),
		vectors.Good("nothing", vectors.In(base, "sealed", vectors.Hex(vectors.Seal(key, nil, aad)))),
		vectors.Good("no associated data", vectors.In(base, "sealed", vectors.Hex(vectors.Seal(key, []byte("p"), nil)), "aad", "")),
		vectors.Bad("another key's id", vectors.In(base, "sealed", vectors.Hex(flip(0)))),
		vectors.Bad("another nonce", vectors.In(base, "sealed", vectors.Hex(flip(4)))),
		vectors.Bad("another nonce, second half", vectors.In(base, "sealed", vectors.Hex(flip(27)))),
		vectors.Bad("ciphertext changed", vectors.In(base, "sealed", vectors.Hex(flip(28)))),
		vectors.Bad("tag changed", vectors.In(base, "sealed", vectors.Hex(flip(len(good)-1)))),
		vectors.Bad("cut", vectors.In(base, "sealed", vectors.Hex(good[:len(good)-1]))),
		vectors.Bad("id only", vectors.In(base, "sealed", vectors.Hex(good[:4]))),
		vectors.Bad("empty", vectors.In(base, "sealed", "")),
		vectors.Bad("other associated data", vectors.In(base, "sealed", vectors.Hex(good), "aad", vectors.Hex([]byte("Associated data")))),
	}
}
