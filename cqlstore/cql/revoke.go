package cql

import (
	"context"

	"github.com/sojourn-go/sojourn/store"
)

// batchSize is how many records one batch ends at most. The engine refuses batches of more than some
// hundred kilobytes.
const batchSize = 1000

// revoke reads the user's records and ends those that are selected, on condition that the guard is what it
// read. Those that do not fit a batch are ended by further ones, for each of which the same holds.
func (s *Store) revoke(ctx context.Context, user string, sel store.Selection) (n int, err error) {
	tag := store.TagOf(user)
	a, err := s.begin(ctx, tag)
	if err != nil {
		return 0, err
	}
	defer a.free()
	level := s.opts.Consistency
	remembered := len(sel.Only) > 0 // or nothing to be remembered
	for {
		p, err := a.partition(tag, level)
		if err != nil {
			return n, err
		}
		level = s.opts.SerialConsistency
		ends, damaged := p.live(user)
		ends = picked(ends, sel)
		live := min(len(ends), batchSize)
		if len(sel.Only) == 0 {
			ends = append(ends, damaged...) // they open nothing, but may be the user's
		}
		if len(ends) == 0 && remembered {
			return n, nil
		}
		whole := len(ends) <= batchSize
		ends = ends[:min(len(ends), batchSize)]
		guard := newGuard()
		applied, rows, err := a.cas(func(now int64) []Statement {
			sts := []Statement{s.build(now).guard(tag, guard).add(" IF guard=?", blob(p.guard)).done()}
			if !remembered {
				b := s.build(now).add("UPDATE @ USING TTL ? ", revokedTTL).ago("SET revoked=", 0)
				sts = append(sts, b.add(" WHERE tag=?", tag[:]).done())
			}
			for _, r := range ends {
				sts = append(sts, s.remove(r.key))
			}
			return sts
		})
		if err != nil {
			return n, err
		}
		// A guard that is there already is that of a batch whose answer was lost.
		if applied || len(rows) > 0 && string(rows[0].guard) == string(guard) {
			n, remembered = n+live, true
			if whole {
				return n, nil
			}
			continue
		}
		if err := a.pause(); err != nil {
			return n, err
		}
	}
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
