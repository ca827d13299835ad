package sojourn

import (
	"crypto/sha256"

	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/store"
)

// A ticket is what an opened token gives: the key of a record, and the secret behind it.
type ticket struct {
	key store.Key
	secret
}

// A secret is what only the client has of a session, and what renewals need.
type secret struct {
	bytes  [32]byte
	text   string // not empty: the token's text, whose secret nobody has needed yet
	bearer bool
}

func newTicket(c token.Credential) ticket {
	return ticket{key: c.Key(), secret: secret{bytes: c.Secret}}
}

// ticket is the one of the session that is held.
func (s *Session) ticket() ticket { return ticket{s.rec.Key, s.secret} }

// credential opens a ticket.
func (m *Manager) credential(t ticket) token.Credential {
	if t.text == "" {
		return token.Credential{Secret: t.bytes, Tag: t.key.Tag}
	}
	aad := m.aad.cookie
	if t.bearer {
		aad = m.aad.bearer
	}
	cred, err := token.Open(m.keys, aad, t.text)
	if err != nil {
		panic("sojourn: defect: a token opens no more") // it did, and keys do not change
	}
	return cred
}

// successor is the ticket that a renewal with this nonce has led to.
func (m *Manager) successor(t ticket, nonce []byte) ticket {
	cred := m.credential(t)
	next := newTicket(cred.Successor(nonce))
	next.bearer = t.bearer
	return next
}

// openToken checks a received token, of a cookie or of a bearer. Errors: token.Open's.
func (m *Manager) openToken(text string, bearer bool) (t ticket, err error) {
	aad, cache := m.aad.cookie, &m.opened.cookie
	if bearer {
		aad, cache = m.aad.bearer, &m.opened.bearer
	}
	cached := m.caches(text)
	var sum [sha256.Size]byte
	if cached {
		sum = token.Sum(text)
		if key, ok := cache.Find(&sum); ok {
			return ticket{key, secret{text: text, bearer: bearer}}, nil
		}
	}
	cred, err := token.Open(m.keys, aad, text)
	if err != nil {
		return ticket{}, err
	}
	t = newTicket(cred)
	t.bearer = bearer
	if cached {
		cache.Add(&sum, t.key)
	}
	return t, nil
}

// caches reports whether opened tokens are remembered. A foreign Sealer's keys may change.
func (m *Manager) caches(text string) bool {
	_, ring := m.keys.(*KeyRing)
	return ring && len(text) <= token.MaxCached
}

// sealBearer returns a bearer token, with its prefix.
func (m *Manager) sealBearer(t ticket) (string, error) {
	cred := m.credential(t)
	text, err := token.Seal(m.keys, m.aad.bearer, &cred)
	return m.opts.Bearer.Prefix + text, err
}

// sealToken returns the text of a cookie's token, and remembers it: it will come back soon.
func (m *Manager) sealToken(t ticket) (string, error) {
	cred := m.credential(t)
	text, err := token.Seal(m.keys, m.aad.cookie, &cred)
	if err == nil && m.caches(text) {
		sum := token.Sum(text)
		m.opened.cookie.Add(&sum, t.key)
	}
	return text, err
}
