package postgresstore

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// Options tunes a [Store]. The zero Options is good.
type Options struct {
	// Table is the name of the table of sessions and the beginning of the names that belong to it:
	// letters, digits and underscores, at most 40, not beginning with a digit. Empty means
	// "sojourn". Several stores may share a database under different names.
	Table string

	// Wait is for how long a statement that loses a race against others is run again, unless its
	// context ends before. One of those who race always wins. It fails with [store.ErrUnavailable]
	// then. Zero means 30 s.
	Wait time.Duration

	// Lanes is how many Gets, how many Updates and how many Touches are under way at once, each in
	// a statement of its own, before those that come wait and share the next one. Zero means 2.
	// Below zero, none are shared.
	Lanes int
}

// Store is a [store.Store] in PostgreSQL. Make it with [New], or with Open of package pgxstore.
type Store struct {
	*driver.Store
	e *engine
}

var _ store.Store = (*Store)(nil)

// A Driver sends statements to PostgreSQL in its own way; see [NewWith]. It is safe for concurrent
// use.
type Driver interface {
	// Query runs a statement on its own, outside of any transaction, and returns the rows of its
	// answer. args are of type int64, []byte and string, never nil; Query does not hold on to them
	// once the rows are closed. It heeds ctx.
	Query(ctx context.Context, text string, args ...any) (Rows, error)

	// Unsent reports whether an error of Query or of its rows came before anything of the statement
	// was sent to the server.
	Unsent(error) bool
}

// Rows is an answer, read as [sql.Rows] is.
type Rows interface {
	// Next goes on to the next row, and reports whether there is one.
	Next() bool
	// Scan sets dest, of type *int64 and *[]byte, to the row's columns. The bytes are the caller's.
	Scan(dest ...any) error
	// Err returns the error that ended the rows, if one did.
	Err() error
	// Close lets go of the connection.
	Close()
}

// New makes a Store on db, which the caller made and will close after the last call. It opens
// nothing and creates nothing; see [Store.Migrate]. It fails if db is nil or an option has no
// meaning.
func New(db *sql.DB, opts *Options) (*Store, error) {
	if db == nil {
		return nil, errors.New("postgresstore: New needs a database")
	}
	return NewWith(pool{db}, opts)
}

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,39}$`)

// NewWith is [New] for packages that bring another way to PostgreSQL than database/sql. A Driver
// that is an [io.Closer] is closed by [Store.Close].
func NewWith(d Driver, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Table == "" {
		o.Table = "sojourn"
	}
	if o.Wait == 0 {
		o.Wait = 30 * time.Second
	}
	switch {
	case d == nil:
		return nil, errors.New("postgresstore: NewWith needs a driver")
	case !tableName.MatchString(o.Table):
		return nil, errors.New("postgresstore: Options.Table is not a name of at most 40 letters, digits and underscores")
	case o.Wait < 0:
		return nil, errors.New("postgresstore: Options.Wait is negative")
	}
	e := newEngine(d, o)
	return &Store{driver.New("postgresstore", e), e}, nil
}

// Close closes the connections that Open of package pgxstore made. It does nothing for a Store from
// [New], whose database is the caller's. No method may be called after it.
func (s *Store) Close() error {
	if c, ok := s.e.d.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Schema returns the statements that [Store.Migrate] executes, for those who run migrations of
// their own.
func (s *Store) Schema() string { return s.e.text["schema"] + ";\n" }

// Migrate creates what is missing of the tables. It may run any number of times, in several
// processes at once too, and loses nothing. Errors: [store.ErrUnavailable], [store.ErrFull].
func (s *Store) Migrate(ctx context.Context) error {
	err := store.FromContext(ctx)
	if err == nil {
		err = s.e.migrate(ctx)
	}
	return s.Fail("migrate", err)
}

// migrate goes by what is there, for even a statement that changes nothing locks its table.
func (e *engine) migrate(ctx context.Context) error {
	for {
		there, err := ask(ctx, e, "ready", nil, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
		if err != nil || len(there) == 1 && there[0] > 0 {
			return err
		}
		for _, text := range strings.Split(e.text["schema"], ";\n") {
			if _, err = once(ctx, e, text, nil, func(Rows) (int, error) { return 0, nil }); err != nil {
				break
			}
		}
		switch state(err) {
		case "23505", "42P07", "42710", "40001", "40P01", "XX000": // another process is at it
		default:
			return e.judge(err)
		}
		if err := pause(ctx, time.Duration(10+rand.IntN(40))*time.Millisecond); err != nil {
			return err
		}
	}
}

// pool is a [Driver] on database/sql. It prepares nothing, for a prepared statement does not
// outlive its transaction behind some poolers; drivers that may, do it by themselves.
type pool struct{ db *sql.DB }

func (p pool) Query(ctx context.Context, text string, args ...any) (Rows, error) {
	rows, err := p.db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return sqlRows{rows}, nil
}

type sqlRows struct{ *sql.Rows }

func (r sqlRows) Close() { r.Rows.Close() }

func (pool) Unsent(err error) bool {
	var dial *net.OpError
	var safe interface{ SafeToRetry() bool } // pgx
	return errors.As(err, &dial) && dial.Op == "dial" || errors.As(err, &safe) && safe.SafeToRetry()
}
