-- Reads what lives at a key where a Create was refused, the clock, and the user's last revocation.
SELECT s.ver, s.writer, s.created, {now}, COALESCE(g.revoked, 0) FROM (SELECT 1) one
LEFT JOIN sojourn s ON s.tag = :tag AND s.id = :id AND s.exp > {now}
LEFT JOIN sojourn_guards g ON g.tag = :tag
