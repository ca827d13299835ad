-- Reads a live record with its data, and the clock.
SELECT usr, handle, ver, writer, created, seen, idle, life, meta, s.data, d.data, aside, {now}
FROM sojourn s LEFT JOIN sojourn_data d ON d.tag = s.tag AND d.id = s.id AND aside = 1
WHERE s.tag = :tag AND s.id = :id AND exp > {now}
