package sojourn

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn/internal/cookie"
	"github.com/sojourn-go/sojourn/internal/sealed"
	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/store"
)

// SealedOptions configure sessions that live in an encrypted cookie.
type SealedOptions struct {
	// Store keeps one small record, without data, for each signed-in session. It must be there for
	// the cookie to count: that is what makes sign-out, revocation, listing and limits work as they
	// do for stored sessions. Processes that share the sessions share it, too: where the record is
	// in another process's memory, or was lost with it, nobody is signed in.
	Store store.Store
	// AcceptReplayUntilExpiry says that no Store is wanted: a copy of the cookie then opens the
	// session until it expires, sign-out or not (OWASP ASVS 7.4.1).
	AcceptReplayUntilExpiry bool
	// Chunks is how many cookies of 4096 bytes a session may spread over, 1 to 4. 0 means 1. Many
	// servers and proxies stop at 8 KiB of header in all.
	Chunks int
}

// NewSealed makes a manager whose sessions are kept by the browser, encrypted and authenticated,
// with the API of [New]. What differs: data are bounded by the cookie's size ([ErrTooLarge] when a
// value is set), of two overlapping requests the last response wins, and an old copy of the cookie
// brings its old data back, so keep no counters or one-time codes in it. Errors: [ErrOptions].
func NewSealed(sealed *SealedOptions, opts *Options) (*Manager, error) {
	so := SealedOptions{}
	if sealed != nil {
		so = *sealed
	}
	if so.Chunks == 0 {
		so.Chunks = 1
	}
	if so.Chunks < 1 || so.Chunks > cookie.MaxChunks {
		return nil, bad("SealedOptions.Chunks %d is not within 1 and %d", so.Chunks, cookie.MaxChunks)
	}
	if (so.Store == nil) != so.AcceptReplayUntilExpiry {
		return nil, bad("sealed sessions need a Store to be revocable, or else AcceptReplayUntilExpiry: set exactly one")
	}
	if opts != nil && (opts.Bearer != nil || opts.Custom != nil) {
		return nil, bad("sealed sessions travel in a cookie only: drop Bearer and Custom, or make a second manager for them")
	}
	if opts != nil && opts.MaxSessions > 0 && so.Store == nil {
		return nil, bad("MaxSessions counts sessions in a store: set SealedOptions.Store, or drop it")
	}
	return newManager(so.Store, &so, opts)
}

var errTooLong = fmt.Errorf("%w for its cookie", ErrTooLarge)

// sealedRoom is how much data fits into the cookie of rec.
func (m *Manager) sealedRoom(rec *store.Record) int {
	return sealed.Room(m.sealed.Chunks*m.jar.Room(), rec)
}

// openSealed opens the text of a sealed session.
func (m *Manager) openSealed(text string, aad []byte) (c candidate, err error) {
	raw, err := token.AppendDecode(nil, text)
	if err != nil || len(raw) == 0 || raw[0] != token.Version {
		return c, token.ErrOpen
	}
	plain, err := m.keys.Open(nil, raw[1:], aad)
	if err != nil {
		return c, err
	}
	cred, _, err := sealed.Decode(plain)
	return candidate{newTicket(cred), plain}, err
}

// writeSealed sends the session, all of it or nothing.
func (s *Session) writeSealed(h http.Header, life time.Duration) error {
	m := s.m
	rec := s.sealed.rec
	cred := m.credential(s.ticket())
	raw, err := m.keys.Seal([]byte{token.Version}, sealed.Encode(&cred, &rec), m.aad.sealed)
	if err != nil {
		return s.sealFailed("seal session", err)
	}
	n := m.jar.SetChunks(h, m.https(s.r), token.Encoding.EncodeToString(raw), m.sealed.Chunks, life)
	if n == 0 {
		return errTooLong
	}
	s.removeChunks(h, n)
	s.got.chunks = max(s.got.chunks, uint8(n)) // for the next change of this request
	return nil
}

// removeChunks takes cookies away that a longer session has left.
func (s *Session) removeChunks(h http.Header, from int) {
	came := s.m.jar.Chunks(s.r.Header)
	s.m.jar.RemoveChunks(h, s.m.https(s.r), from, max(came, int(s.got.chunks)))
}

// sealedStore is the store of one request to a sealed session: the record that the cookie brought,
// and beside it the presence records that make it revocable. Its clock is this node's.
type sealedStore struct {
	m        *Manager
	presence store.Store // nil with AcceptReplayUntilExpiry
	live     bool
	rec      store.Record
	version  uint64        // of the presence record
	unused   time.Duration // for how long it had not been used when it was read
	read     instant       // when that was; 0 = never
	next     *store.Record // of a rotation whose answer may have been lost
}

var _ store.Store = (*sealedStore)(nil)

func newSealedStore(m *Manager, plain []byte) *sealedStore {
	st := &sealedStore{m: m, presence: m.store}
	_, rec, err := sealed.Decode(plain) // nil holds none
	st.rec, st.live = rec, err == nil
	return st
}

func (st *sealedStore) hasPresence(rec *store.Record) bool {
	return st.presence != nil && rec.User != ""
}

// present returns the record that stands for rec in the presence store.
func present(rec store.Record) store.Record {
	rec.Data = nil
	return rec
}

func (st *sealedStore) Create(ctx context.Context, rec store.Record, adm store.Admission) (got store.Admitted, err error) {
	if err := store.Check(&rec); err != nil {
		return got, err
	}
	if len(rec.Data) > st.m.sealedRoom(&rec) {
		return got, errTooLong
	}
	got.Now = time.Now()
	now := got.Now
	if st.hasPresence(&rec) {
		if got, err = st.presence.Create(ctx, present(rec), adm); err != nil {
			return got, err
		}
	}
	rec.Version, rec.Created, rec.Seen = 1, now, now
	st.rec, st.live, st.version = rec, true, 1
	return got, nil
}

// Get answers for the session's own key, and for that of its last rotation. At a key that the
// session has left it returns the presence store's mark.
func (st *sealedStore) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	now := time.Now()
	rec := &st.rec
	if st.next != nil && key == st.next.Key {
		rec = st.next
	}
	if !st.live || rec.Key != key || !rec.Live(now) {
		return store.Record{}, now, store.ErrNotFound
	}
	if st.hasPresence(rec) {
		p, err := st.readPresence(ctx, key)
		if err != nil {
			return store.Record{}, now, err
		}
		if p.User == "" {
			return p, now, nil
		}
		if p.User != rec.User {
			return store.Record{}, now, store.ErrNotFound
		}
		st.version = p.Version
	}
	st.rec = *rec
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
	if err := st.touchPresence(ctx, &rec); err != nil {
		return err
	}
	if rec.Seen.IsZero() {
		rec.Seen = now
	}
	rec.Handle, rec.User, rec.Created, rec.Version = st.rec.Handle, st.rec.User, st.rec.Created, ifVersion+1
	st.rec, st.live = rec, rec.Live(now)
	return nil
}

// touchPresence keeps the presence record alive as long as the cookie, and finds out whether it was
// revoked meanwhile.
func (st *sealedStore) touchPresence(ctx context.Context, rec *store.Record) error {
	switch {
	case !st.hasPresence(&st.rec):
		return nil
	case rec.Idle == st.rec.Idle && rec.Lifetime == st.rec.Lifetime:
		return st.stillPresent(ctx, rec, st.m.opts.TouchEvery)
	}
	err := st.presence.Update(ctx, present(*rec), st.version)
	if err == nil {
		st.version++
	}
	return err
}

// stillPresent touches the presence record of rec where that is due, and then makes sure that it is
// that: where the session has moved on there is a mark, which can be touched as well.
func (st *sealedStore) stillPresent(ctx context.Context, rec *store.Record, every time.Duration) error {
	if st.read == 0 || st.unused+st.read.ago() >= every {
		if err := st.presence.Touch(ctx, present(*rec), every); err != nil {
			return err
		}
	}
	p, err := st.readPresence(ctx, rec.Key)
	if err == nil && p.User != rec.User {
		err = store.ErrConflict // reading the session again meets the mark
	}
	return err
}

func (st *sealedStore) readPresence(ctx context.Context, key store.Key) (store.Record, error) {
	p, now, err := st.presence.Get(ctx, key)
	if err == nil {
		st.unused, st.read = now.Sub(p.Seen), sinceStart()
	}
	return p, err
}

func (st *sealedStore) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	if !st.live || st.rec.Key != rec.Key {
		return store.ErrNotFound
	}
	if st.hasPresence(&st.rec) {
		if err := st.stillPresent(ctx, &st.rec, every); err != nil {
			return err
		}
	}
	st.rec.Seen = time.Now()
	return nil
}

func (st *sealedStore) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	switch {
	case !st.live || st.rec.Key != old:
		return store.ErrNotFound
	case st.rec.Version != ifVersion:
		return store.ErrConflict
	case len(rec.Data) > st.m.sealedRoom(&rec):
		return errTooLong
	}
	now := time.Now()
	next := rec
	if next.Version = ifVersion + 1; rec.Created.IsZero() {
		next.Created = now
	}
	if rec.Seen.IsZero() {
		next.Seen = now
	}
	st.next = &next
	if st.hasPresence(&st.rec) {
		if err := st.presence.Rotate(ctx, old, st.version, present(rec), tail); err != nil {
			return err
		}
		st.version++
		st.read = 0
	}
	st.rec, st.live = next, next.Live(now)
	return nil
}

func (st *sealedStore) Delete(ctx context.Context, key store.Key) error {
	if st.rec.Key == key {
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

// Traits are those of the presence store.
func (st *sealedStore) Traits() store.Traits { return st.m.traits }

// The Manager lists, watches and sweeps the presence store itself.
func (st *sealedStore) User(context.Context, string) iter.Seq2[store.Record, error] {
	return unsupported
}
func (st *sealedStore) All(context.Context) iter.Seq2[store.Record, error] { return unsupported }
func (st *sealedStore) Sweep(context.Context, int) (int, error)            { return 0, errors.ErrUnsupported }
func (st *sealedStore) Watch(context.Context, func(store.Ending)) error    { return errors.ErrUnsupported }

func unsupported(yield func(store.Record, error) bool) { yield(store.Record{}, errors.ErrUnsupported) }
