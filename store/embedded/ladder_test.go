package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// stage is a driver with one tag of records, which notes the change that it is to carry out.
type stage struct {
	recs    map[byte]store.Record // by the first byte of the ID
	damaged string                // first bytes of the IDs of damaged records
	revoked time.Time
	guard   error // in place of revoked
	change  string
	again   bool // decide twice
}

func (s *stage) Traits() store.Traits        { return store.Traits{} }
func (s *stage) Clock(t time.Time) time.Time { return t }
func (s *stage) Now() time.Time              { return time.Now() }

func (s *stage) Read(_ context.Context, key store.Key, _ bool) (store.Record, error) {
	rec, ok := s.recs[key.ID[0]]
	if !ok {
		return rec, store.ErrNotFound
	}
	return rec, nil
}

func (s *stage) Write(_ context.Context, _ store.Tag, decide func(View) (Change, error)) error {
	c, err := decide(s)
	if s.again {
		time.Sleep(time.Minute) // of waiting for a lock, say
		c, err = decide(s)
	}
	if err != nil {
		return err
	}
	var parts []string
	for _, p := range c.Put {
		old := ""
		if p.Old != nil {
			old = fmt.Sprintf(" over %c%d", p.Old.Key.ID[0], p.Old.Version)
		}
		parts = append(parts, fmt.Sprintf("put %c%d%s", p.Rec.Key.ID[0], p.Rec.Version, old))
	}
	for _, id := range c.Drop {
		parts = append(parts, fmt.Sprintf("drop %c", id[0]))
	}
	if c.Seen != nil {
		parts = append(parts, fmt.Sprintf("seen %c", c.Seen.Key.ID[0]))
	}
	if !c.Revoked.IsZero() {
		parts = append(parts, "guard")
	}
	if c.Seen != nil && c.Waits(store.Durable) {
		parts = append(parts, "and a touch waits")
	}
	if c.Ends() != (len(c.Put) == 0 && c.Seen == nil) {
		parts = append(parts, "and Ends is wrong")
	}
	s.change = strings.Join(parts, ", ")
	return nil
}

func (s *stage) List(context.Context, string, func(*store.Record, error) bool) error { return nil }
func (s *stage) Sweep(context.Context, int) (int, error)                             { return 0, nil }

func (s *stage) Find(id store.ID, rec *store.Record) (found bool, err error) {
	if strings.IndexByte(s.damaged, id[0]) >= 0 {
		return false, store.ErrCorrupt
	}
	*rec, found = s.recs[id[0]]
	return found, nil
}

func (s *stage) Each(_ string, f func(*store.Record, error)) error {
	for id := byte('a'); id <= 'z'; id++ {
		if rec, ok := s.recs[id]; ok {
			f(&rec, nil)
		} else if strings.IndexByte(s.damaged, id) >= 0 {
			f(&store.Record{Key: keyOf(id)}, store.ErrCorrupt)
		}
	}
	return nil
}

func (s *stage) Revoked() (time.Time, error) { return s.revoked, s.guard }

func keyOf(id byte) store.Key { return store.Key{Tag: store.TagOf("ada"), ID: store.ID{id}} }

// The records of the table, all of ada's tag. Their name is the first byte of the ID; their writer
// has the same.
func rec(id byte, version uint64, created time.Duration) store.Record {
	return store.Record{Key: keyOf(id), Handle: store.Handle{id}, User: "ada", Version: version, Writer: store.Writer{id},
		Lifetime: time.Hour, Created: time.Now().Add(-created), Seen: time.Now().Add(-created)}
}

// with stages records: "a1" is one with ID a and Version 1; "A1" the same, expired; "'a1" is a
// tail.
func (s *stage) with(names string) *stage {
	s.recs = map[byte]store.Record{}
	for i, name := range strings.Fields(names) {
		tail := strings.HasPrefix(name, "'")
		name = strings.TrimPrefix(name, "'")
		r := rec(name[0]|0x20, uint64(name[1]-'0'), 30*time.Minute-time.Duration(i)*time.Second)
		if name[0] < 'a' {
			r.Created = r.Created.Add(-time.Hour)
		}
		if tail {
			r.User, r.Writer = "", store.Writer{'t'}
		}
		s.recs[r.Key.ID[0]] = r
	}
	return s
}

// TestLadder has a state for each rung, and one for each pair of rungs between which the order
// decides.
func TestLadder(t *testing.T) { synctest.Test(t, testLadder) }

func testLadder(t *testing.T) {
	another := store.Writer{'z'}
	create := func(adm store.Admission, change func(*store.Record)) func(store.Store) error {
		return func(s store.Store) error {
			r := rec('a', 0, 0)
			if change != nil {
				change(&r)
			}
			_, err := s.Create(context.Background(), r, adm)
			return err
		}
	}
	update := func(version uint64, change func(*store.Record)) func(store.Store) error {
		return func(s store.Store) error {
			r := rec('a', 0, 0)
			if change != nil {
				change(&r)
			}
			return s.Update(context.Background(), r, version)
		}
	}
	// rotate moves a to b, and leaves a tail if it has a life.
	rotate := func(version uint64, tail time.Duration, change func(*store.Record)) func(store.Store) error {
		return func(s store.Store) error {
			r := rec('b', 0, 0)
			if change != nil {
				change(&r)
			}
			var end *store.Record
			if tail != 0 {
				e := rec('a', 0, time.Minute)
				e.User, e.Writer, e.Lifetime = "", store.Writer{'t'}, tail
				end = &e
			}
			return s.Rotate(context.Background(), keyOf('a'), version, r, end)
		}
	}
	touch := func(every time.Duration) func(store.Store) error {
		return func(s store.Store) error {
			return s.Touch(context.Background(), store.Record{Key: keyOf('a')}, every)
		}
	}
	revoke := func(sel store.Selection) func(store.Store) error {
		return func(s store.Store) error {
			_, err := s.Revoke(context.Background(), "ada", sel)
			return err
		}
	}
	over := func(r *store.Record) { r.Created, r.Lifetime = time.Now().Add(-time.Hour), 1 }
	writer := func(r *store.Record) { r.Writer = another }
	age := store.Admission{Began: time.Now().Add(-time.Minute)}
	full := store.Admission{Began: time.Now().Add(-time.Minute), Max: 1}
	evict := store.Admission{Max: 2, Evict: true}
	handles := func(s string) (hs []store.Handle) {
		for i := range len(s) {
			hs = append(hs, store.Handle{s[i]})
		}
		return hs
	}

	for _, c := range []struct {
		what    string
		recs    string
		damaged string
		revoked time.Duration // ago; 0 is never
		call    func(store.Store) error
		err     error
		change  string
	}{
		{"create", "", "", 0, create(age, nil), nil, "put a1"},
		{"create: replay", "a1", "", 0, create(full, nil), nil, ""},
		{"create: replay before revoked and limit", "a1 c1", "", 1, create(full, nil), nil, ""},
		{"create: no replay of a changed record", "a2", "", 0, create(age, nil), store.ErrExists, ""},
		{"create: exists before revoked and limit", "a1", "", 1, create(full, writer), store.ErrExists, ""},
		{"create: revoked before limit", "c1", "", 1, create(full, nil), store.ErrRevoked, ""},
		{"create: revoked before a record without life", "", "", 1, create(age, over), store.ErrRevoked, ""},
		{"create: revoked at the instant of the sign-in", "", "", time.Minute, create(age, nil), store.ErrRevoked, ""},
		{"create: revoked before the sign-in", "", "", time.Minute + 1, create(age, nil), nil, "put a1"},
		{"create: revoked, and nobody asks", "", "", 1, create(store.Admission{}, nil), nil, "put a1"},
		{"create: revoked, and known", "", "", time.Second, create(store.Admission{Began: time.Now().Add(-time.Minute), Known: time.Now().Add(-time.Second)}, nil), nil, "put a1"},
		{"create: revoked, and an earlier one known", "", "", time.Second, create(store.Admission{Began: time.Now().Add(-time.Minute), Known: time.Now().Add(-2 * time.Second)}, nil), store.ErrRevoked, ""},
		{"create: nobody is not revoked", "", "", 1, create(age, func(r *store.Record) { r.User = "" }), nil, "put a1"},
		{"create: limit", "c1", "", 0, create(full, nil), store.ErrLimit, ""},
		{"create: limit before a record without life", "c1", "", 0, create(full, over), store.ErrLimit, ""},
		{"create: what has expired, tails and damage count in no limit", "C1 'd1", "e", 0, create(full, nil), nil, "put a1"},
		{"create: over what has expired", "A7", "", 0, create(age, nil), nil, "put a1 over a7"},
		{"create: evicts the oldest", "c1 d1 e1", "", 0, create(evict, nil), nil, "put a1, drop c, drop d"},
		{"create: nobody goes for a record without life", "c1 d1 e1", "", 0, create(evict, over), nil, ""},
		{"create: damaged", "", "a", 1, create(full, nil), store.ErrCorrupt, ""},

		{"update", "a4", "", 0, update(4, nil), nil, "put a5 over a4"},
		{"update: not found", "", "", 0, update(4, nil), store.ErrNotFound, ""},
		{"update: expired before replay and conflict", "A5", "", 0, update(4, nil), store.ErrNotFound, ""},
		{"update: replay before conflict", "a5", "", 0, update(4, nil), nil, ""},
		{"update: conflict", "a5", "", 0, update(4, writer), store.ErrConflict, ""},
		{"update: conflict before a record without life", "a5", "", 0, update(3, func(r *store.Record) { r.Lifetime = 1 }), store.ErrConflict, ""},
		{"update: ends", "a4", "", 0, update(4, func(r *store.Record) { r.Lifetime = 1 }), nil, "drop a"},
		{"update: damaged", "", "a", 0, update(4, nil), store.ErrCorrupt, ""},

		{"touch", "a4", "", 0, touch(time.Minute), nil, "seen a"},
		{"touch: not due", "a4", "", 0, touch(time.Hour), nil, ""},
		{"touch: not found", "", "", 0, touch(0), store.ErrNotFound, ""},
		{"touch: expired before not due", "A4", "", 0, touch(100 * time.Hour), store.ErrNotFound, ""},
		{"touch: damaged", "a4", "a", 0, touch(0), store.ErrCorrupt, ""},

		{"rotate", "a4", "", 0, rotate(4, 0, nil), nil, "put b5, drop a"},
		{"rotate: tail", "a4", "", 0, rotate(4, time.Hour, nil), nil, "put b5, put a5 over a4"},
		{"rotate: a tail without life", "a4", "", 0, rotate(4, 1, nil), nil, "put b5, drop a"},
		{"rotate: without life", "a4", "", 0, rotate(4, 0, over), nil, "drop a"},
		{"rotate: without life, tail", "a4", "", 0, rotate(4, time.Hour, over), nil, "put a5 over a4"},
		{"rotate: over what has expired", "a4 B9", "", 0, rotate(4, 0, nil), nil, "put b5 over b9, drop a"},
		{"rotate: replay before not found", "b5", "", 0, rotate(4, 0, nil), nil, ""},
		{"rotate: replay before conflict", "'a5 b5", "", 0, rotate(4, time.Hour, nil), nil, ""},
		{"rotate: replay, seen by the tail", "'a5 b6", "", 0, rotate(4, time.Hour, nil), nil, ""},
		{"rotate: replay of one without life", "'a5", "", 0, rotate(4, time.Hour, over), nil, ""},
		{"rotate: no replay of a changed record", "b6", "", 0, rotate(4, 0, nil), store.ErrNotFound, ""},
		{"rotate: not found before exists", "b6", "", 0, rotate(4, 0, writer), store.ErrNotFound, ""},
		{"rotate: expired before conflict", "A5", "", 0, rotate(4, 0, nil), store.ErrNotFound, ""},
		{"rotate: conflict before user", "'a5", "", 0, rotate(4, 0, nil), store.ErrConflict, ""},
		{"rotate: conflict before exists", "a5 b6", "", 0, rotate(4, 0, writer), store.ErrConflict, ""},
		{"rotate: user", "'a4", "", 0, rotate(4, 0, nil), store.ErrInvalid, ""},
		{"rotate: user before exists", "'a4 b6", "", 0, rotate(4, 0, writer), store.ErrInvalid, ""},
		{"rotate: exists", "a4 b6", "", 0, rotate(4, time.Hour, writer), store.ErrExists, ""},
		{"rotate: damaged at the old key", "", "a", 0, rotate(4, 0, nil), store.ErrCorrupt, ""},
		{"rotate: damaged at the new key", "a4", "b", 0, rotate(4, 0, nil), store.ErrCorrupt, ""},
		{"rotate: no limit, no guard", "a4 c1 d1", "", 1, rotate(4, 0, nil), nil, "put b5, drop a"},

		{"delete", "a4", "", 0, func(s store.Store) error { return s.Delete(context.Background(), keyOf('a')) }, nil, "drop a"},
		{"delete: damaged", "", "a", 0, func(s store.Store) error { return s.Delete(context.Background(), keyOf('a')) }, nil, "drop a"},

		{"revoke", "a1 B1 c1 'd1", "e", 0, revoke(store.Selection{}), nil, "drop a, drop b, drop c, drop e, guard"},
		{"revoke: nothing", "'d1", "", 0, revoke(store.Selection{}), nil, "guard"},
		{"revoke: only", "a1 b1 c1", "e", 0, revoke(store.Selection{Only: handles("bx")}), nil, "drop b, drop e"},
		{"revoke: except", "a1 b1 c1", "", 0, revoke(store.Selection{Except: handles("bx")}), nil, "drop a, drop c, guard"},
	} {
		s := (&stage{damaged: c.damaged}).with(c.recs)
		if c.revoked > 0 {
			s.revoked = time.Now().Add(-c.revoked)
		}
		err := c.call(New("stage", s))
		if !errors.Is(err, c.err) || s.change != c.change {
			t.Errorf("%s: %v, %q; want %v, %q", c.what, err, s.change, c.err, c.change)
		}
	}
}

// TestTwice lets a driver decide twice, with time in between: what counts is the second time.
func TestTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := (&stage{again: true, revoked: time.Now().Add(-time.Minute)}).with("")
		st, begun := New("stage", s), time.Now()
		a, err := st.Create(t.Context(), rec('a', 0, 0), store.Admission{})
		if want := begun.Add(time.Minute); err != nil || !a.Now.Equal(want) || !a.Revoked.Equal(s.revoked) {
			t.Errorf("%v, %v: it acted at %v, want %v", err, a.Revoked, a.Now, want)
		}
		_, err = st.Create(t.Context(), rec('a', 0, 0), store.Admission{Began: s.revoked})
		if !errors.Is(err, store.ErrRevoked) {
			t.Errorf("a sign-in that waited for its lock: %v, want ErrRevoked", err)
		}
		s.revoked = time.Now().Add(time.Minute) // a revocation of the very instant, when it is decided
		s.with("a1 b1 c1")
		if r, err := st.Revoke(t.Context(), "ada", store.Selection{}); r.N != 3 || !r.At.After(s.revoked) || err != nil {
			t.Errorf("a revoke that is decided twice ends %d of 3, at %v after %v: %v", r.N, r.At, s.revoked, err)
		}
	})
}

// TestDamagedGuard refuses too much, and never too little.
func TestDamagedGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := (&stage{guard: store.ErrCorrupt}).with("")
		for age, want := range map[time.Time]error{{}: nil, time.Now().Add(-1): store.ErrRevoked} {
			adm := store.Admission{Began: age, Known: time.Now().Add(-time.Second)}
			a, err := New("stage", s).Create(t.Context(), rec('a', 0, 0), adm)
			if !errors.Is(err, want) || err == nil && !a.Revoked.Equal(time.Now()) {
				t.Errorf("begun at %v: %v, want %v; revoked at %v", age, err, want, a.Revoked)
			}
		}
	})
}

// TestGetTwice has a record that is touched between its reading and the look at the clock.
func TestGetTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &late{stage: (&stage{}).with("a1"), touch: true}
		if _, _, err := New("stage", s).Get(t.Context(), keyOf('a')); err != nil {
			t.Errorf("a record that was touched in time is not found: %v", err)
		}
		s = &late{stage: (&stage{}).with("a1")}
		if _, _, err := New("stage", s).Get(t.Context(), keyOf('a')); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an expired record: %v", err)
		}
	})
}

// late reads a record, after which its life passes.
type late struct {
	*stage
	touch bool
}

func (s *late) Read(ctx context.Context, key store.Key, data bool) (store.Record, error) {
	r, err := s.stage.Read(ctx, key, data)
	time.Sleep(2 * time.Hour)
	if s.touch {
		s.touch = false
		next := r
		next.Seen, next.Version, next.Lifetime = time.Now(), 2, 24*time.Hour
		s.recs[key.ID[0]] = next
	}
	return r, err
}
