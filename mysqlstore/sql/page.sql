-- Lists live records in the order of their keys, from one on.
SELECT tag, id, usr, handle, ver, writer, created, seen, idle, life, meta FROM sojourn
WHERE (tag = :tag AND id >= :id OR tag > :tag) AND exp > {now} ORDER BY tag, id LIMIT :most
