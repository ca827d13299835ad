package possessions

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// Storer gives access to sessions by their IDs, as a program's own tools want it; handlers use
// [Get], [Set] and the rest. A session's value is a JSON object of its keys and values. All methods
// are safe for concurrent use.
//
// [MemoryStorer], [DiskStorer] and [RedisStorer] are stores of the core behind this interface:
// there an ID is a UUID that may be listed and logged, for it opens nothing. A program's own Storer
// works too, with less: see the package comment.
type Storer interface {
	// All lists the IDs of the live sessions, in no order.
	All(ctx context.Context) (keys []string, err error)
	// Get gives the value of a session. Of one that does not live it gives an error that
	// IsNoSessionError accepts.
	Get(ctx context.Context, key string) (value string, err error)
	// Set replaces the value of a session, and makes one if there is none: no cookie leads to such
	// a one.
	Set(ctx context.Context, key, value string) error
	// Del ends a session, for requests under way too. Ending what is not there is no error.
	Del(ctx context.Context, key string) error
	// ResetExpiry pushes back the expiry of a session. Errors: as Get.
	ResetExpiry(ctx context.Context, key string) error
}

// records is a Storer over a store of the core.
type records struct {
	st     store.Store // with an ID as each record's user
	maxAge time.Duration
	keys   func(context.Context) (sojourn.Sealer, error)
	reads  bool                                        // a Get counts as use
	byUUID bool                                        // IDs are UUIDs only
	look   func(context.Context, string) (bool, error) // of byID
}

// valid reports whether key may be an ID.
func (r *records) valid(key string) bool {
	if _, ok := parseID(key); !ok && r.byUUID {
		return false
	}
	return key != "" && len(key) <= store.MaxUser && key != keyRecord
}

// find gives the live record of an ID, without its data: there is one at most, but for the moment
// in which two calls of Set make it.
func (r *records) find(ctx context.Context, key string) (found store.Record, err error) {
	if !r.valid(key) {
		return found, errNoSession{}
	}
	if r.look != nil {
		if _, err := r.look(ctx, key); err != nil {
			return found, err
		}
	}
	return liveOf(ctx, r.st, key)
}

// liveOf gives the live record of an ID. One that is damaged is none.
func liveOf(ctx context.Context, st store.Store, key string) (found store.Record, err error) {
	err = store.ErrNotFound
	for rec, e := range st.User(ctx, key) {
		if errors.Is(e, store.ErrCorrupt) {
			break // it comes last
		}
		if e != nil {
			return rec, e
		}
		if err != nil || rec.Created.Before(found.Created) {
			found, err = rec, nil
		}
	}
	return found, err
}

// read is find with the data.
func (r *records) read(ctx context.Context, key string) (store.Record, error) {
	for range 3 { // a renewal may come between
		rec, err := r.find(ctx, key)
		if err != nil {
			return rec, err
		}
		whole, _, err := r.st.Get(ctx, rec.Key)
		if errors.Is(err, store.ErrCorrupt) {
			err = errors.Join(store.ErrNotFound, r.st.Delete(ctx, rec.Key)) // or it would be found again
		}
		if !errors.Is(err, store.ErrNotFound) {
			return whole, err
		}
	}
	return store.Record{}, store.ErrNotFound
}

// All lists the IDs of the live sessions, without damaged ones, which are none. Errors: the
// store's, with all IDs that could be read.
func (r *records) All(ctx context.Context) (keys []string, err error) {
	var t troubles
	for rec, err := range r.st.All(ctx) {
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.add(err)
			}
			break // it comes last
		}
		if !r.valid(rec.User) {
			continue
		}
		gone := false
		if r.look != nil {
			gone, err = r.look(ctx, rec.User)
			t.add(err)
		}
		if !gone {
			keys = append(keys, rec.User)
		}
	}
	return keys, fail("all", t.err())
}

// Get gives the value of the session key. Errors: one that [IsNoSessionError] accepts; the store's.
func (r *records) Get(ctx context.Context, key string) (value string, err error) {
	rec, err := r.read(ctx, key)
	if err != nil {
		return "", fail("get", err)
	}
	if r.reads {
		_ = r.st.Touch(ctx, rec, r.touchEvery()) // a failed touch fails no read
	}
	value, err = unwrap(rec.Data)
	return value, fail("get", err)
}

func (r *records) touchEvery() time.Duration { return min(time.Minute, r.maxAge/20) }

// Set replaces the value of the session key, or keeps it under a key that no cookie leads to. value
// may be any text, but to requests one that is no JSON object of strings is an empty session: the
// observer hears of sojourn.ValueDropped, and the text stays until a request sets something. The
// last of several calls wins; a request under way adds its changes to what it finds. Errors: one
// that [IsNoSessionError] accepts where key cannot be an ID; the store's.
func (r *records) Set(ctx context.Context, key, value string) error {
	for range 100 {
		rec, err := r.read(ctx, key)
		if err == nil {
			rec.Seen = time.Time{}
			rec.Data, rec.Writer, rec.Idle = wrap(value), writerNonce(), r.maxAge
			err = r.st.Update(ctx, rec, rec.Version)
		} else if errors.Is(err, store.ErrNotFound) {
			rec = store.Record{User: key, Key: store.Key{Tag: store.TagOf(key)}, Data: wrap(value), Idle: r.maxAge, Writer: writerNonce()}
			rand.Read(rec.Key.ID[:]) // the hash of a secret that nobody has
			rand.Read(rec.Handle[:])
			rec.Meta = []byte{1} // the core's, with nothing in it
			_, err = r.st.Create(ctx, rec, store.Admission{})
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
			return fail("set", err)
		}
	}
	return fail("set", store.ErrConflict)
}

// Del ends the session key, also for requests under way. Errors: the store's.
func (r *records) Del(ctx context.Context, key string) error {
	if !r.valid(key) {
		return nil
	}
	_, err := r.st.Revoke(ctx, key, store.Selection{})
	return fail("del", err)
}

// ResetExpiry pushes back the expiry of the session key. Errors: one that [IsNoSessionError]
// accepts; the store's.
func (r *records) ResetExpiry(ctx context.Context, key string) error {
	rec, err := r.find(ctx, key)
	if err == nil {
		err = r.st.Touch(ctx, rec, 0)
	}
	return fail("reset expiry", err)
}

func writerNonce() (w store.Writer) {
	rand.Read(w[:])
	return w
}

// wrap makes a record's data of a session's value: the core's envelope (docs/format.md) with one
// entry.
func wrap(value string) []byte {
	b := append([]byte{1, byte(len(slotName))}, slotName...)
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

// unwrap reverses wrap. A session that has lost all its keys, or was never given one, is the empty
// object.
func unwrap(data []byte) (string, error) {
	head := wrap("")[:2+len(slotName)]
	if len(data) == 0 {
		return "{}", nil
	}
	if len(data) > len(head) && string(data[:len(head)]) == string(head) {
		if n, k := binary.Uvarint(data[len(head):]); k > 0 && n == uint64(len(data)-len(head)-k) {
			return string(data[len(head)+k:]), nil
		}
	}
	return "", fmt.Errorf("%w: no session of possessions", store.ErrCorrupt)
}
