// Package qsmy keeps sessions of package qsess in MySQL 8 and 9 or MariaDB 10.11 and later, by
// package mysqlstore. The sessions that the older library of this name has stored are not read.
package qsmy

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/mysqlstore"
)

// NewMysqlStore makes a Store in a database that the caller opened with
// github.com/go-sql-driver/mysql, in whatever way. table is the name of its table, which is created
// if it is not there, and the beginning of the names of what belongs to it: letters, digits and
// underscores, at most 40. A table of the older library's cannot be used: it is refused before
// anything is written; choose another name.
//
// dataField and uidField said how the table's columns are defined. The columns are the store's now,
// for up to 1 MiB of data and user ids of any 255 bytes, so both are accepted and mean nothing.
//
// It starts a goroutine that deletes expired sessions, controlled by PruneInterval and PruneKill of
// the Store, in place of the older library's server event; no right but to the table is needed. Its
// failures are lines on os.Stderr, since the function has no parameter that says where to. Send to
// PruneKill before the database is closed.
//
// cipherkeys are one or more, of 32 bytes each: the first seals cookies and tokens, all open them.
// Errors: qsess.ErrConfig, outages; then nothing was started.
func NewMysqlStore(db *sql.DB, table string, dataField string, uidField string, cipherkeys ...[]byte) (*qsess.Store, error) {
	if db == nil || table == "" {
		return nil, fmt.Errorf("qsmy: %w: no database, or no table", qsess.ErrConfig)
	}
	keep, err := mysqlstore.New(db, &mysqlstore.Options{Table: table})
	if err != nil {
		return nil, fmt.Errorf("qsmy: %w: %w", qsess.ErrConfig, err)
	}
	look := func(ctx context.Context) ([]string, error) { return columns(ctx, db, table) }
	if err := qsess.Migrate(keep, look, cipherkeys...); err != nil {
		return nil, fmt.Errorf("qsmy: %w", err)
	}
	return qsess.NewPrunedStore(keep, os.Stderr, cipherkeys...)
}

// columns returns the names of a table's columns, none if there is no such table.
func columns(ctx context.Context, db *sql.DB, table string) (names []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?", table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
