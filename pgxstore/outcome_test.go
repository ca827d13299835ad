package pgxstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/store"
)

// counter counts statements.
type counter struct{ n atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}

func (*counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func counted(t *testing.T, opts pgxstore.Options) (*pgxstore.Store, *pgxpool.Pool, *counter) {
	c := config(t, server(t, "SOJOURN_POSTGRES"))
	n := new(counter)
	c.ConnConfig.Tracer = n
	p := pool(t, c)
	return open(t, p, &opts), pool(t, config(t, c.ConnString())), n
}

func add(t *testing.T, s store.Store, rec store.Record) store.Record {
	t.Helper()
	if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	return rec
}

func edit(rec store.Record, data string) store.Record {
	rand.Read(rec.Writer[:])
	rec.Data = []byte(data)
	return rec
}

// TestOneStatement counts the statements of each method.
func TestOneStatement(t *testing.T) {
	s, _, n := counted(t, pgxstore.Options{Table: table(t)})
	ctx := t.Context()
	rec := record(somebody())
	next := record(rec.User)
	tail := record("")
	tail.Key = rec.Key
	for _, c := range []struct {
		what string
		do   func() error
	}{
		{"create", func() error {
			_, err := s.Create(ctx, rec, store.Admission{Max: 3, Evict: true, Began: time.Now().Add(-time.Second)})
			return err
		}},
		{"get", func() error { _, _, err := s.Get(ctx, rec.Key); return err }},
		{"update", func() error { return s.Update(ctx, edit(rec, "x"), 1) }},
		{"touch", func() error { return s.Touch(ctx, rec, 0) }},
		{"touch not due", func() error { return s.Touch(ctx, rec, time.Hour) }},
		{"rotate", func() error { return s.Rotate(ctx, rec.Key, 2, next, &tail) }},
		{"delete", func() error { return s.Delete(ctx, rec.Key) }},
		{"revoke", func() error { _, err := s.Revoke(ctx, rec.User, store.Selection{}); return err }},
	} {
		before := n.n.Load()
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if d := n.n.Load() - before; d != 1 {
			t.Errorf("%s took %d statements", c.what, d)
		}
	}
}

// TestPlans has the server make one plan for all calls, not one for each.
func TestPlans(t *testing.T) {
	c := config(t, server(t, "SOJOURN_POSTGRES"))
	c.MaxConns = 1
	p := pool(t, c)
	s := open(t, p, &pgxstore.Options{Table: table(t)})
	rec := add(t, s, record(somebody()))
	const calls = 20
	for i := range calls {
		_, _, err := s.Get(t.Context(), rec.Key)
		if err == nil {
			err = s.Touch(t.Context(), rec, 0)
		}
		if err == nil {
			err = s.Update(t.Context(), edit(rec, "x"), uint64(i)+1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	rows, err := p.Query(t.Context(), "SELECT left(statement, 40), custom_plans FROM pg_prepared_statements WHERE generic_plans + custom_plans = $1::int", calls)
	if err != nil {
		t.Fatal(err)
	}
	n, custom, text := 0, 0, ""
	if _, err := pgx.ForEachRow(rows, []any{&text, &custom}, func() error {
		if n++; custom > calls/2 {
			t.Errorf("%d of %d plans were made for one call: %s", custom, calls, text)
		}
		return nil
	}); err != nil || n != 3 {
		t.Errorf("%d statements, %v", n, err)
	}
}

// held starts call, which cannot go on until the returned function is called, for the whole table
// is locked.
func held(t *testing.T, p *pgxpool.Pool, name string, n *counter, call func()) (release func()) {
	tx, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE "+name+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	before := n.n.Load()
	done := make(chan struct{})
	go func() { defer close(done); call() }()
	for n.n.Load() == before {
		time.Sleep(time.Millisecond)
	}
	return func() {
		if err := tx.Rollback(context.Background()); err != nil {
			t.Error(err)
		}
		<-done
	}
}

// TestShared has calls that wait for one lane: they share a statement, and each has its own
// outcome.
func TestShared(t *testing.T) {
	name := table(t)
	s, other, n := counted(t, pgxstore.Options{Table: name, Lanes: 1})
	ctx := t.Context()
	type call struct {
		what string
		do   func(context.Context) error
		want error
	}
	get := func(rec store.Record, want error) call {
		return call{"get", func(ctx context.Context) error {
			got, _, err := s.Get(ctx, rec.Key)
			if err == nil && (got.Handle != rec.Handle || string(got.Data) != string(rec.Data)) {
				err = errors.New("another's record")
			}
			return err
		}, want}
	}
	update := func(rec store.Record, version uint64, want error) call {
		return call{"update", func(ctx context.Context) error { return s.Update(ctx, rec, version) }, want}
	}
	touch := func(rec store.Record, every time.Duration, want error) call {
		return call{"touch", func(ctx context.Context) error { return s.Touch(ctx, rec, every) }, want}
	}
	var recs []store.Record
	for i := range 40 {
		rec := record(somebody())
		rec.Data = []byte(fmt.Sprint("data ", i))
		recs = append(recs, add(t, s, rec))
	}
	if err := s.Update(ctx, recs[0], 1); err != nil { // so that it will be a replay
		t.Fatal(err)
	}
	dead := recs[1]
	if err := s.Delete(ctx, dead.Key); err != nil {
		t.Fatal(err)
	}
	var gets, updates, touches []call
	for i, rec := range recs[2:] {
		gets = append(gets, get(rec, nil), get(rec, nil)) // twice the same
		touches = append(touches, touch(rec, time.Duration(i%2)*time.Hour, nil))
		updates = append(updates, update(edit(rec, fmt.Sprint("new ", i)), 1, nil))
	}
	gets = append(gets[:40], get(dead, store.ErrNotFound))
	touches = append(touches, touch(dead, 0, store.ErrNotFound))
	updates = append(updates, update(recs[0], 1, nil), update(dead, 1, store.ErrNotFound))
	late := record(recs[5].User) // a user's second record, and so not in the same statement
	add(t, s, late)
	for _, c := range []struct {
		calls      []call
		statements int64
	}{{gets, 2}, {touches, 2}, {append(updates, update(edit(late, "y"), 7, store.ErrConflict)), 3}} {
		calls := append(c.calls[:len(c.calls):len(c.calls)], call{"cancelled " + c.calls[0].what, c.calls[0].do, store.ErrUnavailable})
		before := n.n.Load()
		results := make(chan error)
		release := held(t, other, name, n, func() {
			if err := calls[0].do(ctx); err != nil {
				t.Errorf("the first %s: %v", calls[0].what, err)
			}
		})
		for i, c := range calls[1:] {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			go func() {
				err := c.do(ctx)
				if !errors.Is(err, c.want) || c.want == nil && err != nil {
					t.Errorf("%s %d: %v, want %v", c.what, i+1, err, c.want)
				}
				results <- err
			}()
			if strings.HasPrefix(c.what, "cancelled") {
				cancel()
				<-results
			}
		}
		time.Sleep(200 * time.Millisecond) // all of them wait now, most likely
		release()
		for range len(calls) - 2 {
			<-results
		}
		// More, if a call came late on a busy machine; without sharing, forty.
		if d := n.n.Load() - before; d < c.statements || d > c.statements+8 {
			t.Errorf("%d %ss took %d statements, want %d", len(calls), calls[0].what, d, c.statements)
		}
	}
	for i, rec := range recs[2:] {
		got, _, err := s.Get(ctx, rec.Key)
		if err != nil || string(got.Data) != fmt.Sprint("new ", i) || got.Version != 2 {
			t.Fatalf("record %d: %v, version %d", i, err, got.Version)
		}
	}
}
