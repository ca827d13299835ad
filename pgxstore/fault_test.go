package pgxstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/store"
)

// raise makes each write of a row with the data fail with a SQLSTATE of the server; the first times
// only, if times is not 0.
func raise(t *testing.T, p *pgxpool.Pool, name, data, code string, times int) {
	t.Helper()
	text := strings.NewReplacer("%", name, "{data}", data, "{code}", code, "{times}", fmt.Sprint(times)).Replace(`
DROP SEQUENCE IF EXISTS %_n; CREATE SEQUENCE %_n;
CREATE OR REPLACE FUNCTION %_f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.data = '{data}'::bytea AND ({times} = 0 OR nextval('%_n') <= {times}) THEN
    RAISE EXCEPTION 'a secret value' USING ERRCODE = '{code}';
  END IF;
  RETURN NEW; END $$;
CREATE OR REPLACE TRIGGER %_t BEFORE INSERT OR UPDATE ON % FOR EACH ROW EXECUTE FUNCTION %_f();`)
	if _, err := p.Exec(t.Context(), text, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Exec(context.Background(), "DROP SEQUENCE IF EXISTS "+name+"_n; DROP FUNCTION IF EXISTS "+name+"_f CASCADE", pgx.QueryExecModeSimpleProtocol)
	})
}

// TestRefusals has the server refuse: what it says is classed, and its text stays out of the
// error's.
func TestRefusals(t *testing.T) {
	name := table(t)
	s, p, _ := counted(t, pgxstore.Options{Table: name})
	for _, c := range []struct {
		code  string
		times int
		want  error
	}{
		{"53100", 0, store.ErrFull},
		{"XX001", 0, store.ErrUnavailable},
		{"55P03", 0, store.ErrUnavailable},
		{"57014", 0, store.ErrUnavailable},
		{"53200", 0, store.ErrUnavailable},
		{"08006", 0, store.ErrIndeterminate},
		{"57P01", 0, store.ErrIndeterminate},
		{"58030", 0, store.ErrIndeterminate},
		{"40001", 3, nil},
		{"40P01", 3, nil},
	} {
		rec := add(t, s, record(somebody()))
		raise(t, p, name, "bad", c.code, c.times)
		update := s.Update(t.Context(), edit(rec, "bad"), 1)
		raise(t, p, name, "bad", c.code, c.times)
		bad := record(somebody())
		bad.Data = []byte("bad")
		_, create := s.Create(t.Context(), bad, store.Admission{Max: 3})
		for what, err := range map[string]error{"update": update, "create": create} {
			if !errors.Is(err, c.want) || c.want == nil && err != nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "secret") {
				t.Errorf("%s with %s: %v, want %v", what, c.code, err, c.want)
			}
		}
	}
}

// TestSpoilt has one record of many that the server does not like.
func TestSpoilt(t *testing.T) {
	name := table(t)
	s, p, n := counted(t, pgxstore.Options{Table: name, Lanes: 1})
	raise(t, p, name, "bad", "22000", 0)
	first := add(t, s, record(somebody()))
	const many = 20
	results := make(chan error, many)
	recs := make([]store.Record, many)
	for i := range recs {
		recs[i] = add(t, s, record(somebody()))
	}
	release := held(t, p, name, n, func() { s.Update(t.Context(), edit(first, "x"), 1) })
	for i := range recs {
		go func() {
			data := "good"
			if i == 7 {
				data = "bad"
			}
			err := s.Update(t.Context(), edit(recs[i], data), 1)
			if (i == 7) != errors.Is(err, store.ErrUnavailable) || i != 7 && err != nil {
				err = fmt.Errorf("record %d: %w", i, err)
			} else {
				err = nil
			}
			results <- err
		}()
	}
	time.Sleep(100 * time.Millisecond)
	release()
	for range recs {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

// TestDown has servers that cannot be reached, or take nothing: nothing was applied then.
func TestDown(t *testing.T) {
	url := server(t, "SOJOURN_POSTGRES")
	name := table(t)
	rec := add(t, open(t, pool(t, config(t, url)), &pgxstore.Options{Table: name}), record(somebody()))
	role := table(t)
	admin := pool(t, config(t, url))
	if _, err := admin.Exec(t.Context(), "CREATE ROLE "+role+" LOGIN CONNECTION LIMIT 0"); err != nil {
		t.Fatal(err)
	}
	defer admin.Exec(context.Background(), "DROP ROLE "+role)
	for what, change := range map[string]func(*pgxpool.Config){
		"closed port":          func(c *pgxpool.Config) { c.ConnConfig.Port = 1 },
		"too many connections": func(c *pgxpool.Config) { c.ConnConfig.User = role },
		"read-only":            func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on" },
	} {
		c := config(t, url)
		change(c)
		s, err := pgxstore.New(pool(t, c), &pgxstore.Options{Table: name})
		if err != nil {
			t.Fatal(err)
		}
		_, create := s.Create(t.Context(), record(somebody()), store.Admission{})
		_, revoke := s.Revoke(t.Context(), rec.User, store.Selection{})
		_, sweep := s.Sweep(t.Context(), 10)
		for op, err := range map[string]error{"create": create, "revoke": revoke, "sweep": sweep, "update": s.Update(t.Context(), rec, 1),
			"touch": s.Touch(t.Context(), rec, 0), "delete": s.Delete(t.Context(), rec.Key), "rotate": s.Rotate(t.Context(), rec.Key, 1, record(rec.User), nil)} {
			if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrIndeterminate) {
				t.Errorf("%s: %s: %v", what, op, err)
			}
		}
		if _, _, err := s.Get(t.Context(), rec.Key); !errors.Is(err, store.ErrUnavailable) && what != "read-only" {
			t.Errorf("%s: get: %v", what, err)
		}
	}

	c := config(t, url)
	c.MaxConns = 1
	p := pool(t, c)
	s := open(t, p, &pgxstore.Options{Table: name})
	conn, err := p.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Update(ctx, rec, 1); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no connection came free: %v", err)
	}
	conn.Release()
}

// TestCut has updates whose answer is lost, by their context or by the server: they may be applied,
// and are told apart when they are sent again.
func TestCut(t *testing.T) {
	name := table(t)
	s, p, n := counted(t, pgxstore.Options{Table: name})
	for what, cut := range map[string]func(cancel func()){
		"context": func(cancel func()) { cancel() },
		"server": func(func()) {
			_, err := p.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%' || $1::text || '%' AND wait_event_type = 'Lock'", name)
			if err != nil {
				t.Error(err)
			}
		},
	} {
		rec := add(t, s, record(somebody()))
		ctx, cancel := context.WithCancel(t.Context())
		change := edit(rec, "changed")
		var err error
		release := held(t, p, name, n, func() { err = s.Update(ctx, change, 1) })
		var waits int
		for waits == 0 {
			e := p.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%' || $1::text || '%' AND wait_event_type = 'Lock'", name).Scan(&waits)
			if e != nil {
				t.Fatal(e)
			}
		}
		cut(cancel)
		time.Sleep(100 * time.Millisecond)
		release()
		cancel()
		if !errors.Is(err, store.ErrIndeterminate) || what == "context" && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
		if err := s.Update(t.Context(), change, 1); err != nil {
			t.Errorf("%s: sent again: %v", what, err)
		}
		got, _, err := s.Get(t.Context(), rec.Key)
		if err != nil || got.Version != 2 || string(got.Data) != "changed" {
			t.Errorf("%s: version %d, %v", what, got.Version, err)
		}
	}
}

// TestDamage has a row that somebody cut short.
func TestDamage(t *testing.T) {
	name := table(t)
	s, p, _ := counted(t, pgxstore.Options{Table: name})
	user := somebody()
	good, bad := add(t, s, record(user)), add(t, s, record(user))
	if _, err := p.Exec(t.Context(), "UPDATE "+name+" SET writer = '' WHERE id = $1", bad.Key.ID[:]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(t.Context(), bad.Key); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), bad.Handle.String()) {
		t.Errorf("get: %v", err)
	}
	for what, walk := range map[string]func(func(store.Record, error) bool){"user": s.User(t.Context(), user), "all": s.All(t.Context())} {
		var seen []store.Handle
		var last error
		for rec, err := range walk {
			if last = err; err == nil {
				seen = append(seen, rec.Handle)
			}
		}
		if len(seen) != 1 || seen[0] != good.Handle || !errors.Is(last, store.ErrCorrupt) {
			t.Errorf("%s: %v, %v", what, seen, last)
		}
	}
	if r, err := s.Revoke(t.Context(), user, store.Selection{}); r.N != 2 || err != nil {
		t.Errorf("revoke: %d, %v", r.N, err)
	}
}
