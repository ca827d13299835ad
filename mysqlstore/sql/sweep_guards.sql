-- Deletes guards that were kept for long enough. That is harmless also while their users have
-- records, for whoever needs a guard and finds none makes one.
DELETE FROM sojourn_guards WHERE tag IN (:tags) AND kept + 0 <= {now}
