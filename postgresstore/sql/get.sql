-- Reads the live records at several keys, and the clock.
--   $1  the keys, 48 bytes each: tag and id
-- LIMIT keeps each of them a look-up by primary key, whatever the planner believes of the table.
-- The sub-select hides the number of keys from it: it would make a plan for each call, in place of
-- one.
SELECT k.at, usr, handle, ver, writer, created, seen, idle, life, meta, data, c.t
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint t) c
CROSS JOIN generate_series(1, (SELECT length($1::bytea)), 48) k(at)
CROSS JOIN LATERAL (
  SELECT * FROM sojourn
  WHERE tag = substring($1::bytea FROM k.at FOR 16)
    AND id = substring($1::bytea FROM k.at + 16 FOR 32)
  LIMIT 1) s
WHERE s.exp > c.t
