package pgxstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sojourn-go/sojourn/sqlstore"
	"github.com/sojourn-go/sojourn/store"
)

// Options tunes a [Store]. The zero Options is good.
type Options struct {
	// Table is the name of the table of sessions and the beginning of the other names; see [sqlstore.Options].
	// Empty means "sojourn".
	Table string

	// Lanes is how many statements of a kind are under way before calls share them; see [sqlstore.Options]. Zero means 2; below
	// zero, none are shared.
	Lanes int
}

// Pool is what a [Store] needs of a [*pgxpool.Pool].
type Pool interface {
	Acquire(context.Context) (*pgxpool.Conn, error)
}

// Store is a [store.Store] in PostgreSQL: a [sqlstore.Store] on pgx. Make it with [New].
type Store struct {
	*sqlstore.Store
}

var _ store.Store = (*Store)(nil)

// New makes a Store on a pool, which the caller made and will close after the last call. It opens
// nothing and creates nothing; see [sqlstore.Store.Migrate]. It fails without a pool, or with a table name that is none.
func New(pool Pool, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if p, ok := pool.(*pgxpool.Pool); pool == nil || ok && p == nil {
		return nil, errors.New("pgxstore: New needs a pool")
	}
	s, err := sqlstore.NewOn(runner{pool}, "pgxstore", &sqlstore.Options{Table: o.Table, Lanes: o.Lanes})
	if err != nil {
		return nil, err
	}
	return &Store{s}, nil
}

// runner is a [sqlstore.Runner].
type runner struct{ pool Pool }

// unsent is an error of the pool, which had no connection to give.
type unsent struct{ error }

func (u unsent) Unwrap() error { return u.error }

func (r runner) Run(ctx context.Context, query string, args []any, row func(func(...any) error) error) error {
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return unsent{err}
	}
	defer conn.Release()
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (runner) Unsent(err error) bool {
	var u unsent
	return errors.As(err, &u) || pgconn.SafeToRetry(err)
}
