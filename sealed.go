package sojourn

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// SealedOptions configure sessions that live in an encrypted cookie.
type SealedOptions struct {
	// Store keeps one small record, without data, for each signed-in session. It must be there
	// for the cookie to count: that is what makes sign-out, revocation,
	// listing and limits work as they do for stored sessions.
	Store store.Store
	// AcceptReplayUntilExpiry says that no Store is wanted: a copy of the cookie then opens
	// the session until it expires, sign-out or not (OWASP ASVS 7.4.1).
	AcceptReplayUntilExpiry bool
	// Chunks is how many cookies of 4096 bytes a session may spread over, 1 to 4. 0 means
	// 1. Many servers and proxies stop at 8 KiB of header in all.
	Chunks int
}

// NewSealed makes a manager whose sessions are kept by the browser, encrypted and
// authenticated, with the API of [New]. What differs: data are bounded by the cookie's size
// ([ErrTooLarge] when a value is set), of two overlapping requests the last response wins, and an old copy of
// the cookie brings its old data back, so keep no counters or one-time codes in it.
// Errors: [ErrOptions].
func NewSealed(sealed *SealedOptions, opts *Options) (*Manager, error) {
	so := SealedOptions{}
	if sealed != nil {
		so = *sealed
	}
	if so.Chunks == 0 {
		so.Chunks = 1
	}
	if so.Chunks < 1 || so.Chunks > maxCandidates {
		return nil, bad("SealedOptions.Chunks %d is not within 1 and %d", so.Chunks, maxCandidates)
	}
	if (so.Store == nil) != so.AcceptReplayUntilExpiry {
		return nil, bad("sealed sessions need a Store to be revocable, or else AcceptReplayUntilExpiry: set exactly one")
	}
	if opts != nil && (opts.Bearer != nil || opts.Custom != nil) {
		return nil, bad("sealed sessions travel in a cookie only: drop Bearer and Custom, or make a second manager for them")
	}
	return newManager(so.Store, &so, opts)
}

// The sealed session (docs/format.md): fixed fields, three length-prefixed ones, and padding
// to a multiple of sealedBlock that hides their exact lengths.
const (
	sealedVersion = 1
	sealedBlock   = 64
	sealedFixed   = 1 + 32 + 16 + 16 + 5*8
	sealOverhead  = 1 + 4 + 24 + 16 // version, key id, nonce, tag; a foreign Sealer is measured when it writes
)

var errTooLong = fmt.Errorf("%w for its cookie", ErrTooLarge)

func encodeSealed(c *credential, rec *store.Record) []byte {
	b := make([]byte, 0, sealedFixed+len(rec.User)+len(rec.Meta)+len(rec.Data)+2*sealedBlock)
	b = append(b, sealedVersion)
	b = append(b, c.secret[:]...)
	b = append(b, c.tag[:]...)
	b = append(b, rec.Handle[:]...)
	for _, n := range []int64{int64(rec.Version), rec.Created.UnixNano(), rec.Seen.UnixNano(), int64(rec.Idle), int64(rec.Lifetime)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, f := range []string{rec.User, string(rec.Meta), string(rec.Data)} {
		b = binary.AppendUvarint(b, uint64(len(f)))
		b = append(b, f...)
	}
	b = append(b, 0x80) // ISO/IEC 7816-4 padding
	for len(b)%sealedBlock != 0 {
		b = append(b, 0)
	}
	return b
}

// decodeSealed reads what encodeSealed wrote, and nothing else.
func decodeSealed(b []byte) (c credential, rec store.Record, err error) {
	fail := func() (credential, store.Record, error) { return credential{}, store.Record{}, errOpen }
	if len(b) < sealedFixed || len(b)%sealedBlock != 0 || b[0] != sealedVersion {
		return fail()
	}
	b = b[1:]
	b = b[copy(c.secret[:], b):]
	b = b[copy(c.tag[:], b):]
	b = b[copy(rec.Handle[:], b):]
	var n [5]int64
	for i := range n {
		n[i] = int64(binary.BigEndian.Uint64(b))
		b = b[8:]
	}
	rec.Version, rec.Idle, rec.Lifetime = uint64(n[0]), time.Duration(n[3]), time.Duration(n[4])
	rec.Created, rec.Seen = time.Unix(0, n[1]), time.Unix(0, n[2])
	var fields [3][]byte
	for i := range fields {
		var ok bool
		if fields[i], b, ok = next(b); !ok {
			return fail()
		}
	}
	if len(b) == 0 || len(b) > sealedBlock || strings.TrimRight(string(b), "\x00") != "\x80" {
		return fail()
	}
	rec.Key, rec.User = c.key(), string(fields[0])
	rec.Writer = store.Writer{1} // not in the cookie, which nobody else writes
	rec.Meta, rec.Data = fields[1], fields[2]
	if rec.Idle < 0 || rec.Lifetime < 0 || store.Check(&rec) != nil {
		return fail()
	}
	return c, rec, nil
}

// chunkRoom is how many characters of one cookie's value are ours: name, "=" aside, and value share
// the limit; ".3" is the longest chunk's name suffix, "4." the count before the first.
func (m *Manager) chunkRoom() int { return maxCookieBytes - len(m.jar.name) - 4 }

// sealedRoom is how much data fits into the cookie of rec.
func (m *Manager) sealedRoom(rec *store.Record) int {
	raw := m.sealed.Chunks*m.chunkRoom()*3/4 - sealOverhead
	plain := raw - raw%sealedBlock
	const lengths, padding, metaGrowth = 2 + 2 + 3, 1, 24
	return plain - sealedFixed - lengths - padding - metaGrowth - len(rec.User) - len(rec.Meta)
}

// receiveSealed opens the session's cookie or cookies.
func (m *Manager) receiveSealed(r *http.Request, got *received) {
	var values [maxCandidates]string
	for i := 1; i < maxCandidates && len(r.Header["Cookie"]) > 0; i++ {
		if cookieValues(r.Header, m.chunkName(i), &values) > 0 {
			got.chunks = i + 1
		}
	}
	n := cookieValues(r.Header, m.jar.name, &values)
	if n == 0 {
		return
	}
	got.from, got.reissue = fromCookie, n > 1
	if n > maxCandidates {
		return
	}
	last := ""
	for _, v := range values[:n] {
		text, ok := m.joinChunks(r, v)
		if !ok || text == last {
			continue
		}
		plain, err := m.openSealed(text)
		if err != nil {
			continue
		}
		if got.genuine {
			got.genuine, got.sealed = false, nil
			return // two genuine ones: no telling which the user meant
		}
		got.cred, _, err = decodeSealed(plain)
		got.key = got.cred.key()
		got.sealed, got.genuine, last = plain, err == nil, text
	}
}

func (m *Manager) chunkName(i int) string { return m.jar.name + "." + strconv.Itoa(i) }

// joinChunks puts the parts of a sealed session together; the seal tells whether they belong together.
func (m *Manager) joinChunks(r *http.Request, first string) (string, bool) {
	count, text, chunked := strings.Cut(first, ".")
	if !chunked {
		return first, true
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 2 || n > m.sealed.Chunks || count != strconv.Itoa(n) {
		return "", false
	}
	for i := 1; i < n; i++ {
		var values [maxCandidates]string
		// All are full but the last, so that there is one way to spell a session.
		if len(text) != i*m.chunkRoom() || cookieValues(r.Header, m.chunkName(i), &values) != 1 || values[0] == "" {
			return "", false
		}
		text += values[0]
	}
	return text, true
}

func (m *Manager) openSealed(text string) ([]byte, error) {
	if len(text) > m.sealed.Chunks*maxCookieBytes {
		return nil, errOpen
	}
	raw, err := appendDecode(nil, text)
	if err != nil || len(raw) == 0 || raw[0] != tokenVersion {
		return nil, errOpen
	}
	return m.keys.Open(nil, raw[1:], m.aad.sealed)
}

// writeSealed sends the session, all of it or nothing.
func (s *Session) writeSealed(h http.Header, life time.Duration) error {
	m := s.m
	rec := s.st.(*sealedStore).rec
	sealed, err := m.keys.Seal([]byte{tokenVersion}, encodeSealed(s.credential(), &rec), m.aad.sealed)
	if err != nil {
		return fmt.Errorf("sojourn: seal session: %w", err)
	}
	text := tokenEncoding.EncodeToString(sealed)
	room := m.chunkRoom()
	n := (len(text) + room - 1) / room
	if n > m.sealed.Chunks {
		return errTooLong
	}
	https := m.https(s.r)
	if n == 1 {
		m.jar.set(h, https, m.jar.name, text, life)
	} else {
		m.jar.set(h, https, m.jar.name, strconv.Itoa(n)+"."+text[:room], life)
		for i := 1; i < n; i++ {
			m.jar.set(h, https, m.chunkName(i), text[i*room:min(len(text), (i+1)*room)], life)
		}
	}
	s.removeChunks(h, n)
	s.got.chunks = max(s.got.chunks, n) // for the next change of this request
	return nil
}

// removeChunks takes cookies away that a longer session has left.
func (s *Session) removeChunks(h http.Header, from int) {
	for i := from; i < s.got.chunks; i++ {
		s.m.jar.set(h, s.m.https(s.r), s.m.chunkName(i), "", expireLength)
	}
}

// sealedStore is the store of one request to a sealed session: the record that the cookie
// brought, and beside it the presence records that make it revocable. Its clock is this node's.
type sealedStore struct {
	m        *Manager
	presence store.Store // nil with AcceptReplayUntilExpiry
	live     bool
	rec      store.Record
	version  uint64 // of the presence record
}

var _ store.Store = (*sealedStore)(nil)

func newSealedStore(m *Manager, plain []byte) *sealedStore {
	st := &sealedStore{m: m, presence: m.store}
	if plain != nil {
		_, rec, err := decodeSealed(plain)
		st.rec, st.live = rec, err == nil
	}
	return st
}

func (st *sealedStore) hasPresence(rec *store.Record) bool {
	return st.presence != nil && rec.User != ""
}

// present gives the record that stands for rec in the presence store.
func present(rec store.Record) store.Record {
	rec.Data = nil
	return rec
}

func (st *sealedStore) Traits() store.Traits { return store.Traits{} }

func (st *sealedStore) Watch(context.Context, func(store.Ending)) error { return errors.ErrUnsupported }

func (st *sealedStore) Create(ctx context.Context, rec store.Record, adm store.Admission) (a store.Admitted, err error) {
	if err := store.Check(&rec); err != nil {
		return a, err
	}
	if len(rec.Data) > st.m.sealedRoom(&rec) {
		return a, errTooLong
	}
	now := time.Now()
	a.Now = now
	if st.hasPresence(&rec) {
		if a, err = st.presence.Create(ctx, present(rec), adm); err != nil {
			return a, err
		}
	}
	rec.Version, rec.Created, rec.Seen = 1, now, now
	st.rec, st.live, st.version = rec, true, 1
	return a, nil
}

func (st *sealedStore) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	now := time.Now()
	if !st.live || st.rec.Key != key || !st.rec.Live(now) {
		return store.Record{}, now, store.ErrNotFound
	}
	if st.rec.Seen.After(now.Add(st.m.opts.ClockSkew)) { // it would outlive its idle limit
		return store.Record{}, now, errors.Join(ErrUnavailable, ErrClock)
	}
	if st.hasPresence(&st.rec) {
		p, _, err := st.presence.Get(ctx, key)
		if err != nil {
			return store.Record{}, now, err
		}
		if p.User != st.rec.User {
			return store.Record{}, now, store.ErrNotFound
		}
		st.version = p.Version
	}
	return st.rec, now, nil
}

func (st *sealedStore) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	now := time.Now()
	switch {
	case !st.live || st.rec.Key != rec.Key:
		return store.ErrNotFound
	case st.rec.Version != ifVersion:
		return store.ErrConflict
	case len(rec.Data) > st.m.sealedRoom(&rec):
		return errTooLong
	}
	if err := st.keepPresence(ctx, &rec); err != nil {
		return err
	}
	if rec.Seen.IsZero() {
		rec.Seen = now
	}
	rec.Handle, rec.User, rec.Created, rec.Version = st.rec.Handle, st.rec.User, st.rec.Created, ifVersion+1
	st.rec, st.live = rec, rec.Live(now)
	return nil
}

// keepPresence keeps the presence record alive as long as the cookie, and finds out whether it
// was revoked meanwhile.
func (st *sealedStore) keepPresence(ctx context.Context, rec *store.Record) error {
	if !st.hasPresence(&st.rec) {
		return nil
	}
	if rec.Idle == st.rec.Idle && rec.Lifetime == st.rec.Lifetime {
		return st.presence.Touch(ctx, present(*rec), st.m.opts.TouchEvery)
	}
	err := st.presence.Update(ctx, present(*rec), st.version)
	if err == nil {
		st.version++
	}
	return err
}

func (st *sealedStore) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	if !st.live || st.rec.Key != rec.Key {
		return store.ErrNotFound
	}
	if st.hasPresence(&st.rec) {
		if err := st.presence.Touch(ctx, present(rec), every); err != nil {
			return err
		}
	}
	st.rec.Seen = time.Now()
	return nil
}

func (st *sealedStore) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, _ *store.Record) error {
	if !st.live || st.rec.Key != old {
		return store.ErrNotFound
	}
	if st.rec.Version != ifVersion {
		return store.ErrConflict
	}
	if len(rec.Data) > st.m.sealedRoom(&rec) {
		return errTooLong
	}
	if st.hasPresence(&st.rec) {
		if err := st.presence.Rotate(ctx, old, st.version, present(rec), nil); err != nil {
			return err
		}
		st.version++
	}
	now := time.Now()
	if rec.Created.IsZero() {
		rec.Created = now
	}
	if rec.Seen.IsZero() {
		rec.Seen = now
	}
	rec.Version = ifVersion + 1
	st.rec = rec
	return nil
}

func (st *sealedStore) Delete(ctx context.Context, key store.Key) error {
	if st.live && st.rec.Key == key {
		st.live = false
	}
	if st.presence == nil {
		return nil
	}
	return st.presence.Delete(ctx, key)
}

func (st *sealedStore) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	if st.presence == nil {
		st.live = st.live && !(st.rec.User == user && sel.Picks(st.rec.Handle))
		return store.Revoked{N: 1}, nil
	}
	return st.presence.Revoke(ctx, user, sel)
}

// The Manager lists and sweeps the presence store itself.
func (st *sealedStore) User(context.Context, string) iter.Seq2[store.Record, error] {
	return unsupported
}
func (st *sealedStore) All(context.Context) iter.Seq2[store.Record, error] { return unsupported }
func (st *sealedStore) Sweep(context.Context, int) (int, error)            { return 0, errors.ErrUnsupported }

func unsupported(yield func(store.Record, error) bool) { yield(store.Record{}, errors.ErrUnsupported) }
