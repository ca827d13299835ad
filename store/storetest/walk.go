package storetest

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var walkClauses = []clause{
	{"all", "All yields every live record once, with all fields but Data", all},
	{"walk-change", "a record that stays is yielded exactly once, whatever comes and goes during the walk", walkChange},
	{"walk-calls", "every method may be called during a walk", walkCalls},
	{"walk-break", "a walk may be left early", walkBreak},
	{"walk-error", "a walk that cannot go on says so, and never passes for a complete one", walkError},
}

// walks returns both iterators of the user's records.
func (k *kit) walks(ctx context.Context, user string) map[string]iter.Seq2[store.Record, error] {
	return map[string]iter.Seq2[store.Record, error]{"User": k.s.User(ctx, user), "All": k.s.All(ctx)}
}

// each walks until f is content, and gives the walk's error. A walk that a deadlock stops is ended
// by its context, if the store heeds it.
func (k *kit) each(user, what string, f func(store.Record) bool) {
	ctx, cancel := context.WithTimeout(k.ctx, time.Minute+30*k.unit)
	defer cancel()
	var last error
	for rec, err := range k.walks(ctx, user)[what] {
		if err != nil {
			last = err
		} else if !f(rec) {
			break
		}
	}
	k.ok(what, k.answer(what, last))
}

func all(k *kit) {
	recs := append(k.addN(3, k.name()), k.addN(2, "")...)
	recs = append(recs, k.addN(2, k.name())...)
	k.sleep(k.unit / 10)
	k.ok("update", k.update(k.edit(recs[0]), 1))
	k.ok("touch", k.touch(recs[3].Key, 0))
	moved := k.heir(recs[1])
	k.ok("rotate", k.rotate(recs[1].Key, 1, moved, nil))
	k.ok("delete", k.delete(recs[6].Key))
	gone := []store.Key{recs[1].Key, recs[6].Key}
	recs[1], recs = moved, recs[:6]
	walked := k.all(append(gone, keys(recs)...)...)
	for _, rec := range recs {
		want := k.live(rec.Key, "of a walked record")
		want.Data = nil
		got := find(walked, rec.Key)
		if got == nil {
			k.failf("All does not yield a live record")
		}
		k.same("in All", *got, want)
	}
	if len(walked) != len(recs) {
		k.failf("All yields %d of %d records", len(walked), len(recs))
	}
}

// walkChange lets another goroutine delete and create between any two records of the walk.
func walkChange(k *kit) {
	for _, what := range []string{"User", "All"} {
		k.walkChange(what, 40)
		if k.exact { // as many as several pages hold
			k.walkChange(what, 300)
		}
	}
}

func (k *kit) walkChange(what string, n int) {
	user := k.name()
	stay, churn := map[store.Key]int{}, k.addN(n, user)
	for range n {
		stay[k.add(k.fresh(user)).Key] = 0
	}
	step, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			if _, more := <-step; !more {
				return
			}
			// Failures here show below, in what is left.
			k.s.Delete(k.ctx, churn[i%n].Key)
			churn[i%n] = k.fresh(user)
			k.s.Create(k.ctx, churn[i%n], store.Admission{})
			step <- struct{}{}
		}
	}()
	func() {
		defer func() { close(step); <-done }()
		steps := 0
		k.each(user, what, func(rec store.Record) bool {
			if _, ok := stay[rec.Key]; ok {
				stay[rec.Key]++
			}
			if steps++; rec.User == user && steps < 12*n {
				step <- struct{}{}
				<-step
			}
			return true
		})
	}()
	for _, times := range stay {
		if times != 1 {
			k.failf("%s yields a record that stays %d times, while others come and go", what, times)
		}
	}
	if l := len(k.list(user)); l != 2*n {
		k.failf("after %s and changes during it, %d records are listed, want %d", what, l, 2*n)
	}
}

func walkCalls(k *kit) {
	for _, what := range []string{"User", "All"} {
		user := k.name()
		recs := k.addN(3, user)
		var errs []error
		k.each(user, what, func(rec store.Record) bool {
			if rec.User != user || len(errs) > 0 {
				return true
			}
			// The calls have a deadline too, or a deadlock would never end.
			ctx, cancel := context.WithTimeout(k.ctx, time.Minute)
			defer cancel()
			for _, c := range k.calls(rec) {
				if err := c.call(ctx); !errors.Is(err, errors.ErrUnsupported) {
					errs = append(errs, err)
				}
			}
			return true
		})
		if err := errors.Join(errs...); err != nil || len(errs) == 0 {
			k.failf("%d calls during %s: %w", len(errs), what, err)
		}
		for _, rec := range recs {
			k.absent(rec.Key, "after it was revoked during "+what)
		}
	}
}

func walkBreak(k *kit) {
	for _, what := range []string{"User", "All"} {
		user := k.name()
		recs := k.addN(3, user)
		for range k.rounds(100) {
			n := 0
			k.each(user, what, func(store.Record) bool { n++; return false })
			if n != 1 {
				k.failf("%s went on after a break", what)
			}
			// What an abandoned walk still holds would stop these.
			ctx, cancel := context.WithTimeout(k.ctx, time.Minute)
			err := k.s.Touch(ctx, recs[0], 0)
			cancel()
			k.ok("touch after a walk was left early", k.answer("Touch", err))
		}
		k.revoked("revoke after walks were left early", user, store.Selection{}, 3)
	}
}

func walkError(k *kit) {
	for _, what := range []string{"User", "All"} {
		user := k.name()
		recs := k.addN(20, user)
		ctx, cancel := context.WithCancel(k.ctx)
		seen, pairs := 0, 0
		var last error
		for rec, err := range k.walks(ctx, user)[what] {
			if pairs++; err != nil {
				last = err
			} else if rec.User == user {
				seen++
			}
			cancel()
		}
		cancel()
		if k.answer(what, last) != nil {
			k.is(context.Canceled, what+", cancelled after its first record", last)
		} else if seen < len(recs) {
			k.failf("%s, cancelled after its first record, yields %d of %d records and no error", what, seen, len(recs))
		}
	}
}
