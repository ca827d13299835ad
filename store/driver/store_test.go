package driver_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// stub is a driver that answers every call with err, and notes what it was given.
type stub struct {
	err    error
	traits store.Traits
	called []string
	rec    *store.Record
	tail   *store.Record
	adm    store.Admission
	walk   int // records that walks yield before err
	// damaged are those before the good ones.
	damaged int
}

func (d *stub) note(op string) error { d.called = append(d.called, op); return d.err }

func (d *stub) Traits() store.Traits { return d.traits }

func (d *stub) Create(_ context.Context, rec *store.Record, adm store.Admission) (store.Admitted, error) {
	d.rec, d.adm = rec, adm
	return store.Admitted{Now: time.Now()}, d.note("create")
}

func (d *stub) Get(context.Context, store.Key) (store.Record, time.Time, error) {
	return store.Record{Version: 1}, time.Now(), d.note("get")
}

func (d *stub) Update(_ context.Context, rec *store.Record, _ uint64) error {
	rec.Meta = nil // it may
	return d.note("update")
}

func (d *stub) Touch(context.Context, *store.Record, time.Duration) error { return d.note("touch") }

func (d *stub) Rotate(_ context.Context, _ store.Key, _ uint64, _, tail *store.Record) error {
	if d.tail = tail; tail != nil {
		tail.Meta = nil
	}
	return d.note("rotate")
}

func (d *stub) Delete(context.Context, store.Key) error { return d.note("delete") }

func (d *stub) Revoke(context.Context, string, store.Selection) (store.Revoked, error) {
	return store.Revoked{N: 1}, d.note("revoke")
}

func (d *stub) Sweep(context.Context, int) (int, error) { return 2, d.note("sweep") }

func (d *stub) seq(op string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		err := d.note(op)
		for i := range d.damaged {
			if !yield(store.Record{}, driver.Corrupt(store.Handle{byte(i)})) {
				return
			}
		}
		for range d.walk {
			if !yield(store.Record{Version: 1}, nil) {
				return
			}
		}
		if err != nil && yield(store.Record{}, err) {
			yield(store.Record{}, err) // once too often
		}
	}
}

func (d *stub) User(context.Context, string) iter.Seq2[store.Record, error] { return d.seq("user") }
func (d *stub) All(context.Context) iter.Seq2[store.Record, error]          { return d.seq("all") }

// watcher is a stub that can push.
type watcher struct{ stub }

func (d *watcher) Watch(ctx context.Context, f func(store.Ending)) error {
	f(store.Ending{User: "ada"})
	return d.note("watch")
}

func record(user string) store.Record {
	return store.Record{Key: store.Key{Tag: store.TagOf(user), ID: store.ID{1}}, User: user, Writer: store.Writer{1}, Meta: []byte{1}}
}

func last(seq iter.Seq2[store.Record, error]) (err error) {
	for _, err = range seq {
	}
	return err
}

// calls are all methods that can fail, on good input.
func calls(ctx context.Context, s store.Store) map[string]func() error {
	rec := record("ada")
	next := rec
	next.Key.ID[0]++
	return map[string]func() error{
		"create": func() error { _, err := s.Create(ctx, rec, store.Admission{}); return err },
		"get":    func() error { _, _, err := s.Get(ctx, rec.Key); return err },
		"update": func() error { return s.Update(ctx, rec, 1) },
		"touch":  func() error { return s.Touch(ctx, rec, -1) },
		"rotate": func() error { return s.Rotate(ctx, rec.Key, 1, next, nil) },
		"delete": func() error { return s.Delete(ctx, rec.Key) },
		"revoke": func() error { _, err := s.Revoke(ctx, "ada", store.Selection{}); return err },
		"sweep":  func() error { _, err := s.Sweep(ctx, 1); return err },
		"user":   func() error { return last(s.User(ctx, "ada")) },
		"all":    func() error { return last(s.All(ctx)) },
	}
}

func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := &watcher{stub{traits: store.Traits{Push: true}}}
	s := driver.New("toystore", d)
	all := calls(ctx, s)
	all["watch"] = func() error { return s.Watch(ctx, func(store.Ending) {}) }
	for op, call := range all {
		err := call()
		if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "toystore: "+op+": ") {
			t.Errorf("%s: %v", op, err)
		}
	}
	if len(d.called) > 0 {
		t.Errorf("the driver was called: %v", d.called)
	}
}

// TestErrors has the driver fail in every way, and wants the operation named once and one sentinel.
func TestErrors(t *testing.T) {
	strange := fmt.Errorf("key %s", "secret")
	known := []error{store.ErrNotFound, store.ErrConflict, store.ErrExists, store.ErrUnavailable, store.ErrIndeterminate, store.ErrLimit,
		store.ErrRevoked, store.ErrFull, store.ErrInvalid, store.ErrCorrupt, errors.ErrUnsupported}
	for _, cause := range append(slices.Clone(known), strange, context.DeadlineExceeded) {
		s := driver.New("toystore", &stub{err: cause})
		for op, call := range calls(t.Context(), s) {
			want := cause
			if !slices.Contains(known, cause) {
				want = store.ErrIndeterminate
				if op == "get" || op == "user" || op == "all" {
					want = store.ErrUnavailable
				}
			}
			err := call()
			n := 0
			for _, k := range known {
				if errors.Is(err, k) {
					n++
				}
			}
			if n != 1 || !errors.Is(err, want) || !errors.Is(err, cause) {
				t.Errorf("%s with %v: %v matches %d sentinels", op, cause, err, n)
			}
			text := fmt.Sprintf("%v %+v", err, err)
			if !strings.HasPrefix(text, "toystore: "+op+": ") || strings.Count(text, "toystore: ") != 2 || strings.Contains(text, "secret") {
				t.Errorf("%s: %s", op, text)
			}
		}
	}
}

// TestFault wants the driver's words shown and the cause's hidden, with the sentinel of the driver
// or of the front.
func TestFault(t *testing.T) {
	cause := errors.New("secret")
	for class, want := range map[error][2]error{
		store.ErrFull: {store.ErrFull, store.ErrFull},
		nil:           {store.ErrUnavailable, store.ErrIndeterminate},
	} {
		s := driver.New("toystore", &stub{err: fmt.Errorf("more words: %w", driver.Fault(class, "it says 7", cause))})
		_, _, get := s.Get(t.Context(), store.Key{})
		for i, err := range []error{get, s.Delete(t.Context(), store.Key{})} {
			text := fmt.Sprintf("%v %+v", err, errors.Unwrap(err))
			if !errors.Is(err, want[i]) || !errors.Is(err, cause) || !strings.Contains(text, "it says 7") || strings.Contains(text, "secret") {
				t.Errorf("with the class %v: %v, want %v", class, text, want[i])
			}
		}
	}
	if err := driver.Corrupt(store.Handle{1}); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), store.Handle{1}.String()) {
		t.Error(err)
	}
	if err := driver.Corrupt(store.Handle{}); !errors.Is(err, store.ErrCorrupt) || strings.Contains(err.Error(), "AAAA") {
		t.Error(err)
	}
}

func TestNoErrors(t *testing.T) {
	d := &stub{walk: 2}
	s := driver.New("toystore", d)
	for op, call := range calls(t.Context(), s) {
		if err := call(); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
	slices.Sort(d.called)
	if want := slices.Sorted(maps.Keys(calls(t.Context(), s))); !slices.Equal(d.called, want) {
		t.Errorf("called were %v, want %v", d.called, want)
	}
	if s.Fail("migrate", nil) != nil {
		t.Error("Fail makes an error of nil")
	}
}

// TestRefused wants that bad input does not come to the driver.
func TestRefused(t *testing.T) {
	d := &stub{}
	s := driver.New("toystore", d)
	ctx, long := t.Context(), strings.Repeat("x", store.MaxUser+1)
	good := record("ada")
	bad := good
	bad.Writer = store.Writer{}
	for what, c := range map[string]struct {
		err  error
		want error
	}{
		"create":    {second(s.Create(ctx, bad, store.Admission{})), store.ErrInvalid},
		"admission": {second(s.Create(ctx, good, store.Admission{Max: -1})), store.ErrInvalid},
		"age":       {second(s.Create(ctx, good, store.Admission{Began: time.Now().Add(-1 - store.GuardFor)})), store.ErrRevoked},
		"update":    {s.Update(ctx, bad, 1), store.ErrInvalid},
		"rotate":    {s.Rotate(ctx, good.Key, 1, good, nil), store.ErrInvalid},
		"selection": {second(s.Revoke(ctx, "ada", store.Selection{Only: []store.Handle{{}}, Except: []store.Handle{{}}})), store.ErrInvalid},
		"user":      {second(s.Revoke(ctx, long, store.Selection{})), store.ErrInvalid},
		"nobody":    {second(s.Revoke(ctx, "", store.Selection{})), nil},
		"list":      {last(s.User(ctx, "")), nil},
		"long list": {last(s.User(ctx, long)), nil},
		"watch":     {s.Watch(ctx, func(store.Ending) {}), errors.ErrUnsupported},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", what, c.err, c.want)
		}
	}
	if len(d.called) > 0 {
		t.Errorf("the driver was called: %v", d.called)
	}
}

func second[T any](_ T, err error) error { return err }

// TestRecords wants the caller's records untouched, and none kept.
func TestRecords(t *testing.T) {
	d := &stub{}
	s := driver.New("toystore", d)
	rec, tail := record("ada"), record("")
	next := rec
	next.Key.ID[0]++
	tail.Key = rec.Key
	if err := errors.Join(s.Update(t.Context(), rec, 1), s.Rotate(t.Context(), rec.Key, 1, next, &tail)); err != nil {
		t.Fatal(err)
	}
	if rec.Meta == nil || tail.Meta == nil {
		t.Error("a driver has changed the caller's record")
	}
	if d.tail.Key != (store.Key{}) {
		t.Error("the front keeps a tail after the call")
	}
	nobody := record("")
	if _, err := s.Create(t.Context(), nobody, store.Admission{Max: 1, Began: time.Now().Add(-1)}); err != nil || d.adm != (store.Admission{}) {
		t.Errorf("a record of nobody came with conditions %+v, %v", d.adm, err)
	}
	if d.rec.Meta != nil || d.rec.Key != (store.Key{}) {
		t.Error("the front keeps a record after the call")
	}
}

func TestWalk(t *testing.T) {
	s := driver.New("toystore", &stub{walk: 3, err: store.ErrCorrupt})
	n := 0
	for rec, err := range s.All(t.Context()) {
		if n++; (err != nil) != (n == 4) || (err != nil) != (rec.Version == 0) {
			t.Errorf("pair %d: %v, %v", n, rec, err)
		}
	}
	if n != 4 {
		t.Errorf("%d pairs, want 3 records and an error", n)
	}
	good, bad := 0, 0
	for _, err := range driver.New("toystore", &stub{damaged: 2, walk: 3}).All(t.Context()) {
		if err == nil {
			good++
		} else if bad++; good != 3 || !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("after %d records: %v", good, err)
		}
	}
	if good != 3 || bad != 1 {
		t.Errorf("with damaged records at the beginning: %d records and %d errors, want 3 and 1", good, bad)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n = 0
	for _, err := range s.User(ctx, "ada") {
		if n++; n == 2 && !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("after its context ended, a walk goes on: %v", err)
		}
		cancel()
	}
	if n != 2 {
		t.Errorf("%d pairs, want a record and the context's end", n)
	}
	for range s.All(t.Context()) {
		break
	}
}

func TestTraits(t *testing.T) {
	want := store.Traits{Volatile: true, Lag: 1, Skew: 2, Push: true}
	d := &watcher{stub{traits: want}}
	s := struct{ store.Store }{driver.New("toystore", d)}
	if s.Traits() != want {
		t.Errorf("traits %+v", s.Traits())
	}
	var got store.Ending
	if err := s.Watch(t.Context(), func(e store.Ending) { got = e }); err != nil || got.User != "ada" {
		t.Errorf("watch: %v, %v", got.User, err)
	}
	d.traits.Push = false
	if err := s.Watch(t.Context(), nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("watch without Push: %v", err)
	}
}
