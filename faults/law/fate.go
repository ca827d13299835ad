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

// fate compares what was acknowledged of the session with what was read of it, the last time at all
// its keys.
func (h *history) fate() fate {
	f := fate{since: never}
	endedAt, mayFrom := h.end()
	mayEnd := mayFrom != never
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
	if at := h.vanished(mayFrom); mayEnd && at != never { // its last change at least
		f.lost++
		f.since = min(f.since, at)
	}
	return f
}

// vanished tells when the session's key was acknowledged that was found gone before anybody may
// have ended it; never if that did not happen.
func (h *history) vanished(mayFrom int64) int64 {
	had := h.last()
	for _, o := range h.ops {
		in, out := o.Input.(input), o.Output.(output)
		if since, ok := had[in.key]; ok && in.op == get && out.outcome == notFound && o.Call > since && o.Return < mayFrom {
			return since
		}
	}
	return never
}

// end tells when an end of the session was acknowledged, and when one may have taken place at the
// earliest; never if none did. Ends that overlap the creation do not count as acknowledged: they
// may have come before it.
func (h *history) end() (at, mayFrom int64) {
	born, made := int64(never), int64(never)
	at, mayFrom = never, never
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
		mayFrom = min(mayFrom, o.Call)
		if _, sure := last[in.key]; out.outcome == applied && made < o.Call && (in.op == end || sure) {
			at = min(at, o.Return)
		}
	}
	return at, mayFrom
}

// last returns the keys that the session surely had, and from which nobody tried to move it, with
// the time since when it had them.
func (h *history) last() map[store.ID]int64 {
	keys := map[store.ID]int64{}
	for _, o := range h.ops {
		switch in, out := o.Input.(input), o.Output.(output); {
		case out.outcome != applied:
		case in.op == create:
			keys[in.key] = o.Return
		case in.op == rotate:
			keys[in.next] = o.Return
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
