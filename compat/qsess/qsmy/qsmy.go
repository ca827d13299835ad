// Package qsmy keeps sessions of package qsess in MySQL 8 and 9 or MariaDB 10.11 and later, by package mysqlstore. The
// sessions that the older library of this name has stored are not read.
package qsmy

import (
	"database/sql"
	"fmt"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/mysqlstore"
)

// NewMysqlStore makes a Store in a database that the caller opened with github.com/go-sql-driver/mysql, in whatever way. table is the name
// of its table, which is created if it is not there, and the beginning of the names of what belongs to it: letters, digits and
// underscores, at most 40. A table of the older library's cannot be used: choose another name.
//
// dataField and uidField said how the table's columns are defined. The columns are the store's now, for up to 1 MiB of data
// and user ids of any 255 bytes, so both are accepted and mean nothing.
//
// It starts a goroutine that deletes expired sessions, controlled by PruneInterval and PruneKill of the Store, in place of the older library's
// server event; no right but to the table is needed. Send to PruneKill before the database is closed.
//
// cipherkeys are one or more, of 32 bytes each: the first seals cookies and tokens, all open them. Errors: qsess.ErrConfig, outages; then nothing was
// started.
func NewMysqlStore(db *sql.DB, table string, dataField string, uidField string, cipherkeys ...[]byte) (*qsess.Store, error) {
	if db == nil || table == "" {
		return nil, fmt.Errorf("qsmy: %w: no database, or no table", qsess.ErrConfig)
	}
	keep, err := mysqlstore.New(db, &mysqlstore.Options{Table: table})
	if err != nil {
		return nil, fmt.Errorf("qsmy: %w: %w", qsess.ErrConfig, err)
	}
	if err := qsess.Migrate(keep); err != nil {
		return nil, fmt.Errorf("qsmy: %w", err)
	}
	return qsess.NewPrunedStore(keep, nil, cipherkeys...)
}
