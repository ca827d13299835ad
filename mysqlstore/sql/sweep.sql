-- Deletes expired rows: by their keys, and if they are expired still. exp + 0 keeps a server from
-- any other index.
DELETE s, d FROM sojourn s LEFT JOIN sojourn_data d ON d.tag = s.tag AND d.id = s.id AND aside > 0
WHERE (s.tag, s.id) IN (:keys) AND exp + 0 <= {now}
