package cql

import (
	"context"

	"github.com/sojourn-go/sojourn/store"
)

// batchSize is how many records one batch ends at most. The engine refuses batches of more than some
// hundred kilobytes.
const batchSize = 1000

// revoke reads the user's records and ends those that are selected, on condition that the guard is what it
// read. Those that do not fit a batch are ended by further ones, for each of which the same holds. Records that have expired
// are ended too: by another node's clock they may be alive, and be touched.
func (s *Store) revoke(ctx context.Context, user string, sel store.Selection) (n int, at int64, err error) {
	tag := store.TagOf(user)
	a, err := s.begin(ctx, tag)
	if err != nil {
		return 0, 0, err
	}
	defer a.free()
	level := s.opts.Consistency
	remembered := len(sel.Only) > 0 // or nothing to be remembered
	for {
		p, err := a.partition(tag, level)
		if err != nil {
			return n, at, err
		}
		level = s.opts.SerialConsistency
		ends, damaged := p.of(user)
		ends = picked(ends, sel)
		live := 0
		for _, r := range ends[:min(len(ends), batchSize)] {
			if r.live(p.now) {
				live++
			}
		}
		if len(sel.Only) == 0 {
			ends = append(ends, damaged...) // they open nothing, but may be the user's
		}
		if len(ends) == 0 && remembered {
			return n, at, nil
		}
		whole := len(ends) <= batchSize
		ends = ends[:min(len(ends), batchSize)]
		before := s.clock.now() // the engine writes its own instant, which is not earlier
		done, err := a.end(p, ends, !remembered)
		if err != nil {
			return n, at, err
		}
		if done {
			if !remembered {
				at = before
			}
			n, remembered = n+live, true
			if whole {
				return n, at, nil
			}
			continue
		}
		if err := a.pause(); err != nil {
			return n, at, err
		}
	}
}

// end deletes rows in one batch, and has the revocation remembered if asked, on condition that the guard is what was read. It tells
// whether that held. An error of what follows is then one of an unknown outcome, for a part is done.
func (a *attempt) end(p *partition, rows []*row, remember bool) (bool, error) {
	guard := newGuard()
	applied, found, err := a.cas(func(now int64) []Statement {
		sts := []Statement{a.s.build(now).guard(p.tag, guard).add(" IF guard=?", blob(p.guard)).done()}
		if remember {
			b := a.s.build(now).add("UPDATE @ USING TTL ? ", revokedTTL).ago("SET revoked=", 0)
			sts = append(sts, b.add(" WHERE tag=?", p.tag[:]).done())
		}
		for _, r := range rows {
			sts = append(sts, a.s.remove(r.key))
		}
		return sts
	})
	// A guard that is there already is that of a batch whose answer was lost.
	done := err == nil && (applied || len(found) > 0 && string(found[0].guard) == string(guard))
	a.lost = a.lost || done
	return done, err
}

func picked(rows []*row, sel store.Selection) []*row {
	kept := rows[:0]
	for _, r := range rows {
		if sel.Picks(r.handle) {
			kept = append(kept, r)
		}
	}
	return kept
}
