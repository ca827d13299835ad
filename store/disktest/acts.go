package disktest

import (
	"bytes"
	"context"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// act is a write. waits is the last setting in which it waits for the disk.
type act struct {
	name  string
	waits store.Durability
	do    func(context.Context, store.Store) error
}

const (
	never  = store.Durable - 1
	always = store.Loose
)

// acts go on from one another, as one user's sessions and a visitor's do.
var acts = []act{
	{"sign-in", store.Relaxed, create("ada", 1, store.Admission{})},
	{"second sign-in", store.Relaxed, create("ada", 2, store.Admission{})},
	{"visitor", store.Durable, create("", 3, store.Admission{})},
	{"change", store.Durable, update(1, 1, 100)},
	{"long change", store.Durable, update(1, 2, 100_000)},
	{"touch", never, func(ctx context.Context, s store.Store) error { return s.Touch(ctx, record("ada", 1), 0) }},
	{"renewal", always, func(ctx context.Context, s store.Store) error {
		return s.Rotate(ctx, record("ada", 1).Key, 3, record("ada", 4), nil)
	}},
	{"renewal with a tail", always, func(ctx context.Context, s store.Store) error {
		old := record("ada", 4).Key
		tail := store.Record{Key: old, Writer: store.Writer{99}, Lifetime: time.Minute}
		return s.Rotate(ctx, old, 4, record("ada", 5), &tail)
	}},
	{"sign-in that evicts", always, create("ada", 6, store.Admission{Max: 2, Evict: true})},
	{"sign-out", always, func(ctx context.Context, s store.Store) error { return s.Delete(ctx, record("", 3).Key) }},
	{"revocation of one", always, revoke("ada", store.Selection{Only: []store.Handle{{6}}})},
	{"revocation", always, revoke("ada", store.Selection{})},
	{"revocation of nobody", always, revoke("bob", store.Selection{})},
}

// record is the nth session. A visitor's has a tag of its own.
func record(user string, n byte) store.Record {
	tag := store.TagOf(user)
	if user == "" {
		tag = store.Tag{n}
	}
	return store.Record{Key: store.Key{Tag: tag, ID: store.ID{n}}, Handle: store.Handle{n}, Writer: store.Writer{n},
		User: user, Idle: time.Hour, Data: []byte("data")}
}

func create(user string, n byte, adm store.Admission) func(context.Context, store.Store) error {
	return func(ctx context.Context, s store.Store) error {
		_, err := s.Create(ctx, record(user, n), adm)
		return err
	}
}

// update changes the nth session of ada.
func update(n byte, version uint64, size int) func(context.Context, store.Store) error {
	return func(ctx context.Context, s store.Store) error {
		rec := record("ada", n)
		rec.Writer, rec.Data = store.Writer{n, byte(version)}, bytes.Repeat([]byte{'x'}, size)
		return s.Update(ctx, rec, version)
	}
}

func revoke(user string, sel store.Selection) func(context.Context, store.Store) error {
	return func(ctx context.Context, s store.Store) error {
		_, err := s.Revoke(ctx, user, sel)
		return err
	}
}
