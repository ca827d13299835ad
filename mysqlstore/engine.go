package mysqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sojourn-go/sojourn/store"
	storedriver "github.com/sojourn-go/sojourn/store/driver"
	"github.com/sojourn-go/sojourn/store/gather"
)

// engine is the [storedriver.Driver]. It does each method in one statement where it can. A
// statement for a user's records locks the user's guard first, so those of one user take turns,
// whatever the isolation level; see docs/engines.md.
type engine struct {
	db     *sql.DB
	opts   Options
	schema string
	all    map[string]*statement // by the names of their files, some with a suffix
	gets   *gather.Line[store.Key, got]
	clock  clock
}

func newEngine(db *sql.DB, o Options) *engine {
	e := &engine{db: db, opts: o, schema: text("schema", o.Table), all: map[string]*statement{}}
	for _, name := range []string{"get", "user", "page", "standing", "create", "put_data", "make_guard", "lock_guard", "lock_user",
		"update", "touch", "rotate", "delete", "delete_dead", "revoke", "due", "sweep", "refile", "due_guards", "sweep_guards"} {
		e.all[name] = newStatement(db, text(name, o.Table), sweepSize)
	}
	for _, name := range []string{"create", "rotate"} {
		e.all[name+" guardless"] = newStatement(db, guardless(text(name, o.Table), o.Table), 0)
	}
	for _, n := range getSizes {
		e.all[getMany(n)] = newStatement(db, text("get_many", o.Table), n)
	}
	e.gets = gather.New(&gather.Options[store.Key]{Lanes: o.Lanes, Most: getSizes[len(getSizes)-1]}, e.sendGets)
	return e
}

// Traits says that nothing is special about the store: MySQL is durable and has one clock.
func (e *engine) Traits() store.Traits { return store.Traits{} }

// answer is what became of a statement that changes something: what it told by LAST_INSERT_ID, and
// the number of rows that the driver counted.
type answer struct{ told, rows int64 }

func read(res sql.Result, err error) (a answer, _ error) {
	if err == nil {
		if a.told, err = res.LastInsertId(); err == nil {
			a.rows, err = res.RowsAffected()
		}
	}
	if a.told == toldDone && a.rows == 0 { // MariaDB, for a row that is not there
		a.told = toldNothing
	}
	return a, err
}

// run executes a statement that changes something.
func (e *engine) run(ctx context.Context, name string, v values) (a answer, err error) {
	s := e.all[name]
	err = e.again(ctx, func() error {
		st, err := s.prepare(ctx)
		if err != nil {
			return unsent{err}
		}
		args := s.args(v)
		mark := &sending{value: args[len(args)-1]}
		args[len(args)-1] = mark
		a, err = read(st.ExecContext(ctx, args...))
		if err != nil && !mark.sent {
			err = unsent{err}
		}
		return err
	})
	return a, err
}

// sending is an argument of a statement that notes that it was asked for: then database/sql had a
// connection, and the statement may have left. Before that, nothing can have been applied.
type sending struct {
	value any
	sent  bool
}

// Value implements [driver.Valuer].
func (s *sending) Value() (driver.Value, error) {
	s.sent = true
	return s.value, nil
}

// unsent is an error of something that surely changed nothing.
type unsent struct{ error }

func (u unsent) Unwrap() error { return u.error }

// lost is an error of a COMMIT, of which nobody knows what became.
type lost struct{ error }

func (l lost) Unwrap() error { return l.error }

// query reads rows.
func (e *engine) query(ctx context.Context, name string, v values, scan func(*sql.Rows) error) error {
	s := e.all[name]
	st, err := s.prepare(ctx)
	if err == nil {
		err = rowsOf(ctx, st, s.args(v), scan)
	}
	return judge(err)
}

func rowsOf(ctx context.Context, st *sql.Stmt, args []any, scan func(*sql.Rows) error) error {
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// again does something until the server does not undo it so that others can go on. Each such thing
// is one transaction, so that nothing of it is left behind.
func (e *engine) again(ctx context.Context, do func() error) error {
	began := time.Now()
	for most := time.Millisecond; ; most = min(2*most, 64*time.Millisecond) {
		err := do()
		if !passing[number(err)] || time.Since(began) >= e.opts.Wait {
			return judge(err)
		}
		t := time.NewTimer(most/2 + rand.N(most))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return store.FromContext(ctx)
		}
	}
}

// transact runs do in a transaction. Every statement in it locks what it reads, so that the
// isolation level does not matter.
func (e *engine) transact(ctx context.Context, names []string, do func(*transaction) error) error {
	return e.again(ctx, func() error {
		for _, name := range names { // first: within a transaction, a pool of one connection has none left
			if _, err := e.all[name].prepare(ctx); err != nil {
				return unsent{err}
			}
		}
		conn, err := e.db.BeginTx(ctx, nil)
		if err != nil {
			return unsent{err}
		}
		if err = do(&transaction{e, ctx, conn}); err == nil {
			err = store.FromContext(ctx)
		}
		if err != nil {
			conn.Rollback() // its connection is discarded if that fails
			return unsent{err}
		}
		if err = conn.Commit(); err != nil && !undone(number(err)) {
			return lost{err}
		}
		return err
	})
}

type transaction struct {
	*engine
	ctx context.Context
	tx  *sql.Tx
}

func (t *transaction) run(name string, v values) (answer, error) {
	s := t.all[name]
	return read(t.tx.StmtContext(t.ctx, s.stmt.Load()).ExecContext(t.ctx, s.args(v)...))
}

func (t *transaction) query(name string, v values, scan func(*sql.Rows) error) error {
	s := t.all[name]
	return rowsOf(t.ctx, t.tx.StmtContext(t.ctx, s.stmt.Load()), s.args(v), scan)
}

// number returns the number of a server's error, or 0.
func number(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// passing are refusals after which the same statement may well work: a deadlock, a lock that took
// too long, a row that changed meanwhile, a statement to be prepared anew, and what TiDB calls
// them.
var passing = map[uint16]bool{1213: true, 1205: true, 1020: true, 1615: true, 8002: true, 8022: true, 9007: true}

// undone reports whether a refusal of COMMIT undid the transaction: those of clusters that find a
// conflict then, and of servers that are read-only.
func undone(n uint16) bool {
	return passing[n] || n == 3101 || n == 1290 || n == 1792 || n == 1836
}

// judge says what an error means, as far as it is known. After a refusal the statement left nothing
// behind, but for those that came too late for that.
func judge(err error) error {
	var before unsent
	var commit lost
	switch n := number(err); {
	case err == nil || storedriver.Known(err):
		return err
	case errors.As(err, &commit):
		return storedriver.Fault(nil, "COMMIT failed", err)
	case n != 0:
		hint, class := meaning(n)
		if hint != "" {
			hint = ": " + hint
		}
		return storedriver.Fault(class, fmt.Sprintf("the server says %d%s", n, hint), err)
	case errors.As(err, &before) || errors.Is(err, driver.ErrBadConn):
		return storedriver.Fault(store.ErrUnavailable, "the server cannot be reached", err)
	}
	return err
}

// meaning returns the sentinel for an error number, or nil where nobody knows what became of the
// statement.
func meaning(n uint16) (hint string, class error) {
	if passing[n] {
		return "others held the rows for too long", store.ErrUnavailable
	}
	switch n {
	case 1146, 1054:
		return "a table or column is missing: call Migrate first", store.ErrUnavailable
	case 1290, 1792, 1836, 3032:
		return "the server is read-only", store.ErrUnavailable
	case 1040, 1203, 1226:
		return "too many connections", store.ErrUnavailable
	case 1053, 1077, 3168, 3169:
		return "the server shuts down", store.ErrUnavailable
	case 1153, 1105:
		return "the statement is refused; the server's max_allowed_packet may be too small", store.ErrUnavailable
	case 1461:
		return "the server's max_prepared_stmt_count is too small for its connections", store.ErrUnavailable
	case 1044, 1045, 1142, 1143, 1227:
		return "access is denied", store.ErrUnavailable
	case 1021, 1114, 3675, 1041, 1037, 1038:
		return "the server has no room left", store.ErrFull
	case 1026, 1180, 1598:
		return "the server failed while it committed", nil
	}
	return "", store.ErrUnavailable
}
