-- Changes records, each of another user, in the order of their keys: locks them, reads the clock,
-- decides and writes.
--   $1        tag, id and writer of each, 56 bytes
--   $2 to $5  lists of numbers: expected version, seen, idle, life
--   $6 to $8  likewise: where in $9 the meta begins, how long it is, and how long the data behind it
--   $9        meta and data of all
-- The sub-selects hide the number of records from the planner; see get.sql.
WITH asked AS MATERIALIZED (
  SELECT n, ver, seen, idle, life, at, meta, data,
    substring($1::bytea FROM (n * 56 - 55)::int FOR 16) tag,
    substring($1::bytea FROM (n * 56 - 39)::int FOR 32) id,
    substring($1::bytea FROM (n * 56 - 7)::int FOR 8) writer
  FROM unnest(
    (SELECT $2::text::bigint[]), (SELECT $3::text::bigint[]), (SELECT $4::text::bigint[]),
    (SELECT $5::text::bigint[]), (SELECT $6::text::bigint[]), (SELECT $7::text::bigint[]),
    (SELECT $8::text::bigint[])) WITH ORDINALITY u(ver, seen, idle, life, at, meta, data, n)),
locked AS MATERIALIZED ( -- the newest version of each
  SELECT a.n, s.* FROM asked a CROSS JOIN LATERAL (
    SELECT ver, writer, created, seen, exp FROM sojourn
    WHERE tag = a.tag AND id = a.id LIMIT 1 FOR UPDATE) s),
clock AS MATERIALIZED ( -- when all locks are held
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint t
  FROM (SELECT count(*) n FROM locked) l WHERE l.n >= 0),
used AS MATERIALIZED (
  SELECT a.*, l.created, c.t, greatest(l.seen, least(a.seen, c.t)) now_seen
  FROM asked a JOIN locked l ON l.n = a.n CROSS JOIN clock c WHERE l.exp > c.t AND l.ver = a.ver),
ends AS MATERIALIZED (
  SELECT *, least(9007199254740991, now_seen + nullif(idle, 0), created + nullif(life, 0)) exp FROM used),
changed AS (
  UPDATE sojourn s SET ver = s.ver + 1, writer = e.writer, seen = e.now_seen, idle = e.idle, life = e.life,
    exp = CASE WHEN e.exp > e.t THEN e.exp ELSE 0 END,
    slot = CASE WHEN e.exp > e.t THEN e.exp / 900000000 ELSE 0 END,
    meta = substring($9::bytea FROM e.at::int FOR e.meta::int),
    data = substring($9::bytea FROM (e.at + e.meta)::int FOR e.data::int)
  FROM ends e WHERE s.tag = e.tag AND s.id = e.id RETURNING e.n)
SELECT a.n, CASE
  WHEN c.n IS NOT NULL THEN 'done'
  WHEN l.exp <= t THEN 'gone'
  WHEN l.ver = a.ver + 1 AND l.writer = a.writer THEN 'done' -- before
  ELSE 'changed' END
FROM clock CROSS JOIN asked a JOIN locked l ON l.n = a.n LEFT JOIN changed c ON c.n = a.n
