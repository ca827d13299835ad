package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// nothing is a driver that fails in every way; what needs an engine is tested in package
// sqlitestore.
type nothing struct{}

func (nothing) Open(string) (driver.Conn, error)               { return nil, errors.New("secret") }
func (n nothing) Connect(context.Context) (driver.Conn, error) { return n.Open("") }
func (n nothing) Driver() driver.Driver                        { return n }

func down(t *testing.T) *sql.DB {
	db := sql.OpenDB(nothing{})
	t.Cleanup(func() { db.Close() })
	return db
}

func TestNew(t *testing.T) {
	db := down(t)
	for _, name := range []string{"1x", "x y", "x;", `x"`, "é", "x.y", strings.Repeat("x", 41)} {
		if _, err := New(db, &Options{Table: name}); err == nil {
			t.Errorf("the table name %q is accepted", name)
		}
	}
	if _, err := New(nil, nil); err == nil {
		t.Error("no database is accepted")
	}
	s, err := New(db, &Options{Table: "people"})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"CREATE TABLE IF NOT EXISTS people (", "people_guards", "people_clock", "people_slot ON people (slot)"} {
		if !strings.Contains(s.Schema(), part) {
			t.Errorf("the schema lacks %q:\n%s", part, s.Schema())
		}
	}
	if strings.Contains(s.Schema(), "%") {
		t.Error("the schema has a place without a name")
	}
}

// TestDown has an engine that cannot be reached: that is no "not found", and nothing was applied.
func TestDown(t *testing.T) {
	s, err := New(down(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	rec := store.Record{User: "ada", Key: store.Key{Tag: store.TagOf("ada")}, Writer: store.Writer{1}}
	next := rec
	next.Key.ID[0] = 1
	_, _, get := s.Get(ctx, rec.Key)
	_, create := s.Create(ctx, rec, store.Admission{})
	_, revoke := s.Revoke(ctx, "ada", store.Selection{})
	_, sweep := s.Sweep(ctx, 10)
	var user, all error
	for _, user = range s.User(ctx, "ada") {
	}
	for _, all = range s.All(ctx) {
	}
	for what, err := range map[string]error{
		"get": get, "create": create, "revoke": revoke, "sweep": sweep, "user": user, "all": all,
		"update": s.Update(ctx, rec, 1), "touch": s.Touch(ctx, rec, 0), "delete": s.Delete(ctx, rec.Key),
		"rotate": s.Rotate(ctx, rec.Key, 1, next, nil), "migrate": s.Migrate(ctx),
	} {
		if !errors.Is(err, store.ErrUnavailable) || !strings.HasPrefix(err.Error(), "sqlite: "+what) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// numbered is an error as drivers show it.
type numbered int

func (numbered) Error() string { return "value 'secret'" }
func (n numbered) Code() int   { return int(n) }

func TestErrorCodes(t *testing.T) {
	for code, want := range map[int][2]error{ // before COMMIT, and of it
		1: {store.ErrUnavailable, store.ErrIndeterminate}, 5: {store.ErrUnavailable, store.ErrUnavailable},
		261: {store.ErrUnavailable, store.ErrUnavailable}, 10: {store.ErrUnavailable, store.ErrIndeterminate},
		522: {store.ErrUnavailable, store.ErrIndeterminate}, 11: {store.ErrUnavailable, store.ErrIndeterminate},
		13: {store.ErrFull, store.ErrFull}, 14: {store.ErrUnavailable, store.ErrIndeterminate},
		26: {store.ErrUnavailable, store.ErrIndeterminate}, 999: {store.ErrUnavailable, store.ErrIndeterminate},
	} {
		e := new(engine)
		for i, err := range []error{e.judge(numbered(code)), e.judgeCommit(numbered(code))} {
			var cause numbered
			if !errors.Is(err, want[i]) || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "secret") || !errors.As(err, &cause) {
				t.Errorf("code %d, commit %v: %v, want %v", code, i == 1, err, want[i])
			}
		}
	}
	e := &engine{opts: Options{ErrorCode: func(error) string { return "13" }}}
	if err := e.judge(errors.New("x")); !errors.Is(err, store.ErrFull) {
		t.Errorf("Options.ErrorCode is not asked: %v", err)
	}
}

// TestQueue has writers that leave, and an engine that is busy for a while.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		busy, most := 30, 0
		q := &queue{wait: time.Minute}
		q.transact = func(jobs []*job) error {
			mu.Lock()
			defer mu.Unlock()
			time.Sleep(time.Millisecond)
			if busy > 0 {
				busy--
				return errBusy
			}
			most = max(most, len(jobs))
			for _, j := range jobs {
				if j.err = store.FromContext(j.ctx); j.err == nil {
					j.err = j.do(nil)
				}
			}
			return nil
		}
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() {
				ctx, ran := t.Context(), false
				if i%3 == 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Duration(i)*100*time.Microsecond)
					defer cancel()
				}
				err := q.run(ctx, func(*tx) error { ran = true; return nil })
				if ran != (err == nil) || err != nil && (i%3 != 0 || !errors.Is(err, context.DeadlineExceeded)) {
					t.Errorf("writer %d: ran %v, %v", i, ran, err)
				}
			})
		}
		wg.Wait()
		if q.led || len(q.waiting) > 0 || most > batchSize || most < 2 {
			t.Errorf("in the end: led %v, %d wait, at most %d shared a transaction", q.led, len(q.waiting), most)
		}
	})
}

// TestQueueGivesUp has an engine that stays busy.
func TestQueueGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{wait: time.Second, transact: func([]*job) error { time.Sleep(10 * time.Millisecond); return errBusy }}
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := q.run(t.Context(), nil); !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("a write that waits for ever ends with %v", err)
				}
			})
		}
		for i := range 50 {
			wg.Go(func() {
				limit := time.Duration(i*17) * time.Millisecond
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				err := q.run(ctx, nil)
				if d := time.Since(start) - limit; !errors.Is(err, context.DeadlineExceeded) || d > 50*time.Millisecond {
					t.Errorf("a write with a limit of %v ended %v after it, with %v", limit, d, err)
				}
			})
		}
		wg.Wait()
		if d := time.Since(start); d < time.Second || d > 2*time.Second {
			t.Errorf("three writers gave up after %v", d)
		}
	})
}
