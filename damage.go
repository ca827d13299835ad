package sojourn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/internal/envelope"
	"github.com/sojourn-go/sojourn/internal/field"
	"github.com/sojourn-go/sojourn/internal/meta"
	"github.com/sojourn-go/sojourn/store"
)

// readable reads what the manager keeps in a record: mt, and whether the data are whole. What
// another version has written is an outage of this node; what this version could not have written
// is damage.
func readable(rec *store.Record, mt *meta.Meta) error {
	var err error
	if *mt, err = meta.DecodeFacts(rec.Meta); err == nil {
		err = envelope.Check(rec.Data)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, field.ErrVersion):
		return fmt.Errorf("%w: %v: %w", ErrUnavailable, *rec, err)
	}
	return fmt.Errorf("%w: %v: %w", ErrCorrupt, *rec, err)
}

// pass goes on from a record that cannot be read. One that is damaged is set aside: from here on
// the store has none at its key, so gone is the answer. Every other error is an outage. seen is
// find's.
func (s *Session) pass(ctx context.Context, key store.Key, gone answer, rec *store.Record, err error, seen *sightings) (answer, error) {
	if !errors.Is(err, ErrCorrupt) {
		return nothing, err
	}
	if !s.m.damaged.admit(key, s.m.opts.DamagedPerMinute) {
		return nothing, fmt.Errorf("%w: more than %d damaged records within a minute, so this one is kept: %v",
			ErrUnavailable, s.m.opts.DamagedPerMinute, err)
	}
	s.m.event(ctx, SessionDamaged, rec.Handle, rec.User, "", err)
	rest := s.m.calls.Rest(ctx)
	defer rest.Stop()
	err = s.delete(rest, key)
	if errors.Is(err, ErrCorrupt) { // it cannot even be removed
		err = fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	if err != nil {
		return nothing, err
	}
	if seen != nil {
		seen.damage = true
	}
	return gone, nil
}

// damaged is what was set aside within a minute. A few damaged records are an accident of theirs;
// many say that it is the store which cannot be read, and then nothing may be removed from it.
type damaged struct {
	mu    sync.Mutex
	since time.Time
	keys  map[store.Key]bool // so that the requests of one page count once
}

// admit reports whether one more record may be set aside, of at most so many a minute.
func (d *damaged) admit(key store.Key, most int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); now.Sub(d.since) >= time.Minute { // also at first
		d.since, d.keys = now, make(map[store.Key]bool)
	}
	if d.keys[key] {
		return true
	}
	if len(d.keys) >= most {
		return false
	}
	d.keys[key] = true
	return true
}
