package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"sync/atomic"
)

// schema has columns of their own for what SQL selects by or somebody may look for. The rest is
// packed into head: twelve columns would double the cost of a read. Rows are clustered by user.
// Data comes last, so that neither lists nor the sweep read its pages.
func schema(table string) []string {
	return strings.Split(strings.NewReplacer("%", table).Replace(`PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS % (
  tag  BLOB NOT NULL,    -- 16 bytes: hash of the user id
  id   BLOB NOT NULL,    -- 32 bytes: hash of the client's secret
  usr  BLOB,             -- user id, any bytes
  exp  INTEGER NOT NULL, -- end of its life, in microseconds since 1970
  slot INTEGER NOT NULL, -- when to look whether it expired: at exp or before, in units of 2^26 microseconds
  head BLOB NOT NULL,    -- version, writer, handle, created, seen, idle, lifetime, checksums
  meta BLOB,
  data BLOB,
  PRIMARY KEY (tag, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS %_slot ON % (slot);
CREATE TABLE IF NOT EXISTS %_guards (
  tag     BLOB NOT NULL PRIMARY KEY,
  revoked INTEGER NOT NULL, -- last revocation of all of a user's sessions, kept for 16 minutes
  sum     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS %_revoked ON %_guards (revoked);
CREATE TABLE IF NOT EXISTS %_clock (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  at  INTEGER NOT NULL, -- the last instant that was written: no process starts behind it
  sum INTEGER NOT NULL
);
INSERT OR IGNORE INTO %_clock (one, at, sum) VALUES (1, 0, 0)`), ";\n")
}

// queries are the statements: on the connection that writes, and on those that read.
type queries struct {
	lock query // changes nothing and takes the write lock; gives an instant that no clock may be behind, and its sum
	tick query // now, sum; keeps it as that instant

	head  query // tag, id; gives usr, head, meta
	byTag query // tag; gives tag, id, usr, head, meta, as those that follow
	due   query // slot, slot, now, n; rows that may have expired, the longest expired first

	put    query // usr, exp, slot, head, meta, data, tag, id; replaces
	change query // exp, slot, head, meta, data, tag, id
	touch  query // exp, head, tag, id
	refile query // exp, slot, tag, id
	drop   query // tag, id

	guard      query // tag; gives revoked, sum
	setGuard   query // tag, revoked, sum; replaces
	dropGuards query // revoked; those before

	readMark  query // the instant of lock, without waiting
	readGet   query // tag, id; gives usr, head, meta, data
	readHead  query // as head
	readByTag query // as byTag
	readFirst query // n; rows in order of key
	readPage  query // tag, id, n; rows after that key, in order of key
}

func newQueries(table string, db, readers *sql.DB) *queries {
	const cols = "usr, head, meta"
	const keyed = "SELECT tag, id, " + cols + " FROM %"
	set := func(db *sql.DB, q *query, text string) {
		q.db, q.text = db, strings.ReplaceAll(text, "%", table)
	}
	q := new(queries)
	set(db, &q.lock, "UPDATE %_clock SET at = at RETURNING at, sum")
	set(db, &q.tick, "UPDATE %_clock SET at = ?, sum = ?")
	set(db, &q.head, "SELECT "+cols+" FROM % WHERE tag = ? AND id = ?")
	set(db, &q.byTag, keyed+" WHERE tag = ?")
	set(db, &q.due, keyed+" WHERE slot <= ? AND (slot < ? OR exp <= ?) ORDER BY slot LIMIT ?")
	set(db, &q.put, "INSERT OR REPLACE INTO % (usr, exp, slot, head, meta, data, tag, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
	set(db, &q.change, "UPDATE % SET exp = ?, slot = min(slot, ?), head = ?, meta = ?, data = ? WHERE tag = ? AND id = ?")
	set(db, &q.touch, "UPDATE % SET exp = ?, head = ? WHERE tag = ? AND id = ?")
	set(db, &q.refile, "UPDATE % SET exp = ?, slot = ? WHERE tag = ? AND id = ?")
	set(db, &q.drop, "DELETE FROM % WHERE tag = ? AND id = ?")
	set(db, &q.guard, "SELECT revoked, sum FROM %_guards WHERE tag = ?")
	set(db, &q.setGuard, "INSERT OR REPLACE INTO %_guards (tag, revoked, sum) VALUES (?, ?, ?)")
	set(db, &q.dropGuards, "DELETE FROM %_guards WHERE revoked < ?")

	set(readers, &q.readMark, "SELECT at, sum FROM %_clock")
	// With a plus, a driver asks for no column's declared type, and that is a tenth of a read.
	set(readers, &q.readGet, "SELECT +usr AS u, +head AS h, +meta AS m, +data AS d FROM % WHERE tag = ? AND id = ?")
	set(readers, &q.readHead, q.head.text)
	set(readers, &q.readByTag, q.byTag.text)
	set(readers, &q.readFirst, keyed+" ORDER BY tag, id LIMIT ?")
	set(readers, &q.readPage, keyed+" WHERE (tag, id) > (?, ?) ORDER BY tag, id LIMIT ?")
	return q
}

// writing are the statements of a transaction. They are prepared before it begins: within it, a
// pool of one connection has none left to prepare on.
func (q *queries) writing() [13]*query {
	return [...]*query{&q.lock, &q.tick, &q.head, &q.byTag, &q.due, &q.put, &q.change, &q.touch, &q.refile,
		&q.drop, &q.guard, &q.setGuard, &q.dropGuards}
}

// query is a statement, prepared at its first use; database/sql prepares it once for each
// connection.
type query struct {
	db   *sql.DB
	text string
	stmt atomic.Pointer[sql.Stmt]
}

// background is the context of everything that SQLite does: it is over in a moment, and watching a
// context would cost more than that.
var background = context.Background()

func (q *query) prepared() (*sql.Stmt, error) {
	if st := q.stmt.Load(); st != nil {
		return st, nil
	}
	st, err := q.db.PrepareContext(background, q.text)
	if err != nil {
		return nil, err
	}
	if !q.stmt.CompareAndSwap(nil, st) {
		st.Close()
		st = q.stmt.Load()
	}
	return st, nil
}

// each runs the query outside of a transaction.
func (q *query) each(f func(*sql.Rows) error, args ...any) error {
	st, err := q.prepared()
	if err != nil {
		return err
	}
	return each(st, f, args...)
}

// each runs a query and gives its rows to f.
func each(st *sql.Stmt, f func(*sql.Rows) error, args ...any) error {
	rows, err := st.QueryContext(background, args...)
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
