-- Reads which rows it is time to look at, and which of them are over.
SELECT tag, id, exp <= {now}, aside FROM sojourn
WHERE slot <= {now} DIV {slot} AND (slot < {now} DIV {slot} OR exp <= {now}) ORDER BY slot LIMIT :most
