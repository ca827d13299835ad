package cqlstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/cqlstore"
	"github.com/sojourn-go/sojourn/store"
)

func name() string { return "user-" + rand.Text() }

func writer() (w store.Writer) {
	rand.Read(w[:])
	return w
}

// record returns a new record of the user, who may be nobody.
func record(user string) store.Record {
	rec := store.Record{User: user, Writer: writer(), Idle: 30 * time.Minute, Lifetime: 12 * time.Hour, Meta: []byte("meta"), Data: []byte("data")}
	rec.Key.Tag = store.TagOf(user)
	if user == "" {
		rand.Read(rec.Key.Tag[:])
	}
	rand.Read(rec.Key.ID[:])
	rand.Read(rec.Handle[:])
	return rec
}

func get(t testing.TB, st store.Store, key store.Key) store.Record {
	t.Helper()
	rec, _, err := st.Get(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func add(t testing.TB, st store.Store, rec store.Record) store.Record {
	t.Helper()
	if _, err := st.Create(context.Background(), rec, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	return get(t, st, rec.Key)
}

// spread sends each call to one of several stores, as balanced processes do: what their locks
// serialise within one process the engine must serialise here.
type spread []store.Store

func (s spread) any() store.Store { return s[mathrand.IntN(len(s))] }

func (s spread) Traits() store.Traits { return s[0].Traits() }
func (s spread) Watch(ctx context.Context, f func(store.Ending)) error {
	return s[0].Watch(ctx, f)
}
func (s spread) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	return s.any().Create(ctx, rec, adm)
}
func (s spread) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	return s.any().Get(ctx, key)
}
func (s spread) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	return s.any().Update(ctx, rec, ifVersion)
}
func (s spread) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	return s.any().Touch(ctx, rec, every)
}
func (s spread) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	return s.any().Rotate(ctx, old, ifVersion, rec, tail)
}
func (s spread) Delete(ctx context.Context, key store.Key) error { return s.any().Delete(ctx, key) }
func (s spread) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return s.any().User(ctx, user)
}
func (s spread) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	return s.any().Revoke(ctx, user, sel)
}
func (s spread) Sweep(ctx context.Context, limit int) (int, error) { return s.any().Sweep(ctx, limit) }
func (s spread) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return s.any().All(ctx)
}

// TestTables keeps two tables of one keyspace apart.
func TestTables(t *testing.T) {
	db := open(t, clusters[0].variable, clusters[0].copies)
	one, two := db.store(t, nil), db.store(t, &cqlstore.Options{Table: "others"})
	rec := add(t, one, record(name()))
	if _, _, err := two.Get(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another table's record: %v", err)
	}
	if r, err := two.Revoke(t.Context(), rec.User, store.Selection{}); r.N != 0 || err != nil {
		t.Errorf("revoke in another table ended %d, %v", r.N, err)
	}
	get(t, one, rec.Key)
}

func TestMigrate(t *testing.T) {
	db := open(t, clusters[0].variable, clusters[0].copies)
	ctx := t.Context()
	st, err := cqlstore.New(db.session, &cqlstore.Options{Keyspace: db.keyspace, Table: "later"})
	if err != nil {
		t.Fatal(err)
	}
	rec := record(name())
	_, err = st.Create(ctx, rec, store.Admission{})
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "Migrate") {
		t.Errorf("create without a table: %v, want ErrUnavailable and a hint", err)
	}
	if _, _, err := st.Get(ctx, rec.Key); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("get without a table: %v, want ErrUnavailable", err)
	}
	for range 2 {
		if err := st.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
	}
	rec = add(t, st, rec)
	if err := st.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	get(t, st, rec.Key)
	// What Schema prints does the same.
	other, err := cqlstore.New(db.session, &cqlstore.Options{Keyspace: db.keyspace, Table: "printed", ReplicationFactor: 1})
	if err != nil {
		t.Fatal(err)
	}
	for st := range strings.SplitSeq(strings.TrimSpace(other.Schema()), ";\n") {
		if err := db.session.Query(strings.TrimSuffix(st, ";")).ExecContext(ctx); err != nil {
			t.Fatalf("%s: %v", st, err)
		}
	}
	add(t, other, record(name()))
}

func TestOptions(t *testing.T) {
	db := open(t, clusters[0].variable, clusters[0].copies)
	for what, o := range map[string]cqlstore.Options{
		"a keyspace in quotes":  {Keyspace: `a"b`},
		"a table with a space":  {Table: "a b"},
		"a level of one":        {Consistency: "ONE"},
		"a serial read level":   {Consistency: cqlstore.Serial},
		"a serial level of all": {SerialConsistency: cqlstore.All},
		"negative copies":       {ReplicationFactor: -1},
		"a negative skew":       {ClockSkew: -1},
	} {
		if _, err := cqlstore.New(db.session, &o); err == nil {
			t.Errorf("New accepts %s", what)
		}
	}
	if _, err := cqlstore.New(nil, nil); err == nil {
		t.Error("New accepts no session")
	}
	if _, err := cqlstore.New(db.session, nil); err != nil {
		t.Errorf("New refuses no options: %v", err)
	}
}
