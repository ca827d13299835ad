package possessions

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// byID is the store that an overseer's manager sees: it keeps each session, which has no user in
// these APIs, under its UUID as if that were a user, so that every store finds, ends and lists it
// by its UUID in one partition. The UUID is made of the random tag that the core gives a session
// and keeps over renewals. It opens nothing: the token's secret is beside it, and only that
// secret's hash is in the store.
type byID struct {
	store.Store
	look func(ctx context.Context, id string) (gone bool, err error) // if not nil, to be called before a session is read
}

// idLen is how long the spelling of a UUID is.
const idLen = len("a668b3bb-0cf1-4627-8cd4-7f62d09ebad6")

// spell writes a tag as a random UUID (RFC 9562, version 4).
func spell(tag store.Tag) (id [idLen]byte) {
	tag[6], tag[8] = tag[6]&0x0f|0x40, tag[8]&0x3f|0x80
	at := 0
	for i, b := range tag {
		switch i {
		case 4, 6, 8, 10:
			id[at] = '-'
			at++
		}
		hex.Encode(id[at:], []byte{b})
		at += 2
	}
	return id
}

// idOf returns the UUID of a tag.
func idOf(tag store.Tag) string {
	id := spell(tag)
	return string(id[:])
}

// parseID returns a tag for which idOf gives id, and reports whether there is one. id may be any
// text.
func parseID(id string) (tag store.Tag, ok bool) {
	if len(id) != idLen {
		return tag, false
	}
	digits := make([]byte, 0, idLen)
	for i := range len(id) {
		if id[i] != '-' && len(digits) < hex.EncodedLen(len(tag)) {
			digits = append(digits, id[i])
		}
	}
	_, err := hex.Decode(tag[:], digits)
	again := spell(tag)
	return tag, err == nil && string(again[:]) == id
}

// inside gives the key and user under which the store keeps what the manager knows as key.
func inside(key store.Key) (store.Key, string) {
	id := idOf(key.Tag)
	return store.Key{Tag: store.TagOf(id), ID: key.ID}, id
}

// into translates a record for the store.
func into(rec store.Record) (store.Record, error) {
	if rec.User != "" {
		return rec, fmt.Errorf("%w: signing users in needs sojourn.New over the store itself", store.ErrInvalid)
	}
	rec.Key, rec.User = inside(rec.Key)
	return rec, nil
}

func (s byID) Create(ctx context.Context, rec store.Record, _ store.Admission) (store.Admitted, error) {
	rec, err := into(rec)
	if err != nil {
		return store.Admitted{}, err
	}
	return s.Store.Create(ctx, rec, store.Admission{})
}

func (s byID) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	in, id := inside(key)
	if s.look != nil {
		if _, err := s.look(ctx, id); err != nil {
			return store.Record{}, time.Time{}, err
		}
	}
	rec, now, err := s.Store.Get(ctx, in)
	rec.Key, rec.User = key, ""
	return rec, now, err
}

func (s byID) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	rec, err := into(rec)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, rec, ifVersion)
}

func (s byID) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	rec, err := into(rec)
	if err != nil {
		return err
	}
	return s.Store.Touch(ctx, rec, every)
}

func (s byID) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	rec, err := into(rec)
	if err != nil {
		return err
	}
	old, _ = inside(old)
	if tail != nil {
		t := *tail
		t.Key = old
		tail = &t
	}
	return s.Store.Rotate(ctx, old, ifVersion, rec, tail)
}

func (s byID) Delete(ctx context.Context, key store.Key) error {
	in, _ := inside(key)
	return s.Store.Delete(ctx, in)
}

// User yields nothing: to the manager, nobody is signed in.
func (s byID) User(context.Context, string) iter.Seq2[store.Record, error] {
	return func(func(store.Record, error) bool) {}
}

// Revoke ends nothing, as User says.
func (s byID) Revoke(context.Context, string, store.Selection) (store.Revoked, error) {
	return store.Revoked{}, nil
}

// All yields the sessions, and not what else is kept under other names.
func (s byID) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for rec, err := range s.Store.All(ctx) {
			tag, ok := parseID(rec.User)
			if err == nil && !ok {
				continue
			}
			rec.Key.Tag, rec.User = tag, ""
			if !yield(rec, err) {
				return
			}
		}
	}
}
