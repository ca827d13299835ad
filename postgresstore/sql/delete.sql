-- Ends whatever is at a key.
--   $1, $2  tag, id
DELETE FROM sojourn WHERE tag = $1::bytea AND id = $2::bytea
