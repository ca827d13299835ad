package sqlstore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// What needs a server is tested in package pgxstore.

// failing is a Runner that fails.
type failing struct {
	err    error
	unsent bool
	calls  *int
}

func (f failing) Run(context.Context, string, []any, func(func(...any) error) error) error {
	*f.calls++
	return f.err
}

func (f failing) Unsent(error) bool { return f.unsent }

func TestPostgresOutcomes(t *testing.T) {
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
		s, err := NewOn(failing{c.err, c.unsent, &calls}, "mine", nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
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
		for what, err := range map[string]error{"get": get, "user": user} {
			if !errors.Is(err, c.read) || !strings.HasPrefix(err.Error(), "mine: "+what) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v: %s: %v, want %v", c.err, what, err, c.read)
			}
		}
		cancel()
		for what, do := range map[string]func(context.Context) error{
			"update": func(ctx context.Context) error { return s.Update(ctx, rec, 1) },
			"touch":  func(ctx context.Context) error { return s.Touch(ctx, rec, 0) },
			"delete": func(ctx context.Context) error { return s.Delete(ctx, rec.Key) },
			"rotate": func(ctx context.Context) error { return s.Rotate(ctx, rec.Key, 1, next, nil) },
			"create": func(ctx context.Context) error { _, err := s.Create(ctx, rec, store.Admission{}); return err },
			"revoke": func(ctx context.Context) error { _, err := s.Revoke(ctx, "ada", store.Selection{}); return err },
			"sweep":  func(ctx context.Context) error { _, err := s.Sweep(ctx, 10); return err },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			err := do(ctx)
			cancel()
			if !errors.Is(err, c.write) || !strings.HasPrefix(err.Error(), "mine: "+what) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v: %s: %v, want %v", c.err, what, err, c.write)
			}
		}
	}
	if _, err := NewOn(nil, "mine", nil); err == nil {
		t.Error("no runner is accepted")
	}
}

func TestPostgresTexts(t *testing.T) {
	s, err := NewOn(failing{}, "mine", &Options{Table: "people"})
	if err != nil {
		t.Fatal(err)
	}
	x := s.engine.(*postgres).x
	for _, text := range []string{s.Schema(), x.ready, x.get, x.update, x.touch, x.create, x.createNobody, x.rotate, x.rotateNobody, x.remove,
		x.revoke, x.user, x.page, x.sweep, x.sweepOld} {
		if strings.ContainsAny(text, "%{}") || !strings.Contains(text, "people") {
			t.Errorf("a place without a name, or no table, in\n%s", text)
		}
	}
}

// FuzzPGRow gives rows as somebody else may have written them: read as they are, or corrupt.
func FuzzPGRow(f *testing.F) {
	key, half := make([]byte, 48), make([]byte, 16)
	f.Add(key, []byte("ada"), half, half[:8], []byte("meta"), int64(1), true)
	f.Add(key[:47], []byte(nil), half[:15], half, []byte(nil), int64(-1), false)
	f.Fuzz(func(t *testing.T, key, usr, handle, writer, meta []byte, ver int64, given bool) {
		s := newPGScan(!given)
		s.usr, s.handle, s.writer, s.meta, s.ver = usr, handle, writer, meta, ver
		s.tag, s.id = key[:min(16, len(key))], key[min(16, len(key)):]
		var at *store.Key
		if given {
			at = &store.Key{}
		}
		r, err := s.row(at)
		whole := (given || len(key) == 48) && len(handle) == 16 && len(writer) == 8 && len(usr) <= store.MaxUser && ver > 0
		if whole != (err == nil) || r.damaged == whole || err != nil && !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("whole %v: %v", whole, err)
		}
		if whole && (r.user != string(usr) || r.ver != uint64(ver) || string(r.handle[:]) != string(handle)) {
			t.Fatal("another row")
		}
		if hs := handles(key); len(hs) != len(key)/16 {
			t.Fatalf("%d handles in %d bytes", len(hs), len(key))
		}
	})
}
