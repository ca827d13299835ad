-- Touches a record, if that is due.
UPDATE sojourn SET
  exp = LEAST(IF(idle = 0, {never}, {now} + idle), IF(life = 0, {never}, created + life)), seen = {now}
WHERE tag = :tag AND id = :id AND LAST_INSERT_ID(CASE
  WHEN exp <= {now} THEN {gone}
  WHEN seen > {now} - :every OR seen >= {now} THEN {before}
  ELSE {done} END) = {done}
