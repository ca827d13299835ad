package mysqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
	"github.com/sojourn-go/sojourn/store/ticks"
)

// filled returns bytes that a driver does not take for NULL.
func filled(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// endless returns a life as the statements add it: none is beyond every instant.
func endless(life int64) int64 {
	if life == 0 {
		return ticks.Never
	}
	return life
}

// put sets what the statements want to know of a record; prefix is "tail_" for a tail.
func (v values) put(prefix string, r *store.Record) values {
	idle, life := micro.Span(r.Idle), micro.Span(r.Lifetime)
	all := values{"handle": r.Handle[:], "writer": r.Writer[:], "meta": filled(r.Meta), "data": filled(r.Data),
		"created": micro.Instant(r.Created), "seen": micro.Instant(r.Seen),
		"idle": idle, "life": life, "idle_limit": endless(idle), "life_limit": endless(life)}
	for name, x := range all {
		v[prefix+name] = x
	}
	return v
}

// asideFrom is the size above which data goes aside. Up to that it costs a touch next to nothing,
// and large data cost more than the three trips that it takes to write in two places.
const asideFrom = 32 << 10

func aside(r *store.Record) bool { return r != nil && len(r.Data) > asideFrom }

// body sets where a record's data goes.
func (v values) body(r *store.Record) values {
	v["aside"] = int64(0)
	if aside(r) {
		v["data"], v["aside"] = []byte{}, int64(1)
	}
	return v
}

// write runs a statement that brings the record r, whose data goes aside if it is large. r is nil
// for a statement that brings none.
func (e *engine) write(ctx context.Context, r *store.Record, name string, v values) (a answer, err error) {
	if !aside(r) {
		return e.run(ctx, name, v)
	}
	err = e.transact(ctx, []string{name, "put_data"}, func(t *transaction) (err error) {
		if a, err = t.run(name, v); err != nil || a.told&15 != toldDone {
			return err
		}
		return t.putData(r)
	})
	return a, err
}

func (t *transaction) putData(r *store.Record) error {
	_, err := t.run("put_data", values{"tag": r.Key.Tag[:], "id": r.Key.ID[:], "data": r.Data})
	return err
}

// guarded runs a statement that needs the guard of a user, and makes it one if there is none.
func (e *engine) guarded(ctx context.Context, tag store.Tag, r *store.Record, name string, v values) (a answer, err error) {
	for range 5 {
		a, err = e.write(ctx, r, name, v)
		if err != nil || a.told != toldNothing || a.rows > 0 {
			return a, err
		}
		if _, err = e.run(ctx, "make_guard", values{"tag": tag[:], "keep": guardLife}); err != nil {
			return a, first(err)
		}
	}
	return a, fmt.Errorf("%w: the row of the user's guard vanishes each time it is inserted", store.ErrUnavailable)
}

// guardLife is how long an idle guard is kept, in µs. A user whose guard is gone gets a new one,
// for two more trips.
const guardLife = int64(30 * 24 * time.Hour / time.Microsecond)

// first is for a failure of what comes before the write itself: that was surely not applied.
func first(err error) error {
	if err == nil || driver.Known(err) {
		return err
	}
	return driver.Fault(store.ErrUnavailable, "the server cannot be reached", err)
}

// Create inserts a record if its user's limit and revocations allow it.
func (e *engine) Create(ctx context.Context, r *store.Record, adm store.Admission) (store.Admitted, error) {
	known := int64(0)
	if !adm.Known.IsZero() {
		known = micro.Instant(adm.Known)
	}
	v := values{"tag": r.Key.Tag[:], "id": r.Key.ID[:], "user": []byte(r.User), "max": int64(adm.Max), "age": micro.Span(adm.Age()), "known": known}
	v.put("", r).body(r)
	for {
		outcome, a, told, err := e.insert(ctx, r, v)
		if err == nil && outcome == toldLimit && adm.Evict {
			outcome, a, told, err = e.evict(ctx, r, v)
		}
		taken := number(err) == 1062 // a row is at the key: live, or expired and not yet swept
		switch {
		case err != nil && !taken:
			return a, err
		case !taken && told && outcomes[outcome] == nil && outcome != toldLifeless: // which has met no key
			return a, nil
		}
		// Refused, or the clock was out of reach: but if the record is there, that comes first.
		own, created, a, err := e.standing(ctx, r, v)
		switch {
		case err != nil:
			return a, err
		case own:
			if !taken && outcome == toldDone && r.Created.IsZero() { // just now
				a.Now = created
			}
			return a, nil
		case taken:
			if _, err := e.run(ctx, "delete_dead", v); err != nil {
				return a, first(err)
			}
		case outcome != toldNothing: // that is a guard which was swept away
			return a, outcomes[outcome]
		}
	}
}

// insert tries it with one statement. It also reports whether the answer told the clock.
func (e *engine) insert(ctx context.Context, r *store.Record, v values) (outcome int64, at store.Admitted, told bool, err error) {
	base := e.clock.base()
	v["base"] = base
	var a answer
	if r.User == "" {
		a, err = e.write(ctx, r, "create guardless", v)
	} else {
		a, err = e.guarded(ctx, r.Key.Tag, r, "create", v)
	}
	outcome, at, told = toldClock(a.told, base)
	return outcome, at, told, err
}

// standing reads what lives at the key of a Create, and the present clock and revocation. It
// reports whether the Create's own record is there, and when that was created; another one is an
// error.
func (e *engine) standing(ctx context.Context, r *store.Record, v values) (own bool, created time.Time, a store.Admitted, err error) {
	err = e.query(ctx, "standing", v, func(rows *sql.Rows) error {
		var ver, at sql.NullInt64
		var now, revoked int64
		var writer sql.RawBytes
		if err := rows.Scan(&ver, &writer, &at, &now, &revoked); err != nil {
			return err
		}
		e.clock.heard(now)
		created = micro.Time(at.Int64)
		a.Now = micro.Time(now)
		if revoked > 0 {
			a.Revoked = micro.Time(revoked)
		}
		if own = ver.Int64 == 1 && string(writer) == string(r.Writer[:]); ver.Valid && !own {
			return store.ErrExists
		}
		return nil
	})
	return own, created, a, first(err)
}

// evict is a Create where somebody may have to go. It has done nothing if the user's guard is not
// there.
func (e *engine) evict(ctx context.Context, r *store.Record, v values) (outcome int64, a store.Admitted, told bool, err error) {
	names := []string{"lock_guard", "lock_user", "create guardless", "put_data", "delete"}
	err = e.transact(ctx, names, func(t *transaction) (err error) {
		outcome, a, err = t.evict(r, v)
		return err
	})
	return outcome, a, true, err
}

func (t *transaction) evict(r *store.Record, v values) (outcome int64, a store.Admitted, err error) {
	var revoked, now int64
	found := false
	err = t.query("lock_guard", v, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&revoked, &now)
	})
	if err != nil || !found {
		return toldNothing, a, err
	}
	if age := v["age"].(int64); age > 0 && revoked >= now-age && revoked > v["known"].(int64) {
		return toldRevoked, a, nil
	}
	var old []store.Record // the oldest first
	err = t.query("lock_user", v, func(rows *sql.Rows) error {
		var id, handle sql.RawBytes
		err := rows.Scan(&id, &handle)
		var rec store.Record
		copy(rec.Key.ID[:], id)
		copy(rec.Handle[:], handle)
		old = append(old, rec)
		return err
	})
	if err != nil {
		return toldNothing, a, err
	}
	// It goes in first: one without life left does not, and then nobody has to go.
	free := maps.Clone(v)
	free["max"], free["age"], free["base"] = int64(0), int64(0), now // all of that is decided
	w, err := t.run("create guardless", free)
	if err != nil {
		return toldNothing, a, err
	}
	outcome, a, _ = toldClock(w.told, now)
	if revoked > 0 {
		a.Revoked = micro.Time(revoked)
	}
	if outcome != toldDone {
		return outcome, a, nil
	}
	if aside(r) {
		if err := t.putData(r); err != nil {
			return outcome, a, err
		}
	}
	for _, rec := range old[:max(0, len(old)+1-int(v["max"].(int64)))] {
		if _, err := t.run("delete", values{"tag": r.Key.Tag[:], "id": rec.Key.ID[:]}); err != nil {
			return outcome, a, err
		}
		a.Evicted = append(a.Evicted, rec.Handle)
	}
	return outcome, a, nil
}
