-- Moves a record: of the rows of j, the first is inserted at the new key, if it lives at all; the
-- second replaces the old record, whose key it meets. Needs the user's guard, as create.sql does.
-- The ELSE of each CASE is never chosen, but has the type of its column. Without it MySQL cuts the
-- data of a tail at 65,535 bytes, and MariaDB loses a single byte that is no UTF-8.
INSERT INTO sojourn (tag, id, usr, handle, ver, writer, created, seen, idle, life, exp, slot, meta, data, aside)
SELECT o.tag, IF(j.n = 1, CAST(:id AS BINARY), o.id), IF(j.n = 1, o.usr, LEFT(o.usr, 0)),
  IF(j.n = 1, CAST(:handle AS BINARY), CAST(:tail_handle AS BINARY)), o.ver + 1,
  IF(j.n = 1, CAST(:writer AS BINARY), CAST(:tail_writer AS BINARY)),
  j.created, j.seen, j.idle, j.life, IF(j.exp <= {now}, 0, j.exp), IF(j.exp <= {now}, 0, j.exp DIV {slot}),
  CASE j.n WHEN 1 THEN CAST(:meta AS BINARY) WHEN 2 THEN CAST(:tail_meta AS BINARY) ELSE p.meta END,
  CASE j.n WHEN 1 THEN CAST(:data AS BINARY) WHEN 2 THEN CAST(:tail_data AS BINARY) ELSE p.data END, IF(j.n = 1, :aside, 0)
FROM sojourn_guards g
LEFT JOIN sojourn o ON o.tag = :tag AND o.id = :old
LEFT JOIN sojourn p ON p.tag = :tag AND p.id = :id
JOIN (
  SELECT 1 n, LEAST(:created, {now}) created, LEAST(:seen, {now}) seen, :idle idle, :life life,
    LEAST(LEAST(:seen, {now}) + :idle_limit, LEAST(:created, {now}) + :life_limit, {never}) exp
  UNION ALL SELECT 2, LEAST(:tail_created, {now}), LEAST(:tail_seen, {now}), :tail_idle, :tail_life,
    LEAST(LEAST(:tail_seen, {now}) + :tail_idle_limit, LEAST(:tail_created, {now}) + :tail_life_limit, {never})) j
WHERE g.tag = :tag AND LAST_INSERT_ID(IF(g.turn >= 0, CASE
  WHEN p.exp > {now} AND p.ver = :version + 1 AND p.writer = :writer THEN {before}
  WHEN o.exp IS NULL OR o.exp <= {now} THEN {gone}
  WHEN o.ver <> :version THEN {changed}
  WHEN o.usr <> :user THEN {user}
  WHEN p.exp > {now} THEN {exists}
  ELSE {done} END, 0)) = {done} AND (j.n = 2 OR j.exp > {now})
FOR UPDATE
ON DUPLICATE KEY UPDATE usr = VALUES(usr), handle = VALUES(handle), ver = VALUES(ver), writer = VALUES(writer),
  created = VALUES(created), seen = VALUES(seen), idle = VALUES(idle), life = VALUES(life), exp = VALUES(exp),
  slot = VALUES(slot), meta = VALUES(meta), data = VALUES(data), aside = IF(VALUES(aside) = 1, 1, IF(sojourn.aside > 0, 2, 0))
