package faults_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// newRecord makes a record of the user, "" for an anonymous one.
func newRecord(user string) store.Record {
	rec := store.Record{User: user, Idle: time.Hour, Lifetime: 24 * time.Hour, Meta: []byte("a browser"), Data: []byte("a cart")}
	rand.Read(rec.Key.ID[:])
	rand.Read(rec.Key.Tag[:])
	if user != "" {
		rec.Key.Tag = store.TagOf(user)
	}
	rand.Read(rec.Handle[:])
	rand.Read(rec.Writer[:])
	return rec
}

func newUser() string { return "user-" + rand.Text() }

// again is the record before its next write.
func again(rec store.Record) store.Record {
	rand.Read(rec.Writer[:])
	return rec
}

// moved is the record at a new key.
func moved(rec store.Record) store.Record {
	rec = again(rec)
	rand.Read(rec.Key.ID[:])
	return rec
}

// tailOf leads from the record's key to another.
func tailOf(rec store.Record) *store.Record {
	t := again(rec)
	t.User, t.Lifetime = "", 30*time.Second
	return &t
}

// An act is one call on a session that exists, of a user who has two.
type act struct {
	name string
	tag  store.Tag
	// do may be called several times: it is then the same call sent again.
	do func(ctx context.Context, s store.Store) error
	// done reports whether what do asks for was carried out, as an error if it cannot be.
	done func(ctx context.Context, s store.Store) (bool, error)
}

// acts are all writes, each ready for the session rec, whose user has another one, too.
func acts(rec, other store.Record) []act {
	create, first, visitor := newRecord(rec.User), newRecord(newUser()), newRecord("")
	full := newRecord(rec.User)
	up, mv, mvTail := again(rec), moved(rec), moved(rec)
	up.Data = []byte("another cart")
	tail := tailOf(rec)
	signin := func(name string, rec store.Record, adm store.Admission) act {
		return act{name, rec.Key.Tag, func(ctx context.Context, s store.Store) error {
			_, err := s.Create(ctx, rec, adm)
			return err
		}, at(rec.Key, 1, rec.Writer)}
	}
	revoke := func(name string, sel store.Selection, ended ...store.Key) act {
		return act{name, rec.Key.Tag, func(ctx context.Context, s store.Store) error {
			_, err := s.Revoke(ctx, rec.User, sel)
			return err
		}, gone(ended...)}
	}
	return []act{
		signin("create", create, store.Admission{}),
		signin("create, first of a user", first, store.Admission{Max: 3, Evict: true, Began: time.Now().Add(-time.Millisecond)}),
		signin("create, limit", newRecord(rec.User), store.Admission{Max: 5, Began: time.Now().Add(-time.Millisecond)}),
		signin("create, evicts", full, store.Admission{Max: 2, Evict: true, Began: time.Now().Add(-time.Millisecond)}),
		signin("create, visitor", visitor, store.Admission{}),
		{"update", rec.Key.Tag, func(ctx context.Context, s store.Store) error { return s.Update(ctx, up, 1) }, at(up.Key, 2, up.Writer)},
		{"rotate", rec.Key.Tag, func(ctx context.Context, s store.Store) error { return s.Rotate(ctx, rec.Key, 1, mv, nil) }, at(mv.Key, 2, mv.Writer)},
		{"rotate, tail", rec.Key.Tag, func(ctx context.Context, s store.Store) error { return s.Rotate(ctx, rec.Key, 1, mvTail, tail) }, at(mvTail.Key, 2, mvTail.Writer)},
		{"touch", rec.Key.Tag, func(ctx context.Context, s store.Store) error { return s.Touch(ctx, rec, time.Millisecond) }, nil},
		{"delete", rec.Key.Tag, func(ctx context.Context, s store.Store) error { return s.Delete(ctx, rec.Key) }, gone(rec.Key)},
		revoke("revoke one", store.Selection{Only: []store.Handle{rec.Handle}}, rec.Key),
		revoke("revoke others", store.Selection{Except: []store.Handle{other.Handle}}, rec.Key),
		revoke("revoke all", store.Selection{}, rec.Key, other.Key),
	}
}

// Each act sent twice, with nothing in between, is carried out once and acknowledged twice.
func TestSentTwice(t *testing.T) {
	for _, name := range every {
		t.Run(name, func(t *testing.T) {
			s := start(t, name).open(t, network(t))
			for i, a := range acts(store.Record{}, store.Record{}) {
				rec, other := pair(t, s)
				ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
				a = acts(rec, other)[i]
				for n := range 2 {
					if err := a.do(ctx, s); err != nil {
						t.Errorf("%s, sending %d: %v", a.name, n+1, err)
					}
				}
				stop()
			}
		})
	}
}

// at wants the record with that version by that writer.
func at(key store.Key, version uint64, w store.Writer) func(context.Context, store.Store) (bool, error) {
	return func(ctx context.Context, s store.Store) (bool, error) {
		rec, _, err := s.Get(ctx, key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return false, nil
		case err != nil:
			return false, err
		case rec.Version == version && rec.Writer == w:
			return true, nil
		case rec.Version != version-1:
			return false, fmt.Errorf("version %d, which no single write makes", rec.Version)
		}
		return false, nil
	}
}

// gone wants none of the keys alive; some only is an error.
func gone(keys ...store.Key) func(context.Context, store.Store) (bool, error) {
	return func(ctx context.Context, s store.Store) (bool, error) {
		n := 0
		for _, key := range keys {
			_, _, err := s.Get(ctx, key)
			if errors.Is(err, store.ErrNotFound) {
				n++
			} else if err != nil {
				return false, err
			}
		}
		if n > 0 && n < len(keys) {
			return false, errors.New("some were ended, and some not")
		}
		return n > 0, nil
	}
}

// pair makes a user with two sessions, the first a little older, and gives them as they are read.
func pair(t testing.TB, s store.Store) (rec, other store.Record) {
	t.Helper()
	user := newUser()
	rec, other = newRecord(user), newRecord(user)
	for i, r := range []store.Record{rec, other} {
		if i == 1 {
			time.Sleep(2 * time.Millisecond) // a tick at least: the older is evicted
		}
		if _, err := s.Create(t.Context(), r, store.Admission{}); err != nil {
			t.Fatal("create:", err)
		}
	}
	time.Sleep(2 * time.Millisecond)
	return read(t, s, rec.Key), read(t, s, other.Key)
}

func read(t testing.TB, s store.Store, key store.Key) store.Record {
	t.Helper()
	rec, _, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal("get:", err)
	}
	return rec
}
