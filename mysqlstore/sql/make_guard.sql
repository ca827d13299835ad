-- Makes a user's guard, if there is none.
INSERT INTO sojourn_guards (tag, turn, revoked, kept) VALUES (:tag, 0, 0, {now} + :keep) ON DUPLICATE KEY UPDATE tag = tag
