-- Deletes expired records, and answers how many.
--   $1  how many, at most
-- MATERIALIZED, or a plan may choose again for each row that it deletes. A record that was touched
-- since is looked at again when its lock is taken.
WITH clock AS MATERIALIZED (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint t),
dead AS MATERIALIZED (
  SELECT tag, id FROM sojourn
  WHERE slot <= (SELECT t / 900000000 FROM clock) AND exp <= (SELECT t FROM clock)
  ORDER BY slot LIMIT $1::bigint FOR UPDATE SKIP LOCKED),
deleted AS (
  DELETE FROM sojourn s USING dead d WHERE s.tag = d.tag AND s.id = d.id RETURNING 1)
SELECT count(*) FROM deleted
