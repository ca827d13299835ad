-- Touches records, each of another user, as update.sql changes them. Those that are not due are
-- only read, and wait for nobody.
--   $1  tag and id of each, 48 bytes
--   $2  a list of numbers: how old the last touch must be
WITH before AS MATERIALIZED (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint t),
asked AS MATERIALIZED (
  SELECT n, every,
    substring($1::bytea FROM (n * 48 - 47)::int FOR 16) tag,
    substring($1::bytea FROM (n * 48 - 31)::int FOR 32) id
  FROM unnest((SELECT $2::text::bigint[])) WITH ORDINALITY u(every, n)),
read AS MATERIALIZED (
  SELECT a.n, a.tag, a.id, a.every, s.seen <= b.t - a.every due
  FROM before b CROSS JOIN asked a CROSS JOIN LATERAL (
    SELECT seen, exp FROM sojourn WHERE tag = a.tag AND id = a.id LIMIT 1) s
  WHERE s.exp > b.t),
locked AS MATERIALIZED (
  SELECT r.n, r.tag, r.id, r.every, s.* FROM (SELECT * FROM read WHERE due) r CROSS JOIN LATERAL (
    SELECT created, seen, idle, life, exp FROM sojourn
    WHERE tag = r.tag AND id = r.id LIMIT 1 FOR UPDATE) s),
clock AS MATERIALIZED (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint t
  FROM (SELECT count(*) n FROM locked) l WHERE l.n >= 0),
ends AS MATERIALIZED (
  SELECT l.n, l.tag, l.id, c.t, least(9007199254740991, c.t + nullif(idle, 0), created + nullif(life, 0)) exp
  FROM locked l CROSS JOIN clock c WHERE l.exp > c.t AND l.seen <= c.t - l.every),
touched AS (
  UPDATE sojourn s SET seen = e.t, exp = e.exp, slot = e.exp / 900000000
  FROM ends e WHERE s.tag = e.tag AND s.id = e.id RETURNING e.n)
SELECT r.n, CASE
  WHEN NOT r.due OR d.n IS NOT NULL THEN 'done'
  WHEN l.exp > c.t THEN 'done' -- by another touch, a moment before
  ELSE 'gone' END
FROM read r CROSS JOIN clock c LEFT JOIN locked l ON l.n = r.n LEFT JOIN touched d ON d.n = r.n
