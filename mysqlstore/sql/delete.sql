-- Ends whatever is at a key.
DELETE s, d FROM sojourn s LEFT JOIN sojourn_data d ON d.tag = s.tag AND d.id = s.id AND aside > 0
WHERE s.tag = :tag AND s.id = :id
