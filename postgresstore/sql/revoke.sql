-- Ends records of a user.
--   $1, $2  tag, user
--   $3, $4  handles of 16 bytes: all but these; or 1 in $4, only these
-- Answers with the outcome, how many it ended, and the instant of the revocation.
--
-- It compares the guard as create.sql does, or a record that was inserted while it waited would be
-- missed. Each revocation has an instant of its own: whoever knows of one knows of no later one.
WITH clock AS MATERIALIZED (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint t),
guard AS MATERIALIZED (
  SELECT coalesce(max(gen), 0) gen FROM sojourn_guards WHERE tag = $1::bytea),
named AS MATERIALIZED (
  SELECT substring($3::bytea FROM at FOR 16) handle FROM generate_series(1, length($3::bytea), 16) at),
lock AS (
  INSERT INTO sojourn_guards AS g (tag, gen, revoked, look)
  SELECT $1::bytea, t, CASE WHEN $4::bigint = 1 THEN 0 ELSE t END, t + 86400000000 FROM clock
  ON CONFLICT (tag) DO UPDATE SET gen = g.gen + 1,
    revoked = CASE WHEN $4::bigint = 1 THEN g.revoked ELSE greatest(g.revoked + 1, excluded.revoked) END
  WHERE g.gen = (SELECT gen FROM guard)
  RETURNING revoked),
ended AS (
  DELETE FROM sojourn s USING lock, clock c
  WHERE s.tag = $1::bytea AND s.usr = $2::bytea AND (s.handle IN (SELECT handle FROM named)) = ($4::bigint = 1)
  RETURNING s.exp > c.t live)
SELECT CASE WHEN EXISTS (SELECT FROM lock) THEN 'done' ELSE 'again' END,
  (SELECT count(*) FROM ended WHERE live), coalesce((SELECT max(revoked) FROM lock), 0)
