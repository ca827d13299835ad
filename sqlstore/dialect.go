package sqlstore

import (
	"context"
	"database/sql"
	"sync/atomic"

	"github.com/sojourn-go/sojourn/store"
)

// A Dialect is what [New] needs to know of an engine: its statements, how its errors
// read, whose clock counts and which methods it does in a way of its own. There is
// one: [SQLite].
type Dialect struct {
	name   string
	schema func(table string) []string
	// engine prepares what the dialect needs.
	engine func(*shared) engine
	// class says what an error before COMMIT means, and commit one of COMMIT.
	class  func(code string) (hint string, class error)
	commit func(code string) (hint string, class error)
}

// String gives the dialect's name.
func (d *Dialect) String() string { return d.name }

// texts are the statements of the locked form, with what each is given.
type texts struct {
	lock string // waits until nobody else writes, and gives an instant that no clock may be behind, and its sum
	mark string // the same instant, without waiting
	tick string // now, sum; keeps it as that instant

	get   string // tag, id; gives columns and data
	head  string // tag, id; gives columns, as all that follow
	byTag string // tag; with the key before the columns, as all that follow
	first string // n; rows in order of key
	page  string // tag, id, n; rows after that key, in order of key
	due   string // slot, slot, now, n; rows that may have expired, the longest expired first

	put    string // columns.put; replaces
	change string // columns.change
	touch  string // columns.touch
	refile string // exp, slot, tag, id
	drop   string // tag, id

	guard      string // tag; gives revoked, sum
	setGuard   string // tag, revoked, sum; replaces
	dropGuards string // revoked; those before
}

// columns is how a dialect lays out a row.
type columns interface {
	put(*row) []any
	change(*row) []any
	touch(*row) []any
	// read scans a row's columns, and data if there are any, into bytes of its own. The key stands
	// before them, unless it is given.
	read(rows *sql.Rows, key *store.Key, data bool) (row, error)
}

// query is a statement, prepared at its first use; database/sql prepares it
// once for each connection.
type query struct {
	db   *sql.DB
	text string
	stmt atomic.Pointer[sql.Stmt]
}

func (q *query) prepared() (*sql.Stmt, error) { return q.on(background) }

// on is prepared where the engine may keep the caller waiting.
func (q *query) on(ctx context.Context) (*sql.Stmt, error) {
	if st := q.stmt.Load(); st != nil {
		return st, nil
	}
	st, err := q.db.PrepareContext(ctx, q.text)
	if err != nil {
		return nil, err
	}
	if !q.stmt.CompareAndSwap(nil, st) {
		st.Close()
		st = q.stmt.Load()
	}
	return st, nil
}

// shared is what a store and its engine both work with.
type shared struct {
	name    string // of the package, for errors
	dialect *Dialect
	db      *sql.DB // writes; Options.Readers reads
	opts    Options // complete
	clock   *clock
}

// guardKept is for how long a revocation is kept: an Age of just GuardFor must
// still find it, and a minute is left for rounding.
const guardKept = int64((store.GuardFor + 60e9) / 1e3)
