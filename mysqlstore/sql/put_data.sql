-- Puts large data aside.
INSERT INTO sojourn_data (tag, id, data) VALUES (:tag, :id, :data) ON DUPLICATE KEY UPDATE data = VALUES(data)
