package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// kit is what a clause works with: a store of its own and short ways to use it.
type kit struct {
	ctx   context.Context
	s     store.Store
	opts  Options
	tick  time.Duration
	unit  time.Duration // a short life
	exact bool          // time is fake: it passes only in sleep
	slept atomic.Int64  // how long the clause itself has slept

	sweeps bool // whether a sweep has found something
}

// failed and skipped are panics that end a clause.
type (
	failed  struct{ err error }
	skipped struct{ why string }
)

func (f failed) Error() string { return f.err.Error() }

func (k *kit) failf(format string, args ...any) { panic(failed{fmt.Errorf(format, args...)}) }

// ok fails unless err is nil.
func (k *kit) ok(what string, err error) {
	if err != nil {
		k.failf("%s: %w", what, err)
	}
}

// is fails unless err matches want.
func (k *kit) is(want error, what string, err error) {
	switch {
	case err == nil:
		k.failf("%s: got no error, want %q", what, want)
	case !errors.Is(err, want):
		k.failf("%s: got %q, want %q", what, err, want)
	}
}

// oneOf fails unless err is nil or matches one of the allowed errors.
func (k *kit) oneOf(what string, err error, allowed ...error) {
	if err != nil && !slices.ContainsFunc(allowed, func(e error) bool { return errors.Is(err, e) }) {
		k.failf("%s: unexpected %w", what, err)
	}
}

// answer passes err on, unless it says that the method is not supported.
func (k *kit) answer(method string, err error) error {
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if !slices.Contains(k.opts.Unsupported, method) {
		k.failf("%s is not supported, and Options.Unsupported does not name it", method)
	}
	panic(skipped{method + " is named in Options.Unsupported"})
}

func (k *kit) admit(rec store.Record, adm store.Admission) (store.Admitted, error) {
	a, err := k.s.Create(k.ctx, rec, adm)
	return a, k.answer("Create", err)
}

// create is admit for clauses that look at the evicted handles only.
func (k *kit) create(rec store.Record, adm store.Admission) ([]store.Handle, error) {
	a, err := k.admit(rec, adm)
	return a.Evicted, err
}

// insert is create without conditions.
func (k *kit) insert(rec store.Record) error {
	_, err := k.create(rec, store.Admission{})
	return err
}

func (k *kit) get(key store.Key) (store.Record, time.Time, error) {
	rec, now, err := k.s.Get(k.ctx, key)
	return rec, now, k.answer("Get", err)
}

// sent sends a write again, a few times, where its answer was lost, as an engine under load may say
// of any: with the same Writer that is safe. Where others wrote meanwhile it stays unknown. In fake
// time no answer is lost.
func (k *kit) sent(write func() error) error {
	err := write()
	for i := 0; i < 5 && !k.exact && errors.Is(err, store.ErrIndeterminate) && k.ctx.Err() == nil; i++ {
		if again := write(); !errors.Is(again, store.ErrConflict) {
			err = again
		}
	}
	return err
}

func (k *kit) update(rec store.Record, ifVersion uint64) error {
	return k.answer("Update", k.sent(func() error { return k.s.Update(k.ctx, rec, ifVersion) }))
}

func (k *kit) touch(key store.Key, every time.Duration) error {
	return k.answer("Touch", k.sent(func() error { return k.s.Touch(k.ctx, store.Record{Key: key}, every) }))
}

func (k *kit) rotate(old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	return k.answer("Rotate", k.sent(func() error { return k.s.Rotate(k.ctx, old, ifVersion, rec, tail) }))
}

func (k *kit) delete(key store.Key) error {
	return k.answer("Delete", k.sent(func() error { return k.s.Delete(k.ctx, key) }))
}

func (k *kit) revoke(user string, sel store.Selection) (store.Revoked, error) {
	r, err := k.s.Revoke(k.ctx, user, sel)
	return r, k.answer("Revoke", err)
}

func (k *kit) sweep(limit int) int {
	n, err := k.s.Sweep(k.ctx, limit)
	k.ok("sweep", k.answer("Sweep", err))
	if n < 0 || n > limit {
		k.failf("sweep: %d records, limit %d", n, limit)
	}
	return n
}

// walk gathers what an iterator yields. Clauses never fail inside an iterator's loop: unwinding
// through the store might leave it locked.
func (k *kit) walk(method string, seq iter.Seq2[store.Record, error]) ([]store.Record, error) {
	var recs []store.Record
	var last error
	late := false
	for rec, err := range seq {
		late = late || last != nil
		if err != nil {
			last = err
		} else {
			recs = append(recs, rec)
		}
	}
	if late {
		k.failf("%s yielded more after its error %q", method, last)
	}
	return recs, k.answer(method, last)
}

// list returns the user's live records.
func (k *kit) list(user string) []store.Record {
	recs, err := k.walk("User", k.s.User(k.ctx, user))
	k.ok("list a user", err)
	return recs
}

// all returns the live records among those of keys: a shared server has others.
func (k *kit) all(keys ...store.Key) []store.Record {
	recs, err := k.walk("All", k.s.All(k.ctx))
	k.ok("walk over all", err)
	return slices.DeleteFunc(recs, func(r store.Record) bool { return !slices.Contains(keys, r.Key) })
}

// revoked fails unless Revoke ends just want records.
func (k *kit) revoked(what string, user string, sel store.Selection, want int) {
	r, err := k.revoke(user, sel)
	k.ok(what, err)
	if r.N != want {
		k.failf("%s: %d records ended, want %d", what, r.N, want)
	}
}

// name returns a user that nobody else has.
func (k *kit) name() string { return "user-" + rand.Text() }

// fresh returns a new record of the user, for Create.
func (k *kit) fresh(user string) store.Record {
	rec := store.Record{
		User:     user,
		Writer:   writer(),
		Lifetime: time.Hour,
		Meta:     []byte("meta-" + rand.Text()),
		Data:     []byte("data-" + rand.Text()),
	}
	rec.Key.Tag = store.TagOf(user)
	if user == "" {
		rand.Read(rec.Key.Tag[:])
	}
	rand.Read(rec.Key.ID[:])
	rand.Read(rec.Handle[:])
	return rec
}

// freshN returns n new records of the user.
func (k *kit) freshN(n int, user string) []store.Record {
	recs := make([]store.Record, n)
	for i := range recs {
		recs[i] = k.fresh(user)
	}
	return recs
}

// heir returns a record to which rec may be rotated.
func (k *kit) heir(rec store.Record) store.Record {
	rand.Read(rec.Key.ID[:])
	rec.Writer = writer()
	return rec
}

func writer() (w store.Writer) {
	rand.Read(w[:])
	return w
}

// add creates the record and gives it as it is stored.
func (k *kit) add(rec store.Record) store.Record {
	k.ok("create", k.insert(rec))
	return k.live(rec.Key, "after create")
}

// addN adds n fresh records of the user.
func (k *kit) addN(n int, user string) []store.Record {
	recs := k.freshN(n, user)
	for i := range recs {
		recs[i] = k.add(recs[i])
	}
	return recs
}

// live fails unless there is a record at key, which it returns.
func (k *kit) live(key store.Key, when string) store.Record {
	rec, now, err := k.get(key)
	k.ok("get "+when, err)
	if !rec.Live(now) {
		k.failf("get %s: the record ended %v before the store's now", when, now.Sub(rec.Expires()))
	}
	return rec
}

// absent fails if there is a record at key.
func (k *kit) absent(key store.Key, when string) {
	_, _, err := k.get(key)
	k.is(store.ErrNotFound, "get "+when, err)
}

// dead fails unless every method finds the record absent, and leaves it so.
func (k *kit) dead(rec store.Record, when string) {
	k.absent(rec.Key, when)
	again, next := rec, k.heir(rec)
	again.Writer = writer()
	version := max(rec.Version, 1)
	k.is(store.ErrNotFound, "update "+when, k.update(again, version))
	k.is(store.ErrNotFound, "touch "+when, k.touch(rec.Key, 0))
	k.is(store.ErrNotFound, "touch, with its hint, "+when, k.answer("Touch", k.s.Touch(k.ctx, rec, 0)))
	k.is(store.ErrNotFound, "rotate "+when, k.rotate(rec.Key, version, next, nil))
	k.absent(rec.Key, when+" and attempts to write to it")
	k.absent(next.Key, when+", at the key to which it could not be rotated")
	k.unlisted(rec, when)
}

// unlisted fails if User or All yields the record.
func (k *kit) unlisted(rec store.Record, when string) {
	if find(k.list(rec.User), rec.Key) != nil {
		k.failf("User still lists a record %s", when)
	}
	if len(k.all(rec.Key)) > 0 {
		k.failf("All still lists a record %s", when)
	}
}

// same fails unless the stored record is as expected.
func (k *kit) same(when string, got, want store.Record) {
	if f := k.differ(got, want); f != "" {
		k.failf("%s is not as expected %s", f, when)
	}
}

// differ names the first field in which the records differ, to the tick.
func (k *kit) differ(a, b store.Record) string {
	switch {
	case a.Key != b.Key:
		return "Key"
	case a.Handle != b.Handle:
		return "Handle"
	case a.User != b.User:
		return "User"
	case a.Version != b.Version:
		return fmt.Sprintf("Version (got %d, want %d)", a.Version, b.Version)
	case a.Writer != b.Writer:
		return "Writer"
	case !near(a.Idle, b.Idle, k.tick):
		return fmt.Sprintf("Idle (got %v, want %v)", a.Idle, b.Idle)
	case !near(a.Lifetime, b.Lifetime, k.tick):
		return fmt.Sprintf("Lifetime (got %v, want %v)", a.Lifetime, b.Lifetime)
	case !near(a.Created.Sub(b.Created), 0, k.tick):
		return fmt.Sprintf("Created (off by %v)", a.Created.Sub(b.Created))
	case !near(a.Seen.Sub(b.Seen), 0, k.tick):
		return fmt.Sprintf("Seen (off by %v)", a.Seen.Sub(b.Seen))
	case !bytes.Equal(a.Meta, b.Meta):
		return fmt.Sprintf("Meta (%d bytes)", len(a.Meta))
	case !bytes.Equal(a.Data, b.Data):
		return fmt.Sprintf("Data (%d bytes)", len(a.Data))
	}
	return ""
}

func near(a, b, tick time.Duration) bool { return (a - b).Abs() < tick }

// find returns the record at key, or nil.
func find(recs []store.Record, key store.Key) *store.Record {
	i := slices.IndexFunc(recs, func(r store.Record) bool { return r.Key == key })
	if i < 0 {
		return nil
	}
	return &recs[i]
}

// now returns the store's clock.
func (k *kit) now() time.Time {
	rec := k.fresh("")
	k.ok("create", k.insert(rec))
	_, now, err := k.get(rec.Key)
	k.ok("get", err)
	if k.exact { // so that a clause knows all that is in its store; on a network it would cost a trip
		k.ok("delete", k.delete(rec.Key))
	}
	return now
}

func (k *kit) sleep(d time.Duration) {
	k.slept.Add(int64(max(d, 0)))
	time.Sleep(d)
}
