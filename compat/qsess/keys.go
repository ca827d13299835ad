package qsess

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/sojourn-go/sojourn"
)

// newRing makes Sojourn's keys out of the program's. They are hashed first, because the older
// library took any 32 bytes, text too; and so a key that the program also uses elsewhere is another
// one here.
func newRing(cipherkeys [][]byte) (*sojourn.KeyRing, error) {
	var keys [][]byte
	for i, k := range cipherkeys {
		if len(k) != 32 {
			return nil, badConfig("cipher key %d has %d bytes, not 32", i, len(k))
		}
		sum := sha256.Sum256(append([]byte("qsess cipher key v1\x00"), k...))
		if !slices.ContainsFunc(keys, func(have []byte) bool { return bytes.Equal(have, sum[:]) }) {
			keys = append(keys, sum[:])
		}
	}
	if len(keys) == 0 {
		return nil, badConfig("a cipher key is needed")
	}
	return sojourn.NewKeyRing(keys[0], keys[1:]...)
}

// sealer is the Store's cipher: the program's own, or its keys.
func (st *Store) sealer() (sojourn.Sealer, error) {
	switch {
	case st.Encrypt != nil && st.Decrypt != nil:
		return hooks{st.Encrypt, st.Decrypt}, nil
	case st.Encrypt != nil || st.Decrypt != nil:
		return nil, badConfig("set both Encrypt and Decrypt")
	}
	return st.in.ring, nil
}

// hooks is the program's own cipher. It knows no associated data, so what the text is bound to goes
// in front of it, as a hash.
type hooks struct {
	encrypt, decrypt func([]byte) ([]byte, error)
}

func (h hooks) Seal(dst, plain, aad []byte) ([]byte, error) {
	bound := sha256.Sum256(aad)
	sealed, err := h.encrypt(append(bound[:], plain...))
	if err != nil {
		return nil, err
	}
	return append(dst, sealed...), nil
}

func (h hooks) Open(dst, sealed, aad []byte) ([]byte, error) {
	plain, err := h.decrypt(bytes.Clone(sealed))
	if err != nil {
		return nil, err
	}
	bound := sha256.Sum256(aad)
	rest, ok := bytes.CutPrefix(plain, bound[:])
	if !ok {
		return nil, errors.New("qsess: sealed for another use")
	}
	return append(dst, rest...), nil
}
