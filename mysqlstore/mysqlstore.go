package mysqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// Store is a [store.Store] in MySQL or MariaDB. Make it with [Open] or [New].
type Store struct {
	*driver.Store
	e     *engine
	close func() error
}

var _ store.Store = (*Store)(nil)

// New makes a Store on db, which the caller opened with github.com/go-sql-driver/mysql, in whatever
// way, and will close after the last call. It opens nothing and creates nothing; see
// [Store.Migrate]. It fails if db is nil or an option has no meaning.
func New(db *sql.DB, opts *Options) (*Store, error) {
	if db == nil {
		return nil, errors.New("mysqlstore: New needs a database")
	}
	if opts != nil && opts.Conns != 0 {
		return nil, errors.New("mysqlstore: Options.Conns is for Open; use SetMaxOpenConns and SetMaxIdleConns of the *sql.DB")
	}
	return newStore(db, opts, func() error { return nil })
}

func newStore(db *sql.DB, opts *Options, close func() error) (*Store, error) {
	o, err := opts.complete()
	if err != nil {
		return nil, err
	}
	e := newEngine(db, o)
	return &Store{driver.New("mysqlstore", e), e, close}, nil
}

// Close closes the connections that [Open] made. It does nothing for a Store from [New]. No method
// may be called after it.
func (s *Store) Close() error { return s.close() }

// Schema returns the statements that [Store.Migrate] executes, for those who run migrations of
// their own.
func (s *Store) Schema() string { return s.e.schema + ";\n" }

// Migrate creates what is missing of the tables, and looks whether the server's settings will do.
// It may run any number of times, in several processes at once too, and loses nothing. Errors:
// [store.ErrUnavailable], [store.ErrFull].
func (s *Store) Migrate(ctx context.Context) error {
	err := store.FromContext(ctx)
	if err == nil {
		err = s.e.migrate(ctx)
	}
	return s.Fail("migrate", err)
}

// leastPacket is a record of the greatest size with some room.
const leastPacket = store.MaxData + store.MaxData/2

func (e *engine) migrate(ctx context.Context) error {
	for _, text := range strings.Split(e.schema, ";\n") {
		err := e.again(ctx, func() error {
			_, err := e.db.ExecContext(ctx, text)
			return err
		})
		if err != nil {
			return err
		}
	}
	var packet, auto int64
	err := e.db.QueryRowContext(ctx, "SELECT @@max_allowed_packet, @@autocommit").Scan(&packet, &auto)
	switch {
	case err != nil:
		return judge(err)
	case packet < leastPacket:
		return fmt.Errorf("%w: the server's max_allowed_packet is %d, too few for a record of 1 MiB: set at least %d",
			store.ErrUnavailable, packet, 2*store.MaxData)
	case auto != 1:
		return fmt.Errorf("%w: autocommit is off: connections must be opened with it on", store.ErrUnavailable)
	}
	return nil
}
