package pgxstore_test

import (
	"crypto/rand"
	"reflect"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/store"
)

// TestInPlace puts records where one that has expired, or a rotated one, still has its row: each
// column is the new record's.
func TestInPlace(t *testing.T) {
	name := table(t)
	s := open(t, pool(t, config(t, server(t, "SOJOURN_POSTGRES"))), &pgxstore.Options{Table: name})
	ctx := t.Context()
	user := somebody()
	ok := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	other := func(rec store.Record) store.Record { // different in all but its key and user
		rand.Read(rec.Handle[:])
		rand.Read(rec.Writer[:])
		rec.Idle, rec.Lifetime = 2*time.Hour, 48*time.Hour
		rec.Meta, rec.Data = []byte("other meta"), []byte("other data")
		return rec
	}
	expired := func() store.Record { // of version 3
		rec := record(user)
		_, err := s.Create(ctx, rec, store.Admission{})
		ok("create", err)
		for version := range uint64(2) {
			rand.Read(rec.Writer[:])
			rec.Idle = 20 * time.Millisecond
			if version == 0 {
				rec.Idle = time.Hour
			}
			ok("update", s.Update(ctx, rec, version+1))
		}
		time.Sleep(25 * time.Millisecond)
		return rec
	}
	same := func(what string, version uint64, want store.Record) {
		t.Helper()
		got, now, err := s.Get(ctx, want.Key)
		ok("get "+what, err)
		if now.Sub(got.Created) > time.Minute || now.Sub(got.Seen) > time.Minute {
			t.Errorf("%s: created %v ago, seen %v ago", what, now.Sub(got.Created), now.Sub(got.Seen))
		}
		got.Created, got.Seen, want.Version = want.Created, want.Seen, version
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, want %+v", what, got, want)
		}
	}

	rec := other(expired())
	_, err := s.Create(ctx, rec, store.Admission{})
	ok("create", err)
	same("a record created in place of an expired one", 1, rec)

	next := expired()
	next = other(next)
	tail := record("")
	tail.Key, tail.Idle, tail.Lifetime = rec.Key, 3*time.Hour, 72*time.Hour
	tail.Meta, tail.Data = []byte("tail's meta"), []byte("tail's data")
	ok("rotate", s.Rotate(ctx, rec.Key, 1, next, &tail))
	same("a record rotated to the place of an expired one", 2, next)
	same("its tail", 2, tail)

	// A tail that ends long before the record would have is swept when it ends.
	last := other(record(user))
	tail.Key, tail.Lifetime = next.Key, time.Millisecond
	ok("rotate", s.Rotate(ctx, next.Key, 2, last, &tail))
	time.Sleep(2 * time.Millisecond)
	if n, err := s.Sweep(ctx, 100); n != 1 || err != nil {
		t.Errorf("sweep: %d, %v; want the tail", n, err)
	}
}
