package sojourn

import (
	"errors"
	"fmt"
	"log/slog"
)

// Token is the secret that a client carries. It prints as "[token]" everywhere; Reveal gives its
// text.
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
