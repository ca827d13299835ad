package diskstore

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Traits is part of [embedded.Driver].
func (s *engine) Traits() store.Traits { return store.Traits{} }

// Clock is part of [embedded.Driver].
func (s *engine) Clock(t time.Time) time.Time { return instant(s.clock.Of(t)) }

// Read is part of [embedded.Driver]. It waits for no lock, but for a user whose Rotate or eviction
// is under way: a file is never changed once it has its name. journal.go says when it may be taken
// as it is.
func (s *engine) Read(ctx context.Context, key store.Key, data bool) (rec store.Record, err error) {
	if s.closed.Load() {
		return rec, errClosed
	}
	most := headMost
	if data {
		most = fileMost
	}
	d, err := s.disk.open(key.Tag, false)
	if err != nil {
		return rec, absent(err)
	}
	rec, err = s.untorn(s.read(d, key, most))
	changing := false
	if missing(err) || !s.ordered.Load() {
		there, err2 := d.exists(journalName)
		if changing = there; err2 != nil {
			err = err2
		}
	}
	d.close()
	if !changing {
		return rec, absent(err)
	}
	h, err := s.hold(ctx, key.Tag)
	if err != nil {
		return store.Record{}, err
	}
	defer h.close()
	if h.dir == nil {
		return store.Record{}, store.ErrNotFound
	}
	rec, err = s.untorn(s.read(h.dir, key, most))
	return rec, absent(err)
}

// absent tells a file that is not there from one that cannot be read.
func absent(err error) error {
	if missing(err) {
		return store.ErrNotFound
	}
	return classify(err, false)
}

// List is part of [embedded.Driver]. It is as costly as the files in a user's directory, or in all,
// are many. One directory that cannot be read keeps it from none of the others; that is told at the
// end.
func (s *engine) List(ctx context.Context, user string, f func(*store.Record, error) bool) error {
	if user != "" {
		_, err := s.list(ctx, store.TagOf(user), f)
		return err
	}
	var failed error
	for n := range 256 {
		if s.closed.Load() {
			return errClosed
		}
		tags, err := s.disk.tags(byte(n))
		failed = cmp.Or(failed, classify(err, false))
		for _, tag := range tags {
			more, err := s.list(ctx, tag, f)
			failed = cmp.Or(failed, err)
			if !more || ctx.Err() != nil {
				return failed
			}
		}
	}
	return failed
}

// list lists one directory, with no lock held while f is called. A damaged journal is as a damaged
// record. more is true unless f wants no more.
func (s *engine) list(ctx context.Context, tag store.Tag, f func(*store.Record, error) bool) (more bool, err error) {
	h, err := s.hold(ctx, tag)
	if errors.Is(err, store.ErrCorrupt) {
		return f(nil, err), nil
	}
	if err != nil {
		return true, err
	}
	var recs []store.Record
	var bad error
	err = h.Each("", func(rec *store.Record, err error) {
		if err != nil {
			bad = err
		} else {
			recs = append(recs, *rec)
		}
	})
	h.close()
	for i := range recs {
		if !f(&recs[i], nil) {
			return false, err
		}
	}
	return bad == nil || f(nil, bad), err
}
