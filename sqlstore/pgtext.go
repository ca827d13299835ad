package sqlstore

import (
	"strings"
)

// pgText fills in what the statements of PostgreSQL have in common. Casts are explicit, and nothing is NULL, so that
// they mean the same in each mode of each driver, prepared or not.
//
//   - Instants are whole µs since 1970: no zone, no setting and no type of a driver changes them.
//   - The clock is clock_timestamp(), which goes on within a statement, for it must be read after a lock was waited for.
//   - A slot is 15 minutes. A touch leaves it alone most of the time, and then no index has to be written (HOT).
func pgText(table, text string) string {
	return strings.NewReplacer(
		"%", table,
		"{now}", "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
		"{unset}", "(-9223372036854775808)::bigint",
		"{never}", "9007199254740991",
		"{slot}", "/ 900000000",
	).Replace(text)
}

// pgExp is when a record ends, and pgGiven the instant that a caller gave. Their arguments are expressions.
func pgExp(seen, created, idle, life string) string {
	return "least({never}, CASE WHEN " + idle + " = 0 THEN {never} ELSE " + seen + " + " + idle + " END, " +
		"CASE WHEN " + life + " = 0 THEN {never} ELSE " + created + " + " + life + " END)"
}

func pgGiven(at, now string) string {
	return "CASE WHEN " + at + " = {unset} THEN " + now + " ELSE least(" + at + ", " + now + ") END"
}

// pgSchema has the guards last: where they are, all is.
func pgSchema(table string) []string {
	return strings.Split(pgText(table, `CREATE TABLE IF NOT EXISTS % (
  tag     bytea  NOT NULL, -- 16 bytes: hash of the user id
  id      bytea  NOT NULL, -- 32 bytes: hash of the client's secret
  usr     bytea  NOT NULL, -- user id, any bytes; empty = nobody
  handle  bytea  NOT NULL, -- public name of the session
  ver     bigint NOT NULL,
  writer  bytea  NOT NULL, -- nonce of the last write
  created bigint NOT NULL, -- microseconds since 1970, as all instants
  seen    bigint NOT NULL,
  idle    bigint NOT NULL, -- microseconds of life after seen; 0 = no such limit
  life    bigint NOT NULL, -- after created; 0 = no such limit
  exp     bigint NOT NULL, -- end of its life
  slot    bigint NOT NULL, -- the quarter of an hour in which that is; nothing that a touch changes is indexed
  meta    bytea  NOT NULL,
  data    bytea  NOT NULL,
  PRIMARY KEY (tag, id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE % ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE INDEX IF NOT EXISTS %_slot ON % (slot);
CREATE TABLE IF NOT EXISTS %_guards (
  tag     bytea  NOT NULL PRIMARY KEY,
  gen     bigint NOT NULL, -- another one after each change of the set of a user's sessions
  revoked bigint NOT NULL, -- last revocation of all of them
  look    bigint NOT NULL  -- when to look whether it is still needed
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS %_look ON %_guards (look)`), ";\n")
}

// pgTexts are the statements of a store.
type pgTexts struct {
	ready, get, update, touch                   string
	create, createNobody, rotate, rotateNobody  string
	remove, revoke, user, page, sweep, sweepOld string
}

const pgColumns = "usr, handle, ver, writer, created, seen, idle, life, meta"

func newPGTexts(table string) *pgTexts {
	in := func(text string) string { return pgText(table, text) }
	return &pgTexts{
		ready: in("SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('%_look')"),

		// Several keys in one value: the keys of 48 bytes one after the other. LIMIT keeps each of them a look-up by
		// primary key, whatever the planner believes of the table. Sub-selects, here and below, hide the number of keys from it:
		// it would make a plan for each, each time, in place of one for all.
		get: in(`SELECT k.at, ` + pgColumns + `, data, c.t
FROM (SELECT {now} t) c
CROSS JOIN generate_series(1, (SELECT length($1::bytea)), 48) k(at)
CROSS JOIN LATERAL (SELECT * FROM % WHERE tag = substring($1::bytea FROM k.at FOR 16)
  AND id = substring($1::bytea FROM k.at + 16 FOR 32) LIMIT 1) s
WHERE s.exp > c.t`),

		update:       in(pgUpdateText),
		touch:        in(pgTouchText),
		create:       in(pgCreate(true)),
		createNobody: in(pgCreate(false)),
		rotate:       in(pgRotate(true)),
		rotateNobody: in(pgRotate(false)),

		remove: in("DELETE FROM % WHERE tag = $1::bytea AND id = $2::bytea"),
		revoke: in(pgRevokeText),

		user: in("SELECT tag, id, " + pgColumns + " FROM % WHERE tag = $1::bytea AND usr = $2::bytea AND exp > {now}"),
		page: in("SELECT tag, id, " + pgColumns + ` FROM %
WHERE (tag, id) > ($1::bytea, $2::bytea) AND exp > (SELECT {now}) ORDER BY tag, id LIMIT $3::bigint`),

		// MATERIALIZED, or a plan may choose again for each row that it deletes. What was touched since is looked at again when
		// its lock is taken.
		sweep: in(`WITH n AS MATERIALIZED (SELECT {now} t),
d AS MATERIALIZED (SELECT tag, id FROM % WHERE slot <= (SELECT t {slot} FROM n) AND exp <= (SELECT t FROM n)
  ORDER BY slot LIMIT $1::bigint FOR UPDATE SKIP LOCKED),
x AS (DELETE FROM % s USING d WHERE s.tag = d.tag AND s.id = d.id RETURNING 1)
SELECT count(*) FROM x`),
		sweepOld: in(pgGuardsText),
	}
}

// pgUpdateText changes any number of records, each of another user, in order of their keys: locks them, reads the
// clock, decides and writes. l is what the write saw. The data of all stand in $9 one after the other.
var pgUpdateText = `WITH k AS MATERIALIZED (
  SELECT n, substring($1::bytea FROM (n * 56 - 55)::int FOR 16) tag, substring($1::bytea FROM (n * 56 - 39)::int FOR 32) id,
    substring($1::bytea FROM (n * 56 - 7)::int FOR 8) writer, ver, seen, idle, life, at, meta, data
  FROM unnest((SELECT $2::text::bigint[]), (SELECT $3::text::bigint[]), (SELECT $4::text::bigint[]), (SELECT $5::text::bigint[]),
    (SELECT $6::text::bigint[]), (SELECT $7::text::bigint[]), (SELECT $8::text::bigint[])) WITH ORDINALITY u(ver, seen, idle, life, at, meta, data, n)),
l AS MATERIALIZED (SELECT k.n, s.* FROM k CROSS JOIN LATERAL (SELECT ver, writer, created, seen, exp FROM %
  WHERE tag = k.tag AND id = k.id LIMIT 1 FOR UPDATE) s),
c AS MATERIALIZED (SELECT {now} t FROM (SELECT count(*) q FROM l) z WHERE z.q >= 0),
x AS MATERIALIZED (SELECT k.*, l.created, c.t, greatest(l.seen, ` + pgGiven("k.seen", "c.t") + `) sn
  FROM k JOIN l ON l.n = k.n CROSS JOIN c WHERE l.exp > c.t AND l.ver = k.ver),
y AS MATERIALIZED (SELECT *, ` + pgExp("sn", "created", "idle", "life") + ` e FROM x),
u AS (UPDATE % s SET ver = s.ver + 1, writer = y.writer, seen = y.sn, idle = y.idle, life = y.life,
    exp = CASE WHEN y.e <= y.t THEN 0 ELSE y.e END, slot = CASE WHEN y.e <= y.t THEN 0 ELSE y.e {slot} END,
    meta = substring($9::bytea FROM y.at::int FOR y.meta::int),
    data = substring($9::bytea FROM (y.at + y.meta)::int FOR y.data::int)
  FROM y WHERE s.tag = y.tag AND s.id = y.id RETURNING y.n)
SELECT l.n, (l.exp > c.t)::int, l.ver, l.writer, (u.n IS NOT NULL)::int
FROM l CROSS JOIN c LEFT JOIN u ON u.n = l.n`

// pgTouchText touches any number of records, as above. Those that are not due are only read; p is how that was seen.
var pgTouchText = `WITH c AS MATERIALIZED (SELECT {now} t),
k AS MATERIALIZED (SELECT n, substring($1::bytea FROM (n * 48 - 47)::int FOR 16) tag, substring($1::bytea FROM (n * 48 - 31)::int FOR 32) id, every
  FROM unnest((SELECT $2::text::bigint[])) WITH ORDINALITY u(every, n)),
p AS MATERIALIZED (SELECT k.n, k.tag, k.id, k.every, s.seen <= c.t - k.every due FROM c CROSS JOIN k
  CROSS JOIN LATERAL (SELECT seen, exp FROM % WHERE tag = k.tag AND id = k.id LIMIT 1) s WHERE s.exp > c.t),
l AS MATERIALIZED (SELECT p.n, p.tag, p.id, p.every, s.* FROM (SELECT * FROM p WHERE due) p
  CROSS JOIN LATERAL (SELECT created, seen, idle, life, exp FROM % WHERE tag = p.tag AND id = p.id LIMIT 1 FOR UPDATE) s),
d AS MATERIALIZED (SELECT {now} t FROM (SELECT count(*) q FROM l) z WHERE z.q >= 0),
x AS MATERIALIZED (SELECT l.n, l.tag, l.id, d.t, ` + pgExp("d.t", "created", "idle", "life") + ` e
  FROM l CROSS JOIN d WHERE l.exp > d.t AND l.seen <= d.t - l.every),
u AS (UPDATE % s SET seen = x.t, exp = x.e, slot = x.e {slot} FROM x WHERE s.tag = x.tag AND s.id = x.id RETURNING x.n)
SELECT p.n, p.due::int, coalesce((l.exp > d.t)::int, 0), (u.n IS NOT NULL)::int
FROM p CROSS JOIN d LEFT JOIN l ON l.n = p.n LEFT JOIN u ON u.n = p.n`

// pgInsert replaces what has expired at the key.
const pgInsert = ` ON CONFLICT (tag, id) DO UPDATE SET usr = excluded.usr, handle = excluded.handle, ver = excluded.ver,
  writer = excluded.writer, created = excluded.created, seen = excluded.seen, idle = excluded.idle, life = excluded.life,
  exp = excluded.exp, slot = excluded.slot, meta = excluded.meta, data = excluded.data
  WHERE %.exp <= (SELECT t FROM n) RETURNING 1)`

const pgAll = "(tag, id, usr, handle, ver, writer, created, seen, idle, life, exp, slot, meta, data)"

// pgCreate inserts a record: $1 to $11 are its columns, $12 the limit, $13 whether to evict, $14 the age of the sign-in and $15 the revocation that it knows of.
// A user's guard is compared, under its lock, with what the statement's snapshot saw of it. If it is the same, no
// record was added since, and what the snapshot says of the user's records is true; else nothing is written. A record
// of nobody needs no guard.
func pgCreate(user bool) string {
	text := `WITH n AS MATERIALIZED (SELECT {now} t),
a AS MATERIALIZED (SELECT t, ` + pgGiven("$6::bigint", "t") + ` cr, ` + pgGiven("$7::bigint", "t") + ` sn FROM n),
e AS MATERIALIZED (SELECT t, cr, sn, ` + pgExp("sn", "cr", "$8::bigint", "$9::bigint") + ` x FROM a),
cur AS MATERIALIZED (SELECT ver, writer FROM % WHERE tag = $1::bytea AND id = $2::bytea AND exp > (SELECT t FROM n)),
`
	if user {
		text += `g0 AS MATERIALIZED (SELECT coalesce((SELECT gen FROM %_guards WHERE tag = $1::bytea), 0) gen,
  coalesce((SELECT revoked FROM %_guards WHERE tag = $1::bytea), {unset}) at),
g1 AS MATERIALIZED (SELECT gen, at, $14::bigint > 0 AND at >= (SELECT t FROM n) - $14::bigint AND at > $15::bigint revoked FROM g0),
r AS MATERIALIZED (SELECT id, row_number() OVER (ORDER BY created DESC, id DESC) k FROM %
  WHERE tag = $1::bytea AND usr = $3::bytea AND exp > (SELECT t FROM n)),
ok AS MATERIALIZED (SELECT 1 FROM g1 WHERE NOT EXISTS (SELECT FROM cur) AND NOT g1.revoked
  AND ($12::bigint = 0 OR $13::bigint = 1 OR (SELECT count(*) FROM r) < $12::bigint)),
lk AS (INSERT INTO %_guards AS g (tag, gen, revoked, look) SELECT $1::bytea, e.t, {unset}, e.t + 86400000000 FROM e, ok WHERE e.x > e.t
  ON CONFLICT (tag) DO UPDATE SET gen = g.gen + 1 WHERE g.gen = (SELECT gen FROM g0) RETURNING 1),
ev AS (DELETE FROM % s USING r, lk WHERE s.tag = $1::bytea AND s.id = r.id AND $12::bigint > 0 AND r.k >= $12::bigint RETURNING s.handle),
`
	} else {
		text += `g1 AS MATERIALIZED (SELECT {unset} at, $12::bigint + $13::bigint + $14::bigint + $15::bigint < 0 AND false revoked),
ok AS MATERIALIZED (SELECT 1 WHERE NOT EXISTS (SELECT FROM cur)),
lk AS MATERIALIZED (SELECT 1 FROM e, ok WHERE e.x > e.t),
ev AS (SELECT ''::bytea AS handle WHERE false),
`
	}
	return text + `ins AS (INSERT INTO % ` + pgAll + `
  SELECT $1::bytea, $2::bytea, $3::bytea, $4::bytea, 1, $5::bytea, e.cr, e.sn, $8::bigint, $9::bigint, e.x, e.x {slot}, $10::bytea, $11::bytea
  FROM e, lk` + pgInsert + `
SELECT (SELECT count(*) FROM ins), coalesce((SELECT string_agg(handle, ''::bytea) FROM ev), ''::bytea),
  coalesce((SELECT ver FROM cur), 0), coalesce((SELECT writer FROM cur), ''::bytea),
  g1.revoked::int, (SELECT count(*) FROM ok), (e.x > e.t)::int, e.t, g1.at FROM g1, e`
}

// pgRotate moves a record: $1 tag, $2 old id, $3 version, $4 new id, $5 to $13 the new record's columns, $14 whether
// there is a tail, $15 to $22 its columns. The guard is taken without a compare, for the old record's version is the
// truth; was is how the snapshot saw that, to tell a lost race.
func pgRotate(user bool) string {
	guard := `lk AS MATERIALIZED (SELECT 1 gen)`
	if user {
		guard = `lk AS (INSERT INTO %_guards AS g (tag, gen, revoked, look) SELECT $1::bytea, a.t, {unset}, a.t + 86400000000 FROM a
  ON CONFLICT (tag) DO UPDATE SET gen = g.gen + 1 RETURNING gen)`
	}
	return `WITH a AS MATERIALIZED (SELECT {now} t),
cur AS MATERIALIZED (SELECT ver, writer FROM % WHERE tag = $1::bytea AND id = $4::bytea AND exp > (SELECT t FROM a)),
was AS MATERIALIZED (SELECT 1 FROM % WHERE tag = $1::bytea AND id = $2::bytea AND exp > (SELECT t FROM a) AND ver = $3::bigint),
` + guard + `,
o AS MATERIALIZED (SELECT s.ver, s.usr, s.exp FROM % s CROSS JOIN lk WHERE s.tag = $1::bytea AND s.id = $2::bytea FOR UPDATE OF s),
n AS MATERIALIZED (SELECT {now} t FROM (SELECT count(*) q FROM o) z WHERE z.q >= 0),
b AS MATERIALIZED (SELECT t, ` + pgGiven("$8::bigint", "t") + ` cr, ` + pgGiven("$9::bigint", "t") + ` sn, ` +
		pgGiven("$17::bigint", "t") + ` tcr, ` + pgGiven("$18::bigint", "t") + ` tsn FROM n),
e AS MATERIALIZED (SELECT *, ` + pgExp("sn", "cr", "$10::bigint", "$11::bigint") + ` x, ` +
		pgExp("tsn", "tcr", "$19::bigint", "$20::bigint") + ` tx FROM b),
ins AS (INSERT INTO % ` + pgAll + `
  SELECT $1::bytea, $4::bytea, $5::bytea, $6::bytea, o.ver + 1, $7::bytea, e.cr, e.sn, $10::bigint, $11::bigint,
    CASE WHEN e.x <= e.t THEN 0 ELSE e.x END, CASE WHEN e.x <= e.t THEN 0 ELSE e.x {slot} END, $12::bytea, $13::bytea
  FROM o, e WHERE o.exp > e.t AND o.ver = $3::bigint AND o.usr = $5::bytea` + pgInsert + `,
del AS (DELETE FROM % s USING ins WHERE s.tag = $1::bytea AND s.id = $2::bytea AND $14::bigint = 0),
tail AS (UPDATE % s SET usr = ''::bytea, handle = $15::bytea, ver = s.ver + 1, writer = $16::bytea, created = e.tcr, seen = e.tsn,
    idle = $19::bigint, life = $20::bigint, exp = CASE WHEN e.tx <= e.t THEN 0 ELSE e.tx END,
    slot = CASE WHEN e.tx <= e.t THEN 0 ELSE e.tx {slot} END, meta = $21::bytea, data = $22::bytea
  FROM ins, e WHERE s.tag = $1::bytea AND s.id = $2::bytea AND $14::bigint = 1)
SELECT (SELECT count(*) FROM ins), coalesce((SELECT ver FROM cur), 0), coalesce((SELECT writer FROM cur), ''::bytea),
  (SELECT count(*) FROM was), coalesce((SELECT (o.exp > n.t)::int FROM o), 0), coalesce((SELECT ver FROM o), 0),
  coalesce((SELECT (usr = $5::bytea)::int FROM o), 0) FROM n`
}

// pgRevokeText ends a user's records: $3 is 0 for all, 1 for those with the handles in $4, 2 for all but those. It
// compares the guard as Create does, or a record that was inserted while it waited would be missed.
const pgRevokeText = `WITH n AS MATERIALIZED (SELECT {now} t),
g0 AS MATERIALIZED (SELECT coalesce((SELECT gen FROM %_guards WHERE tag = $1::bytea), 0) gen),
h AS MATERIALIZED (SELECT substring($4::bytea FROM at FOR 16) handle FROM generate_series(1, length($4::bytea), 16) at),
lk AS (INSERT INTO %_guards AS g (tag, gen, revoked, look)
  SELECT $1::bytea, n.t, CASE WHEN $3::bigint = 1 THEN {unset} ELSE n.t END, n.t + 86400000000 FROM n
  ON CONFLICT (tag) DO UPDATE SET gen = g.gen + 1, revoked = greatest(g.revoked, excluded.revoked)
  WHERE g.gen = (SELECT gen FROM g0) RETURNING g.revoked),
x AS (DELETE FROM % s USING lk, n WHERE s.tag = $1::bytea AND s.usr = $2::bytea
  AND ($3::bigint = 0 OR (s.handle IN (SELECT handle FROM h)) = ($3::bigint = 1)) RETURNING s.exp > n.t live)
SELECT (SELECT count(*) FROM lk), (SELECT count(*) FROM x WHERE live), coalesce((SELECT revoked FROM lk), {unset})`

// pgGuardsText deletes guards without records that guard nothing any more, of those that it is time to look at. A guard
// that changed since the snapshot is left alone.
var pgGuardsText = `WITH n AS MATERIALIZED (SELECT {now} t),
s AS MATERIALIZED (SELECT tag, gen, revoked, EXISTS (SELECT FROM % r WHERE r.tag = g.tag) used FROM %_guards g
  WHERE look <= (SELECT t FROM n) ORDER BY look LIMIT $1::bigint),
l AS MATERIALIZED (SELECT g.tag, s.used OR s.revoked >= (SELECT t FROM n) - $2::bigint keep
  FROM s CROSS JOIN LATERAL (SELECT tag FROM %_guards WHERE tag = s.tag AND gen = s.gen LIMIT 1 FOR UPDATE SKIP LOCKED) g),
d AS (DELETE FROM %_guards g USING l WHERE g.tag = l.tag AND NOT l.keep),
u AS (UPDATE %_guards g SET look = n.t + 86400000000 FROM l, n WHERE g.tag = l.tag AND l.keep)
SELECT count(*) FROM s`
