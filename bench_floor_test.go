package sojourn_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// floor is what the benchmarks are compared with: the least that any session library must do for
// the same answer, written without one. It has no users, no expiry, no versions, no revocation and
// no errors, and its tokens are bare random bytes.
type floor struct {
	shards [256]floorShard
	aead   cipher.AEAD // for sealed cookies
}

type floorShard struct {
	mu sync.RWMutex
	m  map[[32]byte]string
}

const floorCookie = "session"

func newFloor() *floor {
	f := &floor{}
	for i := range f.shards {
		f.shards[i].m = make(map[[32]byte]string)
	}
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		panic(err)
	}
	if f.aead, err = cipher.NewGCM(block); err != nil {
		panic(err)
	}
	return f
}

func (f *floor) shard(id *[32]byte) *floorShard { return &f.shards[id[0]] }

// id gives the hash of the request's token.
func (f *floor) id(r *http.Request) (id [32]byte, err error) {
	c, err := r.Cookie(floorCookie)
	if err != nil {
		return id, err
	}
	var token [32]byte
	if n, err := base64.RawURLEncoding.Decode(token[:], []byte(c.Value)); err != nil || n != len(token) {
		return id, fmt.Errorf("token of %d bytes: %w", n, err)
	}
	return sha256.Sum256(token[:]), nil
}

// insert makes a session and tells the client.
func (f *floor) insert(w http.ResponseWriter, record string) {
	var token [32]byte
	rand.Read(token[:])
	id := sha256.Sum256(token[:])
	sh := f.shard(&id)
	sh.mu.Lock()
	sh.m[id] = record
	sh.mu.Unlock()
	f.send(w, base64.RawURLEncoding.EncodeToString(token[:]))
}

func (f *floor) send(w http.ResponseWriter, value string) {
	http.SetCookie(w, &http.Cookie{
		Name: floorCookie, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// read answers with one field.
func (f *floor) read(w http.ResponseWriter, r *http.Request) {
	id, err := f.id(r)
	if err != nil {
		return
	}
	sh := f.shard(&id)
	sh.mu.RLock()
	record := sh.m[id]
	sh.mu.RUnlock()
	from, to := cut(record, asked)
	io.WriteString(w, record[from:to])
}

// write answers with one field and replaces it.
func (f *floor) write(w http.ResponseWriter, r *http.Request) {
	id, err := f.id(r)
	if err != nil {
		return
	}
	value := r.Header["X-Value"][0]
	sh := f.shard(&id)
	sh.mu.Lock()
	record := sh.m[id]
	from, to := cut(record, asked)
	sh.m[id] = replaced(record, from, to, value)
	sh.mu.Unlock()
	io.WriteString(w, record[from:to])
}

// login puts a new session in place of the client's old one.
func (f *floor) login(w http.ResponseWriter, r *http.Request) {
	id, err := f.id(r)
	if err != nil {
		return
	}
	user := r.Header["X-User"][0]
	f.insert(w, packed(user))
	sh := f.shard(&id)
	sh.mu.Lock()
	delete(sh.m, id)
	sh.mu.Unlock()
	io.WriteString(w, user)
}

// sealedRead is read for a record that the client keeps, under AES-256-GCM.
func (f *floor) sealedRead(w http.ResponseWriter, r *http.Request) {
	record, err := f.open(r)
	if err != nil {
		return
	}
	from, to := cut(record, asked)
	io.WriteString(w, record[from:to])
}

// sealedWrite is write for a record that the client keeps.
func (f *floor) sealedWrite(w http.ResponseWriter, r *http.Request) {
	record, err := f.open(r)
	if err != nil {
		return
	}
	from, to := cut(record, asked)
	f.seal(w, replaced(record, from, to, r.Header["X-Value"][0]))
	io.WriteString(w, record[from:to])
}

func (f *floor) open(r *http.Request) (string, error) {
	c, err := r.Cookie(floorCookie)
	if err != nil {
		return "", err
	}
	sealed, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(sealed) < 12 {
		return "", fmt.Errorf("sealed cookie of %d bytes: %w", len(sealed), err)
	}
	plain, err := f.aead.Open(sealed[12:12], sealed[:12], sealed[12:], nil)
	return string(plain), err
}

func (f *floor) seal(w http.ResponseWriter, record string) {
	sealed := make([]byte, 12, 12+len(record)+f.aead.Overhead())
	rand.Read(sealed)
	f.send(w, base64.RawURLEncoding.EncodeToString(f.aead.Seal(sealed, sealed, []byte(record), nil)))
}

// packed is a record: each field behind its length.
func packed(fields ...string) string {
	var b strings.Builder
	for _, s := range fields {
		b.Write(binary.AppendUvarint(nil, uint64(len(s))))
		b.WriteString(s)
	}
	return b.String()
}

// cut finds the n-th field.
func cut[B string | []byte](record B, n int) (from, to int) {
	for {
		size, k := int(record[to]&0x7f), 1 // fields here are shorter than 16 KiB
		if record[to] > 0x7f {
			size, k = size|int(record[to+1])<<7, 2
		}
		from, to = to+k, to+k+size
		if n--; n < 0 {
			return from, to
		}
	}
}

// replaced copies a record with another text of the same length in a field's place.
func replaced(record string, from, to int, value string) string {
	return record[:from] + value + record[to:]
}
