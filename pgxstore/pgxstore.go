package pgxstore

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"

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

// Open makes a Store for the database at an address, postgres://user:password@host:port/database
// with pgx's parameters after a question mark, such as pool_max_conns=32, or in the form "host=…
// user=…". It does not connect yet: call Migrate before anything else, and Close at the end. For
// settings that an address cannot have make a pool and call [New]. In FIPS 140-only mode its
// connections refuse to sign in by MD5. It fails if the address cannot be read or an option has no
// meaning; the error does not show the address.
func Open(address string, opts *Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil || address == "" { // the driver's text may quote it
		return nil, errors.New("pgxstore: open: the address is not like postgres://user:password@host:port/database")
	}
	if fips140.Enforced() && config.ConnConfig.RequireAuth == "" {
		config.ConnConfig.RequireAuth = "!md5" // the driver would panic
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("pgxstore: open: %w", err)
	}
	s, err := postgresstore.NewWith(owned{driver{pool}, pool}, opts)
	if err != nil {
		pool.Close()
	}
	return s, err
}

// owned is a pool that Open has made.
type owned struct {
	driver
	pool *pgxpool.Pool
}

func (o owned) Close() error {
	o.pool.Close()
	return nil
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
