// Package keys is the ring of keys that seals tokens and sealed sessions, and the file that it is
// kept in (docs/format.md, sections 2 to 4).
package keys

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/sojourn-go/sojourn/internal/xaes"
)

// Ring is a set of keys: the active one seals, it and all others open. What it seals begins with
// the key's id, so no key is ever tried in vain. It is immutable.
type Ring struct {
	active ID
	keys   map[ID]*xaes.AEAD
}

// ID names a key. It says nothing about it.
type ID [4]byte

// ErrOpen is the one answer to everything that does not open.
var ErrOpen = errors.New("sojourn: cannot be opened")

// Refused is the error for keys that will not do, wherever they come from. It never quotes them.
type Refused struct{ reason string }

// Error is the reason.
func (r *Refused) Error() string { return r.reason }

func refuse(format string, args ...any) error { return &Refused{fmt.Sprintf(format, args...)} }

// New makes a ring: active seals, active and others open. Errors: [Refused].
func New(active []byte, others ...[]byte) (*Ring, error) {
	k := &Ring{keys: make(map[ID]*xaes.AEAD)}
	for i, b := range append([][]byte{active}, others...) {
		if err := k.add(b, i == 0); err != nil {
			return nil, refuse("key %d: %v", i, err)
		}
	}
	return k, nil
}

func (k *Ring) add(b []byte, active bool) error {
	aead, err := xaes.New(b)
	if err := cmp.Or(check(b), err); err != nil { // check says more than the cipher does
		return err
	}
	id := IDOf(b)
	if _, dup := k.keys[id]; dup {
		return errTwice
	}
	k.keys[id] = aead
	if active {
		k.active = id
	}
	return nil
}

var errTwice = errors.New("occurs twice (or shares its id with another: make a new one)")

// NewKey returns 32 random bytes.
func NewKey() []byte {
	b := make([]byte, xaes.KeySize)
	rand.Read(b) // stops the program when the system has no randomness
	return b
}

// IDOf returns the id of a key.
func IDOf(key []byte) (id ID) {
	sum := sha256.Sum256(append([]byte("sojourn key id v1\x00"), key...))
	copy(id[:], sum[:])
	return id
}

// check refuses what cannot be 256 random bits. A random key is text with a probability of 10^-13.
func check(b []byte) error {
	if len(b) != xaes.KeySize {
		return fmt.Errorf("has %d bytes, not 32: use NewKey or 'head -c32 /dev/urandom'", len(b))
	}
	same, text := true, true
	for _, c := range b {
		same = same && c == b[0]
		text = text && (c >= ' ' && c <= '~' || c == '\n' || c == '\t')
	}
	if same {
		return errors.New("is one byte repeated: use NewKey")
	}
	if text {
		return errors.New("is text, not 32 random bytes: decode it, or derive a key from it with a KDF first")
	}
	return nil
}

// Len is the number of keys; 0 for nil.
func (k *Ring) Len() int {
	if k == nil {
		return 0
	}
	return len(k.keys)
}

// Active is the id of the key that seals.
func (k *Ring) Active() ID { return k.active }

// IDs are the keys' ids in hexadecimal: the active one's, then the others' in order.
func (k *Ring) IDs() []string {
	if k.Len() == 0 {
		return nil
	}
	var others []string
	for id := range k.keys {
		if id != k.active {
			others = append(others, hex.EncodeToString(id[:]))
		}
	}
	slices.Sort(others)
	return append([]string{hex.EncodeToString(k.active[:])}, others...)
}

// Seal encrypts and authenticates plaintext and appends the result to dst. A nil or empty ring
// fails.
func (k *Ring) Seal(dst, plaintext, aad []byte) ([]byte, error) {
	if k == nil || k.keys[k.active] == nil {
		return nil, errors.New("sojourn: the KeyRing is empty: make it with NewKeyRing or LoadKeys, and check their error")
	}
	dst = append(dst, k.active[:]...)
	return k.keys[k.active].Seal(dst, plaintext, aad), nil
}

// Open appends the plaintext of what Seal made under the same aad to dst. Errors: [ErrOpen] and no
// other.
func (k *Ring) Open(dst, sealed, aad []byte) ([]byte, error) {
	if k == nil || len(sealed) < len(ID{}) {
		return nil, ErrOpen
	}
	aead := k.keys[ID(sealed[:4])]
	if aead == nil {
		return nil, ErrOpen
	}
	out, err := aead.Open(dst, sealed[4:], aad)
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}
