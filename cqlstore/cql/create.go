package cql

import (
	"cmp"
	"context"
	"slices"

	"github.com/sojourn-go/sojourn/store"
)

// Create inserts a record if its user's limit and revocations allow it. It compares the age that it
// is given; what happens while it is under way shows in what it returns.
func (e *engine) Create(ctx context.Context, rec *store.Record, adm store.Admission) (got store.Admitted, err error) {
	a, err := e.begin(ctx, rec.Key.Tag)
	if err != nil {
		return got, err
	}
	defer a.free()
	r, now := newRow(rec, 1), e.clock.now()
	r.settle(now)
	lives := r.lives.at(now).left(now) > 0
	if adm.Max > 0 && (lives || !adm.Evict) { // for one that never lives nobody has to go
		return a.admit(r, adm)
	}
	return a.add(r, adm)
}

// told is what Create has to say: the instants of its last statement.
func told(now int64, revoked *int64, victims []*row) store.Admitted {
	a := store.Admitted{Now: milli.Time(now)}
	for _, r := range victims {
		a.Evicted = append(a.Evicted, r.handle)
	}
	if revoked != nil {
		a.Revoked = milli.Time(*revoked)
	}
	return a
}

// refused reports whether a revocation stands in the way of a sign-in. The nodes' clocks may
// differ, but not in a revocation that it knows of.
func (e *engine) refused(revoked *int64, now int64, adm store.Admission) bool {
	age := adm.Age()
	return age > 0 && revoked != nil && *revoked >= now-milli.Span(age+e.opts.ClockSkew) &&
		(adm.Known.IsZero() || *revoked > milli.Instant(adm.Known))
}

// add inserts without a limit. It takes one round trip if it guesses the user's last revocation,
// which is that which the sign-in knows of, or none.
func (a *attempt) add(r *row, adm store.Admission) (got store.Admitted, err error) {
	guard := newGuard()
	var have expect
	var revoked *int64 // the guess, and then what the latest answer said
	if !adm.Known.IsZero() {
		at := milli.Instant(adm.Known)
		revoked = &at
	}
	for {
		var at int64
		applied, rows, err := a.cas(func(now int64) []Statement {
			at = now
			sts := make([]Statement, 0, 2)
			if r.user != "" {
				sts = append(sts, a.e.build(now).guard(r.key.Tag, guard).add(" IF revoked=?", null(revoked)).done())
			}
			return append(sts, a.e.build(now).insert(r, have))
		})
		if err != nil {
			return got, err
		}
		if applied {
			return told(at, revoked, nil), nil
		}
		revoked = nil
		for _, c := range rows {
			revoked = cmp.Or(revoked, c.revoked)
		}
		if r.user == "" && len(rows) > 0 {
			rows[0].id = r.key.ID[:] // a statement alone answers with the columns of its condition only
		}
		have = expect{}
		if c := rowAt(rows, r.key.ID); c != nil {
			if c.wrote(r.writer, 1) {
				return told(at, revoked, nil), nil
			}
			if have, err = a.vacant(r.key); err != nil {
				return got, err
			}
		}
		if a.e.refused(revoked, at, adm) {
			return got, store.ErrRevoked
		}
		if err := a.pause(); err != nil {
			return got, err
		}
	}
}

// rowAt returns the answered row with the ID if there is a record in it, live or not.
func rowAt(rows []cells, id store.ID) *cells {
	for i := range rows {
		if string(rows[i].id) == string(id[:]) && (rows[i].ver != nil || rows[i].seen != nil || rows[i].writer != nil) {
			return &rows[i]
		}
	}
	return nil
}

// vacant makes sure that no record lives at a key, and gives what is there.
func (a *attempt) vacant(key store.Key) (expect, error) {
	c, err := a.again(key, false)
	if err != nil {
		return expect{}, err
	}
	have := expect{c.ver, c.seen, c.writer}
	if c.absent() {
		return have, nil
	}
	r, err := c.row(key)
	if err == nil && r.live(c.now) {
		err = store.ErrExists
	}
	return have, err
}

// admit inserts where the user's records are limited: it reads them, and then writes on condition
// that the guard is what it read, so that nothing was added or moved meanwhile. Where more have to
// go than fit a batch, batches before it end those that are too many.
func (a *attempt) admit(r *row, adm store.Admission) (got store.Admitted, err error) {
	guard := newGuard()
	level := a.e.opts.Consistency
	var gone, victims []*row
	for {
		p, err := a.partition(r.key.Tag, level)
		if err != nil {
			return got, err
		}
		var have expect
		if c := rowAt(p.rows, r.key.ID); c != nil {
			if c.wrote(r.writer, 1) {
				return told(p.now, p.revoked, append(gone, victims...)), nil
			}
			if have, err = a.vacant(r.key); err != nil {
				return got, err
			}
		}
		if a.e.refused(p.revoked, p.now, adm) {
			return got, store.ErrRevoked
		}
		if victims, err = p.victims(r.user, adm); err != nil {
			return got, err
		}
		level = a.e.opts.SerialConsistency
		if len(victims) > batchSize {
			victims = victims[:batchSize]
			done, err := a.end(p, victims, 0)
			if done {
				gone = append(gone, victims...)
			} else if err == nil {
				err = a.pause()
			}
			if err != nil {
				return got, err
			}
			victims = nil
			continue
		}
		var at int64
		applied, rows, err := a.cas(func(now int64) []Statement {
			at = now
			sts := []Statement{a.e.build(now).guard(r.key.Tag, guard).add(" IF guard=?", blob(p.guard)).done()}
			for _, v := range victims {
				sts = append(sts, a.e.remove(v.key))
			}
			return append(sts, a.e.build(now).insert(r, have))
		})
		if err != nil {
			return got, err
		}
		if c := rowAt(rows, r.key.ID); applied || c != nil && c.wrote(r.writer, 1) {
			return told(at, p.revoked, append(gone, victims...)), nil
		}
		if err := a.pause(); err != nil {
			return got, err
		}
	}
}

// partition is what one read of a user's partition gave.
type partition struct {
	tag     store.Tag
	rows    []cells // records, live or not, and what is left of some
	guard   []byte  // of the first page: a write on its condition sees what changed before the last one
	revoked *int64
	now     int64
}

// partition reads all rows under a tag, without data. In a page they are as they were at one
// instant.
func (e *engine) partition(ctx context.Context, tag store.Tag, level Consistency) (*partition, error) {
	p := &partition{tag: tag}
	var c cells
	first := true
	st := e.build(0).add("SELECT "+listed+" FROM @ WHERE tag=?", tag[:]).done()
	err := e.query(ctx, st, level, 2000, c.list(), func() bool {
		if first {
			p.guard, p.revoked, first = c.guard, c.revoked, false
		}
		p.now = c.now
		if len(c.id) > 0 { // a guard without rows has a row without ID
			p.rows = append(p.rows, c)
		}
		c = cells{}
		return true
	})
	if err != nil {
		return nil, err
	}
	if p.now != 0 {
		e.clock.heard(p.now)
	}
	return p, nil
}

func (a *attempt) partition(tag store.Tag, level Consistency) (p *partition, err error) {
	err = a.until(func() (err error) { p, err = a.e.partition(a.ctx, tag, level); return err })
	return p, err
}

// of returns the user's records, ended ones too; damaged are those that nobody can use.
func (p *partition) of(user string) (mine, damaged []*row) {
	for i := range p.rows {
		c := &p.rows[i]
		key := store.Key{Tag: p.tag}
		if c.absent() || len(c.id) != len(key.ID) {
			continue
		}
		copy(key.ID[:], c.id)
		r, err := c.row(key)
		switch {
		case err != nil:
			damaged = append(damaged, r)
		case r.user == user:
			mine = append(mine, r)
		}
	}
	return mine, damaged
}

// live is of without the records that have ended.
func (p *partition) live(user string) (live, damaged []*row) {
	live, damaged = p.of(user)
	return slices.DeleteFunc(live, func(r *row) bool { return !r.live(p.now) }), damaged
}

// victims picks the oldest records that have to go. Errors: store.ErrLimit.
func (p *partition) victims(user string, adm store.Admission) ([]*row, error) {
	live, _ := p.live(user)
	over := len(live) + 1 - adm.Max
	if over <= 0 {
		return nil, nil
	}
	if !adm.Evict {
		return nil, store.ErrLimit
	}
	slices.SortFunc(live, func(x, y *row) int {
		return cmp.Or(cmp.Compare(x.created, y.created), slices.Compare(x.key.ID[:], y.key.ID[:]))
	})
	return live[:over], nil
}
