package pgxstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sojourn-go/sojourn/postgresstore"
	"github.com/sojourn-go/sojourn/store"
)

type (
	// Options tunes a [Store]; see [postgresstore.Options].
	Options = postgresstore.Options
	// Store is a store in PostgreSQL; see [postgresstore.Store].
	Store = postgresstore.Store
)

var _ store.Store = (*Store)(nil)

// Pool is what a [Store] needs of a [*pgxpool.Pool].
type Pool interface {
	Acquire(context.Context) (*pgxpool.Conn, error)
}

// New makes a Store on a pool, which the caller made and will close after the last call. It opens
// nothing and creates nothing; see [postgresstore.Store.Migrate]. It fails without a pool, or if an
// option has no meaning.
func New(pool Pool, opts *Options) (*Store, error) {
	if p, ok := pool.(*pgxpool.Pool); pool == nil || ok && p == nil {
		return nil, errors.New("pgxstore: New needs a pool")
	}
	return postgresstore.NewWith(driver{pool}, opts)
}

// driver is a [postgresstore.Driver].
type driver struct{ pool Pool }

// unsent is an error of the pool, which had no connection to give.
type unsent struct{ error }

func (u unsent) Unwrap() error { return u.error }

func (d driver) Query(ctx context.Context, text string, args ...any) (postgresstore.Rows, error) {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return nil, unsent{err}
	}
	r, err := conn.Query(ctx, text, args...)
	if err != nil {
		conn.Release()
		return nil, err
	}
	return &rows{r, conn}, nil
}

func (driver) Unsent(err error) bool {
	var u unsent
	return errors.As(err, &u) || pgconn.SafeToRetry(err)
}

// rows give their connection back when they are closed.
type rows struct {
	pgx.Rows
	conn *pgxpool.Conn
}

func (r *rows) Close() {
	r.Rows.Close()
	r.conn.Release()
}
