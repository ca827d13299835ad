package cqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/sojourn-go/sojourn/cqlstore"
	"github.com/sojourn-go/sojourn/cqlstore/cql"
	"github.com/sojourn-go/sojourn/store"
)

// bent stands between a store and the real driver, and bends what comes and goes.
type bent struct {
	cql.Driver
	page  int           // rows, unless 0
	first func()        // called once, when the first row was read
	skew  time.Duration // of the clock of the node that answers reads
	stop  int           // requests after that many conditional ones never leave, unless 0
	sizes []int         // statements of each conditional request
}

func (b *bent) Query(ctx context.Context, q cql.Query, dest []any, row func() bool) error {
	if b.page > 0 {
		q.PageSize = b.page
	}
	return b.Driver.Query(ctx, q, dest, func() bool {
		if now, ok := dest[len(dest)-1].(*int64); ok {
			*now += b.skew.Milliseconds()
		}
		more := row()
		if f := b.first; f != nil && len(dest) > 1 {
			b.first = nil
			f()
		}
		return more
	})
}

func (b *bent) CAS(ctx context.Context, sts []cql.Statement, commit, serial cql.Consistency, dest map[string]any, row func()) (bool, error) {
	if b.stop > 0 && len(b.sizes) >= b.stop {
		return false, errLost
	}
	b.sizes = append(b.sizes, len(sts))
	return b.Driver.CAS(ctx, sts, commit, serial, dest, row)
}

func (b *bent) Harmless(err error) bool { return err == errLost || b.Driver.Harmless(err) }

func (db *database) bent(t *testing.T) (*cqlstore.Store, *bent) {
	db.store(t, nil)
	b := &bent{Driver: cqlstore.DriverOf(db.session)}
	st, err := cql.New(b, &cqlstore.Options{Keyspace: db.keyspace, ClockSkew: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return st, b
}

// crowd writes n records of a user, as the store would.
func (db *database) crowd(t *testing.T, user string, n int) {
	t.Helper()
	tag, now := store.TagOf(user), time.Now().UnixMilli()
	for n > 0 {
		b := db.session.Batch(gocql.UnloggedBatch).Consistency(gocql.Quorum)
		for range min(n, 100) {
			rec := record(user)
			b.Query("INSERT INTO "+db.keyspace+".sessions (tag,id,ver,writer,uid,handle,created,life,seen,idle,hor,meta,data) VALUES (?,?,1,?,?,?,?,?,?,?,?,?,?)",
				tag[:], rec.Key.ID[:], rec.Writer[:], []byte(user), rec.Handle[:], now-int64(n), rec.Lifetime.Milliseconds(), now-int64(n),
				rec.Idle.Milliseconds(), now+rec.Lifetime.Milliseconds(), []byte{}, []byte{})
			n--
		}
		if err := b.Exec(); err != nil {
			t.Fatal(err)
		}
	}
}

func count(t *testing.T, st store.Store, user string) (n int) {
	t.Helper()
	for _, err := range st.User(t.Context(), user) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// TestSignInBetweenPages has a sign-in land on a page that was read already.
func TestSignInBetweenPages(t *testing.T) {
	db := open(t, clusters[0].variable, clusters[0].copies)
	st, b := db.bent(t)
	other := db.store(t, nil)
	ctx := t.Context()
	b.page = 4
	for what, do := range map[string]func(user string) error{
		"create": func(user string) error {
			_, err := st.Create(ctx, record(user), store.Admission{Max: 9})
			if !errors.Is(err, store.ErrLimit) || count(t, other, user) != 9 {
				t.Errorf("a Create over the limit: %v, %d records", err, count(t, other, user))
			}
			return nil
		},
		"revoke": func(user string) error {
			r, err := st.Revoke(ctx, user, store.Selection{})
			if left := count(t, other, user); r.N != 9 || left != 0 {
				t.Errorf("a Revoke ended %d records and left %d, want 9 and none", r.N, left)
			}
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			user := name()
			for range 8 {
				rec := record(user)
				rec.Key.ID[0] |= 0x80
				add(t, other, rec)
			}
			came := false
			b.first = func() {
				rec := record(user)
				rec.Key.ID = store.ID{1}
				_, err := other.Create(ctx, rec, store.Admission{})
				if err != nil {
					t.Error(err)
				}
				came = true
			}
			if err := do(user); err != nil || !came {
				t.Errorf("%v; somebody came between: %v", err, came)
			}
		})
	}
}

// TestBatches ends more records than fit one batch.
func TestBatches(t *testing.T) {
	const many, most = 2001, 1000
	db := open(t, clusters[0].variable, clusters[0].copies)
	st, b := db.bent(t)
	ctx := t.Context()

	user := name()
	db.crowd(t, user, many)
	a, err := st.Create(ctx, record(user), store.Admission{Max: 1, Evict: true, Began: time.Now().Add(-time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	different := map[store.Handle]bool{}
	for _, h := range a.Evicted {
		different[h] = true
	}
	if n := count(t, st, user); n != 1 || len(a.Evicted) != many || len(different) != many {
		t.Errorf("%d records are left, want 1; %d evicted, %d different, want %d", n, len(a.Evicted), len(different), many)
	}
	for _, n := range b.sizes {
		if n > most+2 {
			t.Errorf("a batch of %d statements", n)
		}
	}

	// An outage after the first batch: a part was done, and more is not.
	for what, do := range map[string]func(user string) error{
		"create": func(user string) error {
			_, err := st.Create(ctx, record(user), store.Admission{Max: 1, Evict: true})
			return err
		},
		"revoke": func(user string) error { _, err := st.Revoke(ctx, user, store.Selection{}); return err },
	} {
		user := name()
		db.crowd(t, user, many)
		b.sizes, b.stop = nil, 1
		if err := do(user); !errors.Is(err, store.ErrIndeterminate) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s with an outage after the first batch: %v, want ErrIndeterminate", what, err)
		}
		if n := count(t, st, user); n != many-most {
			t.Errorf("%s with an outage left %d records, want %d", what, n, many-most)
		}
		b.sizes, b.stop = nil, 0
		if r, err := st.Revoke(ctx, user, store.Selection{}); r.N != many-most || err != nil || count(t, st, user) != 0 {
			t.Errorf("a Revoke after it: %d, %v", r.N, err)
		}
	}
}

// TestRevokeBehindAClock revokes through a node by whose clock the record has expired.
func TestRevokeBehindAClock(t *testing.T) {
	db := open(t, clusters[0].variable, clusters[0].copies)
	st, b := db.bent(t)
	other := db.store(t, nil)
	rec := add(t, other, record(name()))
	b.skew = rec.Idle + time.Minute
	r, err := st.Revoke(t.Context(), rec.User, store.Selection{})
	if r.N != 0 || err != nil {
		t.Errorf("a Revoke that counts what is alive by its clock: %d, %v", r.N, err)
	}
	if err := other.Touch(t.Context(), rec, 0); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a Touch of what was revoked: %v, want ErrNotFound", err)
	}
}
