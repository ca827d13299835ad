-- Reads several. The primary key is forced, for what a server knows of a small table may tell it to
-- read all of it.
SELECT s.tag, s.id, usr, handle, ver, writer, created, seen, idle, life, meta, s.data, d.data, aside, {now}
FROM sojourn s FORCE INDEX (PRIMARY) LEFT JOIN sojourn_data d ON d.tag = s.tag AND d.id = s.id AND aside = 1
WHERE (s.tag, s.id) IN (:keys) AND exp > {now}
