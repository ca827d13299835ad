// Package xaes is the AEAD XAES-256-GCM of the C2SP specification (c2sp.org/XAES-256-GCM):
// AES-256-GCM under a key derived for each 192-bit nonce, so that random nonces never need counting
// (2^80 messages at a collision risk of 2^-32).
package xaes

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"slices"
)

// Sizes in bytes.
const (
	KeySize   = 32
	NonceSize = 24
	Overhead  = NonceSize + 16 // nonce in front, tag behind

	half = NonceSize / 2 // the first half derives a key, the second is GCM's nonce under it
)

var errOpen = errors.New("xaes: message authentication failed")

// AEAD seals and opens under one key. It is safe for concurrent use.
type AEAD struct {
	block cipher.Block
	k1    [aes.BlockSize]byte
}

// New returns an AEAD for a key of KeySize bytes.
func New(key []byte) (*AEAD, error) {
	if len(key) != KeySize {
		return nil, errors.New("xaes: key must be 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	a := &AEAD{block: block}
	// K1 is the first CMAC subkey (NIST SP 800-38B section 6.1), computed without a branch on the
	// key.
	block.Encrypt(a.k1[:], a.k1[:])
	var msb byte
	for i := len(a.k1) - 1; i >= 0; i-- {
		msb, a.k1[i] = a.k1[i]>>7, a.k1[i]<<1|msb
	}
	a.k1[len(a.k1)-1] ^= byte(subtle.ConstantTimeSelect(int(msb), 0x87, 0))
	return a, nil
}

// Seal appends a random nonce and the sealed plaintext to dst. GCM draws the nonce's second half
// itself and writes it behind the first, which is where it stands: FIPS 140-3 (IG C.H, scenario 2)
// wants random nonces drawn within the module that encrypts.
func (a *AEAD) Seal(dst, plaintext, aad []byte) []byte {
	n := len(dst)
	dst = slices.Grow(dst, Overhead+len(plaintext))[:n+half]
	rand.Read(dst[n:]) // never fails: the runtime stops the program instead
	return a.derive((*[half]byte)(dst[n:])).Seal(dst, nil, plaintext, aad)
}

// Open appends the plaintext of what Seal made to dst. All failures are one error.
func (a *AEAD) Open(dst, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, errOpen
	}
	out, err := a.derive((*[half]byte)(sealed)).Open(dst, nil, sealed[half:], aad)
	if err != nil {
		return nil, errOpen
	}
	return out, nil
}

// derive makes the AES-256-GCM of one nonce: its key is a KDF in counter mode with CMAC (NIST SP
// 800-108r1 section 4.1) over the nonce's first half.
func (a *AEAD) derive(first *[half]byte) cipher.AEAD {
	var key [KeySize]byte
	for i := range 2 {
		b := key[i*aes.BlockSize:][:aes.BlockSize]
		copy(b, []byte{0, byte(i + 1), 'X', 0})
		copy(b[4:], first[:])
		subtle.XORBytes(b, b, a.k1[:])
		a.block.Encrypt(b, b)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("xaes: " + err.Error()) // cannot be: the key has 32 bytes
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block) // the only one that FIPS 140-only mode allows
	if err != nil {
		panic("xaes: " + err.Error()) // cannot be: the cipher is AES
	}
	return gcm
}
