package postgresstore

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// What needs a server is tested in package pgxstore.

// failing is a Driver that fails.
type failing struct {
	err    error
	unsent bool
	calls  *int
}

func (f failing) Query(context.Context, string, ...any) (Rows, error) {
	*f.calls++
	return nil, f.err
}

func (f failing) Unsent(err error) bool { return f.unsent && err == f.err }

// stated is an error as drivers show it.
type stated string

func (stated) Error() string      { return "value 'secret'" }
func (s stated) SQLState() string { return string(s) }

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		err         error
		unsent      bool
		write, read error
	}{
		{errors.New("secret"), false, store.ErrIndeterminate, store.ErrUnavailable},
		{errors.New("secret"), true, store.ErrUnavailable, store.ErrUnavailable},
		{context.DeadlineExceeded, false, store.ErrIndeterminate, store.ErrUnavailable},
		{stated("57P01"), false, store.ErrIndeterminate, store.ErrUnavailable},
		{stated("08006"), false, store.ErrIndeterminate, store.ErrUnavailable},
		{stated("53300"), false, store.ErrUnavailable, store.ErrUnavailable},
		{stated("53100"), false, store.ErrFull, store.ErrFull},
		{stated("42P01"), false, store.ErrUnavailable, store.ErrUnavailable},
		{stated("25006"), false, store.ErrUnavailable, store.ErrUnavailable},
		{stated("40001"), false, store.ErrUnavailable, store.ErrUnavailable}, // for ever
	} {
		calls := 0
		s, err := NewWith(failing{c.err, c.unsent, &calls}, &Options{Wait: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		rec := store.Record{User: "ada", Key: store.Key{Tag: store.TagOf("ada")}, Writer: store.Writer{1}}
		next := rec
		next.Key.ID[0] = 1
		_, _, get := s.Get(ctx, rec.Key)
		if again := c.err == stated("40001"); again != (calls > 1) {
			t.Errorf("%v: it ran %d times", c.err, calls)
		}
		var user error
		for _, user = range s.User(ctx, "ada") {
		}
		_, create := s.Create(ctx, rec, store.Admission{})
		_, revoke := s.Revoke(ctx, "ada", store.Selection{})
		_, sweep := s.Sweep(ctx, 10)
		for what, err := range map[string]error{
			"get": get, "user": user, "create": create, "revoke": revoke, "sweep": sweep,
			"update": s.Update(ctx, rec, 1), "touch": s.Touch(ctx, rec, 0), "delete": s.Delete(ctx, rec.Key),
			"rotate": s.Rotate(ctx, rec.Key, 1, next, nil),
		} {
			want := c.write
			if what == "get" || what == "user" {
				want = c.read
			}
			if !errors.Is(err, want) || !strings.HasPrefix(err.Error(), "postgresstore: "+what+": ") || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v: %s: %v, want %v", c.err, what, err, want)
			}
		}
	}
}

func TestNew(t *testing.T) {
	if _, err := New(nil, nil); err == nil {
		t.Error("no database is accepted")
	}
	if _, err := NewWith(nil, nil); err == nil {
		t.Error("no driver is accepted")
	}
	for _, name := range []string{"1x", "x y", "x;", `x"`, "é", "x.y", strings.Repeat("x", 41)} {
		if _, err := New(new(sql.DB), &Options{Table: name}); err == nil {
			t.Errorf("the table name %q is accepted", name)
		}
	}
	if _, err := New(new(sql.DB), &Options{Wait: -1}); err == nil {
		t.Error("a negative Wait is accepted")
	}
}

// TestStatements looks for names of the files' own, and for files that nobody uses.
func TestStatements(t *testing.T) {
	e := newEngine(failing{}, Options{Table: "people"})
	want := []string{"create", "delete", "get", "page", "ready", "revoke", "rotate", "schema", "sweep", "sweep_guards", "touch", "update", "user"}
	if got := slices.Sorted(maps.Keys(e.text)); !slices.Equal(got, want) {
		t.Errorf("the statements are %v, want %v", got, want)
	}
	for name, text := range e.text {
		if strings.Contains(text, "sojourn") || strings.Contains(text, "--") || !strings.Contains(text, "people") {
			t.Errorf("%s: a name or a comment is left, or there is no table, in\n%s", name, text)
		}
	}
}

// FuzzRow reads rows as somebody else may have written them: read as they are, or corrupt.
func FuzzRow(f *testing.F) {
	half := make([]byte, 16)
	f.Add([]byte("ada"), half, half[:8], []byte("meta"), int64(1))
	f.Add([]byte(nil), half[:15], half, []byte(nil), int64(-1))
	f.Fuzz(func(t *testing.T, user, handle, writer, meta []byte, ver int64) {
		r := row{user: user, handle: handle, writer: writer, meta: meta, ver: ver}
		rec, err := r.record(store.Key{})
		whole := len(handle) == 16 && len(writer) == 8 && len(user) <= store.MaxUser && ver > 0
		if whole != (err == nil) || err != nil && !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("whole %v: %v", whole, err)
		}
		if whole && (rec.User != string(user) || rec.Version != uint64(ver) || string(rec.Handle[:]) != string(handle)) {
			t.Fatal("another row")
		}
	})
}
