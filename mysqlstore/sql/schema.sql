-- All instants are whole microseconds since 1970, and all lives whole microseconds: no session's
-- time zone reads them differently. User ids are bytes, without a collation.
CREATE TABLE IF NOT EXISTS sojourn (
  tag     BINARY(16) NOT NULL,     -- hash of the user id
  id      BINARY(32) NOT NULL,     -- hash of the client's secret
  usr     VARBINARY(255) NOT NULL, -- user id, any bytes
  handle  BINARY(16) NOT NULL,     -- public name of the session
  ver     BIGINT NOT NULL,
  writer  BINARY(8) NOT NULL,      -- nonce of the last write
  created BIGINT NOT NULL,
  seen    BIGINT NOT NULL,
  idle    BIGINT NOT NULL,         -- life after seen; 0 = no such limit
  life    BIGINT NOT NULL,         -- life after created; 0 = no such limit
  exp     BIGINT NOT NULL,         -- end of its life; 0 = it was ended
  slot    BIGINT NOT NULL,         -- when to look whether it expired: at exp or before, in units of 2^26 microseconds
  meta    VARBINARY(1024) NOT NULL,
  data    MEDIUMBLOB NOT NULL,
  aside   TINYINT NOT NULL,        -- 1: its data is in sojourn_data; 2: there is a row of it that counts no more
  PRIMARY KEY (tag, id) /*T![clustered_index] CLUSTERED */,
  KEY slot (slot)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
-- Large data, or each touch would read and log them.
CREATE TABLE IF NOT EXISTS sojourn_data (
  tag     BINARY(16) NOT NULL,
  id      BINARY(32) NOT NULL,
  data    MEDIUMBLOB NOT NULL,
  PRIMARY KEY (tag, id) /*T![clustered_index] CLUSTERED */
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS sojourn_guards (
  tag     BINARY(16) NOT NULL,
  turn    BIGINT NOT NULL,         -- grows with each revocation
  revoked BIGINT NOT NULL,         -- last revocation of all of a user's sessions; 0 = none
  kept    BIGINT NOT NULL,         -- until then at least
  PRIMARY KEY (tag) /*T![clustered_index] CLUSTERED */,
  KEY kept (kept)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
