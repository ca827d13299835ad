package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Options tunes a [Store]. The zero Options is good.
type Options struct {
	// Table is the name of the table of sessions and the beginning of the other
	// tables' names: letters, digits and underscores, at most 40, not beginning
	// with a digit. Empty means "sojourn". Several stores may share a database under
	// different names.
	Table string

	// Readers is where Get, User and All read, if not from the database that New is given.
	// SQLite: a second pool on the same file keeps readers from waiting for a
	// writer. It must see what was committed last, so a replica will not do.
	Readers *sql.DB

	// Wait is for how long a write waits, unless its context ends before, while another
	// process holds an embedded engine's lock, or is tried again on a server that undoes it for
	// another's sake. Zero means 5 s; it fails with [store.ErrUnavailable] then.
	Wait time.Duration

	// MakeRoom is called when Delete, Revoke or Sweep finds an embedded engine's disk full, for even a
	// deletion is written before it frees anything. It may delete a file kept for that
	// purpose; the call is then tried once more.
	MakeRoom func()

	// ErrorCode tells the engine's code of a driver's error, or "". It is needed for drivers whose
	// errors have no method Code() int.
	ErrorCode func(error) string
}

// Store is a [store.Store] in an SQL database. Make it with [New].
type Store struct {
	shared
	engine engine
}

var _ store.Store = (*Store)(nil)

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,39}$`)

// New makes a Store on db, which the caller made and will close after the last call. It
// opens nothing and creates nothing; see [Store.Migrate]. It fails if an argument
// is missing or [Options] holds a table name that is none.
func New(db *sql.DB, d *Dialect, opts *Options) (*Store, error) {
	if db == nil || d == nil {
		return nil, errors.New("sqlstore: New needs a database and a dialect")
	}
	s, err := complete("sqlstore", d, opts)
	if err != nil {
		return nil, err
	}
	s.db = db
	if s.opts.Readers == nil {
		s.opts.Readers = db
	}
	s.engine = d.engine(&s.shared)
	return s, nil
}

// complete makes a Store without an engine; name is that of the package that the program called.
func complete(name string, d *Dialect, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Table == "" {
		o.Table = "sojourn"
	}
	if !tableName.MatchString(o.Table) {
		return nil, errors.New(name + ": Options.Table is not a name of at most 40 letters, digits and underscores")
	}
	if o.Wait <= 0 {
		o.Wait = 5 * time.Second
	}
	return &Store{shared: shared{name: name, dialect: d, clock: newClock(), opts: o}}, nil
}

// Schema gives the statements that [Store.Migrate] executes, for those who run
// migrations of their own.
func (s *Store) Schema() string {
	return strings.Join(s.dialect.schema(s.opts.Table), ";\n") + ";\n"
}

// Migrate creates what is missing of the tables. It may run any number of times, in several
// processes at once too, and loses nothing. Errors: store.ErrUnavailable, ErrFull, ErrCorrupt.
func (s *Store) Migrate(ctx context.Context) error {
	if err := store.FromContext(ctx); err != nil {
		return s.fail("migrate", err)
	}
	return s.done("migrate", s.engine.migrate(ctx))
}

// done gives an error the name of its operation.
func (s *Store) done(op string, err error) error {
	if err == nil {
		return nil
	}
	return s.fail(op, s.judge(err))
}

// Create inserts rec as [store.Store] says. Errors: store.ErrExists, ErrLimit, ErrRevoked,
// ErrFull, ErrInvalid, ErrUnavailable, ErrIndeterminate, ErrCorrupt.
func (s *Store) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	const op = "create"
	if err := store.FromContext(ctx); err != nil {
		return store.Admitted{}, s.fail(op, err)
	}
	if err := store.CheckCreate(&rec, &adm); err != nil {
		return store.Admitted{}, s.fail(op, err)
	}
	a, err := s.engine.create(ctx, newRow(&rec, 1), adm)
	if err != nil {
		return store.Admitted{}, s.done(op, err)
	}
	return store.Admitted{Evicted: a.evicted, Now: instantTime(a.now), Revoked: instantTime(a.revoked)}, nil
}

// Get returns the live record at key and the store's present time. Errors: store.ErrNotFound,
// ErrUnavailable, ErrCorrupt.
func (s *Store) Get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	const op = "get"
	if err := store.FromContext(ctx); err != nil {
		return rec, now, s.fail(op, err)
	}
	r, t, err := s.engine.get(ctx, key)
	if err != nil {
		return rec, now, s.done(op, err)
	}
	return r.record(), time.UnixMicro(t).UTC(), nil
}

// Update replaces a record's Idle, Lifetime, Meta and Data as [store.Store] says. Errors:
// store.ErrConflict, ErrNotFound, ErrFull, ErrInvalid, ErrUnavailable, ErrIndeterminate, ErrCorrupt.
func (s *Store) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	const op = "update"
	if err := store.FromContext(ctx); err != nil {
		return s.fail(op, err)
	}
	if err := store.Check(&rec); err != nil {
		return s.fail(op, err)
	}
	return s.done(op, s.engine.update(ctx, newRow(&rec, ifVersion+1), ifVersion))
}

// Touch sets a record's Seen as [store.Store] says. One that is not due waits for no
// writer. Errors: store.ErrNotFound, ErrUnavailable, ErrIndeterminate, ErrCorrupt.
func (s *Store) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	const op = "touch"
	if err := store.FromContext(ctx); err != nil {
		return s.fail(op, err)
	}
	return s.done(op, s.engine.touch(ctx, rec.Key, span(every)))
}

// Rotate moves a record to a new key as [store.Store] says. Errors: store.ErrConflict, ErrNotFound,
// ErrExists, ErrFull, ErrInvalid, ErrUnavailable, ErrIndeterminate, ErrCorrupt.
func (s *Store) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	const op = "rotate"
	if err := store.FromContext(ctx); err != nil {
		return s.fail(op, err)
	}
	if err := store.CheckRotate(old, &rec, tail); err != nil {
		return s.fail(op, err)
	}
	var end *row
	if tail != nil {
		end = newRow(tail, ifVersion+1)
	}
	return s.done(op, s.engine.rotate(ctx, old, ifVersion, newRow(&rec, ifVersion+1), end))
}

// Delete ends the record at key, if there is one; a damaged one too. Errors:
// store.ErrUnavailable, ErrIndeterminate.
func (s *Store) Delete(ctx context.Context, key store.Key) error {
	const op = "delete"
	if err := store.FromContext(ctx); err != nil {
		return s.fail(op, err)
	}
	return s.done(op, s.engine.remove(ctx, key))
}

// Revoke ends records of user as [store.Store] says. Without Only it also deletes the damaged
// records among the user's, uncounted. Errors: store.ErrInvalid, ErrUnavailable, ErrIndeterminate.
func (s *Store) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	const op = "revoke"
	if err := store.FromContext(ctx); err != nil {
		return store.Revoked{}, s.fail(op, err)
	}
	if err := errors.Join(store.CheckSelection(sel), store.CheckUser(user)); err != nil {
		return store.Revoked{}, s.fail(op, err)
	}
	if user == "" {
		return store.Revoked{}, nil
	}
	n, at, err := s.engine.revoke(ctx, user, sel)
	if err != nil {
		return store.Revoked{}, s.done(op, err)
	}
	if len(sel.Only) > 0 {
		at = unset
	}
	return store.Revoked{N: n, At: instantTime(at)}, nil
}

// Traits says whether the database is in this process.
func (s *Store) Traits() store.Traits { return store.Traits{Local: s.dialect.name == "SQLite"} }

// Watch is not supported.
func (s *Store) Watch(context.Context, func(store.Ending)) error {
	return s.fail("watch", errors.ErrUnsupported)
}
