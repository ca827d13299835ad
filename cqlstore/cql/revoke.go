package cql

import (
	"context"
	"slices"

	"github.com/sojourn-go/sojourn/store"
)

// batchSize is how many records one batch ends at most. The engine refuses batches of more than
// some hundred kilobytes.
const batchSize = 1000

// Revoke reads the user's records and ends those that are selected, on condition that the guard is
// what it read. Those that do not fit a batch are ended by further ones, for each of which the same
// holds. Records that have expired are ended too: by another node's clock they may be alive, and be
// touched. Without Only it also deletes the damaged records under the user's tag, uncounted.
func (e *engine) Revoke(ctx context.Context, user string, sel store.Selection) (got store.Revoked, err error) {
	tag := store.TagOf(user)
	a, err := e.begin(ctx, tag)
	if err != nil {
		return got, err
	}
	defer a.free()
	level := e.opts.Consistency
	var at int64 // of the revocation, once it is to be remembered
	remembered := len(sel.Only) > 0
	for {
		p, err := a.partition(tag, level)
		if err != nil {
			return got, err
		}
		level = e.opts.SerialConsistency
		ends, damaged := p.of(user)
		ends = slices.DeleteFunc(ends, func(r *row) bool { return !sel.Picks(r.handle) })
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
			return got, nil
		}
		if !remembered {
			at = p.next(e.clock.now())
		}
		whole := len(ends) <= batchSize
		done, err := a.end(p, ends[:min(len(ends), batchSize)], at)
		if err != nil {
			return got, err
		}
		if !done {
			if err := a.pause(); err != nil {
				return got, err
			}
			continue
		}
		if got.N += live; !remembered {
			got.At, remembered, at = milli.Time(at), true, 0
		}
		if whole {
			return got, nil
		}
	}
}

// next returns an instant for a revocation: now, as the read told it, and later than the last one.
// Each has one of its own: whoever knows of one knows of no later one.
func (p *partition) next(estimate int64) int64 {
	at := p.now
	if at == 0 { // an empty partition tells nothing
		at = estimate
	}
	if p.revoked != nil {
		at = max(at, *p.revoked+1)
	}
	return at
}

// end deletes rows in one batch, and has a revocation remembered if its instant is not 0, on
// condition that the guard is what was read. It reports whether that held. An error of what follows
// is then one of an unknown outcome, for a part is done.
func (a *attempt) end(p *partition, rows []*row, revoked int64) (bool, error) {
	guard := newGuard()
	applied, found, err := a.cas(func(now int64) []Statement {
		sts := []Statement{a.e.build(now).guard(p.tag, guard).add(" IF guard=?", blob(p.guard)).done()}
		if revoked != 0 {
			sts = append(sts, a.e.build(now).add("UPDATE @ USING TTL ? SET revoked=? WHERE tag=?", revokedTTL, revoked, p.tag[:]).done())
		}
		for _, r := range rows {
			sts = append(sts, a.e.remove(r.key))
		}
		return sts
	})
	// A guard that is there already is that of a batch whose answer was lost.
	done := err == nil && (applied || len(found) > 0 && string(found[0].guard) == string(guard))
	a.lost = a.lost || done
	return done, err
}
