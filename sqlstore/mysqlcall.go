package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// sending is an argument of a statement that notes that it was asked for: then database/sql had a connection, and the
// statement may have left. Before that, nothing can have been applied.
type sending struct {
	value any
	sent  bool
}

// Value implements [driver.Valuer].
func (s *sending) Value() (driver.Value, error) {
	s.sent = true
	if v, ok := s.value.(driver.Valuer); ok {
		return v.Value()
	}
	return s.value, nil
}

// aged is an Age, in µs, counted up to the moment when the statement is sent, however long the call waited for a
// connection or for its turn to try again.
type aged struct {
	age   int64
	began time.Time
}

// Value implements [driver.Valuer].
func (a aged) Value() (driver.Value, error) {
	if a.age == 0 {
		return int64(-never), nil // no revocation is so late
	}
	return a.age + span(time.Since(a.began)), nil
}

// run executes a statement that changes something, until it does not stand in another's way. It gives the
// outcome that the statement told and the number of rows that the driver counted.
func (m *mysql) run(ctx context.Context, q *query, args ...any) (outcome, rows int64, err error) {
	err = m.again(ctx, func() error {
		outcome, rows, err = m.once(ctx, q, args)
		return err
	})
	return outcome, rows, err
}

func (m *mysql) once(ctx context.Context, q *query, args []any) (outcome, rows int64, err error) {
	st, err := q.on(ctx)
	if err != nil {
		return 0, 0, m.answered(err, false)
	}
	last := len(args) - 1
	mark := &sending{value: args[last]}
	outcome, rows, err = told(st.ExecContext(ctx, append(append(make([]any, 0, len(args)), args[:last]...), mark)...))
	return outcome, rows, m.answered(err, mark.sent)
}

// told reads what a statement told.
func told(res sql.Result, err error) (outcome, rows int64, _ error) {
	if err == nil {
		if outcome, err = res.LastInsertId(); err == nil {
			rows, err = res.RowsAffected()
		}
	}
	if outcome == mysqlDone && rows == 0 {
		outcome = mysqlNothing
	}
	return outcome, rows, err
}

// write is run for a statement that brings the record r, whose data goes aside if it is large.
func (m *mysql) write(ctx context.Context, r *row, q *query, args ...any) (outcome, rows int64, err error) {
	if !aside(r) {
		return m.run(ctx, q, args...)
	}
	err = m.again(ctx, func() error {
		return m.transact(ctx, []*query{q, &m.q.putData}, func(t *mysqlTx) error {
			if outcome, rows, err = t.exec(q, args...); err != nil || outcome != mysqlDone {
				return err
			}
			return t.putData(r)
		})
	})
	return outcome, rows, err
}

// asideFrom is the size above which data goes aside. Up to that it costs a touch next to nothing, and large data cost more
// than the three trips that it takes to write in two places.
const asideFrom = 32 << 10

func aside(r *row) bool { return r != nil && len(r.data) > asideFrom }

// body gives the columns data and aside.
func body(r *row) (data []byte, away int64) {
	if aside(r) {
		return []byte{}, 1
	}
	return filled(r.data), 0
}

// errAgain is a statement that the engine undid because others stood in its way.
var errAgain = errors.New("sqlstore: undone for another's sake")

// again does something until it is not undone for another's sake. Each such thing is one transaction, so that nothing of
// it is left behind.
func (m *mysql) again(ctx context.Context, do func() error) error {
	began := time.Now()
	for pauseFor := time.Millisecond; ; pauseFor = min(2*pauseFor, 64*time.Millisecond) {
		err := do()
		if err == nil || !errors.Is(err, errAgain) || time.Since(began) > m.opts.Wait {
			return err
		}
		pause(ctx, pauseFor/2+rand.N(pauseFor))
		if ended := store.FromContext(ctx); ended != nil {
			return ended
		}
	}
}

// answered classes what came of a statement. sent says whether it may have reached the server.
func (m *mysql) answered(err error, sent bool) error {
	if err == nil || sentinel(err) {
		return err
	}
	f := &fault{code: m.code(err), cause: err}
	switch {
	case f.code != "": // the server refused it
		f.hint, f.class = m.dialect.class(f.code)
		if mysqlTransient[f.code] {
			f.cause = errors.Join(errAgain, err)
		}
	case !sent || errors.Is(err, driver.ErrBadConn):
		f.class = store.ErrUnavailable
	default:
		f.class = store.ErrIndeterminate
	}
	return f
}

// asked classes what came of a statement that changes nothing.
func (m *mysql) asked(err error) error { return m.answered(err, false) }

// transact runs do in a transaction. Every statement in it locks what it reads, so that the isolation
// level does not matter.
func (m *mysql) transact(ctx context.Context, queries []*query, do func(*mysqlTx) error) error {
	// First: within a transaction, a pool of one connection has none left to prepare on.
	for _, q := range queries {
		if _, err := q.on(ctx); err != nil {
			return m.asked(err)
		}
	}
	conn, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return m.asked(err)
	}
	t := &mysqlTx{mysql: m, ctx: ctx, tx: conn}
	if err := do(t); err != nil {
		conn.Rollback() // its connection is discarded if that fails
		return m.asked(err)
	}
	if err := store.FromContext(ctx); err != nil {
		conn.Rollback()
		return err
	}
	if err := conn.Commit(); err != nil {
		f := &fault{code: m.code(err), cause: err}
		f.hint, f.class = m.dialect.commit(f.code)
		if mysqlTransient[f.code] {
			f.cause = errors.Join(errAgain, err)
		}
		return f
	}
	return nil
}

type mysqlTx struct {
	*mysql
	ctx context.Context
	tx  *sql.Tx
}

func (t *mysqlTx) exec(q *query, args ...any) (outcome, rows int64, err error) {
	return told(t.tx.StmtContext(t.ctx, q.stmt.Load()).ExecContext(t.ctx, args...))
}

func (t *mysqlTx) putData(r *row) error {
	_, _, err := t.exec(&t.q.putData, r.key.Tag[:], r.key.ID[:], r.data)
	return err
}

func (t *mysqlTx) each(q *query, f func(*sql.Rows) error, args ...any) error {
	return eachOf(t.ctx, t.tx.StmtContext(t.ctx, q.stmt.Load()), f, args...)
}

// eachOf is each with a context.
func eachOf(ctx context.Context, st *sql.Stmt, f func(*sql.Rows) error, args ...any) error {
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// mysqlTransient are refusals after which the same statement may well work: a deadlock, a lock that took too
// long, a row that changed meanwhile, a statement to be prepared anew, and what TiDB calls them.
var mysqlTransient = map[string]bool{"1213": true, "1205": true, "1020": true, "1615": true, "8002": true, "8022": true, "9007": true}

// mysqlClass says what the server's refusals mean. After each of them the statement left nothing behind, but
// for those that came too late for that.
func mysqlClass(code string) (hint string, class error) {
	switch code {
	case "1213", "1205", "1020", "1615", "8002", "8022", "9007":
		return "others held the rows for too long", store.ErrUnavailable
	case "1146", "1054":
		return "a table or column is missing: call Migrate first", store.ErrUnavailable
	case "1290", "1792", "1836", "3032":
		return "the server is read-only", store.ErrUnavailable
	case "1040", "1203", "1226":
		return "too many connections", store.ErrUnavailable
	case "1053", "1077", "3168", "3169":
		return "the server shuts down", store.ErrUnavailable
	case "1153", "1105":
		return "the statement is refused; the server's max_allowed_packet may be too small", store.ErrUnavailable
	case "1461":
		return "the server's max_prepared_stmt_count is too small for its connections", store.ErrUnavailable
	case "1044", "1045", "1142", "1143", "1227":
		return "access is denied", store.ErrUnavailable
	case "1021", "1114", "3675", "1041", "1037", "1038":
		return "no room", store.ErrFull
	case "1026", "1180", "1598":
		return "the server failed while it committed", store.ErrIndeterminate
	}
	return "", store.ErrUnavailable
}

// mysqlCommit knows the refusals of COMMIT that undid the transaction: those of clusters that
// find a conflict then.
func mysqlCommit(code string) (hint string, class error) {
	hint, class = mysqlClass(code)
	if mysqlTransient[code] || code == "3101" || code == "1290" || code == "1792" || code == "1836" {
		return hint, class
	}
	return hint, store.ErrIndeterminate
}
