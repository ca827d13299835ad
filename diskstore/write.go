package diskstore

import (
	"context"
	"errors"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/embedded"
)

// Write is part of [embedded.Driver].
func (s *engine) Write(ctx context.Context, tag store.Tag, decide func(embedded.View) (embedded.Change, error)) error {
	h, err := s.hold(ctx, tag)
	if err != nil {
		return err
	}
	defer h.close()
	return embedded.Apply(h, decide)
}

// Apply carries a change out: in the one way that is needed for it.
func (h *hold) Apply(c *embedded.Change) error {
	switch {
	case !c.Revoked.IsZero():
		return h.revoke(c.Drop, c.Revoked.UnixNano())
	case c.Seen != nil:
		return classify(h.dir.touch(idName(c.Seen.Key.ID), c.Seen.Seen.UnixNano()), false)
	case len(c.Put) > 0:
		return h.undo(h.write(c))
	case len(c.Drop) > 0 && h.dir != nil:
		h.inspect(c.Drop) // Delete does not look
		return h.end(c.Drop...)
	}
	return h.again()
}

// write writes records, of which each has its hint first. If there is one alone, a rename is the
// step that counts; else the journal makes it one step.
func (h *hold) write(c *embedded.Change) error {
	for _, p := range c.Put {
		// The hint of a live record that ends before that one comes in time.
		if p.Old != nil && p.Old.Live(h.Now()) && ends(p.Old) <= ends(p.Rec) {
			continue
		}
		if err := h.s.fileRecord(p.Rec, h.time); err != nil {
			return classify(err, false)
		}
	}
	waits, err := c.Waits(h.s.wait), error(nil)
	if c.Put[0].Old == nil && len(c.Put)+len(c.Drop) == 1 { // else something is in the directory
		err = h.ensure(waits)
	} else if waits {
		err = h.anchor()
	}
	if err != nil {
		return classify(err, false)
	}
	if len(c.Put) == 1 && len(c.Drop) == 0 {
		rec := c.Put[0].Rec
		done, err := h.put(idName(rec.Key.ID), encode(rec), mtimeOf(rec), waits || h.s.bytesWait(rec), waits)
		return classify(err, done)
	}
	j := change{removes: c.Drop}
	for _, p := range c.Put {
		j.puts = append(j.puts, newPut(p.Rec))
	}
	done, err := h.commit(&j)
	return classify(err, done)
}

// undo leaves no empty directory behind a write for which there was no room.
func (h *hold) undo(err error) error {
	if err != nil && h.dir != nil && !errors.Is(err, store.ErrIndeterminate) {
		h.tidy()
	}
	return err
}

// revoke needs no journal. Beside other writes it is one step since it has the lock; and a crash in
// its middle, before it is acknowledged, leaves each record either as it was or ended. The guard
// comes last: what is removed makes room for it on a full disk.
func (h *hold) revoke(ids []store.ID, at int64) error {
	if err := h.remove(ids); err != nil {
		return err
	}
	done := len(ids) > 0
	err := h.s.spending(func() error {
		guarded, err := h.guard(at)
		done = done || guarded
		return err
	})
	if err != nil {
		return classify(err, done)
	}
	return h.end()
}

// guard remembers a revocation. done reports whether it may be remembered. Its sync makes removals
// before it durable, too.
func (h *hold) guard(at int64) (done bool, err error) {
	if err := h.s.file(hint{'g', at + int64(embedded.GuardKept), store.Key{Tag: h.tag}}, h.time); err != nil {
		return false, err
	}
	if err := h.ensure(true); err != nil {
		return false, err
	}
	return h.put(guardName, stamp(guardMagic, at), 0, true, true)
}
