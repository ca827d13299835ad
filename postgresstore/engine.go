package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
	"github.com/sojourn-go/sojourn/store/gather"
)

// engine is the [driver.Driver]: each method is one statement.
type engine struct {
	d       Driver
	opts    Options
	text    map[string]string // by the names of the files in sql
	gets    *gather.Line[store.Key, got]
	updates *gather.Line[change, struct{}]
	touches *gather.Line[touch, struct{}]
}

func newEngine(d Driver, o Options) *engine {
	e := &engine{d: d, opts: o, text: statements(o.Table)}
	e.gets = gather.New(&gather.Options[store.Key]{Lanes: o.Lanes}, e.sendGets)
	e.updates = gather.New(&gather.Options[change]{Lanes: o.Lanes, Key: change.tag}, e.sendUpdates)
	e.touches = gather.New(&gather.Options[touch]{Lanes: o.Lanes, Key: touch.tag}, e.sendTouches)
	return e
}

// Traits says that nothing is special about the store: PostgreSQL is durable and has one clock.
func (e *engine) Traits() store.Traits { return store.Traits{} }

// errAgain is what a statement answers that lost a race and wrote nothing.
var errAgain = errors.New("lost a race")

// outcomes are the words with which statements answer.
var outcomes = map[string]error{
	"done": nil, "again": errAgain, "gone": store.ErrNotFound, "changed": store.ErrConflict, "exists": store.ErrExists,
	"limit": store.ErrLimit, "revoked": store.ErrRevoked, "user": fmt.Errorf("%w: a rotation keeps the user", store.ErrInvalid),
}

func outcome(word []byte) error {
	if err, known := outcomes[string(word)]; known {
		return err
	}
	return errAnswer
}

var errAnswer = errors.New("the server's answer is not of this statement's form")

// ask runs a statement until it loses no race, and returns what scan makes of the rows of its
// answer.
func ask[T any](ctx context.Context, e *engine, name string, args []any, scan func(Rows) (T, error)) ([]T, error) {
	began := time.Now()
	for try := 1; ; try++ {
		rows, err := once(ctx, e, e.text[name], args, scan)
		code := state(err)
		// A serialization failure and a deadlock: the server has rolled it back whole.
		if err != errAgain && code != "40001" && code != "40P01" {
			return rows, e.judge(err)
		}
		if time.Since(began) >= e.opts.Wait {
			return nil, driver.Fault(store.ErrUnavailable, fmt.Sprintf("other writers kept changing this user's sessions for %v", e.opts.Wait), err)
		}
		if err := pause(ctx, rand.N(time.Duration(min(try, 20))*time.Millisecond)); err != nil {
			return nil, err
		}
	}
}

// one is ask for a statement whose answer is one row.
func one[T any](ctx context.Context, e *engine, name string, args []any, scan func(Rows) (T, error)) (t T, err error) {
	rows, err := ask(ctx, e, name, args, scan)
	if err == nil && len(rows) != 1 {
		err = errAnswer
	}
	if err != nil {
		return t, err
	}
	return rows[0], nil
}

// once runs a statement.
func once[T any](ctx context.Context, e *engine, text string, args []any, scan func(Rows) (T, error)) ([]T, error) {
	rows, err := e.d.Query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		t, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// pause waits before another try, unless the context ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return store.FromContext(ctx)
	}
}

// state returns the SQLSTATE of a server's error, or "".
func state(err error) string {
	var s interface{ SQLState() string } // pgx, lib/pq
	if errors.As(err, &s) {
		return s.SQLState()
	}
	return ""
}

// judge says what an error means, as far as it is known. A statement that the server refuses was
// rolled back. What was lost with its connection may have been committed.
func (e *engine) judge(err error) error {
	if err == nil || driver.Known(err) {
		return err
	}
	code := state(err)
	if code == "" {
		if e.d.Unsent(err) {
			return driver.Fault(store.ErrUnavailable, "the server cannot be reached", err)
		}
		return err
	}
	hint, class := meaning(code)
	return driver.Fault(class, strings.TrimSuffix("PostgreSQL says "+code+": "+hint, ": "), err)
}

// meaning returns the sentinel for a SQLSTATE, or nil where nobody knows what became of the
// statement.
func meaning(code string) (hint string, class error) {
	switch code {
	case "25006":
		return "the server is read-only: a standby, or default_transaction_read_only", store.ErrUnavailable
	case "42P01", "42703":
		return "a table or column is missing: call Migrate first", store.ErrUnavailable
	case "42501":
		return "the role may not do this", store.ErrUnavailable
	case "53100":
		return "no room on the server's disk", store.ErrFull
	case "53300":
		return "too many connections", store.ErrUnavailable
	case "57P03", "57014":
		return "", store.ErrUnavailable
	case "XX001", "XX002":
		return "the server found damage", store.ErrUnavailable // of a page: who knows what else lies there
	}
	switch code[:min(2, len(code))] {
	case "08", "57", "58":
		return "the connection was lost", nil
	}
	return "", store.ErrUnavailable
}

// spoilt reports whether a single record may have spoilt a statement for many.
func spoilt(err error) bool {
	code := state(err)
	return len(code) == 5 && strings.Contains("22 23 54 XX", code[:2])
}
