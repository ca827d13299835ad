package sqlstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/gather"
)

// MySQL is the dialect of MySQL 8 and 9 and of MariaDB 10.11 and later, with InnoDB. It needs
// [Options.ErrorCode]; package mysqlstore gives it, and New fails without it. See the package comment for what it
// does not depend on.
func MySQL() *Dialect {
	return &Dialect{
		name:   "MySQL",
		schema: mysqlSchema,
		engine: func(s *shared) engine { return newMySQL(s) },
		coded:  true,
		class:  mysqlClass,
		commit: mysqlCommit,
	}
}

// mysql does each method in one statement where it can. A statement for a user's records locks the
// user's guard first, so those of one user take turns, whatever the isolation level; see docs/engines.md.
type mysql struct {
	*shared
	q    mysqlQueries
	gets *gather.Line[store.Key, found]
}

// mysqlSchema has an integer for each instant, µs since 1970: no session's time zone reads it differently. The
// collation of a user id is that of its bytes. Large data are in a table of their own, or each touch would read and log them.
func mysqlSchema(table string) []string {
	return strings.Split(strings.ReplaceAll(`CREATE TABLE IF NOT EXISTS % (
  tag     BINARY(16) NOT NULL,     -- hash of the user id
  id      BINARY(32) NOT NULL,     -- hash of the client's secret
  usr     VARBINARY(255) NOT NULL, -- user id, any bytes
  handle  BINARY(16) NOT NULL,
  ver     BIGINT NOT NULL,
  writer  BINARY(8) NOT NULL,
  created BIGINT NOT NULL,         -- microseconds since 1970, like seen and exp
  seen    BIGINT NOT NULL,
  idle    BIGINT NOT NULL,         -- microseconds, like life
  life    BIGINT NOT NULL,
  exp     BIGINT NOT NULL,         -- end of its life; 0: it was ended
  slot    BIGINT NOT NULL,         -- when to look whether it expired: at exp or before, in units of 2^26 microseconds
  meta    VARBINARY(1024) NOT NULL,
  data    MEDIUMBLOB NOT NULL,
  aside   TINYINT NOT NULL,        -- 1: its data is in the table of data; 2: there is a row of it that counts no more
  PRIMARY KEY (tag, id) /*T![clustered_index] CLUSTERED */,
  KEY slot (slot)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS %_data (
  tag     BINARY(16) NOT NULL,
  id      BINARY(32) NOT NULL,
  data    MEDIUMBLOB NOT NULL,
  PRIMARY KEY (tag, id) /*T![clustered_index] CLUSTERED */
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS %_guards (
  tag     BINARY(16) NOT NULL,
  turn    BIGINT NOT NULL,         -- grows with each revocation
  revoked BIGINT NOT NULL,         -- last revocation of all of a user's sessions
  kept    BIGINT NOT NULL,         -- until then at least
  PRIMARY KEY (tag) /*T![clustered_index] CLUSTERED */,
  KEY kept (kept)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`, "%", table), ";\n")
}

// leastPacket is a record of the greatest size with some room.
const leastPacket = store.MaxData + store.MaxData/2

func (m *mysql) migrate(ctx context.Context) error {
	for _, text := range mysqlSchema(m.opts.Table) {
		err := m.again(ctx, func() error {
			_, err := m.db.ExecContext(ctx, text)
			return m.asked(err)
		})
		if err != nil {
			return err
		}
	}
	var packet, auto int64
	err := m.db.QueryRowContext(ctx, "SELECT @@max_allowed_packet, @@autocommit").Scan(&packet, &auto)
	switch {
	case err != nil:
		return m.asked(err)
	case packet < leastPacket:
		return fmt.Errorf("%w: the server's max_allowed_packet is %d, too few for a record of 1 MiB: set at least %d",
			store.ErrUnavailable, packet, 2*store.MaxData)
	case auto != 1:
		return fmt.Errorf("%w: autocommit is off: connections must be opened with it on", store.ErrUnavailable)
	}
	return nil
}

func newMySQL(s *shared) *mysql {
	m := &mysql{shared: s}
	m.texts()
	m.gatherGets()
	return m
}
