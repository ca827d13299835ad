package pgxstore_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/store"
)

// knots counts deadlocks that the server had to cut.
type knots struct{ n atomic.Int64 }

func (*knots) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (k *knots) TraceQueryEnd(_ context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	var e *pgconn.PgError
	if errors.As(data.Err, &e) && e.Code == "40P01" {
		k.n.Add(1)
	}
}

// TestStorm has all methods at once on the records of a few users, in two processes' stores: the
// limit holds, nothing ended comes back, and no two statements wait for each other.
func TestStorm(t *testing.T) {
	const limit = 3
	name := table(t)
	k := new(knots)
	var stores [2]*pgxstore.Store
	for i := range stores {
		c := config(t, server(t, "SOJOURN_POSTGRES"))
		c.ConnConfig.Tracer = k
		stores[i] = open(t, pool(t, c), &pgxstore.Options{Table: name, Lanes: 1})
	}
	users := []string{somebody(), somebody(), somebody(), somebody()}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var done atomic.Int64
	for g := range 24 {
		wg.Go(func() {
			s, user := stores[g%2], ""
			for ctx.Err() == nil {
				user = users[rand.IntN(len(users))]
				var recs []store.Record
				for rec, err := range s.User(ctx, user) {
					if err == nil {
						recs = append(recs, rec)
					}
				}
				if len(recs) > limit {
					t.Errorf("a user has %d records", len(recs))
				}
				var err error
				if n := rand.IntN(40); n < 4 || len(recs) == 0 {
					rec := record(user)
					if n == 0 {
						rec.Lifetime = time.Millisecond
					}
					_, err = s.Create(ctx, rec, store.Admission{Max: limit, Evict: n%2 == 0, Began: time.Now().Add(-time.Millisecond)})
				} else if rec := recs[rand.IntN(len(recs))]; n < 8 {
					next, tail := record(user), record("")
					next.Handle, tail.Key = rec.Handle, rec.Key
					err = s.Rotate(ctx, rec.Key, rec.Version, next, &tail)
				} else if n < 10 {
					_, err = s.Revoke(ctx, user, store.Selection{Except: []store.Handle{rec.Handle}})
				} else if n < 11 {
					_, err = s.Revoke(ctx, user, store.Selection{})
					for rec, late := range s.User(ctx, user) { // those that began later may be there, these may not
						for _, old := range recs {
							if late == nil && err == nil && rec.Handle == old.Handle {
								t.Error("what was ended is listed")
							}
						}
					}
				} else if n < 13 {
					_, err = s.Sweep(ctx, 10)
				} else if n < 14 {
					err = s.Delete(ctx, rec.Key)
				} else if n < 26 {
					err = s.Touch(ctx, rec, 0)
				} else {
					err = s.Update(ctx, edit(rec, "x"), rec.Version)
				}
				done.Add(1)
				if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) &&
					!errors.Is(err, store.ErrLimit) && !errors.Is(err, store.ErrRevoked) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := k.n.Load(); n > 0 {
		t.Errorf("%d deadlocks in %d calls", n, done.Load())
	}
	t.Logf("%d calls", done.Load())
}
