package cql_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/sojourn-go/sojourn/cqlstore"
	"github.com/sojourn-go/sojourn/cqlstore/cql"
	"github.com/sojourn-go/sojourn/store"
)

// table is a table of its own on a real server, and the session to look behind the store.
type table struct {
	*cql.Store
	session *gocql.Session
	name    string
}

func open(t *testing.T) table {
	const variable = "SOJOURN_CASSANDRA"
	u, err := url.Parse(os.Getenv(variable))
	if err != nil {
		t.Fatal(err)
	}
	if u.Host == "" {
		t.Skipf("%s is not set: NOT TESTED how long Cassandra keeps what, nor what it may hold that is damaged", variable)
	}
	c := gocql.NewCluster(u.Host)
	c.Timeout, c.ConnectTimeout = 20*time.Second, 20*time.Second // the machine may be busy
	session, err := c.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	keyspace := "test_" + strings.ToLower(rand.Text())
	t.Cleanup(func() {
		session.Query("DROP KEYSPACE IF EXISTS " + keyspace).Exec()
		if err := cqlstore.Close(session); err != nil {
			t.Log(err)
		}
	})
	st, err := cqlstore.New(session, &cqlstore.Options{Keyspace: keyspace, ReplicationFactor: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return table{st, session, keyspace + ".sessions"}
}

func record(user string) store.Record {
	rec := store.Record{User: user, Data: []byte("data"), Meta: []byte("meta")}
	rec.Key.Tag = store.TagOf(user)
	rand.Read(rec.Key.ID[:])
	rand.Read(rec.Handle[:])
	rand.Read(rec.Writer[:])
	return rec
}

func (tb table) add(t *testing.T, rec store.Record) store.Record {
	t.Helper()
	if _, err := tb.Create(t.Context(), rec, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	rec, _, err := tb.Get(t.Context(), rec.Key)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// kept tells for how many seconds the cells of a record are kept yet: data, and seen, which touches
// write alone. nil means for ever, or that there is no cell.
func (tb table) kept(t *testing.T, key store.Key) (data, seen *int, row bool) {
	t.Helper()
	it := tb.session.Query("SELECT TTL(data),TTL(seen) FROM "+tb.name+" WHERE tag=? AND id=?", key.Tag[:], key.ID[:]).Iter()
	row = it.Scan(&data, &seen)
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return data, seen, row
}

// TestTouchedForLong touches a record beyond the time for which its data was kept at first, and
// then leaves it.
func TestTouchedForLong(t *testing.T) {
	tb := open(t)
	cql.SetSpare(tb.Store, 6*time.Second) // so cells are kept for 14 s, with a horizon of 11 s
	for _, life := range []time.Duration{0, time.Hour} {
		t.Run(fmt.Sprint("lifetime ", life), func(t *testing.T) {
			t.Parallel()
			rec := record("ada " + life.String())
			rec.Idle, rec.Lifetime = 4*time.Second, life
			rec = tb.add(t, rec)
			for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(300 * time.Millisecond) {
				if err := tb.Touch(t.Context(), rec, time.Millisecond); err != nil {
					t.Fatalf("%v after it was created: %v", time.Since(began), err)
				}
				got, _, err := tb.Get(t.Context(), rec.Key)
				if err != nil || string(got.Data) != "data" || string(got.Meta) != "meta" || got.Version != 1 {
					t.Fatalf("%v after it was created: %v, version %d", time.Since(began), err, got.Version)
				}
				rec = got
				if data, seen, _ := tb.kept(t, rec.Key); data == nil || seen == nil || *seen > *data+1 || *seen < 3 {
					t.Fatalf("%v after it was created: the data's time to live and the touched cell's do not fit", time.Since(began))
				}
			}
			for began := time.Now(); ; time.Sleep(200 * time.Millisecond) {
				data, seen, row := tb.kept(t, rec.Key)
				if !row {
					break
				}
				if data == nil && seen != nil || time.Since(began) > 30*time.Second {
					t.Fatalf("%v after the last touch: what is left is no record, or should be gone", time.Since(began))
				}
			}
		})
	}
}

func TestKeptFor(t *testing.T) {
	tb := open(t)
	const day = 24 * time.Hour
	for _, c := range []struct {
		idle, life time.Duration
		want       time.Duration // 0 means for ever
	}{
		{30 * time.Minute, 12 * time.Hour, time.Hour},
		{30 * time.Minute, 0, time.Hour},
		{0, 90 * day, 90 * day},
		{0, 400 * day, 400 * day},
		{400 * day, 0, 800 * day},
		{0, 0, 0},
		{store.MaxLife, store.MaxLife, 0},
	} {
		rec := record("bob")
		rec.Idle, rec.Lifetime = c.idle, c.life
		rec = tb.add(t, rec)
		check := func(what string) {
			t.Helper()
			data, seen, row := tb.kept(t, rec.Key)
			if !row || (data == nil) != (c.want == 0) {
				t.Errorf("idle %v, lifetime %v, %s: there %v, with a time to live %v; want %v", c.idle, c.life, what, row, data != nil, c.want)
				return
			}
			if data != nil {
				if d := time.Duration(*data)*time.Second - c.want; d < 0 || d > time.Minute || *seen > *data {
					t.Errorf("idle %v, lifetime %v, %s: kept for %v more than asked; the touched cell for %d s", c.idle, c.life, what, d, *seen)
				}
			}
		}
		check("created")
		time.Sleep(5 * time.Millisecond)
		if err := tb.Touch(t.Context(), rec, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		check("touched")
		rand.Read(rec.Writer[:])
		if err := tb.Update(t.Context(), rec, 1); err != nil {
			t.Fatal(err)
		}
		check("updated")
	}
}

// write puts a row into the table as no store does.
func (tb table) write(t *testing.T, key store.Key, set string, args ...any) {
	t.Helper()
	q := "UPDATE " + tb.name + " SET " + set + " WHERE tag=? AND id=? IF ver=null"
	if applied, err := tb.session.Query(q, append(args, key.Tag[:], key.ID[:])...).MapScanCAS(map[string]any{}); err != nil || !applied {
		t.Fatal(applied, err)
	}
}

func gather(seq func(func(store.Record, error) bool)) (n int, last error) {
	for _, err := range seq {
		if err != nil {
			last = err
		} else {
			n++
		}
	}
	return n, last
}

func TestDamage(t *testing.T) {
	ctx := context.Background()
	tb := open(t)
	good := tb.add(t, record("eve"))
	whole := "ver=1,created=1795000000000,life=0,seen=1795000000000,idle=0,hor=0,"
	for what, set := range map[string]string{
		"a short writer":            "writer=0x00,uid=0x657665,handle=?",
		"no writer":                 "uid=0x657665,handle=?",
		"another tag's user":        "writer=0x0102030405060708,uid=0x616461,handle=?",
		"a negative life":           "life=-1,writer=0x0102030405060708,uid=0x657665,handle=?",
		"an instant beyond all":     "seen=9223372036854775807,writer=0x0102030405060708,uid=0x657665,handle=?",
		"a handle that is too long": "writer=0x0102030405060708,uid=0x657665,handle=?",
	} {
		rec := record("eve")
		handle := rec.Handle[:]
		if strings.Contains(what, "handle") {
			handle = make([]byte, 17)
		}
		set = whole + set
		if strings.Contains(set, "life=-1") {
			set = strings.Replace(set, "life=0,", "", 1)
		}
		if strings.Contains(set, "seen=9") {
			set = strings.Replace(set, "seen=1795000000000,", "", 1)
		}
		tb.write(t, rec.Key, set, handle)
		_, _, err := tb.Get(ctx, rec.Key)
		if !errors.Is(err, store.ErrCorrupt) || len(handle) == 16 && !strings.Contains(err.Error(), rec.Handle.String()) {
			t.Errorf("%s: get: %v, want ErrCorrupt and the handle", what, err)
		}
		for op, err := range map[string]error{
			"update": tb.Update(ctx, rec, 1), "touch": tb.Touch(ctx, rec, 0), "rotate": tb.Rotate(ctx, rec.Key, 1, good, nil),
		} {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s: %s: %v, want ErrCorrupt", what, op, err)
			}
		}
		if _, err := tb.Create(ctx, rec, store.Admission{}); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: create: %v, want ErrCorrupt", what, err)
		}
		for op, seq := range map[string]func(func(store.Record, error) bool){"User": tb.User(ctx, "eve"), "All": tb.All(ctx)} {
			if n, err := gather(seq); n != 1 || !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s: %s yields %d records and then %v, want the good one and ErrCorrupt", what, op, n, err)
			}
		}
		if _, err := tb.Create(ctx, record("eve"), store.Admission{Max: 1}); !errors.Is(err, store.ErrLimit) {
			t.Errorf("%s: create at the limit: %v, want ErrLimit", what, err)
		}
		if err := tb.Delete(ctx, rec.Key); err != nil {
			t.Errorf("%s: delete: %v", what, err)
		}
		if n, err := gather(tb.User(ctx, "eve")); n != 1 || err != nil {
			t.Errorf("%s: after its deletion User yields %d records, %v", what, n, err)
		}
	}
	bad := record("eve")
	tb.write(t, bad.Key, whole+"uid=0x657665,handle=?", bad.Handle[:])
	if r, err := tb.Revoke(ctx, "eve", store.Selection{}); r.N != 1 || err != nil {
		t.Errorf("revoke ended %d records, %v, want the good one", r.N, err)
	}
	if n, err := gather(tb.All(ctx)); n != 0 || err != nil {
		t.Errorf("after a revoke All yields %d records, %v", n, err)
	}
}

// TestLeftovers meets what is left in a partition without being a record.
func TestLeftovers(t *testing.T) {
	ctx := context.Background()
	tb := open(t)
	if r, err := tb.Revoke(ctx, "fay", store.Selection{}); r.N != 0 || err != nil { // leaves a guard alone
		t.Fatal(r.N, err)
	}
	rec := record("fay")
	tb.write(t, rec.Key, "seen=1795000000000") // as a touch by a plain upsert would
	if _, _, err := tb.Get(ctx, rec.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("get of a touched cell alone: %v", err)
	}
	for op, err := range map[string]error{"update": tb.Update(ctx, rec, 1), "touch": tb.Touch(ctx, rec, 0)} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s of a touched cell alone: %v, want ErrNotFound", op, err)
		}
	}
	for op, seq := range map[string]func(func(store.Record, error) bool){"User": tb.User(ctx, "fay"), "All": tb.All(ctx)} {
		if n, err := gather(seq); n != 0 || err != nil {
			t.Errorf("%s yields %d records of a guard and a touched cell, %v", op, n, err)
		}
	}
	if _, err := tb.Create(ctx, rec, store.Admission{Max: 1}); err != nil {
		t.Errorf("create over a touched cell alone: %v", err)
	}
	if got, _, err := tb.Get(ctx, rec.Key); err != nil || string(got.Data) != "data" {
		t.Errorf("get of what was created over a touched cell: %v", err)
	}
	// Many ended sessions leave tombstones, which must not hide the living.
	for range 50 {
		gone := tb.add(t, record("fay"))
		if err := tb.Delete(ctx, gone.Key); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := gather(tb.User(ctx, "fay")); n != 1 || err != nil {
		t.Errorf("among tombstones User yields %d records, %v", n, err)
	}
}

// TestManySessions revokes more sessions than fit a batch.
func TestManySessions(t *testing.T) {
	ctx := context.Background()
	tb := open(t)
	const n = 1100
	rec := record("gus")
	tb.add(t, rec)
	// Plain copies of its row, for speed: the table is not in use.
	for range n - 1 {
		other := record("gus")
		q := "INSERT INTO " + tb.name + " (tag,id,ver,writer,uid,handle,created,life,seen,idle,hor,meta,data) VALUES (?,?,1,?,?,?,1795000000000,0,1795000000000,0,0,0x,0x)"
		if err := tb.session.Query(q, other.Key.Tag[:], other.Key.ID[:], other.Writer[:], []byte("gus"), other.Handle[:]).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := tb.Revoke(ctx, "gus", store.Selection{Except: []store.Handle{rec.Handle}}); r.N != n-1 || err != nil {
		t.Fatalf("revoke ended %d of %d, %v", r.N, n-1, err)
	}
	if left, err := gather(tb.User(ctx, "gus")); left != 1 || err != nil {
		t.Errorf("%d records are left, %v", left, err)
	}
}
