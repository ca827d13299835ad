-- Locks a user's live records, the oldest first.
SELECT id, handle FROM sojourn WHERE tag = :tag AND usr = :user AND exp > {now} ORDER BY created, id FOR UPDATE
