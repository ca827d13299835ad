package cqlstore_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/cqlstore"
	"github.com/sojourn-go/sojourn/cqlstore/cql"
	"github.com/sojourn-go/sojourn/store"
)

// between stands between a store and the real driver: it counts requests, and loses some.
type between struct {
	cql.Driver
	reads, writes atomic.Int32
	before, after atomic.Int32 // conditional writes to lose on their way there, or on the way back
	meanwhile     func()       // called when an answer is lost
}

var errLost = errors.New("a driver's text with a secret in it")

func (b *between) Query(ctx context.Context, q cql.Query, dest []any, row func() bool) error {
	b.reads.Add(1)
	return b.Driver.Query(ctx, q, dest, row)
}

func (b *between) CAS(ctx context.Context, sts []cql.Statement, commit, serial cql.Consistency, dest map[string]any, row func()) (bool, error) {
	b.writes.Add(1)
	if b.before.Add(-1) >= 0 {
		return false, errLost
	}
	applied, err := b.Driver.CAS(ctx, sts, commit, serial, dest, row)
	if err == nil && b.after.Add(-1) >= 0 {
		if b.meanwhile != nil {
			b.meanwhile()
		}
		return false, errLost
	}
	return applied, err
}

// trips fails unless f costs that many reads and writes.
func (b *between) trips(t *testing.T, what string, reads, writes int32, f func() error) {
	t.Helper()
	b.reads.Store(0)
	b.writes.Store(0)
	if err := f(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if r, w := b.reads.Load(), b.writes.Load(); r != reads || w != writes {
		t.Errorf("%s cost %d reads and %d conditional writes, want %d and %d", what, r, w, reads, writes)
	}
}

// behind returns a store over the driver of the run's session, with something between.
func (db *database) behind(t *testing.T) (*cqlstore.Store, *between) {
	b := &between{Driver: cqlstore.DriverOf(db.session)}
	st, err := cql.New(b, &cqlstore.Options{Keyspace: db.keyspace, Consistency: cqlstore.Quorum, ClockSkew: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return st, b
}

func TestRoundTrips(t *testing.T) {
	db := open(t, clusters[0].variable, clusters[0].copies)
	st, b := db.behind(t)
	ctx := t.Context()
	create := func(rec store.Record, adm store.Admission) func() error {
		return func() error { _, err := st.Create(ctx, rec, adm); return err }
	}
	first := record("")
	b.trips(t, "the first Create, which asks for the clock", 1, 1, create(first, store.Admission{}))
	b.trips(t, "an anonymous Create", 0, 1, create(record(""), store.Admission{}))
	user := name()
	rec := record(user)
	b.trips(t, "a Create", 0, 1, create(rec, store.Admission{Began: time.Now().Add(-time.Second)}))
	b.trips(t, "a Create with a limit", 1, 1, create(record(user), store.Admission{Began: time.Now().Add(-time.Second), Max: 5}))
	b.trips(t, "a Get", 1, 0, func() (err error) { rec, _, err = st.Get(ctx, rec.Key); return err })
	rec.Writer = writer()
	b.trips(t, "an Update", 0, 1, func() error { return st.Update(ctx, rec, 1) })
	rec.Writer = writer()
	rec.Lifetime += time.Hour
	b.trips(t, "an Update to another life", 0, 2, func() error { return st.Update(ctx, rec, 2) })
	rec = get(t, st, rec.Key)
	b.trips(t, "a Touch that is not due by its record", 1, 0, func() error { return st.Touch(ctx, rec, time.Hour) })
	time.Sleep(20 * time.Millisecond)
	b.trips(t, "a Touch that is due by its record", 0, 1, func() error { return st.Touch(ctx, rec, time.Millisecond) })
	time.Sleep(20 * time.Millisecond)
	b.trips(t, "a Touch with a key alone", 1, 1, func() error { return st.Touch(ctx, store.Record{Key: rec.Key}, time.Millisecond) })
	next := rec
	next.Key.ID, next.Writer = record("").Key.ID, writer()
	b.trips(t, "a Rotate", 0, 1, func() error { return st.Rotate(ctx, rec.Key, 3, next, nil) })
	b.trips(t, "a Delete", 0, 1, func() error { return st.Delete(ctx, next.Key) })
	var known store.Revoked
	b.trips(t, "a Revoke", 1, 1, func() (err error) { known, err = st.Revoke(ctx, user, store.Selection{}); return err })
	b.trips(t, "a Create that knows of the Revoke", 0, 1, create(record(user), store.Admission{Began: time.Now().Add(-time.Second), Known: known.At}))
	b.trips(t, "a Create soon after a Revoke", 0, 2, func() error {
		time.Sleep(time.Second)
		_, err := st.Create(ctx, record(user), store.Admission{Began: time.Now().Add(-time.Millisecond)})
		return err
	})
}

// TestKnown changes a password in one request: it ends all of the user's sessions and signs the
// user in again, although the nodes' clocks may differ by far more than the moment between.
// Another's revocation a moment later counts all the same.
func TestKnown(t *testing.T) {
	db := open(t, clusters[0].variable, clusters[0].copies)
	st, other := db.store(t, &cqlstore.Options{ClockSkew: time.Minute}), db.store(t, nil)
	ctx := t.Context()
	for _, limit := range []int{0, 5} {
		user := name()
		began := time.Now()
		r, err := st.Revoke(ctx, user, store.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		adm := store.Admission{Max: limit, Began: began}
		if _, err := st.Create(ctx, record(user), adm); !errors.Is(err, store.ErrRevoked) {
			t.Errorf("limit %d: a sign-in that does not know of the revocation: %v, want ErrRevoked", limit, err)
		}
		adm.Known = r.At
		if a, err := st.Create(ctx, record(user), adm); err != nil || !a.Revoked.Equal(r.At) {
			t.Errorf("limit %d: a sign-in that knows of the revocation: %v, revoked at %v, want %v", limit, err, a.Revoked, r.At)
		}
		later, err := other.Revoke(ctx, user, store.Selection{})
		if err != nil || !later.At.After(r.At) {
			t.Errorf("limit %d: another revocation at %v, the first at %v: %v", limit, later.At, r.At, err)
		}
		if _, err := st.Create(ctx, record(user), adm); !errors.Is(err, store.ErrRevoked) {
			t.Errorf("limit %d: a sign-in that does not know of the later revocation: %v, want ErrRevoked", limit, err)
		}
	}
}

// TestLostAnswers loses each kind of write once on its way there and once on its way back.
func TestLostAnswers(t *testing.T) {
	db := open(t, clusters[0].variable, clusters[0].copies)
	st, b := db.behind(t)
	ctx := t.Context()
	for _, lose := range []*atomic.Int32{&b.before, &b.after} {
		lost := func(what string, f func() error) {
			t.Helper()
			lose.Store(1)
			if err := f(); err != nil || lose.Load() >= 0 {
				t.Fatalf("%s whose first sending is lost: %v", what, err)
			}
		}
		user := name()
		recs := []store.Record{record(user), record(user), record(user)}
		lost("Create", func() error { _, err := st.Create(ctx, recs[0], store.Admission{}); return err })
		lost("Create without a user", func() error { _, err := st.Create(ctx, record(""), store.Admission{}); return err })
		lost("Create with a limit", func() error { _, err := st.Create(ctx, recs[1], store.Admission{Max: 2}); return err })
		lost("Create with eviction", func() error {
			a, err := st.Create(ctx, recs[2], store.Admission{Max: 2, Evict: true})
			if len(a.Evicted) != 1 || a.Evicted[0] != recs[0].Handle {
				t.Errorf("a Create whose answer was lost evicted %d records, want the oldest", len(a.Evicted))
			}
			return err
		})
		rec := get(t, st, recs[2].Key)
		rec.Writer = writer()
		lost("Update", func() error { return st.Update(ctx, rec, 1) })
		if v := get(t, st, rec.Key).Version; v != 2 {
			t.Errorf("after an Update whose first sending was lost the version is %d, want 2", v)
		}
		time.Sleep(10 * time.Millisecond)
		lost("Touch", func() error { return st.Touch(ctx, rec, time.Millisecond) })
		next := rec
		next.Key.ID, next.Writer = record("").Key.ID, writer()
		lost("Rotate", func() error { return st.Rotate(ctx, rec.Key, 2, next, nil) })
		if v := get(t, st, next.Key).Version; v != 3 {
			t.Errorf("after a Rotate whose first sending was lost the version is %d, want 3", v)
		}
		lost("Delete", func() error { return st.Delete(ctx, next.Key) })
		lost("Revoke", func() error {
			r, err := st.Revoke(ctx, user, store.Selection{})
			if r.N != 1 {
				t.Errorf("a Revoke whose first sending was lost ended %d records, want 1", r.N)
			}
			return err
		})
	}
}

// TestLostBeforeAnEnd: an update is applied, its answer is lost, and the record is deleted before
// it is sent again. That it finds nothing then does not say that nothing was written.
func TestLostBeforeAnEnd(t *testing.T) {
	db := open(t, clusters[0].variable, clusters[0].copies)
	st, b := db.behind(t)
	other, _ := db.behind(t)
	rec := record(name())
	if _, err := st.Create(t.Context(), rec, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	rec = get(t, st, rec.Key)
	rec.Writer = writer()
	b.meanwhile = func() {
		if err := other.Delete(t.Context(), rec.Key); err != nil {
			t.Error(err)
		}
	}
	b.after.Store(1)
	if err := st.Update(t.Context(), rec, 1); !errors.Is(err, store.ErrIndeterminate) {
		t.Errorf("%v, want %v", err, store.ErrIndeterminate)
	}
}

// A rotation without a tail is applied, its answer is lost, and the user is signed out before it is
// sent again.
func TestLostRotationBeforeAnEnd(t *testing.T) {
	db := open(t, clusters[0].variable, clusters[0].copies)
	st, b := db.behind(t)
	other, _ := db.behind(t)
	rec := record(name())
	if _, err := st.Create(t.Context(), rec, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	b.meanwhile = func() {
		if _, err := other.Revoke(t.Context(), rec.User, store.Selection{}); err != nil {
			t.Error(err)
		}
	}
	next := rec
	next.Key.ID, next.Writer = record("").Key.ID, writer()
	b.after.Store(1)
	if err := st.Rotate(t.Context(), rec.Key, 1, next, nil); !errors.Is(err, store.ErrIndeterminate) {
		t.Errorf("%v, want %v", err, store.ErrIndeterminate)
	}
}

func TestCloseNothing(t *testing.T) {
	if err := cqlstore.Close(nil); err != nil {
		t.Error(err)
	}
}

func TestUnknownOutcomes(t *testing.T) {
	db := open(t, clusters[0].variable, clusters[0].copies)
	st, b := db.behind(t)
	ctx := t.Context()
	rec := record(name())
	if _, err := st.Create(ctx, rec, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	rec = get(t, st, rec.Key)
	rec.Writer = writer()
	b.writes.Store(0)
	b.before.Store(1000)
	err := st.Update(ctx, rec, 1)
	if !errors.Is(err, store.ErrIndeterminate) || errors.Is(err, store.ErrUnavailable) || b.writes.Load() != 5 {
		t.Errorf("an Update that is lost again and again: %v after %d sendings, want ErrIndeterminate after 5", err, b.writes.Load())
	}
	if strings.Contains(err.Error(), "secret") || !errors.Is(err, errLost) {
		t.Errorf("the error shows the driver's text, or does not hold it: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	if err := st.Update(short, rec, 1); !errors.Is(err, store.ErrIndeterminate) {
		t.Errorf("an Update whose context ends after a lost sending: %v, want ErrIndeterminate", err)
	}
	// Applied, its answer lost, and changed by somebody else before it is sent again: nobody can
	// tell any more.
	b.before.Store(0)
	b.after.Store(1)
	other := db.store(t, nil)
	b.meanwhile = func() {
		cur := get(t, other, rec.Key)
		cur.Writer = writer()
		if err := other.Update(ctx, cur, cur.Version); err != nil {
			t.Error(err)
		}
	}
	if err := st.Update(ctx, rec, 1); !errors.Is(err, store.ErrIndeterminate) || errors.Is(err, store.ErrConflict) {
		t.Errorf("an Update that was applied and overwritten, without an answer: %v, want ErrIndeterminate", err)
	}
	// The context ends while another write holds the partition's turn: nothing was sent.
	hold, cancel2 := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel2()
	b.meanwhile = func() { <-hold.Done() }
	b.after.Store(1)
	go st.Touch(ctx, store.Record{Key: rec.Key}, 0)
	time.Sleep(100 * time.Millisecond)
	wait, cancel3 := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel3()
	if err := st.Delete(wait, rec.Key); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a Delete that waited for its turn in vain: %v, want ErrUnavailable", err)
	}
	<-hold.Done()
}
