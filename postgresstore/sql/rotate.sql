-- Moves a record to a new key, and leaves a tail at the old one or nothing.
--   $1 to $3    tag, old id, and the version expected there
--   $4 to $13   id, user, handle, writer, created, seen, idle, life, meta, data of the new record
--   $14         1 if there is a tail
--   $15 to $22  its handle, writer, created, seen, idle, life, meta, data
--
-- The guard is locked first, then the old record, whose newest version is the truth: that needs no
-- snapshot. Only the new key is judged by one. So where the old record is no more what the snapshot
-- showed, this very rotation may have come before: 'again' looks once more.
WITH before AS MATERIALIZED (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint t),
standing AS MATERIALIZED (
  SELECT ver, writer FROM sojourn WHERE tag = $1::bytea AND id = $4::bytea AND exp > (SELECT t FROM before)),
shown AS MATERIALIZED (
  SELECT count(*) n FROM sojourn
  WHERE tag = $1::bytea AND id = $2::bytea AND exp > (SELECT t FROM before) AND ver = $3::bigint),
lock AS (
  INSERT INTO sojourn_guards AS g (tag, gen, revoked, look)
  SELECT $1::bytea, t, 0, t + 86400000000 FROM before WHERE $5::bytea <> ''::bytea
  ON CONFLICT (tag) DO UPDATE SET gen = g.gen + 1 RETURNING 1),
old AS MATERIALIZED (
  SELECT s.ver, s.usr, s.exp FROM sojourn s CROSS JOIN (SELECT count(*) FROM lock) l
  WHERE s.tag = $1::bytea AND s.id = $2::bytea FOR UPDATE OF s),
clock AS MATERIALIZED ( -- when all locks are held
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint t
  FROM (SELECT count(*) n FROM old) o WHERE o.n >= 0),
given AS MATERIALIZED (
  SELECT t, least($8::bigint, t) created, least($9::bigint, t) seen,
    least($17::bigint, t) tail_created, least($18::bigint, t) tail_seen FROM clock),
new AS MATERIALIZED (
  SELECT *,
    least(9007199254740991, seen + nullif($10::bigint, 0), created + nullif($11::bigint, 0)) exp,
    least(9007199254740991, tail_seen + nullif($19::bigint, 0), tail_created + nullif($20::bigint, 0)) tail_exp
  FROM given),
verdict AS MATERIALIZED (
  SELECT CASE
    WHEN s.ver = $3::bigint + 1 AND s.writer = $7::bytea THEN 'done' -- before
    WHEN o.exp > n.t AND o.ver = $3::bigint AND o.usr <> $5::bytea THEN 'user'
    WHEN o.exp > n.t AND o.ver = $3::bigint AND s.ver > 0 THEN 'exists'
    WHEN o.exp > n.t AND o.ver = $3::bigint THEN 'move'
    WHEN (SELECT shown.n FROM shown) > 0 THEN 'again'
    WHEN o.exp > n.t THEN 'changed'
    ELSE 'gone' END word
  FROM new n LEFT JOIN old o ON true LEFT JOIN standing s ON true),
inserted AS (
  INSERT INTO sojourn (tag, id, usr, handle, ver, writer, created, seen, idle, life, exp, slot, meta, data)
  SELECT $1::bytea, $4::bytea, $5::bytea, $6::bytea, $3::bigint + 1, $7::bytea, created, seen,
    $10::bigint, $11::bigint, exp, exp / 900000000, $12::bytea, $13::bytea
  FROM new, verdict WHERE word = 'move' AND exp > t
  ON CONFLICT (tag, id) DO UPDATE SET usr = excluded.usr, handle = excluded.handle, ver = excluded.ver,
    writer = excluded.writer, created = excluded.created, seen = excluded.seen, idle = excluded.idle,
    life = excluded.life, exp = excluded.exp, slot = excluded.slot, meta = excluded.meta, data = excluded.data
  WHERE sojourn.exp <= (SELECT t FROM clock) -- what has expired at the key
  RETURNING 1),
moved AS MATERIALIZED ( -- a record that never lives is not inserted
  SELECT 1 FROM inserted UNION ALL SELECT 1 FROM new, verdict WHERE word = 'move' AND exp <= t),
deleted AS (
  DELETE FROM sojourn s USING moved, new n
  WHERE s.tag = $1::bytea AND s.id = $2::bytea AND ($14::bigint = 0 OR n.tail_exp <= n.t)),
tail AS (
  UPDATE sojourn s SET usr = ''::bytea, handle = $15::bytea, ver = s.ver + 1, writer = $16::bytea,
    created = n.tail_created, seen = n.tail_seen, idle = $19::bigint, life = $20::bigint,
    exp = n.tail_exp, slot = n.tail_exp / 900000000, meta = $21::bytea, data = $22::bytea
  FROM moved, new n
  WHERE s.tag = $1::bytea AND s.id = $2::bytea AND $14::bigint = 1 AND n.tail_exp > n.t)
SELECT CASE WHEN word <> 'move' THEN word WHEN EXISTS (SELECT FROM moved) THEN 'done' ELSE 'again' END
FROM verdict
