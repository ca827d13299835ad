package mysqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// Options tunes a [Store]. The zero Options is good.
type Options struct {
	// Table is the name of the table of sessions and the beginning of the other tables' names:
	// letters, digits and underscores, at most 40, not beginning with a digit. Empty means "sojourn".
	// Several stores may share a database under different names.
	Table string

	// Wait is for how long a statement is sent again that others stand in the way of, unless its
	// context ends before. It fails with [store.ErrUnavailable] then. Zero means 5 s.
	Wait time.Duration

	// Lanes is how many Gets are under way at once, each in a statement of its own, before those that
	// come wait and share the next one. Zero means 2. Below zero, none are shared.
	Lanes int

	// Conns is how many connections [Open] makes at most. Zero means 32. [New] refuses it: the number
	// is the caller's *sql.DB's.
	Conns int
}

// Store is a [store.Store] in MySQL or MariaDB. Make it with [Open] or [New].
type Store struct {
	*driver.Store
	e     *engine
	close func() error
}

var _ store.Store = (*Store)(nil)

// New makes a Store on db, which the caller opened with github.com/go-sql-driver/mysql, in whatever
// way, and will close after the last call. It opens nothing and creates nothing; see [Store.Migrate].
// It fails if db is nil or an option has no meaning.
func New(db *sql.DB, opts *Options) (*Store, error) {
	if db == nil {
		return nil, errors.New("mysqlstore: New needs a database")
	}
	if opts != nil && opts.Conns != 0 {
		return nil, errors.New("mysqlstore: Options.Conns is for Open; use SetMaxOpenConns and SetMaxIdleConns of the *sql.DB")
	}
	return newStore(db, opts, func() error { return nil })
}

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,39}$`)

func newStore(db *sql.DB, opts *Options, close func() error) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Table == "" {
		o.Table = "sojourn"
	}
	if o.Wait == 0 {
		o.Wait = 5 * time.Second
	}
	switch {
	case !tableName.MatchString(o.Table):
		return nil, errors.New("mysqlstore: Options.Table is not a name of at most 40 letters, digits and underscores")
	case o.Wait < 0:
		return nil, errors.New("mysqlstore: Options.Wait is negative")
	}
	e := newEngine(db, o)
	return &Store{driver.New("mysqlstore", e), e, close}, nil
}

// Close closes the connections that [Open] made. It does nothing for a Store from [New]. No method may
// be called after it.
func (s *Store) Close() error { return s.close() }

// Schema returns the statements that [Store.Migrate] executes, for those who run migrations of their
// own.
func (s *Store) Schema() string { return s.e.schema + ";\n" }

// Migrate creates what is missing of the tables, and looks whether the server's settings will do. It
// may run any number of times, in several processes at once too, and loses nothing. Errors:
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
