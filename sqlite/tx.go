package sqlite

import (
	"database/sql"
	"errors"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// tx is a write transaction that holds the engine's lock.
type tx struct {
	*engine
	sql   *sql.Tx
	mark  int64 // the instant that the lock gave
	wrote bool
}

// now is the clock under the lock: an instant from before the wait might find a record live that
// somebody has seen expired since.
func (t *tx) now() int64 { return max(t.clock.Now()/1e3, t.mark) }

// stmt returns a statement for this transaction; begin has prepared it.
func (t *tx) stmt(q *query) *sql.Stmt { return t.sql.StmtContext(background, q.stmt) }

// exec runs a statement and tells how many rows it changed.
func (t *tx) exec(q *query, args ...any) (int64, error) {
	res, err := t.stmt(q).ExecContext(background, args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	t.wrote = t.wrote || n > 0
	return n, err
}

// each runs a query and gives its rows to f.
func (t *tx) each(q *query, f func(*sql.Rows) error, args ...any) error {
	return each(t.stmt(q), f, args...)
}

// begin returns a transaction that holds the lock, or busy if somebody else does. To be sure of the
// lock whatever the driver's BEGIN means, the first statement is one that writes.
func (e *engine) begin() (t *tx, err error) {
	// First: within a transaction, a pool of one connection has none left to prepare on.
	for _, q := range e.q.writing() {
		if _, err := q.prepared(); err != nil {
			return nil, err
		}
	}
	conn, err := e.db.BeginTx(background, nil)
	if err != nil {
		return nil, err
	}
	t = &tx{engine: e, sql: conn}
	found := false
	err = t.each(&e.q.lock, func(rows *sql.Rows) (err error) {
		found = true
		t.mark, err = readMark(rows)
		return err
	})
	if err == nil && !found {
		err = errUnready
	}
	if err != nil {
		conn.Rollback()
		return nil, err
	}
	t.seen(t.mark)
	return t, nil
}

// transact is [queue.transact].
func (e *engine) transact(jobs []*job) (busy error) {
	t, err := e.begin()
	if err != nil {
		err = e.judge(err)
		if errors.Is(err, errBusy) {
			return err
		}
		for _, j := range jobs {
			j.err = err
		}
		return nil
	}
	if e.all(t, jobs) {
		return nil
	}
	if len(jobs) == 1 {
		return nil
	}
	// One of them spoiled it for all: now each for itself.
	for _, j := range jobs {
		if busy := e.transact([]*job{j}); busy != nil {
			j.err = busy
		}
	}
	return nil
}

// all runs the jobs and commits. It gives false if nothing was applied because of an error, which
// is that of the jobs then, rather than because each was refused.
func (e *engine) all(t *tx, jobs []*job) bool {
	for _, j := range jobs {
		if j.err = store.FromContext(j.ctx); j.err != nil {
			continue
		}
		if j.err = j.do(t); j.err != nil && !driver.Known(j.err) {
			t.sql.Rollback() // its connection is discarded if that fails
			j.err = e.judge(j.err)
			return false
		}
	}
	err := t.keep()
	if err == nil {
		return true
	}
	for _, j := range jobs {
		j.err = err // refusals too: they may rest on what was lost
	}
	return errors.Is(err, store.ErrIndeterminate)
}

// keep commits.
func (t *tx) keep() error {
	if t.wrote {
		now := t.now()
		if _, err := t.exec(&t.q.tick, now, instantSum(store.Tag{}, now)); err != nil {
			t.sql.Rollback()
			return t.judge(err)
		}
	}
	if err := t.sql.Commit(); err != nil {
		return t.judgeCommit(err)
	}
	return nil
}
