package embedded

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// op is one write. Ops are used again, so that a write allocates neither the records that it reads
// nor a function.
type op struct {
	decide func(View) (Change, error) // made once: it calls rung
	rung   func(*op, View) (Change, error)
	call
	scratch
}

// call is what a write was called with, and what it answers.
type call struct {
	rec, tail *store.Record
	given     [2]instants // of rec and tail, as the caller gave them
	version   uint64      // the expected one
	from      store.ID
	adm       store.Admission
	began     time.Time // by the engine's clock
	every     time.Duration
	user      string
	sel       store.Selection
	admitted  store.Admitted
	revoked   store.Revoked
}

// scratch is what was found, and the change.
type scratch struct {
	old, there store.Record
	puts       [2]Put
	drops      []store.ID
}

type instants struct{ created, seen time.Time }

var ops = sync.Pool{New: func() any {
	o := new(op)
	o.decide = func(v View) (Change, error) { return o.rung(o, v) }
	return o
}}

func begin(rung func(*op, View) (Change, error)) *op {
	o := ops.Get().(*op)
	o.rung = rung
	return o
}

func (o *op) end() {
	o.call = call{}
	ops.Put(o)
}

// take notes the records of a write, for a decision may have to be made again.
func (o *op) take(rec, tail *store.Record) {
	o.rec, o.tail = rec, tail
	o.given[0] = instants{rec.Created, rec.Seen}
	if tail != nil {
		o.given[1] = instants{tail.Created, tail.Seen}
	}
}

// oldest bounds how far back a caller's instant may lie, so that every sum fits an int64 of
// nanoseconds: 146 years.
const oldest = -1 << 62

// settle resolves the instants of a record that is inserted: now where the caller left it open, and
// now at the latest.
func settle(r *store.Record, given instants, now time.Time) {
	r.Created, r.Seen = past(given.created, now), past(given.seen, now)
}

func past(t, now time.Time) time.Time {
	if t.IsZero() {
		return now
	}
	return now.Add(min(max(t.Sub(now), oldest), 0))
}

// find reads the record with an ID, and reports whether there is one and whether it lives.
func find(v View, id store.ID, rec *store.Record) (found, live bool, err error) {
	found, err = v.Find(id, rec)
	return found, err == nil && found && rec.Live(v.Now()), err
}

// wrote reports whether r is what the writer's write to the version before left.
func wrote(r *store.Record, w store.Writer, version uint64) bool {
	return r.Version == version && r.Writer == w
}

// put adds a record to the change. old is what was found at its key.
func (o *op) put(c *Change, rec, old *store.Record, found bool) {
	p := Put{Rec: rec}
	if found {
		p.Old = old
	}
	o.puts[len(c.Put)] = p
	c.Put = o.puts[:len(c.Put)+1]
}

// drop adds a deletion to the change.
func (o *op) drop(c *Change, id store.ID) {
	o.drops = append(o.drops[:len(c.Drop)], id)
	c.Drop = o.drops
}

// create: replay, exists, revoked, limit.
func (o *op) create(v View) (c Change, err error) {
	rec := o.rec
	found, live, err := find(v, rec.Key.ID, &o.old)
	if err != nil {
		return c, err
	}
	now := v.Now()
	o.admitted = store.Admitted{Now: now}
	if rec.User != "" {
		if o.admitted.Revoked, err = revokedAt(v); err != nil {
			return c, err
		}
	}
	switch {
	case live && wrote(&o.old, rec.Writer, 1):
		return c, nil
	case live:
		return c, store.ErrExists
	case o.refused():
		return c, store.ErrRevoked
	}
	victims, err := o.admit(v)
	if err != nil {
		return c, err
	}
	rec.Version = 1
	settle(rec, o.given[0], now)
	if !rec.Live(now) {
		return c, nil // it never lives, so nobody has to go for it
	}
	for i := range victims {
		o.drop(&c, victims[i].id)
		o.admitted.Evicted = append(o.admitted.Evicted, victims[i].handle)
	}
	o.put(&c, rec, &o.old, found)
	switch {
	case len(victims) > 0:
	case rec.User == "":
		c.spare = store.Relaxed
	default:
		c.spare = store.Loose
	}
	return c, nil
}

// revokedAt is when the user was last revoked. One that cannot be read counts as now: it refuses
// too much, and never too little.
func revokedAt(v View) (time.Time, error) {
	at, err := v.Revoked()
	if errors.Is(err, store.ErrCorrupt) {
		return v.Now(), nil
	}
	return at, err
}

// refused reports whether a revocation came after the sign-in began, or at that instant.
func (o *op) refused() bool {
	at := o.admitted.Revoked
	return o.adm.Age() > 0 && at.After(o.adm.Known) && !at.Before(o.began)
}

// victim is a record that may have to go.
type victim struct {
	created time.Time
	id      store.ID
	handle  store.Handle
}

// admit picks the user's records that must end to let one more in: the oldest, by Created and then
// by ID. Damaged ones count in no limit.
func (o *op) admit(v View) ([]victim, error) {
	if o.adm.Max == 0 {
		return nil, nil
	}
	var mine []victim
	err := v.Each(o.rec.User, func(r *store.Record, err error) {
		if err == nil && r.User == o.rec.User && r.Live(v.Now()) {
			mine = append(mine, victim{r.Created, r.Key.ID, r.Handle})
		}
	})
	over := len(mine) + 1 - o.adm.Max
	switch {
	case err != nil || over <= 0:
		return nil, err
	case !o.adm.Evict:
		return nil, store.ErrLimit
	}
	slices.SortFunc(mine, func(a, b victim) int {
		return cmp.Or(a.created.Compare(b.created), bytes.Compare(a.id[:], b.id[:]))
	})
	return mine[:over], nil
}

// update: not found, replay, conflict.
func (o *op) update(v View) (c Change, err error) {
	rec, old := o.rec, &o.old
	found, live, err := find(v, rec.Key.ID, old)
	switch {
	case err != nil:
		return c, err
	case !live:
		return c, store.ErrNotFound
	case wrote(old, rec.Writer, o.version+1):
		return c, nil
	case old.Version != o.version:
		return c, store.ErrConflict
	}
	now := v.Now()
	rec.Version, rec.Handle, rec.User, rec.Created = o.version+1, old.Handle, old.User, old.Created
	if rec.Seen = past(o.given[0].seen, now); rec.Seen.Before(old.Seen) {
		rec.Seen = old.Seen
	}
	if !rec.Live(now) {
		o.drop(&c, rec.Key.ID)
		return c, nil
	}
	o.put(&c, rec, old, found)
	if rec.Idle == old.Idle && rec.Lifetime == old.Lifetime || !sooner(rec, old) {
		c.spare = store.Relaxed
	}
	return c, nil
}

// sooner reports whether rec ends before old would have.
func sooner(rec, old *store.Record) bool {
	end, before := rec.Expires(), old.Expires()
	return !end.IsZero() && (before.IsZero() || end.Before(before))
}

// touch: not found, due.
func (o *op) touch(v View) (c Change, err error) {
	_, live, err := find(v, o.rec.Key.ID, &o.old)
	switch now := v.Now(); {
	case err != nil:
		return c, err
	case !live:
		return c, store.ErrNotFound
	case Due(o.old.Seen, now, o.every):
		o.old.Seen = now
		c.Seen = &o.old
	}
	return c, nil
}

// rotate: replay, not found, conflict, user, exists.
func (o *op) rotate(v View) (c Change, err error) {
	rec := o.rec
	taken, lives, err := find(v, rec.Key.ID, &o.there)
	if err != nil {
		return c, err
	}
	if lives && wrote(&o.there, rec.Writer, o.version+1) {
		return c, nil
	}
	_, live, err := find(v, o.from, &o.old)
	switch {
	case err != nil:
		return c, err
	case !live:
		return c, store.ErrNotFound
	case o.tail != nil && wrote(&o.old, o.tail.Writer, o.version+1): // its record never lived, or went on
		return c, nil
	case o.old.Version != o.version: // before the user: a racer may find a tail here, of nobody
		return c, store.ErrConflict
	case o.old.User != rec.User:
		return c, fmt.Errorf("%w: a rotation keeps the user", store.ErrInvalid)
	case lives:
		return c, store.ErrExists
	}
	now := v.Now()
	rec.Version = o.version + 1
	if settle(rec, o.given[0], now); rec.Live(now) {
		o.put(&c, rec, &o.there, taken)
	}
	if tail := o.tail; tail != nil {
		tail.Version = o.version + 1
		if settle(tail, o.given[1], now); tail.Live(now) {
			o.put(&c, tail, &o.old, true)
			return c, nil
		}
	}
	o.drop(&c, o.from)
	return c, nil
}

// delete does not look: what is damaged goes, too.
func (o *op) delete(View) (c Change, _ error) {
	o.drop(&c, o.from)
	return c, nil
}

// revoke ends what is selected. What has expired goes with it, for by another process's clock it
// may live. So does what is damaged: nobody can tell whose it is or what its handle was, and nobody
// can use it.
func (o *op) revoke(v View) (c Change, err error) {
	o.revoked = store.Revoked{}
	err = v.Each(o.user, func(r *store.Record, err error) {
		if err == nil {
			if r.User != o.user || !o.sel.Picks(r.Handle) {
				return
			}
			if r.Live(v.Now()) {
				o.revoked.N++
			}
		}
		o.drop(&c, r.Key.ID)
	})
	if err != nil || len(o.sel.Only) > 0 {
		return c, err
	}
	last, err := revokedAt(v)
	if c.Revoked = v.Now(); !c.Revoked.After(last) {
		c.Revoked = last.Add(step)
	}
	o.revoked.At = c.Revoked
	return c, err
}

// step is what every engine's clock can tell. Two revocations must not look like one, or a sign-in
// that knows of the first would pass the second.
const step = time.Microsecond
