package sqlitestore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/sqlite"
	"github.com/sojourn-go/sojourn/store"
)

// brittle is a connector of whose calls to the engine one fails. It remembers the statements.
type brittle struct {
	driver    driver.Driver
	name      string
	at, calls atomic.Int64 // the call that fails, from 1, and how many there were
	code      coded
	mu        sync.Mutex
	asked     []string
}

// fails is asked at each call. Where there is no room, only what writes fails.
func (b *brittle) fails(writes bool) error {
	if !writes && b.code == 13 {
		return nil
	}
	if b.calls.Add(1) == b.at.Load() {
		return b.code
	}
	return nil
}

// begin counts from here on; the call with that number fails.
func (b *brittle) begin(at int64) {
	b.calls.Store(0)
	b.at.Store(at)
}

func (b *brittle) Driver() driver.Driver { return b.driver }
func (b *brittle) Connect(context.Context) (driver.Conn, error) {
	c, err := b.driver.Open(b.name)
	return &brittleConn{c, b}, err
}

type brittleConn struct {
	driver.Conn
	b *brittle
}

func (c *brittleConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if err := c.b.fails(false); err != nil {
		return nil, err
	}
	c.b.mu.Lock()
	c.b.asked = append(c.b.asked, text)
	c.b.mu.Unlock()
	st, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, text)
	return &brittleStmt{st, c.b}, err
}

func (c *brittleConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if err := c.b.fails(false); err != nil {
		return nil, err
	}
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
	return &brittleTx{tx, c.b}, err
}

type brittleTx struct {
	driver.Tx
	b *brittle
}

func (t *brittleTx) Commit() error {
	if err := t.b.fails(true); err != nil {
		return errors.Join(err, t.Tx.Rollback())
	}
	return t.Tx.Commit()
}

type brittleStmt struct {
	driver.Stmt
	b *brittle
}

func (s *brittleStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.b.fails(true); err != nil {
		return nil, err
	}
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s *brittleStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.b.fails(false); err != nil {
		return nil, err
	}
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	return &brittleRows{rows, s.b}, err
}

type brittleRows struct {
	driver.Rows
	b *brittle
}

func (r *brittleRows) Next(dest []driver.Value) error {
	if err := r.b.fails(false); err != nil {
		return err
	}
	return r.Rows.Next(dest)
}

// stage is a store with some of everything, in a file that is made anew for each act.
type stage struct {
	*testing.T
	image []byte
	recs  map[string]store.Record
}

// newStage makes it: sessions of ada and bob, one that expired, and what is not there yet.
func newStage(t *testing.T) *stage {
	st := &stage{t, nil, map[string]store.Record{}}
	path := filepath.Join(t.TempDir(), "stage.db")
	s := openAt(t, path, nil)
	for _, name := range []string{"ada1", "ada2", "ada3", "bob1", "bob2", "old1", "new1"} {
		rec := shareRecord(name[:3])
		rec.Meta, rec.Data = []byte(name), []byte("data of "+name)
		if name == "old1" {
			rec.Lifetime = time.Microsecond
		}
		st.recs[name] = rec
		if strings.Contains("ada3 bob2 new1", name) {
			continue
		}
		if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Millisecond)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if st.image, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return st
}

// view is what a store shows: every session, whom it remembers as revoked, and what lists yield.
func (st *stage) view(s store.Store) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(st.recs)) {
		rec, _, err := s.Get(st.Context(), st.recs[name].Key)
		if err == nil {
			fmt.Fprintf(&b, "%s:%d:%s ", rec.Meta, rec.Version, rec.Data)
		} else if !errors.Is(err, store.ErrNotFound) {
			fmt.Fprintf(&b, "%s:%v ", name, err)
		}
	}
	for _, user := range []string{"ada", "bob", "new"} {
		probe := shareRecord(user)
		probe.Created, probe.Lifetime = time.Unix(1, 0), 1 // it never lives
		if _, err := s.Create(st.Context(), probe, store.Admission{Began: time.Now().Add(-14 * time.Minute)}); err != nil {
			fmt.Fprintf(&b, "%s revoked:%v ", user, errors.Is(err, store.ErrRevoked))
		}
	}
	all, err := st.list(s.All(st.Context()))
	return fmt.Sprint(b.String(), all, err)
}

func (st *stage) list(seq func(func(store.Record, error) bool)) (text string, last error) {
	var names []string
	for rec, err := range seq {
		if last = err; err == nil {
			names = append(names, string(rec.Meta))
		}
	}
	slices.Sort(names)
	return fmt.Sprint(names), last
}

func (st *stage) get(s store.Store, name string) (string, error) {
	rec, _, err := s.Get(st.Context(), st.recs[name].Key)
	if errors.Is(err, store.ErrNotFound) {
		return "nothing", nil
	}
	return string(rec.Data), err
}

func (st *stage) create(s store.Store, name string, adm store.Admission) (string, error) {
	did, err := s.Create(st.Context(), st.recs[name], adm)
	return fmt.Sprint(len(did.Evicted)), err
}

func (st *stage) revoke(s store.Store, only ...store.Handle) (string, error) {
	did, err := s.Revoke(st.Context(), "ada", store.Selection{Only: only})
	return fmt.Sprint(did.N), err
}

// What is done to a store: it writes something, or only ends what there is, or only reads.
const (
	writes = iota
	ends
	reads
)

var acts = []struct {
	what string
	kind int
	do   func(st *stage, s *sqlite.Store) (string, error)
}{
	{"sign-in", writes, func(st *stage, s *sqlite.Store) (string, error) { return st.create(s, "new1", store.Admission{}) }},
	{"sign-in that evicts", writes, func(st *stage, s *sqlite.Store) (string, error) {
		return st.create(s, "ada3", store.Admission{Max: 1, Evict: true})
	}},
	{"change", writes, func(st *stage, s *sqlite.Store) (string, error) {
		rec := st.recs["ada1"]
		rec.Writer, rec.Data = store.Writer{1}, []byte("other data")
		return "", s.Update(st.Context(), rec, 1)
	}},
	{"touch", writes, func(st *stage, s *sqlite.Store) (string, error) { return "", s.Touch(st.Context(), st.recs["ada1"], 0) }},
	{"renewal", writes, func(st *stage, s *sqlite.Store) (string, error) {
		return "", s.Rotate(st.Context(), st.recs["bob1"].Key, 1, st.recs["bob2"], nil)
	}},
	{"sign-out", ends, func(st *stage, s *sqlite.Store) (string, error) {
		return "", s.Delete(st.Context(), st.recs["ada1"].Key)
	}},
	{"revocation", ends, func(st *stage, s *sqlite.Store) (string, error) { return st.revoke(s) }},
	{"revocation of one", ends, func(st *stage, s *sqlite.Store) (string, error) { return st.revoke(s, st.recs["ada1"].Handle) }},
	{"sweep", ends, func(st *stage, s *sqlite.Store) (string, error) {
		n, err := s.Sweep(st.Context(), 10)
		return fmt.Sprint(n), err
	}},
	{"read", reads, func(st *stage, s *sqlite.Store) (string, error) { return st.get(s, "ada1") }},
	{"read of nothing", reads, func(st *stage, s *sqlite.Store) (string, error) { return st.get(s, "ada3") }},
	{"list", reads, func(st *stage, s *sqlite.Store) (string, error) { return st.list(s.User(st.Context(), "ada")) }},
	{"list of all", reads, func(st *stage, s *sqlite.Store) (string, error) { return st.list(s.All(st.Context())) }},
}

// outcome is what came of an act.
type outcome struct {
	text                string
	err                 error
	before, view, again string // what the store shows: also then, and after the act was done once more
	calls               int64
}

// TestOneFailure (P3) lets one call to the engine fail in every place of everything that a store
// does: for the disk, for want of room, and for a lock that another holds. What succeeds is done;
// what fails says so, and is not done, or perhaps done. The same call succeeds then. What only ends
// sessions succeeds without room.
func TestOneFailure(t *testing.T) {
	st := newStage(t)
	for i, act := range acts {
		want := st.play(i, 0, 0, nil)
		if want.err != nil {
			t.Fatalf("%s: %v", act.what, want.err)
		}
		for _, code := range []coded{10, 13, 5} {
			for at := int64(1); at <= want.calls && !t.Failed(); at++ {
				st.play(i, code, at, &want)
				if t.Failed() {
					t.Fatalf("%s: the %dth call of %d fails with code %d", act.what, at, want.calls, code)
				}
			}
		}
	}
}

// play does an act of which one call fails, and compares with what comes of it if none does.
func (st *stage) play(i int, code coded, at int64, want *outcome) (got outcome) {
	act := acts[i]
	path := filepath.Join(st.TempDir(), "sessions.db")
	if err := os.WriteFile(path, st.image, 0o600); err != nil {
		st.Fatal(err)
	}
	any, err := sql.Open("sqlite", "")
	if err != nil {
		st.Fatal(err)
	}
	any.Close()
	b := &brittle{driver: any.Driver(), name: "file:" + path + "?_pragma=synchronous(OFF)", code: code}
	db := sql.OpenDB(b)
	db.SetMaxOpenConns(1)
	defer db.Close()
	rooms := 0
	s, err := sqlite.New(db, &sqlite.Options{MakeRoom: func() { rooms++ }})
	if err != nil {
		st.Fatal(err)
	}
	if want == nil {
		got.before = st.view(s)
		s, _ = sqlite.New(db, nil) // whose statements are not prepared
	}
	b.begin(at)
	got.text, got.err = act.do(st, s)
	got.calls = b.calls.Load()
	b.begin(0)
	got.view = st.view(s)
	if want != nil {
		st.judge(act.kind, code, at <= got.calls, rooms, &got, want)
	}
	if _, err := act.do(st, s); err != nil {
		st.Errorf("once more: %v", err)
	}
	if got.again = st.view(s); want != nil && got.again != want.again {
		st.Errorf("once more gives\n%s, not\n%s", got.again, want.again)
	}
	return got
}

func (st *stage) judge(kind int, code coded, failed bool, rooms int, got, want *outcome) {
	st.Helper()
	class := store.ErrUnavailable
	if code == 13 {
		class = store.ErrFull
	}
	maybe := errors.Is(got.err, store.ErrIndeterminate)
	switch {
	case got.err == nil:
		if got.text != want.text || got.view != want.view {
			st.Errorf("it answers %s and shows\n%s, not %s and\n%s", got.text, got.view, want.text, want.view)
		}
	case !maybe && !errors.Is(got.err, class):
		st.Errorf("it answers %v, want %v", got.err, class)
	case got.view != want.before && (!maybe || got.view != want.view):
		st.Errorf("%v, and it shows\n%s, neither\n%s, nor\n%s", got.err, got.view, want.before, want.view)
	}
	full := code == 13 && kind == ends && failed
	if full && got.err != nil || full != (rooms > 0) || rooms > 1 {
		st.Errorf("without room it answers %v, and room was made %d times", got.err, rooms)
	}
	if maybe && code != 10 {
		st.Errorf("it may be done: %v", got.err)
	}
}
