package site_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/faults/site"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

func visit(t *testing.T, d time.Duration, stores ...store.Store) *site.Result {
	t.Helper()
	s, err := site.New(time.Second, stores...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), d)
	defer stop()
	final, stop := context.WithTimeout(t.Context(), d+20*time.Second)
	defer stop()
	return s.Visit(ctx, final, 6)
}

func TestGoodStorePasses(t *testing.T) {
	s := memstore.New(nil)
	r := visit(t, 1500*time.Millisecond, s, s)
	if r.Lost+r.Resurrected+r.Refused > 0 || len(r.Breaches) > 0 || r.Acked < 20 {
		t.Errorf("%d requests, %d acked, %d refused, %d lost, %d resurrected: %q", r.Requests, r.Acked, r.Refused, r.Lost, r.Resurrected, r.Breaches)
	}
}

func TestHonestFaultsPass(t *testing.T) {
	r := visit(t, 1500*time.Millisecond, outages{memstore.New(nil)})
	if r.Lost+r.Resurrected > 0 || len(r.Breaches) > 0 || r.Acked < 20 || r.Refused < 3 {
		t.Errorf("%d requests, %d acked, %d refused, %d lost, %d resurrected: %q", r.Requests, r.Acked, r.Refused, r.Lost, r.Resurrected, r.Breaches)
	}
}

func TestBrokenStoresAreFound(t *testing.T) {
	for name, b := range map[string]struct {
		broken func(store.Store) store.Store
		found  func(*site.Result) bool
	}{
		"forgets updates":         {func(s store.Store) store.Store { return forgets{s} }, func(r *site.Result) bool { return r.Lost > 0 }},
		"does not revoke":         {func(s store.Store) store.Store { return unending{s} }, func(r *site.Result) bool { return r.Resurrected > 0 }},
		"an outage looks like no": {func(s store.Store) store.Store { return absent{s} }, func(r *site.Result) bool { return breach(r, "signed out") || r.Lost > 0 }},
		"counts twice":            {func(s store.Store) store.Store { return twice{s} }, func(r *site.Result) bool { return breach(r, "a counter is") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := visit(t, time.Second, b.broken(memstore.New(nil))); !b.found(r) {
				t.Errorf("not found: %d requests, %d acked, %d lost, %d resurrected, %q", r.Requests, r.Acked, r.Lost, r.Resurrected, r.Breaches)
			}
		})
	}
}

func breach(r *site.Result, text string) bool {
	for _, b := range r.Breaches {
		if strings.Contains(b, text) {
			return true
		}
	}
	return false
}

func sometimes() bool { return rand.IntN(10) == 0 }

// outages fail often enough that the manager's three attempts do not hide it.
type outages struct{ store.Store }

func (o outages) do(act func() error) error {
	switch rand.IntN(4) {
	case 0:
		return store.ErrUnavailable
	case 1:
		act()
		return store.ErrIndeterminate
	}
	return act()
}

func (o outages) Get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	if sometimes() {
		return rec, now, store.ErrUnavailable
	}
	return o.Store.Get(ctx, key)
}

func (o outages) Update(ctx context.Context, rec store.Record, v uint64) error {
	return o.do(func() error { return o.Store.Update(ctx, rec, v) })
}

func (o outages) Revoke(ctx context.Context, user string, sel store.Selection) (r store.Revoked, err error) {
	err = o.do(func() (err error) { r, err = o.Store.Revoke(ctx, user, sel); return err })
	return r, err
}

type forgets struct{ store.Store }

func (f forgets) Update(ctx context.Context, rec store.Record, v uint64) error {
	if sometimes() {
		return nil
	}
	return f.Store.Update(ctx, rec, v)
}

type unending struct{ store.Store }

func (unending) Revoke(context.Context, string, store.Selection) (store.Revoked, error) {
	return store.Revoked{N: 1}, nil
}

type absent struct{ store.Store }

func (a absent) Get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	if rand.IntN(10) == 0 {
		return rec, now, store.ErrNotFound
	}
	return a.Store.Get(ctx, key)
}

// twice takes its own update for somebody else's, so that the manager makes the change again.
type twice struct{ store.Store }

func (w twice) Update(ctx context.Context, rec store.Record, v uint64) error {
	err := w.Store.Update(ctx, rec, v)
	if err == nil && sometimes() {
		return errors.Join(store.ErrConflict)
	}
	return err
}
