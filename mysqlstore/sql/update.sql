-- Changes a record. {end} is the end of its new life.
UPDATE sojourn SET
  slot = LEAST(slot, {end} DIV {slot}), exp = IF({end} <= {now}, 0, {end}), seen = GREATEST(seen, LEAST(:seen, {now})),
  ver = ver + 1, writer = :writer, idle = :idle, life = :life, meta = :meta, data = :data,
  aside = IF(:aside = 1, 1, IF(aside > 0, 2, 0))
WHERE tag = :tag AND id = :id AND LAST_INSERT_ID(CASE
  WHEN exp <= {now} THEN {gone}
  WHEN ver = :version THEN {done}
  WHEN ver = :version + 1 AND writer = :writer THEN {before}
  WHEN ver > 0 THEN {changed} ELSE 0 END) = {done}
