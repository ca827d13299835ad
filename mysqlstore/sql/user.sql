-- Lists the live records of a user.
SELECT tag, id, usr, handle, ver, writer, created, seen, idle, life, meta FROM sojourn
WHERE tag = :tag AND usr = :user AND exp > {now}
