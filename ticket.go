package sojourn

import (
	"crypto/sha256"

	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/store"
)

// A ticket is what an opened token gives: the key of a record, and the secret behind it, which only
// renewals need.
type ticket struct {
	key    store.Key
	cred   token.Credential // but for its secret, where text is not empty
	text   string           // of a token whose secret nobody has needed yet
	bearer bool
}

func newTicket(c token.Credential) ticket { return ticket{key: c.Key(), cred: c} }

// credential opens a ticket's secret.
func (m *Manager) credential(t *ticket) *token.Credential {
	if t.text != "" {
		aad := m.aad.cookie
		if t.bearer {
			aad = m.aad.bearer
		}
		cred, err := token.Open(m.keys, aad, t.text)
		if err != nil {
			panic("sojourn: defect: a token opens no more") // it did, and keys do not change
		}
		t.cred, t.text = cred, ""
	}
	return &t.cred
}

// successor is the ticket that a renewal with this nonce has led to.
func (m *Manager) successor(t *ticket, nonce []byte) ticket {
	next := newTicket(m.credential(t).Successor(nonce))
	next.bearer = t.bearer
	return next
}

// openToken checks a received token, of a cookie or of a bearer.
func (m *Manager) openToken(text string, bearer bool) (t ticket, ok bool) {
	aad, cache := m.aad.cookie, &m.opened.cookie
	if bearer {
		aad, cache = m.aad.bearer, &m.opened.bearer
	}
	cached := m.caches(text)
	var sum [sha256.Size]byte
	if cached {
		sum = token.Sum(text)
		if key, ok := cache.Find(&sum); ok {
			return ticket{key, token.Credential{Tag: key.Tag}, text, bearer}, true
		}
	}
	cred, err := token.Open(m.keys, aad, text)
	if err != nil {
		return ticket{}, false
	}
	t = newTicket(cred)
	t.bearer = bearer
	if cached {
		cache.Add(&sum, t.key)
	}
	return t, true
}

// caches reports whether opened tokens are remembered. A foreign Sealer's keys may change.
func (m *Manager) caches(text string) bool {
	_, ring := m.keys.(*KeyRing)
	return ring && len(text) <= token.MaxCached
}

// sealToken returns the text of a cookie's token, and remembers it: it will come back soon.
func (m *Manager) sealToken(t *ticket) (string, error) {
	text, err := token.Seal(m.keys, m.aad.cookie, m.credential(t))
	if err == nil && m.caches(text) {
		sum := token.Sum(text)
		m.opened.cookie.Add(&sum, t.key)
	}
	return text, err
}
