-- All instants are whole microseconds since 1970, and all lives whole microseconds: no time zone,
-- no setting and no type of a driver changes them. Nothing is NULL.
CREATE TABLE IF NOT EXISTS sojourn (
  tag     bytea  NOT NULL, -- 16 bytes: hash of the user id
  id      bytea  NOT NULL, -- 32 bytes: hash of the client's secret
  usr     bytea  NOT NULL, -- user id, any bytes; empty = nobody
  handle  bytea  NOT NULL, -- public name of the session
  ver     bigint NOT NULL,
  writer  bytea  NOT NULL, -- nonce of the last write
  created bigint NOT NULL,
  seen    bigint NOT NULL,
  idle    bigint NOT NULL, -- life after seen; 0 = no such limit
  life    bigint NOT NULL, -- life after created; 0 = no such limit
  exp     bigint NOT NULL, -- end of its life; 0 = it was ended
  slot    bigint NOT NULL, -- the quarter of an hour of exp; nothing else that a touch changes is indexed
  meta    bytea  NOT NULL,
  data    bytea  NOT NULL,
  PRIMARY KEY (tag, id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE sojourn ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE INDEX IF NOT EXISTS sojourn_slot ON sojourn (slot);
CREATE TABLE IF NOT EXISTS sojourn_guards (
  tag     bytea  NOT NULL PRIMARY KEY,
  gen     bigint NOT NULL, -- another one after each change of the set of a user's sessions
  revoked bigint NOT NULL, -- last revocation of all of them; 0 = none
  look    bigint NOT NULL  -- when to look whether the row is still needed
) WITH (fillfactor = 80);
-- The last of all: where it is, all is.
CREATE INDEX IF NOT EXISTS sojourn_look ON sojourn_guards (look)
