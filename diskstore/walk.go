package diskstore

import (
	"context"
	"errors"
	"iter"

	"github.com/sojourn-go/sojourn/store"
)

// User yields the live records of user as they were at one instant, without Data, with
// no lock held. It is as costly as the files in the user's directory are many. Errors:
// store.ErrCorrupt, after all sound records; ErrUnavailable.
func (s *Store) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		const op = "user"
		if err := s.begin(ctx, nil); err != nil {
			yield(store.Record{}, fail(op, err))
			return
		}
		if user == "" {
			return
		}
		keep := func(rec *store.Record) bool { return rec.User == user }
		bad, goOn := s.list(ctx, store.TagOf(user), keep, yield)
		if goOn && bad != nil {
			yield(store.Record{}, fail(op, bad))
		}
	}
}

// All walks over the live records as [store.Store] says, without Data, with no lock held
// while it yields. Errors: store.ErrCorrupt, after all sound records; ErrUnavailable.
func (s *Store) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		const op = "all"
		if err := s.begin(ctx, nil); err != nil {
			yield(store.Record{}, fail(op, err))
			return
		}
		var first error
		for n := range 256 {
			tags, err := s.disk.tags(byte(n))
			if err != nil {
				yield(store.Record{}, fail(op, classify(err, false)))
				return
			}
			for _, tag := range tags {
				bad, goOn := s.list(ctx, tag, func(*store.Record) bool { return true }, yield)
				if !goOn {
					return
				}
				if first == nil {
					first = bad
				}
			}
		}
		if first != nil {
			yield(store.Record{}, fail(op, first))
		}
	}
}

// list yields the live records of a tag that keep keeps. bad is the first damaged one,
// to be told in the end; goOn is false where the walk is over.
func (s *Store) list(ctx context.Context, tag store.Tag, keep func(*store.Record) bool, yield func(store.Record, error) bool) (bad error, goOn bool) {
	h, err := s.hold(ctx, tag)
	var recs []store.Record
	if err == nil {
		recs, bad, err = h.records()
		h.close()
	}
	if err != nil {
		yield(store.Record{}, fail("walk", err))
		return nil, false
	}
	for i := range recs {
		if err := store.FromContext(ctx); err != nil {
			yield(store.Record{}, fail("walk", err))
			return nil, false
		}
		if keep(&recs[i]) && recs[i].Live(h.now()) && !yield(recs[i], nil) {
			return nil, false
		}
	}
	return bad, true
}

// Revoke ends records of user as [store.Store] says, durably. It works on a full disk. Of an
// ErrIndeterminate, some records may have ended; after nil all have. Records that
// are damaged end with it unless sel names some, and are not counted. Errors: store.ErrInvalid, ErrUnavailable,
// ErrIndeterminate.
func (s *Store) Revoke(ctx context.Context, user string, sel store.Selection) (r store.Revoked, err error) {
	const op = "revoke"
	if err := s.begin(ctx, errors.Join(store.CheckSelection(sel), store.CheckUser(user))); err != nil {
		return r, fail(op, err)
	}
	if user == "" {
		return r, nil
	}
	h, err := s.hold(ctx, store.TagOf(user))
	if err != nil {
		return r, fail(op, err)
	}
	defer h.close()
	if r.N, err = h.revoke(user, sel); err != nil {
		return store.Revoked{}, fail(op, err)
	}
	if len(sel.Only) == 0 {
		r.At = h.now()
	}
	return r, nil
}

// Traits says that nothing is special about the store.
func (s *Store) Traits() store.Traits { return store.Traits{Local: true} }

// Watch is not supported.
func (s *Store) Watch(context.Context, func(store.Ending)) error {
	return fail("watch", errors.ErrUnsupported)
}

// revoke needs no journal. Beside other writes it is one step since it has the lock; and a
// crash in its middle, before it is acknowledged, leaves each record either as it was or
// ended. The guard comes last: what is removed makes room for it on a full disk.
func (h *hold) revoke(user string, sel store.Selection) (n int, err error) {
	recs, bad, err := h.records()
	if err != nil {
		return 0, err
	}
	if bad != nil && len(sel.Only)+len(sel.Except) == 0 {
		if err := h.dropDamaged(); err != nil {
			return 0, err
		}
	}
	var ids []store.ID
	for i := range recs {
		if recs[i].User != user || !sel.Picks(recs[i].Handle) {
			continue
		}
		ids = append(ids, recs[i].Key.ID)
		if recs[i].Live(h.now()) {
			n++
		}
	}
	for _, id := range ids {
		if err := h.dir.remove(idName(id)); err != nil && !missing(err) {
			return 0, classify(err, true)
		}
	}
	if len(sel.Only) == 0 {
		if err := h.s.spending(h.guard); err != nil {
			return 0, classify(err, len(ids) > 0)
		}
	}
	if h.dir == nil {
		return 0, nil
	}
	return n, h.end()
}

// guard remembers a revocation that is now. Its sync makes the removals durable too.
func (h *hold) guard() error {
	// A minute more than GuardFor, so that a sign-in of exactly that age meets it.
	err := h.s.file(hint{'g', h.time + int64(guardKept), store.Key{Tag: h.tag}}, h.time)
	if err != nil {
		return err
	}
	if err := h.ensure(); err != nil {
		return err
	}
	_, err = h.put(guardName, stamp(guardMagic, h.time), 0)
	return err
}

// dropDamaged removes the files of which nobody can tell whose they are.
func (h *hold) dropDamaged() error {
	names, err := h.dir.names(0)
	if err != nil {
		return classify(err, false)
	}
	for _, name := range names {
		var id store.ID
		if !parse(id[:], name) {
			continue
		}
		if _, _, err := h.head(id); err != nil {
			if err := h.dir.remove(name); err != nil && !missing(err) {
				return classify(err, true)
			}
		}
	}
	return nil
}
