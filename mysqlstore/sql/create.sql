-- Inserts a record, if its user's revocations and limit allow it. Needs the user's guard, whose
-- lock keeps all others out who change the set of that user's records.
INSERT INTO sojourn (tag, id, usr, handle, ver, writer, created, seen, idle, life, exp, slot, meta, data, aside)
SELECT CAST(:tag AS BINARY), CAST(:id AS BINARY), CAST(:user AS BINARY), CAST(:handle AS BINARY), 1, CAST(:writer AS BINARY),
  n.created, n.seen, n.idle, n.life, n.exp, n.exp DIV {slot}, CAST(:meta AS BINARY), CAST(:data AS BINARY), :aside
FROM sojourn_guards g JOIN (
  SELECT LEAST(:created, {now}) created, LEAST(:seen, {now}) seen, :idle idle, :life life,
    LEAST(LEAST(:seen, {now}) + :idle_limit, LEAST(:created, {now}) + :life_limit, {never}) exp) n
WHERE g.tag = :tag AND LAST_INSERT_ID(IF(g.turn >= 0, {clock} | CASE
  WHEN :age > 0 AND g.revoked >= {now} - :age AND g.revoked > :known THEN {revoked}
  WHEN :max > 0 AND (SELECT COUNT(*) FROM sojourn x WHERE x.tag = g.tag AND x.usr = :user AND x.exp > {now}) >= :max THEN {limit}
  WHEN n.exp <= {now} THEN {lifeless}
  ELSE {done} END, 0)) & 15 = {done}
FOR UPDATE
