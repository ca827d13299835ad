package kvstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// Read is part of [embedded.Driver]. It waits for no writer, unless Data that lies apart is being
// written.
func (e *engine) Read(ctx context.Context, key store.Key, data bool) (store.Record, error) {
	en, sure, err := e.whole(&key, data)
	if !sure {
		w, lost := e.lock(ctx, &key.Tag)
		if lost != nil {
			return store.Record{}, lost
		}
		en, _, err = e.whole(&key, data)
		w.unlock()
	}
	if err != nil {
		return store.Record{}, err
	}
	return en.Record, nil
}

// whole reads an entry, with its Data if asked. Without the lock a writer may come between its two
// parts; where that could be the reason for the answer, sure is false.
func (e *engine) whole(k *store.Key, data bool) (en *entry, sure bool, err error) {
	en, err = e.read(k)
	switch {
	case err != nil:
		return nil, true, err
	case en == nil:
		return nil, true, store.ErrNotFound
	case !data || !en.apart:
		return en, true, nil
	}
	key := e.dataKey(k)
	b, found, err := e.db.Get(key)
	if err != nil {
		return nil, true, class(err, store.ErrUnavailable)
	}
	mine := false
	if found {
		en.Data, mine, err = en.decodeData(key[len(e.root):], b)
	}
	if err == nil && !mine {
		err = fmt.Errorf("%w: session %v: its data is another's or missing", store.ErrCorrupt, en.Handle)
	}
	return en, err == nil, err
}

// read reads the entry at a key, nil if there is none. Its Data is missing if it lies apart.
func (e *engine) read(k *store.Key) (*entry, error) {
	key := e.recordKey(k)
	b, found, err := e.db.Get(key)
	if err != nil {
		return nil, class(err, store.ErrUnavailable)
	}
	if !found {
		return nil, nil
	}
	en := new(entry)
	return en, en.decode(key[len(e.root):], b)
}

// guard reads when the tag's records were last revoked.
func (e *engine) guard(tag *store.Tag) (at int64, found bool, err error) {
	key := e.key(kindGuard, tag[:])
	b, found, err := e.db.Get(key)
	if err != nil || !found {
		return 0, false, class(err, store.ErrUnavailable)
	}
	at, ok := decodeInstant(key[len(e.root):], b)
	if !ok {
		return 0, false, fmt.Errorf("%w: the stored instant of a revocation", store.ErrCorrupt)
	}
	return at, true, nil
}

// ofTag calls f for each entry under the tag, whose slices are valid during the call only; err says
// that it is damaged, and then only its key is known.
func (e *engine) ofTag(tag *store.Tag, f func(en *entry, err error)) error {
	from, to := e.span(kindRecord, tag[:])
	var other error
	err := e.walk(from, to, func(key, value []byte) bool {
		var en entry
		err := en.decode(key[len(e.root):], value)
		if errors.Is(err, driver.ErrVersion) {
			other = err
			return false
		}
		f(&en, err)
		return true
	})
	return cmp.Or(err, other)
}

// walk is the database's. Where that meets damage of its own it breaks off, and nobody knows what
// lies behind: an outage, and not a damaged record.
func (e *engine) walk(from, to []byte, f func(key, value []byte) bool) error {
	err := class(e.db.Walk(from, to, f), store.ErrUnavailable)
	if errors.Is(err, store.ErrCorrupt) {
		err = fmt.Errorf("%w: %v", store.ErrUnavailable, err)
	}
	return err
}

// page is how many records List copies before it lets go of the database's iterator, and how many
// expiry entries a sweep does.
const page = 256

// List is part of [embedded.Driver].
func (e *engine) List(_ context.Context, user string, f func(*store.Record, error) bool) error {
	var some []listed
	var other error
	note := func(en *entry, err error) {
		if errors.Is(err, driver.ErrVersion) {
			other = err // told last
			return
		}
		l := listed{en.Record, err}
		l.rec.Meta, l.rec.Data = bytes.Clone(en.Meta), nil
		some = append(some, l)
	}
	if user != "" {
		tag := store.TagOf(user)
		err := e.ofTag(&tag, note)
		give(some, f)
		return err
	}
	from, to := e.span(kindRecord)
	for from != nil {
		var next []byte
		some = some[:0]
		err := e.walk(from, to, func(key, value []byte) bool {
			var en entry
			note(&en, en.decode(key[len(e.root):], value))
			if len(some) == page {
				next = append(bytes.Clone(key), 0)
			}
			return len(some) < page
		})
		if err != nil {
			return err
		}
		if !give(some, f) {
			return nil
		}
		from = next
	}
	return other
}

// listed is a record for List, or the error of a damaged one.
type listed struct {
	rec store.Record
	err error
}

func give(some []listed, f func(*store.Record, error) bool) bool {
	for i := range some {
		if !f(&some[i].rec, some[i].err) {
			return false
		}
	}
	return true
}
