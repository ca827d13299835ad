-- Locks a user's guard.
SELECT revoked, {now} FROM sojourn_guards WHERE tag = :tag FOR UPDATE
