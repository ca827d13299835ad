package sojourn

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// TestMakeVectors writes testdata/vectors anew, from fixed keys and nonces:
//
//	SOJOURN_WRITE_VECTORS=1 go test -run TestMakeVectors .
//
// Otherwise it checks that they are what it would write.
func TestMakeVectors(t *testing.T) {
	for kind, vs := range map[string][]vector{
		"key": keyVectors(), "keyfile": keyFileVectors(), "seal": sealVectors(), "token": tokenVectors(), "sealed": sealedVectors(),
		"envelope": envelopeVectors(), "meta": metaVectors(), "flash": flashVectors(), "successor": successorVectors(), "csrf": csrfVectors(),
	} {
		for i := range vs {
			out, err := runners[kind](t, vs[i].In)
			if (err == nil) != vs[i].OK {
				t.Errorf("%s: %s: %v", kind, vs[i].Name, err)
			}
			if vs[i].OK {
				vs[i].Out = out
			}
		}
		want, err := json.MarshalIndent(vs, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		path := filepath.Join("testdata", "vectors", kind+".json")
		if os.Getenv("SOJOURN_WRITE_VECTORS") != "" {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what this test writes: %v", path, err)
		}
	}
}

// xaesSeal is XAES-256-GCM, written from its specification and apart from internal/xaes, with the nonce given.
func xaesSeal(key, nonce, plain, aad []byte) []byte {
	block, _ := aes.NewCipher(key)
	k1 := make([]byte, 16)
	block.Encrypt(k1, k1)
	msb := k1[0] >> 7
	for i := range 15 {
		k1[i] = k1[i]<<1 | k1[i+1]>>7
	}
	k1[15] = k1[15]<<1 ^ msb*0x87
	var derived []byte
	for i := range byte(2) {
		m := append([]byte{0, i + 1, 'X', 0}, nonce[:12]...)
		subtle.XORBytes(m, m, k1)
		block.Encrypt(m, m)
		derived = append(derived, m...)
	}
	inner, _ := aes.NewCipher(derived)
	gcm, _ := cipher.NewGCM(inner)
	return gcm.Seal(bytes.Clone(nonce), nonce[12:], plain, aad)
}

var vecNonce = []byte("ABCDEFGHIJKLMNOPQRSTUVWX")

// keySeal is a key ring's seal: id, nonce, ciphertext.
func keySeal(key, plain, aad []byte) []byte {
	id := idOfKey(key)
	return append(id[:], xaesSeal(key, vecNonce, plain, aad)...)
}

func text(version byte, sealed []byte) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{version}, sealed...))
}

// in makes an input map of pairs, over a copy of base.
func in(base map[string]string, pairs ...string) map[string]string {
	m := maps.Clone(base)
	if m == nil {
		m = map[string]string{}
	}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

func x(b []byte) string { return hex.EncodeToString(b) }

func keyVectors() []vector {
	return []vector{
		{"a key", true, in(nil, "key", x(testKey(1))), nil},
		{"another", true, in(nil, "key", x(testKey(0x40))), nil},
		{"short", false, in(nil, "key", x(testKey(1)[:31])), nil},
		{"long", false, in(nil, "key", x(append(testKey(1), 0))), nil},
		{"zeros", false, in(nil, "key", x(make([]byte, 32))), nil},
		{"one byte repeated", false, in(nil, "key", x(bytes.Repeat([]byte{0xa5}, 32))), nil},
		{"text", false, in(nil, "key", x([]byte("correct horse battery staple 123"))), nil},
	}
}

func keyFileVectors() []vector {
	b64 := func(n byte) string { return base64.StdEncoding.EncodeToString(testKey(n)) }
	f := func(s string) map[string]string { return in(nil, "text", s) }
	return []vector{
		{"one key", true, f("# comment\nactive " + b64(1) + "\n"), nil},
		{"all states", true, f("prepared " + b64(1) + "\r\n\tactive \t" + b64(2) + "\n\nretired " + b64(3) + "\nrevoked " + b64(4)), nil},
		{"empty", false, f(""), nil},
		{"no active key", false, f("prepared " + b64(1)), nil},
		{"two active keys", false, f("active " + b64(1) + "\nactive " + b64(2)), nil},
		{"a key twice", false, f("active " + b64(1) + "\nretired " + b64(1)), nil},
		{"revoked and active", false, f("active " + b64(1) + "\nrevoked " + b64(1)), nil},
		{"unknown state", false, f("ACTIVE " + b64(1)), nil},
		{"no state", false, f(b64(1)), nil},
		{"unpadded", false, f("active " + b64(1)[:43]), nil},
	}
}

func sealVectors() []vector {
	key, aad := testKey(1), []byte("associated data")
	base := in(nil, "key", x(key), "aad", x(aad))
	good := keySeal(key, []byte("plaintext"), aad)
	flip := func(i int) []byte { b := bytes.Clone(good); b[i] ^= 1; return b }
	return []vector{
		{"plaintext", true, in(base, "sealed", x(good)), nil},
		{"nothing", true, in(base, "sealed", x(keySeal(key, nil, aad))), nil},
		{"no associated data", true, in(base, "sealed", x(keySeal(key, []byte("p"), nil)), "aad", ""), nil},
		{"another key's id", false, in(base, "sealed", x(flip(0))), nil},
		{"another nonce", false, in(base, "sealed", x(flip(4))), nil},
		{"another nonce, second half", false, in(base, "sealed", x(flip(27))), nil},
		{"ciphertext changed", false, in(base, "sealed", x(flip(28))), nil},
		{"tag changed", false, in(base, "sealed", x(flip(len(good)-1))), nil},
		{"cut", false, in(base, "sealed", x(good[:len(good)-1])), nil},
		{"id only", false, in(base, "sealed", x(good[:4])), nil},
		{"empty", false, in(base, "sealed", ""), nil},
		{"other associated data", false, in(base, "sealed", x(good), "aad", x([]byte("Associated data"))), nil},
	}
}

func vecCredential(user string) credential {
	c := credential{secret: [32]byte(testKey(0x80))}
	c.tag = store.TagOf(user)
	return c
}

func tokenVectors() []vector {
	key := testKey(1)
	c := vecCredential("ada")
	plain := append(c.secret[:len(c.secret):32], c.tag[:]...)
	base := in(nil, "key", x(key), "purpose", "cookie", "manager", "", "name", "__Host-session")
	seal := func(purpose, manager, name string, plain []byte) []byte {
		return keySeal(key, plain, sealAAD(purpose, manager, name))
	}
	cookie := seal("cookie", "", "__Host-session", plain)
	good := text(1, cookie)
	return []vector{
		{"cookie", true, in(base, "text", good), nil},
		{"bearer of a named manager", true, in(base, "purpose", "bearer", "manager", "api", "name", "", "text", text(1, seal("bearer", "api", "", plain))), nil},
		{"cookie as bearer", false, in(base, "purpose", "bearer", "name", "", "text", good), nil},
		{"other cookie", false, in(base, "name", "__Host-admin", "text", good), nil},
		{"other manager", false, in(base, "manager", "api", "text", good), nil},
		{"other version", false, in(base, "text", text(2, cookie)), nil},
		{"other key", false, in(base, "key", x(testKey(2)), "text", good), nil},
		{"47 bytes", false, in(base, "text", text(1, seal("cookie", "", "__Host-session", plain[:47]))), nil},
		{"49 bytes", false, in(base, "text", text(1, seal("cookie", "", "__Host-session", append(bytes.Clone(plain), 0)))), nil},
		{"line end", false, in(base, "text", good[:60]+"\n"+good[60:]), nil},
		{"padding", false, in(base, "text", good+"="), nil},
		{"standard alphabet", false, in(base, "text", base64.RawStdEncoding.EncodeToString(append([]byte{1}, cookie...))), nil},
		{"cut", false, in(base, "text", good[:123]), nil},
		{"empty", false, in(base, "text", ""), nil},
	}
}

func sealedVectors() []vector {
	key := testKey(1)
	c := vecCredential("ada")
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	rec := store.Record{Handle: store.Handle(testKey(3)[:16]), User: "ada", Version: 7, Created: at, Seen: at.Add(time.Minute),
		Idle: 30 * time.Minute, Lifetime: 12 * time.Hour, Meta: []byte{1, metaLevel, 1, 1}, Data: []byte("\x01\x04note\x03\"x\"")}
	plain := encodeSealed(&c, &rec)
	aad := sealAAD(purposeSealed, "", "__Host-session")
	base := in(nil, "key", x(key), "manager", "", "name", "__Host-session")
	of := func(plain []byte) map[string]string { return in(base, "text", text(1, keySeal(key, plain, aad))) }
	edit := func(f func(b []byte) []byte) map[string]string { return of(f(bytes.Clone(plain))) }
	visitor := store.Record{Handle: rec.Handle, Version: 1, Created: at, Seen: at}
	return []vector{
		{"a user's", true, of(plain), nil},
		{"a visitor's, without limits or data", true, of(encodeSealed(&c, &visitor)), nil},
		{"another cookie's", false, in(of(plain), "name", "__Host-admin"), nil},
		{"another manager's", false, in(of(plain), "manager", "api"), nil},
		{"a token's seal", false, in(base, "text", text(1, keySeal(key, plain, sealAAD(purposeCookie, "", "__Host-session")))), nil},
		{"other version", false, edit(func(b []byte) []byte { b[0] = 2; return b }), nil},
		{"no padding", false, edit(func(b []byte) []byte { return bytes.TrimRight(b, "\x80\x00") }), nil},
		{"a block of padding too much", false, edit(func(b []byte) []byte { return append(b, make([]byte, sealedBlock)...) }), nil},
		{"padding not zero", false, edit(func(b []byte) []byte { b[len(b)-1] = 1; return b }), nil},
		{"padding without mark", false, edit(func(b []byte) []byte { return bytes.Replace(b, []byte("\x80\x00\x00"), []byte("\x00\x00\x00"), 1) }), nil},
		{"negative idle", false, edit(func(b []byte) []byte { b[1+32+16+16+3*8] = 0x80; return b }), nil},
		{"idle beyond 100 years", false, edit(func(b []byte) []byte { b[1+32+16+16+3*8] = 0x70; return b }), nil},
		{"tag of another user", false, edit(func(b []byte) []byte { b[40] ^= 1; return b }), nil},
		{"length beyond the end", false, edit(func(b []byte) []byte { b[sealedFixed] = 0x7f; return b }), nil},
		{"overlong length", false, edit(func(b []byte) []byte {
			b = bytes.TrimRight(b, "\x00")
			b = append(append(bytes.Clone(b[:sealedFixed]), 0x83, 0x00), b[sealedFixed+1:]...)
			return append(b, make([]byte, (sealedBlock-len(b)%sealedBlock)%sealedBlock)...)
		}), nil},
		{"short", false, of(plain[:sealedBlock]), nil},
	}
}

func rawVectors(good, bad map[string]string) (vs []vector) {
	for _, part := range []struct {
		ok bool
		m  map[string]string
	}{{true, good}, {false, bad}} {
		for _, name := range sortedKeys(part.m) {
			vs = append(vs, vector{name, part.ok, in(nil, "bytes", x([]byte(part.m[name]))), nil})
		}
	}
	return vs
}

func envelopeVectors() []vector {
	long := string(binary.AppendUvarint(nil, 200)) + string(bytes.Repeat([]byte{'v'}, 200))
	return rawVectors(map[string]string{
		"no values": "", "one": "\x01\x04note\x03\"x\"", "two": "\x01\x01a\x011\x01b\x012", "empty value": "\x01\x01a\x00",
		"prefix first": "\x01\x01a\x011\x02aa\x012", "two-byte length": "\x01\x01a" + long,
	}, map[string]string{
		"version alone": "\x01", "other version": "\x02\x01a\x011", "zero version": "\x00\x01a\x011", "descending": "\x01\x01b\x012\x01a\x011",
		"twice": "\x01\x01a\x011\x01a\x012", "no name": "\x01\x00\x011", "cut": "\x01\x01a\x021", "no value": "\x01\x01a",
		"overlong length": "\x01\x81\x00a\x011", "huge length": "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a",
		"length over 64 bits": "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02a", "trailing byte": "\x01\x01a\x011\x00",
	})
}

func metaVectors() []vector {
	return rawVectors(map[string]string{
		"nothing": "", "sign-in": "\x01\x03\x01\x01",
		"all":                              "\x01\x01\x02\x80\x01\x02\x01\x05\x03\x01\x02\x04\x01\x03\x05\x06backup\x06\x0c192.0.2.0/24\x07\x04curl\x08\x02no",
		"a later version's flag and field": "\x01\x04\x01\x05\x09\x03new\x0a\x00", "greatest duration": "\x01\x01\x09\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
	}, map[string]string{
		"version alone": "\x01", "other version": "\x02\x03\x01\x01", "descending": "\x01\x04\x01\x01\x03\x01\x01", "twice": "\x01\x03\x01\x01\x03\x01\x01",
		"unknown twice": "\x01\x09\x00\x09\x00", "type 0": "\x01\x00\x01a", "zero level": "\x01\x03\x01\x00", "empty label": "\x01\x05\x00", "empty tail": "\x01\x08\x00",
		"overlong number": "\x01\x03\x02\x81\x00", "two numbers": "\x01\x03\x02\x01\x01", "empty number": "\x01\x03\x00", "level 256": "\x01\x03\x02\x80\x02",
		"negative duration": "\x01\x01\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "overlong length": "\x01\x05\x81\x00a", "cut": "\x01\x05\x02a", "type alone": "\x01\x05",
	})
}

func flashVectors() []vector {
	return rawVectors(map[string]string{
		"one": "\x0fABCDEFGH\"Saved\"", "two": "\x0bABCDEFGH\"a\"\x0bIJKLMNOP\"b\"", "nothing": "", "empty message": "\x08ABCDEFGH",
	}, map[string]string{"cut": "\x0fABCDEFGH\"Save", "no id": "\x03\"a\"", "overlong length": "\x8b\x00ABCDEFGH\"a\""})
}

func successorVectors() []vector {
	c := vecCredential("ada")
	base := in(nil, "secret", x(c.secret[:]), "tag", x(c.tag[:]))
	return []vector{
		{"32-byte nonce", true, in(base, "nonce", x(testKey(0x20))), nil},
		{"other nonce", true, in(base, "nonce", x(testKey(0x21))), nil},
	}
}

func csrfVectors() []vector {
	c := vecCredential("ada")
	s := &Session{m: &Manager{}, loaded: true, reading: &reading{state: state{live: true, cred: c}}}
	mac := s.csrf()
	token := func(mask []byte) string {
		b := append(bytes.Clone(mask), mac[:]...)
		subtle.XORBytes(b[32:], b[:32], b[32:])
		return base64.RawURLEncoding.EncodeToString(b)
	}
	base := in(nil, "secret", x(c.secret[:]))
	return []vector{
		{"masked", true, in(base, "token", token(testKey(0x11))), nil},
		{"masked with zeros", true, in(base, "token", token(make([]byte, 32))), nil},
		{"other session", false, in(base, "secret", x(testKey(9)), "token", token(testKey(0x11))), nil},
		{"cut", false, in(base, "token", token(testKey(0x11))[:84]), nil},
		{"empty", false, in(base, "token", ""), nil},
	}
}
