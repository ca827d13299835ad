// Package qspgx keeps sessions of package qsess in PostgreSQL, through pgx and by package pgxstore.
// The sessions that the older library of this name has stored are not read.
package qspgx

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/pgxstore"
)

// DefaultPruneIntervalSecs is how often expired sessions are deleted until Store.PruneInterval says
// otherwise.
const DefaultPruneIntervalSecs = 2 * 60

// NewPgxStore makes a Store in a database, through a pool that the caller made. table is the name
// of its table, which is created if it is not there, and the beginning of the names of what belongs
// to it: letters, digits and underscores, at most 40. A table of the older library's cannot be
// used: it is refused before anything is written; choose another name.
//
// It starts a goroutine that deletes expired sessions. Send to PruneKill of the Store before the
// pool is closed; without that its next round fails, and says so on errLog, if that is not nil: a
// line for each failure, nothing else.
//
// cipherkeys are one or more, of 32 bytes each: the first seals cookies and tokens, all open them.
// Errors: qsess.ErrConfig, outages; then nothing was started.
func NewPgxStore(pool *pgxpool.Pool, table string, errLog io.Writer, cipherkeys ...[]byte) (*qsess.Store, error) {
	if pool == nil || table == "" {
		return nil, fmt.Errorf("qspgx: %w: no pool, or no table", qsess.ErrConfig)
	}
	keep, err := pgxstore.New(pool, &pgxstore.Options{Table: table})
	if err != nil {
		return nil, fmt.Errorf("qspgx: %w: %w", qsess.ErrConfig, err)
	}
	look := func(ctx context.Context) ([]string, error) { return columns(ctx, pool, table) }
	if err := qsess.Migrate(keep, look, cipherkeys...); err != nil {
		return nil, fmt.Errorf("qspgx: %w", err)
	}
	return qsess.NewPrunedStore(keep, errLog, cipherkeys...)
}

// columns returns the names of a table's columns, none if there is no such table. The name is one
// without quotes, as in the store's statements.
func columns(ctx context.Context, pool *pgxpool.Pool, table string) ([]string, error) {
	const text = "SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped"
	rows, err := pool.Query(ctx, text, table)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
