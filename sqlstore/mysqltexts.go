package sqlstore

import (
	"database/sql"
	"strconv"
	"strings"
)

// mysqlCols are a row's columns without its key and data, in the order of mysqlScan.
const mysqlCols = "usr, handle, ver, writer, created, seen, idle, life, meta"

// mysqlQueries are the statements, prepared at their first use.
//
// A statement that changes something tells what it found by LAST_INSERT_ID(n), whose n comes back
// with its answer: one of the outcomes below, or 0 if there was no row (or guard) to look at. It is
// not the number of affected rows that tells, for what that counts depends on the connection. MariaDB evaluates such a
// condition for a row that is not there, too, with NULL for its columns: that must give 0.
//
// Assignments read no column that was assigned before them: whether they would see the old or the
// new value depends on the server.
type mysqlQueries struct {
	getMany                                 [len(getSizes)]query
	get, head, user, first, page, told      query
	create, createMax, dropDead             query
	guard, lockGuard, lockUser, insert      query
	update, touch, rotate, rotateAnon       query
	revoke, remove, putData, due, dueGuards query
	sweep, refile, dropGuards               query
}

// Outcomes, as statements tell them. They are part of no format.
const (
	mysqlNothing = iota
	mysqlDone
	mysqlReplay
	mysqlGone
	mysqlChanged // since: a conflict
	mysqlUser
	mysqlExists
	mysqlRevoked
	mysqlLimit
	mysqlLifeless
)

// mysqlData are the columns of data, and where all columns are when these are wanted.
const mysqlData = ", s.data, d.data, aside, NOW FROM {S} s LEFT JOIN {D} d ON d.tag = s.tag AND d.id = s.id AND aside = 1"

// sweepSize is how many rows the MySQL dialect sweeps in a statement: their locks are held until its end.
const sweepSize = 32

// mysqlSlot is how many µs the sweep files together; see [slotOf].
const mysqlSlot = 1 << 26

// texts writes the statements. BYTES is a placeholder whose value no character set may read.
func (m *mysql) texts() {
	r := strings.NewReplacer(
		"NOW", "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
		"NEVER", strconv.Itoa(never), "SLOT", strconv.Itoa(mysqlSlot), "BYTES", "CAST(? AS BINARY)",
		"DONE", strconv.Itoa(mysqlDone), "REPLAY", strconv.Itoa(mysqlReplay), "GONE", strconv.Itoa(mysqlGone),
		"CHANGED", strconv.Itoa(mysqlChanged), "USER", strconv.Itoa(mysqlUser), "EXISTS", strconv.Itoa(mysqlExists),
		"REVOKED", strconv.Itoa(mysqlRevoked), "LIMITED", strconv.Itoa(mysqlLimit), "LIFELESS", strconv.Itoa(mysqlLifeless),
		"{S}", m.opts.Table, "{G}", m.opts.Table+"_guards", "{D}", m.opts.Table+"_data")
	set := func(db *sql.DB, q *query, parts ...string) { q.db, q.text = db, r.Replace(strings.Join(parts, "")) }
	q, read, write := &m.q, m.opts.Readers, m.db

	const at = " WHERE tag = ? AND id = ?"
	set(read, &q.get, "SELECT ", mysqlCols, mysqlData, " WHERE s.tag = ? AND s.id = ? AND exp > NOW")
	for i, size := range getSizes {
		set(read, &q.getMany[i], getMany(size))
	}
	set(read, &q.user, "SELECT tag, id, ", mysqlCols, " FROM {S} WHERE tag = ? AND usr = ? AND exp > NOW")
	set(read, &q.first, "SELECT tag, id, ", mysqlCols, " FROM {S} WHERE exp > NOW ORDER BY tag, id LIMIT ?")
	set(read, &q.page, "SELECT tag, id, ", mysqlCols,
		" FROM {S} WHERE (tag = ? AND id > ? OR tag > ?) AND exp > NOW ORDER BY tag, id LIMIT ?")
	set(write, &q.head, "SELECT ", mysqlCols, " FROM {S}", at, " AND exp > NOW")

	set(write, &q.told, "SELECT NOW, (SELECT revoked FROM {G} WHERE tag = ?), (SELECT created FROM {S}", at, ")")

	// A new row: its instants, its lives (NEVER for none) and its end, from [mysqlTimes].
	const (
		times  = "(SELECT LEAST(?, NOW) c, LEAST(?, NOW) s, ? i, ? l, LEAST(LEAST(?, NOW) + ?, LEAST(?, NOW) + ?, NEVER) e"
		into   = "INSERT INTO {S} (tag, id, usr, handle, ver, writer, created, seen, idle, life, exp, slot, meta, data, aside) "
		fresh  = into + "SELECT BYTES, BYTES, BYTES, BYTES, 1, BYTES, n.c, n.s, n.i, n.l, n.e, n.e DIV SLOT, BYTES, BYTES, ? FROM "
		admit  = " WHERE g.tag = ? AND LAST_INSERT_ID(IF(g.turn >= 0, CASE WHEN g.revoked >= NOW - ? AND g.revoked > ? THEN REVOKED "
		admit2 = "WHEN n.e <= NOW THEN LIFELESS ELSE DONE END, 0)) = DONE FOR UPDATE"
	)
	set(write, &q.create, fresh, "{G} g JOIN ", times, ") n", admit, admit2)
	set(write, &q.createMax, fresh, "{G} g JOIN ", times, ") n", admit,
		"WHEN (SELECT COUNT(*) FROM {S} x WHERE x.tag = g.tag AND x.usr = ? AND x.exp > NOW) >= ? THEN LIMITED ", admit2)
	set(write, &q.insert, fresh, times, ") n WHERE LAST_INSERT_ID(IF(n.e > NOW, DONE, LIFELESS)) = DONE")
	set(write, &q.putData, "INSERT INTO {D} (tag, id, data) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE data = VALUES(data)")

	const drop = "DELETE s, d FROM {S} s LEFT JOIN {D} d ON d.tag = s.tag AND d.id = s.id AND aside > 0 WHERE "
	set(write, &q.remove, drop, "s.tag = ? AND s.id = ?")
	set(write, &q.dropDead, drop, "s.tag = ? AND s.id = ? AND exp <= NOW")

	set(write, &q.guard, "INSERT INTO {G} (tag, turn, revoked, kept) VALUES (?, 0, 0, NOW + ?) ON DUPLICATE KEY UPDATE tag = tag")
	set(write, &q.lockGuard, "SELECT revoked, NOW FROM {G} WHERE tag = ? FOR UPDATE")
	set(write, &q.lockUser, "SELECT tag, id, ", mysqlCols, " FROM {S} WHERE tag = ? AND usr = ? AND exp > NOW ORDER BY tag, id FOR UPDATE")

	const end = "LEAST(GREATEST(seen, LEAST(?, NOW)) + ?, created + ?, NEVER)"
	set(write, &q.update, "UPDATE {S} SET slot = LEAST(slot, ", end, " DIV SLOT), exp = IF(", end, " <= NOW, 0, ", end,
		"), seen = GREATEST(seen, LEAST(?, NOW)), ver = ver + 1, writer = ?, idle = ?, life = ?, meta = ?, data = ?, ",
		"aside = IF(? = 1, 1, IF(aside > 0, 2, 0))", at,
		" AND LAST_INSERT_ID(CASE WHEN exp <= NOW THEN GONE WHEN ver = ? THEN DONE",
		" WHEN ver = ? AND writer = ? THEN REPLAY WHEN ver > 0 THEN CHANGED ELSE 0 END) = DONE")
	set(write, &q.touch, "UPDATE {S} SET exp = LEAST(IF(idle = 0, NEVER, NOW + idle), IF(life = 0, NEVER, created + life)), seen = NOW", at,
		" AND LAST_INSERT_ID(CASE WHEN exp <= NOW THEN GONE WHEN seen > NOW - ? OR seen >= NOW THEN REPLAY ELSE DONE END) = DONE")

	// The first row of j becomes that at the new key; the second replaces the old one, which is the key it meets.
	const (
		moved = into + "SELECT o.tag, IF(j.n = 1, BYTES, o.id), IF(j.n = 1, o.usr, LEFT(o.usr, 0)), IF(j.n = 1, BYTES, BYTES), o.ver + 1, " +
			"IF(j.n = 1, BYTES, BYTES), j.c, j.s, j.i, j.l, IF(j.e <= NOW, 0, j.e), IF(j.e <= NOW, 0, j.e DIV SLOT), " +
			"IF(j.n = 1, BYTES, BYTES), IF(j.n = 1, BYTES, BYTES), IF(j.n = 1, ?, 0) FROM "
		joined = " g LEFT JOIN {S} o ON o.tag = ? AND o.id = ? LEFT JOIN {S} p ON p.tag = ? AND p.id = ? JOIN "
		both   = ", 1 n UNION ALL SELECT LEAST(?, NOW), LEAST(?, NOW), ?, ?, LEAST(LEAST(?, NOW) + ?, LEAST(?, NOW) + ?, NEVER), 2) j"
		judged = "LAST_INSERT_ID(IF(g.turn >= 0, CASE WHEN p.exp > NOW AND p.ver = ? AND p.writer = ? THEN REPLAY " +
			"WHEN o.exp IS NULL OR o.exp <= NOW THEN GONE WHEN o.ver <> ? THEN CHANGED WHEN o.usr <> ? THEN USER " +
			"WHEN p.exp > NOW THEN EXISTS ELSE DONE END, 0)) = DONE"
		over = " FOR UPDATE ON DUPLICATE KEY UPDATE usr = VALUES(usr), handle = VALUES(handle), ver = VALUES(ver), writer = VALUES(writer), " +
			"created = VALUES(created), seen = VALUES(seen), idle = VALUES(idle), life = VALUES(life), " +
			"exp = VALUES(exp), slot = VALUES(slot), meta = VALUES(meta), data = VALUES(data), " +
			"aside = IF(VALUES(aside) = 1, 1, IF({S}.aside > 0, 2, 0))"
	)
	set(write, &q.rotate, moved, "{G}", joined, times, both, " WHERE ", judged, " AND g.tag = ?", over)
	set(write, &q.rotateAnon, moved, "(SELECT 0 turn)", joined, times, both, " WHERE ", judged, over)

	// Handles are compared in hex, in a list of any length. What is ended loses its data at once and
	// its row to the sweep.
	set(write, &q.revoke, "UPDATE {G} g LEFT JOIN {S} s ON s.tag = g.tag AND s.usr = ? AND s.exp > NOW AND (FIND_IN_SET(HEX(s.handle), ?) > 0) = ? ",
		"SET g.turn = g.turn + 1, g.revoked = IF(?, g.revoked, GREATEST(g.revoked, NOW)), g.kept = GREATEST(g.kept, NOW + ?), ",
		"s.exp = 0, s.slot = 0, s.data = ? WHERE g.tag = ?")

	set(write, &q.due, "SELECT tag, id, exp <= NOW, aside FROM {S} WHERE slot <= NOW DIV SLOT AND (slot < NOW DIV SLOT OR exp <= NOW) ORDER BY slot LIMIT ?")
	set(write, &q.dueGuards, "SELECT tag FROM {G} WHERE kept <= NOW ORDER BY kept LIMIT ?")
	keys := "(s.tag, s.id) IN (" + list("(?, ?)", sweepSize) + ")"
	set(write, &q.sweep, drop, keys, " AND exp + 0 <= NOW")
	set(write, &q.refile, "UPDATE {S} s SET slot = exp DIV SLOT WHERE ", keys, " AND exp + 0 > NOW")
	set(write, &q.dropGuards, "DELETE FROM {G} WHERE tag IN (", list("?", sweepSize), ") AND kept + 0 <= NOW")
}

func list(s string, n int) string { return strings.TrimSuffix(strings.Repeat(s+", ", n), ", ") }
