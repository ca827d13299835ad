package sojourn

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/sojourn-go/sojourn/store"
)

// Token is the secret that a client carries. It prints as "[token]" everywhere;
// Reveal gives its text.
type Token struct {
	text *string // behind a pointer: fmt calls no methods on unexported fields of a struct that holds a Token
}

func newToken(text string) Token { return Token{&text} }

// Reveal returns the token's text, to be sent to the client and nowhere else.
func (t Token) Reveal() string {
	if t.text == nil {
		return ""
	}
	return *t.text
}

// IsZero tells that there is no token.
func (t Token) IsZero() bool { return t.text == nil }

const redacted = "[token]"

// String hides the token.
func (t Token) String() string { return redacted }

// Format hides the token under every verb.
func (t Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue hides the token from slog.
func (t Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the token from JSON and other encoders.
func (t Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// GobEncode fails: a token is not for storing.
func (t Token) GobEncode() ([]byte, error) {
	return nil, errors.New("sojourn: a Token cannot be encoded")
}

// credential is what an opened token holds: the secret that names a record, and
// the tag that routes to it.
type credential struct {
	secret [32]byte
	tag    store.Tag
}

func (c *credential) key() store.Key { return store.Key{Tag: c.tag, ID: store.IDOf(&c.secret)} }

// newCredential has 256 random bits. user "" gets a random tag, so that
// anonymous sessions spread over all partitions.
func newCredential(user string) (c credential) {
	rand.Read(c.secret[:])
	if user == "" {
		rand.Read(c.tag[:])
	} else {
		c.tag = store.TagOf(user)
	}
	return c
}

// successor derives the credential that replaces c at a renewal. Whoever holds the old
// token can follow the nonce that the old record keeps for the grace
// time; the store alone cannot, since it never has the old secret.
func (c *credential) successor(nonce []byte) credential {
	mac := hmac.New(sha256.New, c.secret[:])
	mac.Write([]byte("sojourn successor v1\x00"))
	mac.Write(nonce)
	next := credential{tag: c.tag}
	mac.Sum(next.secret[:0])
	return next
}

const (
	tokenVersion = 1
	tokenPlain   = 48
	maxToken     = 1024 // bytes of a received token, whatever its Sealer; a KeyRing's has 124
)

// purposes separate what one key seals.
const (
	purposeCookie = "cookie"
	purposeBearer = "bearer"
	purposeSealed = "sealed session"
)

// sealAAD is the associated data that binds sealed bytes to their use.
func sealAAD(purpose, manager, name string) []byte {
	return fmt.Appendf(nil, "sojourn v%d\x00%s\x00%s\x00%s", tokenVersion, purpose, manager, name)
}

var tokenEncoding = base64.RawURLEncoding.Strict()

// appendDecode decodes exactly what tokenEncoding encodes. Package base64 skips line ends, even
// where it is strict.
func appendDecode(dst []byte, text string) ([]byte, error) {
	if strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\r') >= 0 {
		return nil, errOpen
	}
	return tokenEncoding.AppendDecode(dst, []byte(text))
}

// sealToken gives the text that the client gets.
func sealToken(k Sealer, aad []byte, c *credential) (string, error) {
	var plain [tokenPlain]byte
	copy(plain[:], c.secret[:])
	copy(plain[32:], c.tag[:])
	var buf [96]byte
	buf[0] = tokenVersion
	sealed, err := k.Seal(buf[:1], plain[:], aad)
	if err != nil {
		return "", fmt.Errorf("sojourn: seal token: %w", err)
	}
	return tokenEncoding.EncodeToString(sealed), nil
}

// openToken checks a received token; every failure is errOpen. It does no I/O with a KeyRing.
func openToken(k Sealer, aad []byte, text string) (c credential, err error) {
	if len(text) == 0 || len(text) > maxToken {
		return c, errOpen
	}
	var buf [128]byte
	raw, err := appendDecode(buf[:0], text)
	if err != nil || len(raw) == 0 || raw[0] != tokenVersion {
		return c, errOpen
	}
	var pbuf [tokenPlain]byte
	plain, err := k.Open(pbuf[:0], raw[1:], aad)
	if err != nil || len(plain) != tokenPlain {
		return c, errOpen
	}
	copy(c.secret[:], plain)
	copy(c.tag[:], plain[32:])
	return c, nil
}
