-- Reads which guards were kept for long enough.
SELECT tag FROM sojourn_guards WHERE kept <= {now} ORDER BY kept LIMIT :most
