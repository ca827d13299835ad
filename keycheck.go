package sojourn

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Processes on one store tell each other which keys they have, by one record under store.Reserved.
// It holds ids of keys and nothing else; docs/format.md has its bytes.

// Two processes must start within ringLives of each other to meet, unless RunSweeper keeps their
// entries alive. An entry that is younger than ringRests is not written again.
const (
	ringLives = 15 * time.Minute
	ringRests = 4 * time.Minute
	mostRings = 64 // the newest stay
)

// ring is the keys of processes, by their ids.
type ring struct {
	Seals string   `json:"seals"` // the key that seals
	Opens []string `json:"opens"` // all that open, sorted
	Seen  int64    `json:"seen"`  // seconds after the record was made, in the store's clock
}

// ringOf is the manager's own, as far as its sealer names its keys.
func (m *Manager) ringOf() (r ring, ok bool) {
	named, ok := m.keys.(interface{ KeyIDs() []string })
	if !ok {
		return r, false
	}
	ids := named.KeyIDs()
	if len(ids) == 0 {
		return r, false
	}
	return ring{Seals: ids[0], Opens: slices.Compact(slices.Sorted(slices.Values(ids)))}, true
}

func (r *ring) same(o *ring) bool { return r.Seals == o.Seals && slices.Equal(r.Opens, o.Opens) }

// understands reports whether each of the two opens what the other seals.
func (r *ring) understands(o *ring) bool {
	return slices.Contains(r.Opens, o.Seals) && slices.Contains(o.Opens, r.Seals)
}

// CheckKeys compares the keys of this process with those of the others that use the store and the
// manager's Name, and leaves the ids of its own for them. Call it when the program starts;
// [Manager.RunSweeper] calls it at once and every few minutes, and tells the observer,
// [KeysDiffer], what it returns. It costs one read, and every few minutes a write. A process that
// has ended, or has not called it for longer, is forgotten after 15 min.
//
// A [Sealer] of the program's own takes part if it has a method KeyIDs() []string as [KeyRing] has.
// Where nothing can be compared (no such method, a store that one process has for itself, no store)
// the answer is nil.
//
// Errors: [ErrKeys] where this process and another cannot open what the other seals, so that each
// takes the other's users for strangers; outages.
func (m *Manager) CheckKeys(ctx context.Context) error {
	mine, ok := m.ringOf()
	if !ok || m.store == nil || m.traits.Volatile {
		return nil
	}
	var err error
	for range maxReplays {
		var foreign []ring
		if foreign, err = m.meetRings(ctx, mine); err == nil {
			err = mine.refuse(foreign)
			break
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrNotFound) {
			break
		}
	}
	return opError("keys", err)
}

// meetRings reads what others have left, leaves mine where that is due, and returns those that do
// not go with it. Errors: [store.ErrConflict] and the like where another process was faster.
func (m *Manager) meetRings(ctx context.Context, mine ring) (foreign []ring, err error) {
	var rec store.Record
	var now time.Time
	key := store.Key{Tag: store.Reserved, ID: sha256.Sum256([]byte("sojourn key rings v1\x00" + m.opts.Name))}
	err = m.calls.Do(ctx, func(ctx context.Context) (err error) {
		rec, now, err = m.store.Get(ctx, key)
		return err
	})
	missing := errors.Is(err, store.ErrNotFound)
	if errors.Is(err, store.ErrCorrupt) { // it holds nothing that is not written anew
		err = m.calls.Do(ctx, func(ctx context.Context) error { return m.store.Delete(ctx, key) })
		return nil, cmp.Or(err, store.ErrNotFound)
	}
	if err != nil && !missing {
		return nil, err
	}
	var rings []ring
	// What does not decode is written anew: by a later release, or damaged.
	_ = json.Unmarshal(rec.Data, &rings)
	mine.Seen = int64(now.Sub(rec.Created) / time.Second)
	if missing {
		mine.Seen = 0
	}
	due := true
	rings = slices.DeleteFunc(rings, func(r ring) bool {
		age := time.Duration(mine.Seen-r.Seen) * time.Second
		if r.same(&mine) {
			due = age > ringRests || age < 0
			return due
		}
		return age > ringLives || age < 0
	})
	for _, r := range rings {
		if !mine.understands(&r) {
			foreign = append(foreign, r)
		}
	}
	if !due {
		return foreign, nil
	}
	rings = append([]ring{mine}, rings...)
	data, err := json.Marshal(rings[:min(len(rings), mostRings)])
	if err != nil {
		return nil, err
	}
	version := rec.Version
	rec = store.Record{Key: key, Handle: newHandle(), Writer: newWriter(), Idle: ringLives, Data: data}
	return foreign, m.calls.Do(ctx, func(ctx context.Context) error {
		if missing {
			_, err := m.store.Create(ctx, rec, store.Admission{})
			return err
		}
		return m.store.Update(ctx, rec, version)
	})
}

// refuse names the rings that do not go with this one.
func (r *ring) refuse(foreign []ring) error {
	if len(foreign) == 0 {
		return nil
	}
	var others []string
	for _, o := range foreign {
		others = append(others, fmt.Sprintf("another seals with key %s and opens with %s", o.Seals, strings.Join(o.Opens, " ")))
	}
	return fmt.Errorf("%w: this process seals with key %s and opens with %s; %s; give all the same file of keys, "+
		"and change keys in the order that ParseKeys describes", ErrKeys, r.Seals, strings.Join(r.Opens, " "), strings.Join(others, "; "))
}

// tellKeys is CheckKeys for the observer.
func (m *Manager) tellKeys(ctx context.Context) {
	switch err := m.CheckKeys(ctx); {
	case errors.Is(err, ErrKeys):
		m.event(ctx, KeysDiffer, store.Handle{}, "", "", err)
	case err != nil && ctx.Err() == nil:
		m.event(ctx, StoreFailed, store.Handle{}, "", "keys", err)
	}
}
