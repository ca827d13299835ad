-- Inserts a record, if its user's limit and revocations allow it.
--   $1 to $11   tag, id, user, handle, writer, created, seen, idle, life, meta, data
--   $12, $13    how many records the user may have, 0 = any number; 1 to evict the oldest
--   $14, $15    age of the sign-in, 0 = it does not matter; revocation that it knows of
-- Answers with the outcome, the clock, the user's last revocation, and the handles that were
-- evicted.
--
-- Everything is judged by the statement's snapshot. What makes that exact is the guard: whatever
-- adds to a user's records, moves or revokes them changes its gen, and here it is locked only if
-- its gen is still the snapshot's. Where it is not, nothing is written, and the answer is 'again'.
WITH clock AS MATERIALIZED (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint t),
new AS MATERIALIZED (
  SELECT t, created, seen, least(9007199254740991, seen + nullif($8::bigint, 0), created + nullif($9::bigint, 0)) exp
  FROM (SELECT t, least($6::bigint, t) created, least($7::bigint, t) seen FROM clock) c),
guard AS MATERIALIZED (
  SELECT coalesce(max(gen), 0) gen, coalesce(max(revoked), 0) revoked FROM sojourn_guards
  WHERE tag = $1::bytea AND $3::bytea <> ''::bytea),
standing AS MATERIALIZED (
  SELECT ver, writer FROM sojourn WHERE tag = $1::bytea AND id = $2::bytea AND exp > (SELECT t FROM clock)),
mine AS MATERIALIZED ( -- 1 is the newest
  SELECT id, row_number() OVER (ORDER BY created DESC, id DESC) place FROM sojourn
  WHERE $12::bigint > 0 AND tag = $1::bytea AND usr = $3::bytea AND exp > (SELECT t FROM clock)),
verdict AS MATERIALIZED (
  SELECT CASE
    WHEN s.ver = 1 AND s.writer = $5::bytea THEN 'done' -- before
    WHEN s.ver > 0 THEN 'exists'
    WHEN $14::bigint > 0 AND g.revoked >= n.t - $14::bigint AND g.revoked > $15::bigint THEN 'revoked'
    WHEN $12::bigint > 0 AND $13::bigint = 0 AND (SELECT count(*) FROM mine) >= $12::bigint THEN 'limit'
    WHEN n.exp <= n.t THEN 'done' -- it never lives, so nobody has to go
    ELSE 'insert' END word
  FROM new n CROSS JOIN guard g LEFT JOIN standing s ON true),
lock AS (
  INSERT INTO sojourn_guards AS g (tag, gen, revoked, look)
  SELECT $1::bytea, t, 0, t + 86400000000 FROM new, verdict WHERE word = 'insert' AND $3::bytea <> ''::bytea
  ON CONFLICT (tag) DO UPDATE SET gen = g.gen + 1 WHERE g.gen = (SELECT gen FROM guard)
  RETURNING 1),
evicted AS (
  DELETE FROM sojourn s USING mine, lock
  WHERE s.tag = $1::bytea AND s.id = mine.id AND mine.place >= $12::bigint RETURNING s.handle),
pass AS MATERIALIZED (
  SELECT 1 FROM lock UNION ALL SELECT 1 FROM verdict WHERE word = 'insert' AND $3::bytea = ''::bytea),
inserted AS (
  INSERT INTO sojourn (tag, id, usr, handle, ver, writer, created, seen, idle, life, exp, slot, meta, data)
  SELECT $1::bytea, $2::bytea, $3::bytea, $4::bytea, 1, $5::bytea, created, seen, $8::bigint, $9::bigint,
    exp, exp / 900000000, $10::bytea, $11::bytea
  FROM new, pass
  ON CONFLICT (tag, id) DO UPDATE SET usr = excluded.usr, handle = excluded.handle, ver = excluded.ver,
    writer = excluded.writer, created = excluded.created, seen = excluded.seen, idle = excluded.idle,
    life = excluded.life, exp = excluded.exp, slot = excluded.slot, meta = excluded.meta, data = excluded.data
  WHERE sojourn.exp <= (SELECT t FROM clock) -- what has expired at the key
  RETURNING 1)
SELECT CASE WHEN word <> 'insert' THEN word WHEN EXISTS (SELECT FROM inserted) THEN 'done' ELSE 'again' END,
  t, revoked, coalesce((SELECT string_agg(handle, ''::bytea) FROM evicted), ''::bytea)
FROM verdict, clock, guard
