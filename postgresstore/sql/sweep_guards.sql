-- Deletes guards without records that guard nothing any more, among those that it is time to look
-- at.
--   $1  how many to look at
--   $2  for how long a revocation is kept
-- A guard that has changed since the snapshot is left alone.
WITH clock AS MATERIALIZED (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint t),
due AS MATERIALIZED (
  SELECT tag, gen, revoked, EXISTS (SELECT FROM sojourn s WHERE s.tag = g.tag) used FROM sojourn_guards g
  WHERE look <= (SELECT t FROM clock) ORDER BY look LIMIT $1::bigint),
locked AS MATERIALIZED (
  SELECT g.tag, d.used OR d.revoked >= (SELECT t FROM clock) - $2::bigint needed
  FROM due d CROSS JOIN LATERAL (
    SELECT tag FROM sojourn_guards WHERE tag = d.tag AND gen = d.gen LIMIT 1 FOR UPDATE SKIP LOCKED) g),
deleted AS (
  DELETE FROM sojourn_guards g USING locked l WHERE g.tag = l.tag AND NOT l.needed),
kept AS (
  UPDATE sojourn_guards g SET look = t + 86400000000 FROM locked l, clock WHERE g.tag = l.tag AND l.needed)
SELECT count(*) FROM due
