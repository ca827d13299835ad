-- Lists the live records of a user.
--   $1, $2  tag, user
SELECT tag, id, usr, handle, ver, writer, created, seen, idle, life, meta FROM sojourn
WHERE tag = $1::bytea AND usr = $2::bytea AND exp > (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
