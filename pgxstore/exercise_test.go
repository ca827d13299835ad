package pgxstore_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

func record(user string) store.Record {
	rec := store.Record{User: user, Idle: time.Hour, Lifetime: 24 * time.Hour, Meta: []byte("meta"), Data: []byte("data\x00\xff")}
	rec.Key.Tag = store.TagOf(user)
	if user == "" {
		rand.Read(rec.Key.Tag[:])
	}
	rand.Read(rec.Key.ID[:])
	rand.Read(rec.Handle[:])
	rand.Read(rec.Writer[:])
	return rec
}

func somebody() string { return "user\x00\xff" + rand.Text() }

// exercise calls each method for each of its usual outcomes: the kit in short, for the many ways to
// reach a server.
func exercise(t *testing.T, s store.Store) {
	t.Helper()
	ctx := t.Context()
	is := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Fatalf("%s: %v, want %v", what, err, want)
		}
	}
	create := func(rec store.Record, adm store.Admission) (store.Admitted, error) { return s.Create(ctx, rec, adm) }
	for _, user := range []string{"", somebody()} {
		rec := record(user)
		_, err := create(rec, store.Admission{})
		is("create", err, nil)
		_, err = create(rec, store.Admission{})
		is("replayed create", err, nil)
		other := rec
		rand.Read(other.Writer[:])
		_, err = create(other, store.Admission{})
		is("second create", err, store.ErrExists)
		got, now, err := s.Get(ctx, rec.Key)
		is("get", err, nil)
		if got.User != user || got.Version != 1 || string(got.Data) != string(rec.Data) || string(got.Meta) != "meta" ||
			got.Handle != rec.Handle || got.Idle != rec.Idle || got.Lifetime != rec.Lifetime || now.Sub(got.Created) < 0 ||
			now.Sub(got.Created) > time.Minute || !got.Created.Equal(got.Seen) || time.Since(now).Abs() > time.Minute {
			t.Fatalf("get: %v, created %v, seen %v, now %v", got, got.Created, got.Seen, now)
		}
		change := got
		rand.Read(change.Writer[:])
		change.Data, change.Meta, change.Idle = []byte{}, nil, 2*time.Hour
		is("update", s.Update(ctx, change, 1), nil)
		is("replayed update", s.Update(ctx, change, 1), nil)
		rand.Read(change.Writer[:])
		is("late update", s.Update(ctx, change, 1), store.ErrConflict)
		is("update of nothing", s.Update(ctx, record(user), 1), store.ErrNotFound)
		is("touch", s.Touch(ctx, rec, 0), nil)
		is("touch not due", s.Touch(ctx, rec, time.Hour), nil)
		is("touch of nothing", s.Touch(ctx, record(user), 0), store.ErrNotFound)
		next, tail := record(user), record("")
		next.Key.Tag, next.Handle = rec.Key.Tag, rec.Handle
		tail.Key, tail.Lifetime = rec.Key, time.Minute
		is("late rotate", s.Rotate(ctx, rec.Key, 1, next, &tail), store.ErrConflict)
		is("rotate", s.Rotate(ctx, rec.Key, 2, next, &tail), nil)
		is("replayed rotate", s.Rotate(ctx, rec.Key, 2, next, &tail), nil)
		got, _, err = s.Get(ctx, rec.Key)
		is("get of the tail", err, nil)
		if got.User != "" || got.Version != 3 || got.Handle != tail.Handle {
			t.Fatalf("tail: %v, user %q, version %d", got, got.User, got.Version)
		}
		again := record(user)
		again.Key.Tag = rec.Key.Tag
		is("rotate without a tail", s.Rotate(ctx, next.Key, 3, again, nil), nil)
		_, _, err = s.Get(ctx, next.Key)
		is("get of the old key", err, store.ErrNotFound)
		is("delete", s.Delete(ctx, again.Key), nil)
		is("second delete", s.Delete(ctx, again.Key), nil)
		_, _, err = s.Get(ctx, again.Key)
		is("get of what was deleted", err, store.ErrNotFound)
	}

	user := somebody()
	var recs []store.Record
	for range 3 {
		recs = append(recs, record(user))
		_, err := create(recs[len(recs)-1], store.Admission{Max: 3})
		is("create within the limit", err, nil)
	}
	_, err := create(record(user), store.Admission{Max: 3})
	is("create over the limit", err, store.ErrLimit)
	recs = append(recs, record(user))
	a, err := create(recs[3], store.Admission{Max: 3, Evict: true})
	is("create that evicts", err, nil)
	if len(a.Evicted) != 1 || a.Evicted[0] != recs[0].Handle {
		t.Fatalf("evicted were %v, want %v", a.Evicted, recs[0].Handle)
	}
	var listed []store.Handle
	for rec, err := range s.User(ctx, user) {
		is("user", err, nil)
		listed = append(listed, rec.Handle)
	}
	for _, rec := range recs[1:] {
		if len(listed) != 3 || !slices.Contains(listed, rec.Handle) {
			t.Fatalf("listed are %v, without %v", listed, rec.Handle)
		}
	}
	found := 0
	for rec, err := range s.All(ctx) {
		is("all", err, nil)
		if rec.User == user {
			found++
		}
	}
	if found != 3 {
		t.Fatalf("all has %d of three", found)
	}
	for _, c := range []struct {
		sel  store.Selection
		want int
	}{
		{store.Selection{Only: []store.Handle{recs[0].Handle, recs[1].Handle}}, 1},
		{store.Selection{Except: []store.Handle{recs[2].Handle}}, 1},
		{store.Selection{}, 1},
		{store.Selection{}, 0},
	} {
		r, err := s.Revoke(ctx, user, c.sel)
		is("revoke", err, nil)
		if r.N != c.want {
			t.Fatalf("%+v ended %d, want %d", c.sel, r.N, c.want)
		}
	}
	_, err = create(record(user), store.Admission{Began: time.Now().Add(-time.Minute)})
	is("create of a sign-in before the revocation", err, store.ErrRevoked)
	_, err = create(record(user), store.Admission{})
	is("create that does not ask", err, nil)
	if _, err = s.Sweep(ctx, 100); err != nil {
		t.Fatal(err)
	}
}
