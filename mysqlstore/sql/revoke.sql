-- Ends a user's records whose handles, in hex, are in the list (:only = 1) or are not. They lose
-- their data at once and their rows to the sweep. Needs the user's guard, and tells the instant of
-- the revocation. Each has one of its own: whoever knows of one knows of no later one.
UPDATE sojourn_guards g
LEFT JOIN sojourn s ON s.tag = g.tag AND s.usr = :user AND s.exp > {now} AND (FIND_IN_SET(HEX(s.handle), :handles) > 0) = :only
SET g.turn = g.turn + 1, g.revoked = IF(:only, g.revoked, LAST_INSERT_ID(GREATEST(g.revoked + 1, {now}))),
  g.kept = GREATEST(g.kept, {now} + :keep), s.exp = 0, s.slot = 0, s.data = :nothing
WHERE g.tag = :tag
