-- Lists live records in the order of their keys.
--   $1, $2  tag and id behind which to begin
--   $3      how many
SELECT tag, id, usr, handle, ver, writer, created, seen, idle, life, meta FROM sojourn
WHERE (tag, id) > ($1::bytea, $2::bytea)
  AND exp > (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
ORDER BY tag, id LIMIT $3::bigint
