package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/gather"
)

// Postgres is the dialect of PostgreSQL 12 or later, for drivers such as pgx/stdlib and lib/pq. See
// the package comment. Programs on pgx use package pgxstore, which does the same with less work.
func Postgres() *Dialect {
	return &Dialect{
		name:   "PostgreSQL",
		schema: pgSchema,
		engine: func(s *shared) engine { return newPostgres(s, pgPool{s.db}, pgPool{s.opts.Readers}) },
		class:  func(code string) (string, error) { return pgClass(code, false) },
		commit: func(code string) (string, error) { return pgClass(code, true) },
	}
}

// A Runner runs statements on PostgreSQL in a driver's own way; see [NewOn]. It is safe for concurrent use.
type Runner interface {
	// Run runs a statement on its own, outside of any transaction, and calls row for each row of the answer with what
	// scans its columns into *int64 and *[]byte. Bytes scanned are the caller's. args are of type int64, []byte and
	// string, never nil, or a Valuer (package database/sql/driver) of such a value, which is asked once there is a
	// connection to send it on; Run holds on to none of them after it returned. It heeds ctx.
	Run(ctx context.Context, query string, args []any, row func(scan func(dest ...any) error) error) error

	// Unsent tells whether an error of Run came before anything of the statement was sent to the server.
	Unsent(error) bool
}

// NewOn makes a Store on PostgreSQL that runs its statements by r. It is for packages that bring
// a driver other than database/sql; name is theirs, for errors. Options.Readers is not used.
func NewOn(r Runner, name string, opts *Options) (*Store, error) {
	if r == nil {
		return nil, errors.New(name + ": New needs a pool")
	}
	s, err := complete(name, Postgres(), opts)
	if err != nil {
		return nil, err
	}
	s.engine = newPostgres(&s.shared, r, r)
	return s, nil
}

// pgPool is a Runner on database/sql. It prepares nothing, for a prepared statement does not outlive
// its transaction behind some poolers; drivers that may, do it by themselves.
type pgPool struct{ db *sql.DB }

func (p pgPool) Run(ctx context.Context, query string, args []any, row func(func(...any) error) error) error {
	rows, err := p.db.QueryContext(ctx, query, args...)
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

func (pgPool) Unsent(err error) bool {
	var dial *net.OpError
	var safe interface{ SafeToRetry() bool } // pgx
	return errors.As(err, &dial) && dial.Op == "dial" || errors.As(err, &safe) && safe.SafeToRetry()
}

// postgres does each method with one statement. Reads, updates and touches share statements with
// others of their kind that wait at the same moment.
type postgres struct {
	*shared
	writes, reads Runner
	x             *pgTexts
	gets          *gather.Line[store.Key, pgGot]
	updates       *gather.Line[pgUpdate, error]
	touches       *gather.Line[pgTouch, error]
}

func newPostgres(s *shared, writes, reads Runner) *postgres {
	p := &postgres{shared: s, writes: writes, reads: reads, x: newPGTexts(s.opts.Table)}
	lanes := s.lanes(pgLanes)
	p.gets = gather.New(gather.Options[store.Key]{Lanes: lanes, Most: pgMost, ReadOnly: true}, p.sendGets)
	p.updates = gather.New(gather.Options[pgUpdate]{Lanes: lanes, Most: pgMost, Key: pgUpdate.tag, Keep: pgUpdate.keep}, p.sendUpdates)
	p.touches = gather.New(gather.Options[pgTouch]{Lanes: lanes, Most: pgMost, Key: pgTouch.tag}, p.sendTouches)
	return p
}

// pgAttempts is how often a statement is run that lost a race. One of those that race is always done.
const pgAttempts = 100

// errPGAgain is given by a statement that lost a race and changed nothing.
var errPGAgain = errors.New("lost a race")

// run runs do, which runs one statement, until it does not lose.
func (p *postgres) run(ctx context.Context, write bool, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || sentinel(err) {
			return err
		}
		code := p.code(err)
		// Serialization failure and deadlock: it was rolled back whole.
		lost := err == errPGAgain || code == "40001" || code == "40P01"
		if !lost {
			return p.judgeRun(err, code, write)
		}
		if try == pgAttempts {
			return &fault{class: store.ErrUnavailable, code: code, hint: "lost too many races", cause: err}
		}
		pause(ctx, time.Duration(rand.Int64N(int64(min(try, 20))*int64(time.Millisecond))))
		if err := store.FromContext(ctx); err != nil {
			return err
		}
	}
}

// judgeRun classes an error of a statement.
func (p *postgres) judgeRun(err error, code string, write bool) error {
	f := &fault{code: code, cause: err}
	f.hint, f.class = pgClass(code, write)
	if code == "" && p.writes.Unsent(err) {
		f.class = store.ErrUnavailable
	}
	return f
}

// pgClass says what a SQLSTATE means. A statement that the server refuses was rolled back. What was lost
// with its connection may have been committed, unless it only reads.
func pgClass(code string, write bool) (hint string, class error) {
	lost := store.ErrUnavailable
	if write {
		lost = store.ErrIndeterminate
	}
	switch code {
	case "":
		return "", lost
	case "25006":
		return "the server is read-only: a standby, or default_transaction_read_only", store.ErrUnavailable
	case "42P01", "42703":
		return "a table or column is missing: call Migrate first", store.ErrUnavailable
	case "42501":
		return "the user may not do this", store.ErrUnavailable
	case "53100":
		return "no room on the server's disk", store.ErrFull
	case "53300":
		return "too many connections", store.ErrUnavailable
	case "57P03", "57014":
		return "", store.ErrUnavailable
	case "XX001", "XX002":
		return "the server found damage", store.ErrCorrupt
	}
	switch code[:min(2, len(code))] {
	case "08", "57", "58":
		return "", lost
	}
	return "", store.ErrUnavailable
}

// spoilt tells whether a single record may have spoilt a statement of many.
func (p *postgres) spoilt(err error) bool {
	code := p.code(err)
	return len(code) == 5 && strings.Contains("22 23 54 XX", code[:2])
}

// migrate goes by what is there, for even a statement that changes nothing locks its table.
func (p *postgres) migrate(ctx context.Context) error {
	for {
		there := int64(0)
		err := p.run(ctx, false, func() error {
			return p.writes.Run(ctx, p.x.ready, nil, func(scan func(...any) error) error { return scan(&there) })
		})
		if err != nil || there > 0 {
			return err
		}
		for _, text := range pgSchema(p.opts.Table) {
			err = p.writes.Run(ctx, text, nil, func(func(...any) error) error { return nil })
			if err != nil {
				break
			}
		}
		if err == nil {
			return nil
		}
		switch code := p.code(err); code {
		case "23505", "42P07", "42710", "40001", "40P01", "XX000": // another process is at it
			pause(ctx, time.Duration(10+rand.IntN(40))*time.Millisecond)
			if err := store.FromContext(ctx); err != nil {
				return err
			}
		default:
			return p.judgeRun(err, code, false)
		}
	}
}
