package mysqlstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/mysqlstore"
	"github.com/sojourn-go/sojourn/store"
)

// eachLevel runs a test on each server at the two levels of isolation in use, through New.
func eachLevel(t *testing.T, test func(*testing.T, *mysqlstore.Store)) {
	eachServer(t, func(t *testing.T, address string) {
		for _, level := range []string{"READ-COMMITTED", "REPEATABLE-READ"} {
			t.Run(level, func(t *testing.T) {
				s, _ := openWith(t, address, map[string]string{"isolation": level})
				test(t, s)
			})
		}
	})
}

func record(user string) store.Record {
	rec := store.Record{Key: store.Key{Tag: store.TagOf(user)}, User: user, Idle: time.Hour, Lifetime: 24 * time.Hour, Data: []byte("data")}
	rand.Read(rec.Key.ID[:])
	rand.Read(rec.Handle[:])
	rand.Read(rec.Writer[:])
	return rec
}

// heir is rec under a new key.
func heir(rec store.Record) store.Record {
	next := rec
	rand.Read(next.Key.ID[:])
	rand.Read(next.Writer[:])
	return next
}

func live(t *testing.T, s store.Store, user string) (recs []store.Record) {
	t.Helper()
	for rec, err := range s.User(t.Context(), user) {
		if err != nil {
			t.Fatal(err)
		}
		recs = append(recs, rec)
	}
	return recs
}

// TestFirstLogins signs users in for the first time from many places at once, where there is no
// guard yet and the table is empty: the limit holds, and nobody is refused who has room.
func TestFirstLogins(t *testing.T) {
	const users, logins, most = 12, 12, 3
	eachLevel(t, func(t *testing.T, s *mysqlstore.Store) {
		for _, evict := range []bool{false, true} {
			var applied, evicted [users]atomic.Int64
			var wg sync.WaitGroup
			for u := range users {
				for range logins {
					wg.Go(func() {
						a, err := s.Create(t.Context(), record(fmt.Sprint(u, evict)), store.Admission{Max: most, Evict: evict, Began: time.Now().Add(-time.Minute)})
						switch {
						case err == nil:
							applied[u].Add(1)
							evicted[u].Add(int64(len(a.Evicted)))
						case !errors.Is(err, store.ErrLimit) || evict:
							t.Errorf("evict %v: %v", evict, err)
						}
					})
				}
			}
			wg.Wait()
			for u := range users {
				n := len(live(t, s, fmt.Sprint(u, evict)))
				if a, e := applied[u].Load(), evicted[u].Load(); n != most || a-e != most || !evict && a != most {
					t.Errorf("evict %v: user %d has %d records after %d sign-ins and %d evictions, want %d", evict, u, n, a, e, most)
				}
			}
		}
	})
}

// TestFarClock has a store that is wrong about the server's clock by more than an answer can tell:
// the first Create asks, and from then on it is right.
func TestFarClock(t *testing.T) {
	eachServer(t, func(t *testing.T, address string) {
		s := openAt(t, address, nil)
		for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
			for i, user := range []string{"ada", "", "ada"} {
				if i < 2 {
					mysqlstore.SetAhead(s, ahead)
				}
				rec := record(user)
				r, err := s.Revoke(t.Context(), user, store.Selection{})
				if err != nil {
					t.Fatal(err)
				}
				a, err := s.Create(t.Context(), rec, store.Admission{Max: 1})
				if err != nil {
					t.Fatal(err)
				}
				got, _, err := s.Get(t.Context(), rec.Key)
				if err != nil || !a.Now.Equal(got.Created) || !a.Revoked.Equal(r.At) {
					t.Errorf("%v off, %q: admitted at %v, created at %v, %v; revoked at %v, want %v", ahead, user, a.Now, got.Created, err, a.Revoked, r.At)
				}
				dead := record(user)
				dead.Created, dead.Lifetime = time.Unix(1, 0), time.Second
				mysqlstore.SetAhead(s, ahead)
				if _, err := s.Create(t.Context(), dead, store.Admission{}); err != nil {
					t.Errorf("%v off, a record without life: %v", ahead, err)
				}
			}
		}
	})
}

// TestRevokeRaces renews and signs in while all of the user's sessions are ended, again and again:
// what was acknowledged before a Revoke was called is dead when it returns, under whatever key.
func TestRevokeRaces(t *testing.T) {
	const users, devices, rounds = 4, 3, 15
	eachLevel(t, func(t *testing.T, s *mysqlstore.Store) {
		var wg sync.WaitGroup
		for u := range users {
			user := fmt.Sprint("user", u)
			var mu sync.Mutex
			acked := map[store.Handle]bool{} // handles that live for certain, or did
			ctx, cancel := context.WithCancel(t.Context())
			var workers sync.WaitGroup
			for range devices {
				workers.Go(func() {
					for ctx.Err() == nil {
						renewing(t, ctx, s, user, func(h store.Handle) {
							mu.Lock()
							acked[h] = true
							mu.Unlock()
						})
					}
				})
			}
			wg.Go(func() {
				defer workers.Wait()
				defer cancel()
				for range rounds {
					time.Sleep(20 * time.Millisecond)
					mu.Lock()
					before := acked
					acked = map[store.Handle]bool{}
					mu.Unlock()
					if _, err := s.Revoke(t.Context(), user, store.Selection{}); err != nil {
						t.Error(err)
						return
					}
					seen := map[store.Handle]bool{}
					for _, rec := range live(t, s, user) {
						if before[rec.Handle] {
							t.Errorf("session %v outlived a Revoke that came after it", rec.Handle)
						}
						if seen[rec.Handle] {
							t.Errorf("session %v lives under two keys", rec.Handle)
						}
						seen[rec.Handle] = true
					}
				}
			})
		}
		wg.Wait()
	})
}

// renewing signs in and renews the session until it is ended.
func renewing(t *testing.T, ctx context.Context, s store.Store, user string, acked func(store.Handle)) {
	rec := record(user)
	if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
		t.Error(err)
		return
	}
	acked(rec.Handle)
	for version := uint64(1); ctx.Err() == nil; version++ {
		next, old := heir(rec), rec.Key
		tail := record("")
		tail.Key = old
		err := s.Rotate(t.Context(), old, version, next, &tail)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return
		case err != nil:
			t.Error(err)
			return
		}
		rec = next
	}
}

// TestStorm lets touches, updates, renewals and sweeps of the same rows meet. No deadlock reaches a
// caller, no change is lost, and no live record is swept.
func TestStorm(t *testing.T) {
	const rows, writers = 40, 12
	eachLevel(t, func(t *testing.T, s *mysqlstore.Store) {
		var keys [rows]store.Key
		for i := range keys {
			rec := record(fmt.Sprint("user", i%5))
			rec.Data = make([]byte, 8)
			if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
				t.Fatal(err)
			}
			keys[i] = rec.Key
		}
		var added [rows]atomic.Int64
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := w; ctx.Err() == nil; i += 7 {
					at := i % rows
					rec, _, err := s.Get(t.Context(), keys[at])
					if err != nil {
						t.Error(err)
						return
					}
					if err := s.Touch(t.Context(), rec, 0); err != nil {
						t.Error("touch:", err)
					}
					rec.Data[0]++ // wraps
					rec.Idle = time.Duration(1+i%3) * time.Hour
					rand.Read(rec.Writer[:])
					switch err := s.Update(t.Context(), rec, rec.Version); {
					case err == nil:
						added[at].Add(1)
					case !errors.Is(err, store.ErrConflict):
						t.Error("update:", err)
					}
				}
			})
		}
		wg.Go(func() { // what expires, so that sweeps have work between the rows that live
			for i := 0; ctx.Err() == nil; i++ {
				rec := record(fmt.Sprint("user", i%5))
				rec.Lifetime = time.Millisecond
				if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
					t.Error("create:", err)
				}
			}
		})
		for range 2 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if _, err := s.Sweep(t.Context(), 100); err != nil {
						t.Error("sweep:", err)
					}
				}
			})
		}
		wg.Wait()
		for i, key := range keys {
			rec, _, err := s.Get(t.Context(), key)
			if n := added[i].Load(); err != nil || rec.Data[0] != byte(n) || rec.Version != uint64(n)+1 {
				t.Errorf("row %d after %d changes: %v, version %d, data %d", i, n, err, rec.Version, rec.Data[0])
			}
		}
	})
}
