// Package token makes, seals and opens the tokens that clients carry (docs/format.md, sections 4 to
// 6).
package token

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/sojourn-go/sojourn/store"
)

// Sealer is the root package's.
type Sealer interface {
	Seal(dst, plaintext, associatedData []byte) ([]byte, error)
	Open(dst, sealed, associatedData []byte) ([]byte, error)
}

// ErrOpen is the one answer to everything that does not open.
var ErrOpen = errors.New("sojourn: token cannot be opened")

// Credential is what an opened token holds: the secret that names a record, and the tag that routes
// to it.
type Credential struct {
	Secret [32]byte
	Tag    store.Tag
}

// Key is the record's key. The secret cannot be found from it.
func (c *Credential) Key() store.Key { return store.Key{Tag: c.Tag, ID: store.IDOf(&c.Secret)} }

// New has 256 random bits. user "" gets a random tag, so that anonymous sessions spread over all
// partitions.
func New(user string) (c Credential) {
	rand.Read(c.Secret[:])
	if user == "" {
		rand.Read(c.Tag[:])
	} else {
		c.Tag = store.TagOf(user)
	}
	return c
}

// Successor derives the credential that replaces c at a renewal. Whoever holds the old token can
// follow the nonce that the old record keeps for the grace time; the store alone cannot, since it
// never has the old secret.
func (c *Credential) Successor(nonce []byte) Credential {
	mac := hmac.New(sha256.New, c.Secret[:])
	mac.Write([]byte("sojourn successor v1\x00"))
	mac.Write(nonce)
	next := Credential{Tag: c.Tag}
	mac.Sum(next.Secret[:0])
	return next
}

// Version is the first byte of everything that is sealed for a client.
const Version = 1

// MaxLen is the longest token that is looked at, in bytes, whatever its Sealer. A KeyRing's has
// 124.
const MaxLen = 1024

const plainLen = 48 // of secret and tag

// Purposes separate what one key seals.
const (
	Cookie = "cookie"
	Bearer = "bearer"
	Sealed = "sealed session"
	CSRF   = "csrf"
	Form   = "form" // a visitor's CSRF token
)

// AAD is the associated data that binds sealed bytes to their use.
func AAD(purpose, manager, name string) []byte {
	return fmt.Appendf(nil, "sojourn v%d\x00%s\x00%s\x00%s", Version, purpose, manager, name)
}

// Encoding is how sealed bytes become text. To decode, use [AppendDecode].
var Encoding = base64.RawURLEncoding.Strict()

// AppendDecode decodes exactly what Encoding encodes and appends it to dst. Package base64 skips
// line ends, even where it is strict. Errors: those of base64, [ErrOpen].
func AppendDecode(dst []byte, text string) ([]byte, error) {
	if strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\r') >= 0 {
		return nil, ErrOpen
	}
	return Encoding.AppendDecode(dst, []byte(text))
}

// Seal returns the text that the client gets. Errors: the Sealer's.
func Seal(k Sealer, aad []byte, c *Credential) (string, error) {
	var plain [plainLen]byte
	copy(plain[:], c.Secret[:])
	copy(plain[32:], c.Tag[:])
	var buf [96]byte
	buf[0] = Version
	sealed, err := k.Seal(buf[:1], plain[:], aad)
	if err != nil {
		return "", fmt.Errorf("sojourn: seal token: %w", err)
	}
	return Encoding.EncodeToString(sealed), nil
}

// Open checks a received token. It does no I/O with a KeyRing. Errors: [ErrOpen], and the Sealer's
// own where it cannot be reached: [store.ErrUnavailable].
func Open(k Sealer, aad []byte, text string) (c Credential, err error) {
	if len(text) == 0 || len(text) > MaxLen {
		return c, ErrOpen
	}
	var buf [128]byte
	raw, err := AppendDecode(buf[:0], text)
	if err != nil || len(raw) == 0 || raw[0] != Version {
		return c, ErrOpen
	}
	var pbuf [plainLen]byte
	plain, err := k.Open(pbuf[:0], raw[1:], aad)
	if errors.Is(err, store.ErrUnavailable) {
		return c, err // nobody can tell
	}
	if err != nil {
		return c, ErrOpen
	}
	if len(plain) != plainLen {
		return c, ErrOpen
	}
	copy(c.Secret[:], plain)
	copy(c.Tag[:], plain[32:])
	return c, nil
}
