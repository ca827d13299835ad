package law_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/faults/law"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// judge works on the store for a while, with the other one in its place afterwards.
func judge(t *testing.T, s, after store.Store, d time.Duration) (law.Counts, law.Verdict) {
	t.Helper()
	l := law.NewLog()
	ctx, stop := context.WithTimeout(t.Context(), d)
	defer stop()
	// Few workers and a pause: the histories stay short, and -race is slow.
	law.Work(ctx, law.Load{Workers: 8, Keep: 12, Pause: time.Millisecond, Size: 50}, l.Watch(s), l.Watch(s))
	v, err := l.Judge(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v, %d sessions", l.Counts(), v.Sessions)
	return l.Counts(), v
}

func TestGoodStorePasses(t *testing.T) {
	s := memstore.New(nil)
	c, v := judge(t, s, s, time.Second)
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	if c.Acked < 100 || c.Unavailable+c.Indeterminate > 0 {
		t.Errorf("%+v", c)
	}
}

// The faults that a store may honestly have.
func TestHonestFaultsPass(t *testing.T) {
	s := memstore.New(nil)
	f := &faulty{Store: s, late: new(sync.WaitGroup)}
	c, v := judge(t, f, waited{s, f.late}, time.Second)
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	if c.Acked < 100 || c.Unavailable < 10 || c.Indeterminate < 10 {
		t.Errorf("%+v", c)
	}
}

// Each of these stores breaks a promise, and the law must say so.
func TestBrokenStoresAreFound(t *testing.T) {
	for name, b := range map[string]struct {
		broken func(*memstore.Store) store.Store
		found  func(law.Verdict) bool
	}{
		"forgets acknowledged updates": {
			func(s *memstore.Store) store.Store { return &forgets{Store: s} },
			func(v law.Verdict) bool { return v.Lost > 0 || len(v.Unexplained) > 0 }},
		"forgets a session": {
			func(s *memstore.Store) store.Store { return &drops{Store: s} },
			func(v law.Verdict) bool { return v.Lost > 0 }},
		"acknowledges ends that it lost": {
			func(s *memstore.Store) store.Store { return &unending{Store: s} },
			func(v law.Verdict) bool { return v.Resurrected > 0 }},
		"brings sessions back with an update": {
			func(s *memstore.Store) store.Store { return &upserts{Store: s} },
			func(v law.Verdict) bool { return v.Resurrected > 0 }},
		"last writer wins": {
			func(s *memstore.Store) store.Store { return &wins{Store: s} },
			func(v law.Verdict) bool { return v.Lost > 0 || breach(v, "no order") }},
		"says surely not, and did": {
			func(s *memstore.Store) store.Store { return &liar{Store: s} },
			func(v law.Verdict) bool { return breach(v, "no order") }},
		"errors without an outcome": {
			func(s *memstore.Store) store.Store { return &nameless{Store: s} },
			func(v law.Verdict) bool { return breach(v, "none or several") }},
		"serves old reads": {
			func(s *memstore.Store) store.Store { return &stale{Store: s, kept: map[store.Key]kept{}} },
			func(v law.Verdict) bool { return v.Resurrected > 0 || breach(v, "no order") }},
		"lists too few": {
			func(s *memstore.Store) store.Store { return shortList{s} },
			func(v law.Verdict) bool { return breach(v, "are listed") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := b.broken(memstore.New(nil))
			if _, v := judge(t, s, s, time.Second); !b.found(v) {
				t.Errorf("not found; verdict: %v", v.Err())
			}
		})
	}
}

func breach(v law.Verdict, text string) bool {
	for _, b := range append(v.Breaches, v.Unexplained...) {
		if strings.Contains(b, text) {
			return true
		}
	}
	return false
}

func sometimes() bool { return rand.IntN(8) == 0 }

// faulty fails before an update or revocation, after it, or lets it happen later.
type faulty struct {
	store.Store
	late *sync.WaitGroup
}

func (f *faulty) do(act func() error) error {
	switch rand.IntN(12) {
	case 0:
		return fmt.Errorf("refused: %w", store.ErrUnavailable)
	case 1:
		act()
		return store.ErrIndeterminate
	case 2:
		f.late.Go(func() {
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			act()
		})
		return store.ErrIndeterminate
	}
	return act()
}

func (f *faulty) Update(ctx context.Context, rec store.Record, v uint64) error {
	return f.do(func() error { return f.Store.Update(context.WithoutCancel(ctx), rec, v) })
}

func (f *faulty) Rotate(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
	return f.do(func() error { return f.Store.Rotate(context.WithoutCancel(ctx), old, v, rec, tail) })
}

func (f *faulty) Delete(ctx context.Context, key store.Key) error {
	return f.do(func() error { return f.Store.Delete(context.WithoutCancel(ctx), key) })
}

func (f *faulty) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	err := f.do(func() (err error) { _, err = f.Store.Revoke(context.WithoutCancel(ctx), user, sel); return err })
	return store.Revoked{}, err
}

func (f *faulty) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	if sometimes() {
		return store.Record{}, time.Time{}, store.ErrUnavailable
	}
	return f.Store.Get(ctx, key)
}

// waited is the store after what was under way.
type waited struct {
	store.Store
	late *sync.WaitGroup
}

func (w waited) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	w.late.Wait()
	return w.Store.Get(ctx, key)
}

type forgets struct{ store.Store }

func (f *forgets) Update(ctx context.Context, rec store.Record, v uint64) error {
	if sometimes() {
		return nil
	}
	return f.Store.Update(ctx, rec, v)
}

type drops struct{ store.Store }

func (d *drops) Update(ctx context.Context, rec store.Record, v uint64) error {
	err := d.Store.Update(ctx, rec, v)
	if err == nil && sometimes() {
		d.Store.Delete(ctx, rec.Key)
	}
	return err
}

type unending struct{ store.Store }

func (u *unending) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	if sometimes() {
		return store.Revoked{N: 1}, nil
	}
	return u.Store.Revoke(ctx, user, sel)
}

type upserts struct{ store.Store }

func (u *upserts) Update(ctx context.Context, rec store.Record, v uint64) error {
	time.Sleep(2 * time.Millisecond) // a slow request
	err := u.Store.Update(ctx, rec, v)
	if errors.Is(err, store.ErrNotFound) {
		_, err = u.Store.Create(ctx, rec, store.Admission{})
	}
	return err
}

type wins struct{ store.Store }

func (w *wins) Update(ctx context.Context, rec store.Record, v uint64) error {
	err := w.Store.Update(ctx, rec, v)
	for i := v; errors.Is(err, store.ErrConflict) && i < v+100; i++ {
		err = w.Store.Update(ctx, rec, i)
	}
	return err
}

type liar struct{ store.Store }

func (l *liar) Update(ctx context.Context, rec store.Record, v uint64) error {
	err := l.Store.Update(ctx, rec, v)
	if err == nil && sometimes() {
		return store.ErrUnavailable
	}
	return err
}

type nameless struct{ store.Store }

func (n *nameless) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	if sometimes() {
		return errors.New("broken pipe")
	}
	return n.Store.Touch(ctx, rec, every)
}

// stale keeps what it read for 50 ms and never hears of changes.
type stale struct {
	store.Store
	mu   sync.Mutex
	kept map[store.Key]kept
}

type kept struct {
	rec  store.Record
	now  time.Time
	till time.Time
}

func (s *stale) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.kept[key]; ok && time.Now().Before(k.till) {
		return k.rec, k.now, nil
	}
	rec, now, err := s.Store.Get(ctx, key)
	if err == nil {
		s.kept[key] = kept{rec, now, time.Now().Add(50 * time.Millisecond)}
	}
	return rec, now, err
}

type shortList struct{ store.Store }

func (s shortList) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		skipped := false
		for rec, err := range s.Store.User(ctx, user) {
			if !skipped {
				skipped = true
			} else if !yield(rec, err) {
				return
			}
		}
	}
}
