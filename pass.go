package sojourn

import (
	"crypto/sha256"

	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/store"
)

// pass is what a genuine token gives.
type pass struct {
	key      store.Key
	cred     token.Credential // but for its secret, where unopened is not empty
	unopened string           // the text of a token whose secret nobody has needed yet
}

// open checks a received token, of a cookie or of a bearer.
func (m *Manager) open(text string, bearer bool) (p pass, ok bool) {
	aad, cache := m.aad.cookie, &m.known.cookie
	if bearer {
		aad, cache = m.aad.bearer, &m.known.bearer
	}
	cached := m.caches(text)
	var sum [sha256.Size]byte
	if cached {
		sum = token.Sum(text)
		if key, ok := cache.Find(&sum); ok {
			return pass{key, token.Credential{Tag: key.Tag}, text}, true
		}
	}
	cred, err := token.Open(m.keys, aad, text)
	if err != nil {
		return pass{}, false
	}
	p = pass{key: cred.Key(), cred: cred}
	if cached {
		cache.Add(&sum, p.key)
	}
	return p, true
}

// caches reports whether keys of the text are remembered: what a foreign Sealer opens is its own
// affair each time, since its keys may change.
func (m *Manager) caches(text string) bool {
	_, ring := m.keys.(*KeyRing)
	return ring && len(text) <= token.MaxCached
}

// issued remembers the cookie's token that was just sealed: it will come back soon.
func (m *Manager) issued(text string, key store.Key) {
	if m.caches(text) {
		sum := token.Sum(text)
		m.known.cookie.Add(&sum, key)
	}
}

// credential gives the session's credential with its secret.
func (s *Session) credential() *token.Credential {
	if s.unopened != "" {
		aad := s.m.aad.cookie
		if s.got.from == fromBearer {
			aad = s.m.aad.bearer
		}
		cred, err := token.Open(s.m.keys, aad, s.unopened)
		if err != nil {
			panic("sojourn: a token opens no more") // cannot be: it did, and keys do not change
		}
		s.hold(cred)
	}
	return &s.cred
}

// hold makes c the session's credential.
func (s *Session) hold(c token.Credential) { s.cred, s.unopened = c, "" }
