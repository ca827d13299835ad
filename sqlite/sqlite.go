package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
	"github.com/sojourn-go/sojourn/store/embedded"
)

// Options tunes a [Store]. The zero Options is good.
type Options struct {
	// Table is the name of the table of sessions and the beginning of the other tables' names:
	// letters, digits and underscores, at most 40, not beginning with a digit. Empty means
	// "sojourn". Several stores may share a file under different names.
	Table string

	// Readers is where Get, User and All read, if not from the database that New is given. A second
	// pool on the same file keeps readers from waiting for a writer.
	Readers *sql.DB

	// Wait is for how long a write waits while another process holds the lock, unless its context
	// ends before. Zero means 5 s. It fails with [store.ErrUnavailable] then.
	Wait time.Duration

	// MakeRoom is called when Delete, Revoke or Sweep finds the disk full, for even a deletion is
	// written before it frees anything. It may delete a file kept for that purpose; the call is
	// then tried once more.
	MakeRoom func()

	// ErrorCode returns SQLite's code of a driver's error, or "". It is needed for drivers whose
	// errors have no method Code() int.
	ErrorCode func(error) string
}

// Store is a [store.Store] in an SQLite file. Make it with [New].
type Store struct {
	*driver.Store
	engine *engine
}

var _ store.Store = (*Store)(nil)

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,39}$`)

// New makes a Store on db, which the caller made and will close after the last call. It opens
// nothing and creates nothing; see [Store.Migrate]. It fails if db is missing or [Options] holds a
// table name that is none.
func New(db *sql.DB, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Table == "" {
		o.Table = "sojourn"
	}
	switch {
	case db == nil:
		return nil, errors.New("sqlite: New needs a database")
	case !tableName.MatchString(o.Table):
		return nil, errors.New("sqlite: Options.Table is not a name of at most 40 letters, digits and underscores")
	}
	if o.Wait <= 0 {
		o.Wait = 5 * time.Second
	}
	if o.Readers == nil {
		o.Readers = db
	}
	e := &engine{db: db, opts: o, clock: embedded.NewClock(), q: newQueries(o.Table, db, o.Readers)}
	e.queue.wait, e.queue.transact = o.Wait, e.transact
	return &Store{embedded.New("sqlite", e), e}, nil
}

// Schema returns the statements that [Store.Migrate] executes, for those who run migrations of
// their own.
func (s *Store) Schema() string { return strings.Join(schema(s.engine.opts.Table), ";\n") + ";\n" }

// Migrate creates what is missing of the tables. It may run any number of times, in several
// processes at once too, and loses nothing. Errors: [store.ErrUnavailable], [store.ErrFull],
// [store.ErrCorrupt].
func (s *Store) Migrate(ctx context.Context) error {
	err := store.FromContext(ctx)
	if err == nil {
		err = s.engine.migrate(ctx)
	}
	return s.Fail("migrate", err)
}

// engine is the [embedded.Driver] behind a Store.
type engine struct {
	db    *sql.DB         // writes; Options.Readers reads
	opts  Options         // complete
	clock *embedded.Clock // in ns; what is stored is in µs
	q     *queries
	queue queue
	ready atomic.Bool // the clock was shown the stored instant
}

// migrate runs outside of transactions, where the journal's mode can be changed.
func (e *engine) migrate(ctx context.Context) error {
	for _, text := range schema(e.opts.Table) {
		for began := time.Now(); ; {
			_, err := e.db.ExecContext(ctx, text)
			if err == nil {
				break
			}
			if err = e.judge(err); !errors.Is(err, errBusy) || time.Since(began) > e.opts.Wait {
				return err
			}
			pause(ctx, time.Millisecond) // another process is at it
		}
	}
	return nil
}

// Traits is part of [embedded.Driver].
func (e *engine) Traits() store.Traits { return store.Traits{} }

// Clock is part of [embedded.Driver].
func (e *engine) Clock(t time.Time) time.Time { return micro.Time(e.clock.Of(t) / 1e3) }

// seen shows the clock an instant that somebody has stored.
func (e *engine) seen(t int64) { e.clock.Observe(t * 1e3) }
