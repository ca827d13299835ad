package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// filled gives bytes that a driver does not take for NULL.
func filled(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// atMost gives an instant as the statements bound it by the server's clock: unset is beyond that.
func atMost(t int64) int64 {
	if t == unset {
		return never
	}
	return t
}

// endless gives a life as the statements add it: none is beyond never.
func endless(life int64) int64 {
	if life == 0 {
		return never
	}
	return life
}

// times are what a row's instants, lives and end are computed from.
func times(r *row) []any {
	c, s := atMost(r.created), atMost(r.seen)
	return []any{c, s, r.idle, r.life, s, endless(r.idle), c, endless(r.life)}
}

// fresh are the arguments of a row that is inserted.
func fresh(r *row) []any {
	data, away := body(r)
	return append([]any{r.key.Tag[:], r.key.ID[:], []byte(r.user), r.handle[:], r.writer[:], filled(r.meta), data, away}, times(r)...)
}

// guardLife is how long an idle guard is kept. A user whose guard is gone gets a new one, for two more trips.
const guardLife = int64(30 * 24 * time.Hour / time.Microsecond)

// guarded runs a statement that needs the guard of a user, and makes it one if there is none. r is nil or
// the record that it brings.
func (m *mysql) guarded(ctx context.Context, tag store.Tag, r *row, q *query, args ...any) (outcome, rows int64, err error) {
	for range 5 {
		outcome, rows, err = m.write(ctx, r, q, args...)
		if err != nil || outcome != mysqlNothing || rows > 0 {
			return outcome, rows, err
		}
		if err := m.makeGuard(ctx, tag); err != nil {
			return 0, 0, err
		}
	}
	return 0, 0, errGuard
}

// errGuard is given where something else empties the table.
var errGuard = fmt.Errorf("%w: the guards that the store makes do not stay", store.ErrUnavailable)

func (m *mysql) makeGuard(ctx context.Context, tag store.Tag) error {
	_, _, err := m.run(ctx, &m.q.guard, tag[:], guardLife)
	return before(err)
}

// before is for a failure of what comes before the write itself: that was surely not applied.
func before(err error) error {
	var f *fault
	if errors.As(err, &f) && f.class == store.ErrIndeterminate {
		f.class = store.ErrUnavailable
	}
	return err
}

func (m *mysql) create(ctx context.Context, r *row, adm store.Admission) (a admitted, err error) {
	evicted, err := m.insert(ctx, r, adm)
	if err != nil {
		return a, err
	}
	a, err = m.told(ctx, r)
	a.evicted = evicted
	return a, err
}

// told asks what Create has to tell. It is another trip, so a revocation may have come between, which has ended the record.
func (m *mysql) told(ctx context.Context, r *row) (a admitted, err error) {
	st, err := m.q.told.on(ctx)
	if err != nil {
		return a, m.answered(err, true)
	}
	a.revoked = unset
	err = eachOf(ctx, st, func(rows *sql.Rows) error {
		var revoked, created sql.NullInt64
		err := rows.Scan(&a.now, &revoked, &created)
		if r.user != "" && revoked.Int64 > 0 {
			a.revoked = revoked.Int64
		}
		if r.created == unset && created.Valid {
			a.now = created.Int64
		}
		return err
	}, r.key.Tag[:], r.key.Tag[:], r.key.ID[:])
	return a, m.answered(err, true)
}

func (m *mysql) insert(ctx context.Context, r *row, adm store.Admission) (evicted []store.Handle, err error) {
	age := aged{span(adm.Age()), time.Now()}
	for {
		outcome, err := m.tryCreate(ctx, r, adm, age)
		if err == nil && outcome == mysqlLimit && adm.Evict {
			var done bool
			if evicted, done, err = m.evict(ctx, r, adm, age); done || errors.Is(err, store.ErrRevoked) {
				return evicted, err
			}
		}
		taken := err != nil && m.code(err) == "1062" // a row is at the key: live, or expired and not yet swept
		switch {
		case err != nil && !taken:
			return nil, err
		case !taken && (outcome == mysqlDone || outcome == mysqlLifeless):
			return nil, nil
		}
		// Refused: but if the record is there, that comes first.
		if found, err := m.occupied(ctx, r); err != nil || found == mysqlReplay {
			return nil, err
		}
		switch {
		case taken:
			if _, _, err := m.run(ctx, &m.q.dropDead, r.key.Tag[:], r.key.ID[:]); err != nil {
				return nil, before(err)
			}
		case outcome == mysqlRevoked:
			return nil, store.ErrRevoked
		case !adm.Evict:
			return nil, store.ErrLimit
		}
	}
}

func (m *mysql) tryCreate(ctx context.Context, r *row, adm store.Admission, age aged) (outcome int64, err error) {
	args := fresh(r)
	if r.user == "" {
		outcome, _, err = m.write(ctx, r, &m.q.insert, args...)
		return outcome, err
	}
	args = append(args, r.key.Tag[:], age, instant(adm.Known))
	q := &m.q.create
	if adm.Max > 0 {
		q = &m.q.createMax
		args = append(args, []byte(r.user), int64(adm.Max))
	}
	outcome, _, err = m.guarded(ctx, r.key.Tag, r, q, args...)
	return outcome, err
}

// occupied tells what a Create finds at its key: its own record, another one (an error), or nothing.
func (m *mysql) occupied(ctx context.Context, r *row) (outcome int64, err error) {
	old, _, err := m.lookup(ctx, &m.q.head, r.key, false)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return mysqlNothing, nil
	case err != nil:
		return 0, err
	case old.wrote(r.writer, 1):
		return mysqlReplay, nil
	}
	return 0, store.ErrExists
}

// evict is Create where somebody may have to go. It has not done anything, and gives no error, if the guard
// was swept away.
func (m *mysql) evict(ctx context.Context, r *row, adm store.Admission, age aged) (evicted []store.Handle, done bool, err error) {
	q := &m.q
	queries := []*query{&q.lockGuard, &q.lockUser, &q.insert, &q.putData, &q.remove}
	err = m.again(ctx, func() error {
		return m.transact(ctx, queries, func(t *mysqlTx) error {
			evicted, done, err = t.evict(r, adm, age)
			return err
		})
	})
	if err != nil {
		return nil, false, err
	}
	return evicted, done, nil
}

func (t *mysqlTx) evict(r *row, adm store.Admission, age aged) (evicted []store.Handle, done bool, err error) {
	var revoked, now int64
	found := false
	err = t.each(&t.q.lockGuard, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&revoked, &now)
	}, r.key.Tag[:])
	if err != nil || !found {
		return nil, false, err
	}
	if since, _ := age.Value(); revoked >= now-since.(int64) && revoked > instant(adm.Known) {
		return nil, false, store.ErrRevoked
	}
	var mine []row
	err = t.each(&t.q.lockUser, func(rows *sql.Rows) error {
		old, _, err := mysqlRead(rows, nil, false)
		mine = append(mine, old)
		return err
	}, r.key.Tag[:], []byte(r.user))
	if err != nil {
		return nil, false, err
	}
	// It goes in first: one without life left does not, and then nobody has to go.
	outcome, _, err := t.exec(&t.q.insert, fresh(r)...)
	if err != nil || outcome != mysqlDone {
		return nil, true, err
	}
	if aside(r) {
		if err := t.putData(r); err != nil {
			return nil, false, err
		}
	}
	slices.SortFunc(mine, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.created, b.created), bytes.Compare(a.key.ID[:], b.key.ID[:]))
	})
	for _, old := range mine[:max(0, len(mine)+1-adm.Max)] {
		if _, _, err := t.exec(&t.q.remove, old.key.Tag[:], old.key.ID[:]); err != nil {
			return nil, false, err
		}
		evicted = append(evicted, old.handle)
	}
	return evicted, true, nil
}

func (m *mysql) update(ctx context.Context, r *row, ifVersion uint64) error {
	seen, idle, life := atMost(r.seen), endless(r.idle), endless(r.life)
	data, away := body(r)
	outcome, _, err := m.write(ctx, r, &m.q.update,
		seen, idle, life, seen, idle, life, seen, idle, life, seen, r.writer[:], r.idle, r.life, filled(r.meta), data, away,
		r.key.Tag[:], r.key.ID[:], int64(ifVersion), int64(ifVersion+1), r.writer[:])
	return verdict(outcome, err)
}

// verdict is what a caller is told.
func verdict(outcome int64, err error) error {
	if err != nil {
		return err
	}
	switch outcome {
	case mysqlDone, mysqlReplay:
		return nil
	case mysqlChanged:
		return store.ErrConflict
	case mysqlUser:
		return errUser
	case mysqlExists:
		return store.ErrExists
	}
	return store.ErrNotFound
}

// touch is one statement whether it is due or not: the same row lock tells both.
func (m *mysql) touch(ctx context.Context, key store.Key, every int64) error {
	outcome, _, err := m.run(ctx, &m.q.touch, key.Tag[:], key.ID[:], every)
	return verdict(outcome, err)
}

func (m *mysql) rotate(ctx context.Context, old store.Key, ifVersion uint64, r, tail *row) error {
	if tail == nil {
		tail = &row{idle: -never} // which is over at once
	}
	data, away := body(r) // a tail's stays with it: it is small
	args := []any{r.key.ID[:], r.handle[:], tail.handle[:], r.writer[:], tail.writer[:],
		filled(r.meta), filled(tail.meta), data, filled(tail.data), away, old.Tag[:], old.ID[:], r.key.Tag[:], r.key.ID[:]}
	args = append(append(args, times(r)...), times(tail)...)
	args = append(args, int64(ifVersion+1), r.writer[:], int64(ifVersion), []byte(r.user))
	if r.user == "" {
		outcome, _, err := m.write(ctx, r, &m.q.rotateAnon, args...)
		return verdict(outcome, err)
	}
	outcome, _, err := m.guarded(ctx, old.Tag, r, &m.q.rotate, append(args, old.Tag[:])...)
	return verdict(outcome, err)
}

func (m *mysql) remove(ctx context.Context, key store.Key) error {
	_, _, err := m.run(ctx, &m.q.remove, key.Tag[:], key.ID[:])
	return err
}

func (m *mysql) revoke(ctx context.Context, user string, sel store.Selection) (n int, at int64, err error) {
	tag := store.TagOf(user)
	only := int64(0)
	hs := sel.Except
	if len(sel.Only) > 0 {
		only, hs = 1, sel.Only
	}
	var names strings.Builder
	names.WriteByte('-') // never empty, which a mode of MariaDB takes for NULL
	for _, h := range hs {
		names.WriteByte(',')
		names.WriteString(hex.EncodeToString(h[:]))
	}
	_, rows, err := m.guarded(ctx, tag, nil, &m.q.revoke,
		[]byte(user), strings.ToUpper(names.String()), only, only, guardKept, []byte{}, tag[:])
	if err == nil {
		var a admitted
		a, err = m.told(ctx, &row{user: user, key: store.Key{Tag: tag}})
		at = a.revoked
	}
	return max(0, int(rows)-1), at, err
}

func (m *mysql) sweep(ctx context.Context, limit int) (n int, more bool, err error) {
	if err := m.sweepGuards(ctx); err != nil {
		return 0, false, err
	}
	st, err := m.q.due.on(ctx)
	if err != nil {
		return 0, false, m.asked(err)
	}
	var over, living []store.Key
	var away [sweepSize]int64 // rows beside those of over
	err = eachOf(ctx, st, func(rows *sql.Rows) error {
		var tag, id sql.RawBytes
		var dead bool
		var aside int64
		err := rows.Scan(&tag, &id, &dead, &aside)
		var k store.Key
		copy(k.Tag[:], tag)
		copy(k.ID[:], id)
		if dead {
			away[len(over)] = min(aside, 1)
			over = append(over, k)
		} else {
			living = append(living, k)
		}
		return err
	}, int64(sweepSize))
	if err != nil {
		return 0, false, m.asked(err)
	}
	more = len(over)+len(living) == sweepSize
	if len(over) > limit {
		over, more = over[:limit], true
	}
	gone, err := m.many(ctx, &m.q.sweep, over)
	if err != nil {
		return 0, false, err
	}
	for i := range over {
		gone -= away[i]
	}
	gone = max(gone, 0)
	filed, err := m.many(ctx, &m.q.refile, living) // prolonged since they were filed
	return int(gone), more && gone+filed > 0, err
}

// many runs a statement for keys, of which it takes sweepSize: the last one stands for those that are missing.
func (m *mysql) many(ctx context.Context, q *query, keys []store.Key) (rows int64, err error) {
	if len(keys) == 0 {
		return 0, nil
	}
	args := make([]any, 0, 2*sweepSize)
	for i := range sweepSize {
		k := &keys[min(i, len(keys)-1)]
		args = append(args, k.Tag[:], k.ID[:])
	}
	_, rows, err = m.run(ctx, q, args...)
	return rows, err
}

// sweepGuards drops guards that were kept long enough. That is harmless also while the user has records, for
// whoever needs a guard and finds none makes one.
func (m *mysql) sweepGuards(ctx context.Context) error {
	for {
		st, err := m.q.dueGuards.on(ctx)
		if err != nil {
			return m.asked(err)
		}
		var tags []store.Tag
		err = eachOf(ctx, st, func(rows *sql.Rows) error {
			var b sql.RawBytes
			err := rows.Scan(&b)
			var tag store.Tag
			copy(tag[:], b)
			tags = append(tags, tag)
			return err
		}, int64(sweepSize))
		if err != nil || len(tags) == 0 {
			return m.asked(err)
		}
		args := make([]any, 0, sweepSize)
		for i := range sweepSize {
			args = append(args, tags[min(i, len(tags)-1)][:])
		}
		if _, rows, err := m.run(ctx, &m.q.dropGuards, args...); err != nil || rows < sweepSize {
			return err
		}
	}
}
