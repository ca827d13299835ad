package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Bench measures each method of a store, serially and in parallel, on records with 256 bytes of
// data. It shows what the clauses cannot: what a call costs. The two sizes of sweep, which finds
// nothing expired, should cost about the same.
func Bench(b *testing.B, open func(testing.TB) store.Store) {
	for _, m := range marks {
		b.Run(m.name+"/serial", func(b *testing.B) {
			k := benchKit(b, open)
			op := m.start(k)
			b.ReportAllocs()
			for b.Loop() {
				if err := op(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(m.name+"/parallel", func(b *testing.B) {
			k := benchKit(b, open)
			b.ReportAllocs()
			// Each goroutine has records of its own; contention for one is a matter of clauses.
			b.RunParallel(func(pb *testing.PB) {
				op := m.start(k)
				for pb.Next() {
					if err := op(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("sweep/live=%d", n), func(b *testing.B) {
			k := benchKit(b, open)
			for range n {
				if err := k.insert(k.sample(k.name())); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.s.Sweep(k.ctx, 1000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchKit(b *testing.B, open func(testing.TB) store.Store) *kit {
	return &kit{ctx: context.Background(), s: open(b), tick: 1, unit: time.Second}
}

func (k *kit) sample(user string) store.Record {
	rec := k.fresh(user)
	rec.Idle, rec.Data = 30*time.Minute, pattern(256)
	return rec
}

// mark is one measured method. start prepares for one goroutine and gives the operation that is
// measured.
type mark struct {
	name  string
	start func(*kit) func() error
}

var marks = []mark{
	{"create", func(k *kit) func() error {
		// A user for each create, or the user's partition would grow with b.N.
		return func() error { return k.insert(k.sample(k.name())) }
	}},
	{"get", func(k *kit) func() error {
		rec := k.sampled()
		return func() error { _, _, err := k.s.Get(k.ctx, rec.Key); return err }
	}},
	{"update", func(k *kit) func() error {
		rec, version := k.sampled(), uint64(0)
		return func() error {
			version++
			rec.Writer = writer()
			return k.s.Update(k.ctx, rec, version)
		}
	}},
	{"touch", func(k *kit) func() error {
		rec := k.sampled()
		return func() error { return k.s.Touch(k.ctx, rec, 0) }
	}},
	{"touch-early", func(k *kit) func() error {
		rec := k.sampled()
		return func() error { return k.s.Touch(k.ctx, rec, time.Hour) }
	}},
	{"rotate", func(k *kit) func() error {
		rec, version := k.sampled(), uint64(0)
		return func() error {
			version++
			old := rec.Key
			rec = k.heir(rec)
			return k.s.Rotate(k.ctx, old, version, rec, nil)
		}
	}},
	// A delete and a revoke need something to end, so each is measured together with the creates
	// before it.
	{"create+delete", func(k *kit) func() error {
		return func() error {
			rec := k.sample(k.name())
			if err := k.insert(rec); err != nil {
				return err
			}
			return k.s.Delete(k.ctx, rec.Key)
		}
	}},
	{"list-10", func(k *kit) func() error {
		user := k.name()
		for range 10 {
			k.ok("create", k.insert(k.sample(user)))
		}
		return func() error {
			for _, err := range k.s.User(k.ctx, user) {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}},
	{"create-10+revoke", func(k *kit) func() error {
		var n atomic.Int64
		base := k.name()
		return func() error {
			user := fmt.Sprint(base, n.Add(1))
			for range 10 {
				if err := k.insert(k.sample(user)); err != nil {
					return err
				}
			}
			_, err := k.s.Revoke(k.ctx, user, store.Selection{})
			return err
		}
	}},
}

// sampled creates a record and gives it as it was handed in.
func (k *kit) sampled() store.Record {
	rec := k.sample(k.name())
	rec.Lifetime = 0
	k.ok("create", k.insert(rec))
	return rec
}
