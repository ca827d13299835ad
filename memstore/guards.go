package memstore

import "github.com/sojourn-go/sojourn/store"

// guards remembers when users' records were revoked, in two generations: the younger takes what is
// new, the older goes after [store.GuardFor]. Nothing needs to look for old ones.
type guards struct {
	young, old map[store.Tag]int64
	since      int64 // of the younger generation
	all        int64 // if folded: the guard of everybody in the shard
	folded     bool
}

// maxGuards bounds a generation of a shard. What comes beyond is folded into one guard for all:
// some sign-ins of other users that were under way are then refused, but none is admitted that
// should not be, and memory is bounded.
const maxGuards = 2048

func (g *guards) turn(now int64) {
	if now-g.since >= int64(store.GuardFor) {
		g.old, g.young, g.since = g.young, nil, now
	}
}

func (g *guards) set(tag store.Tag, now int64) {
	g.turn(now)
	if _, known := g.young[tag]; !known && len(g.young) >= maxGuards {
		g.all, g.folded = now, true
		return
	}
	if g.young == nil {
		g.young = make(map[store.Tag]int64)
	}
	g.young[tag] = now
}

// last returns when tag's records were last revoked, as far as that is remembered.
func (g *guards) last(tag store.Tag) (at int64, ok bool) {
	if at, ok = g.young[tag]; !ok {
		at, ok = g.old[tag]
	}
	if g.folded {
		return max(at, g.all), true
	}
	return at, ok
}
