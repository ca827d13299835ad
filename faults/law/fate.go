package law

import (
	"github.com/sojourn-go/sojourn/store"
)

// fate is what became of a session.
type fate struct {
	lost  int   // acknowledged changes that are no more
	back  bool  // read alive after its end was acknowledged
	since int64 // when the first of what is lost was acknowledged; never if nothing is
}

// fate compares what was acknowledged of the session with what was read of it, the last time at all its keys.
func (h *history) fate() fate {
	f := fate{since: never}
	endedAt, mayEnd := h.end()
	for _, o := range h.ops {
		in, out := o.Input.(input), o.Output.(output)
		if in.op == get && out.outcome == applied && o.Call > endedAt {
			f.back, f.since = true, min(f.since, endedAt)
		}
	}
	found := h.lastRead()
	writers := map[uint64]store.Writer{} // who made a version
	for _, o := range h.ops {
		in, out := o.Input.(input), o.Output.(output)
		if out.outcome != applied || in.op != create && in.op != update && in.op != rotate {
			continue
		}
		made := in.version + 1
		first, twice := writers[made]
		switch {
		case twice && first != in.writer: // two that began from the same version: one of them is overwritten
		case !twice && made > found && !mayEnd:
		default:
			writers[made] = in.writer
			continue
		}
		writers[made] = in.writer
		f.lost++
		f.since = min(f.since, o.Return)
	}
	return f
}

// end tells when an end of the session was acknowledged, never if none was, and whether one may have taken place.
// Ends that overlap the creation do not count: they may have come before it.
func (h *history) end() (at int64, may bool) {
	born, made := int64(never), int64(never)
	at = never
	last := h.last()
	for _, o := range h.ops {
		if in, out := o.Input.(input), o.Output.(output); in.op == create && out.outcome == applied {
			born, made = min(born, o.Call), min(made, o.Return)
		}
	}
	for _, o := range h.ops {
		in, out := o.Input.(input), o.Output.(output)
		if in.op != end && in.op != remove || out.outcome == unavailable || born > o.Return {
			continue
		}
		may = true
		if out.outcome == applied && made < o.Call && (in.op == end || last[in.key]) {
			at = min(at, o.Return)
		}
	}
	return at, may
}

// last gives the keys that the session surely had, and from which nobody tried to move it.
func (h *history) last() map[store.ID]bool {
	keys := map[store.ID]bool{h.key.ID: true}
	for _, o := range h.ops {
		if in, out := o.Input.(input), o.Output.(output); in.op == rotate && out.outcome == applied {
			keys[in.next] = true
		}
	}
	for _, o := range h.ops {
		if in := o.Input.(input); in.op == rotate {
			delete(keys, in.key)
		}
	}
	return keys
}

// lastRead is the version that the last reading of all keys found, 0 if none.
func (h *history) lastRead() (v uint64) {
	n := len(h.ids)
	for i := len(h.ops) - 1; i >= 0 && n > 0; i-- {
		in, out := h.ops[i].Input.(input), h.ops[i].Output.(output)
		if in.op != get || out.outcome != applied && out.outcome != notFound {
			continue
		}
		n--
		if out.outcome == applied {
			v = max(v, out.version)
		}
	}
	return v
}
