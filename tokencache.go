package sojourn

import (
	"crypto/sha256"
	"sync/atomic"

	"github.com/sojourn-go/sojourn/store"
)

// tokenCache remembers the keys of records that tokens have led to, because opening a token costs
// more than all else that a read does. It is no cache of sessions: each request
// reads the record, so what was ended stays ended. Entries never go stale, since a token opens to the same
// credential for as long as its manager lives (a [KeyRing] is immutable; no other Sealer is cached).
//
// It holds hashes only: of a token's text, and of its secret, as stores do. What was added was opened or sealed before, and a text
// is known by all of its SHA-256, so nothing is accepted that would not open, and the time of a look-up says nothing
// about how close a guess is.
//
// It is a table of a fixed number of sets of four entries, without locks; a full set loses one at random. It grows
// to 1.5 MB at most, and is made when the first token comes.
type tokenCache struct {
	table atomic.Pointer[[cacheSets][cacheWays]atomic.Pointer[knownToken]]
}

const (
	cacheSets = 4096
	cacheWays = 4
)

type knownToken struct {
	sum [sha256.Size]byte
	key store.Key
}

// maxCachedToken is the longest text that is looked up; a KeyRing's have 124.
const maxCachedToken = 160

// tokenSum hashes a text of at most maxCachedToken bytes, on the stack.
func tokenSum(text string) [sha256.Size]byte {
	var buf [maxCachedToken]byte
	return sha256.Sum256(buf[:copy(buf[:], text)])
}

// set gives the place of a hash, which is random enough to pick one by.
func (c *tokenCache) set(sum *[sha256.Size]byte) *[cacheWays]atomic.Pointer[knownToken] {
	t := c.table.Load()
	if t == nil {
		return nil
	}
	return &t[(int(sum[0])<<8|int(sum[1]))%cacheSets]
}

func (c *tokenCache) find(sum *[sha256.Size]byte) *knownToken {
	set := c.set(sum)
	if set == nil {
		return nil
	}
	for i := range set {
		if k := set[i].Load(); k != nil && k.sum == *sum {
			return k
		}
	}
	return nil
}

func (c *tokenCache) add(sum *[sha256.Size]byte, key store.Key) {
	if c.table.Load() == nil {
		c.table.CompareAndSwap(nil, new([cacheSets][cacheWays]atomic.Pointer[knownToken]))
	}
	k := &knownToken{*sum, key}
	set := c.set(sum)
	for i := range set {
		if set[i].CompareAndSwap(nil, k) {
			return
		}
	}
	set[sum[2]%cacheWays].Store(k)
}

// pass is what a genuine token gives.
type pass struct {
	key      store.Key
	cred     credential // but for its secret, where unopened is not empty
	unopened string     // the text of a token whose secret nobody has needed yet
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
		sum = tokenSum(text)
		if k := cache.find(&sum); k != nil {
			return pass{k.key, credential{tag: k.key.Tag}, text}, true
		}
	}
	cred, err := openToken(m.keys, aad, text)
	if err != nil {
		return pass{}, false
	}
	p = pass{key: cred.key(), cred: cred}
	if cached {
		cache.add(&sum, p.key)
	}
	return p, true
}

func (m *Manager) caches(text string) bool {
	_, ring := m.keys.(*KeyRing)
	return ring && len(text) <= maxCachedToken
}

// issued remembers the cookie's token that was just sealed: it will come back soon.
func (m *Manager) issued(text string, key store.Key) {
	if m.caches(text) {
		sum := tokenSum(text)
		m.known.cookie.add(&sum, key)
	}
}

// credential gives the session's credential with its secret.
func (s *Session) credential() *credential {
	if s.unopened != "" {
		aad := s.m.aad.cookie
		if s.got.from == fromBearer {
			aad = s.m.aad.bearer
		}
		cred, err := openToken(s.m.keys, aad, s.unopened)
		if err != nil {
			panic("sojourn: a token opens no more") // cannot be: it did, and keys do not change
		}
		s.hold(cred)
	}
	return &s.cred
}

// hold makes c the session's credential.
func (s *Session) hold(c credential) { s.cred, s.unopened = c, "" }
