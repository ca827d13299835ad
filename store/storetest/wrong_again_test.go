package storetest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Stores that err in what is sent again, in hints, in contexts, in the order of eviction and in
// what a revocation is for.
var wrongAgain = slices.Concat(againStores, touchStores(), contextStores(), evictStores(), guardElseStores, changedBytes())

// filtered is All of the records that keep accepts.
func (s *ref) filtered(keep func(store.Record) bool) func(context.Context) iter.Seq2[store.Record, error] {
	return func(ctx context.Context) iter.Seq2[store.Record, error] {
		return func(yield func(store.Record, error) bool) {
			for rec, err := range s.All(ctx) {
				if (err != nil || keep(rec)) && !yield(rec, err) {
					return
				}
			}
		}
	}
}

var againStores = []wrong{
	{"a create is known by its writer when its record has ended", []string{"replay-ended"}, swap(func(a *altered) {
		known := map[store.Key]store.Writer{}
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if known[rec.Key] == rec.Writer {
				return store.Admitted{Now: time.Now()}, nil
			}
			known[rec.Key] = rec.Writer
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"a rotate is known by its writer when its record has ended", []string{"replay-ended"}, swap(func(a *altered) {
		known := map[store.Key]store.Writer{}
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if known[rec.Key] == rec.Writer {
				return nil
			}
			err := a.ref.Rotate(ctx, old, v, rec, tail)
			if err == nil {
				known[rec.Key] = rec.Writer
			}
			return err
		}
	})},
	{"a create that is sent again counts as use", []string{"replay-still"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			if err == nil {
				a.ref.touchKey(ctx, rec.Key, time.Nanosecond)
			}
			return got, err
		}
	})},
	{"an update that is sent again replaces the data", []string{"replay-still"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			err := a.ref.Update(ctx, rec, v)
			if got, ok := a.raw(rec.Key); ok && err == nil {
				got.Data = rec.Data
				a.put(got)
			}
			return err
		}
	})},
	{"a rotate that is sent again counts as use", []string{"replay-still"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			err := a.ref.Rotate(ctx, old, v, rec, tail)
			if err == nil && rec.Seen.IsZero() {
				a.ref.touchKey(ctx, rec.Key, time.Nanosecond)
			}
			return err
		}
	})},
	{"an update is known by its user, too", []string{"update-replay"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if old, ok := a.raw(rec.Key); ok && old.Version == v+1 && old.User != rec.User {
				return store.ErrConflict
			}
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"a tail comes a moment after its rotation", []string{"meet-rotate-read"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			err := a.ref.Rotate(ctx, old, v, rec, nil)
			if err == nil && tail != nil {
				gap()
				left := *tail
				left.Version = v + 1
				a.put(a.settle(left, v+1, time.Now()))
			}
			return err
		}
	})},
	{"limits count what is damaged", []string{"damaged"}, turn(func(s *ref) { s.countDamaged = true })},
}

// hinting is the reference store with a Touch that looks at its hint.
type hinting struct {
	*ref
	touch func(ctx context.Context, hint store.Record, every time.Duration) error
}

func (h *hinting) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	return h.touch(ctx, rec, every)
}

func touchStores() (ws []wrong) {
	for what, w := range map[string]struct {
		want  string
		touch func(s *ref, ctx context.Context, hint store.Record, every time.Duration) error
	}{
		"is not due where its hint is not": {"touch-stale", func(s *ref, ctx context.Context, hint store.Record, every time.Duration) error {
			if !hint.Seen.IsZero() && time.Since(hint.Seen) < every {
				return nil
			}
			return s.touchKey(ctx, hint.Key, every)
		}},
		"is due where its hint is": {"touch-stale", func(s *ref, ctx context.Context, hint store.Record, every time.Duration) error {
			if !hint.Seen.IsZero() && time.Since(hint.Seen) >= every {
				every = 0
			}
			return s.touchKey(ctx, hint.Key, every)
		}},
		"does nothing where its hint is older": {"touch-stale", func(s *ref, ctx context.Context, hint store.Record, every time.Duration) error {
			if rec, ok := s.raw(hint.Key); ok && hint.Version > 0 && rec.Version != hint.Version {
				return nil
			}
			return s.touchKey(ctx, hint.Key, every)
		}},
		"inserts its hint": {"ended-delete", func(s *ref, ctx context.Context, hint store.Record, every time.Duration) error {
			if _, ok := s.raw(hint.Key); !ok && hint.Version > 0 {
				s.put(hint)
			}
			return s.touchKey(ctx, hint.Key, every)
		}},
		"with a negative time does nothing": {"touch-stale", func(s *ref, ctx context.Context, hint store.Record, every time.Duration) error {
			if every < 0 {
				return nil
			}
			return s.touchKey(ctx, hint.Key, every)
		}},
		"of nobody's record does nothing": {"touch", func(s *ref, ctx context.Context, hint store.Record, every time.Duration) error {
			if rec, ok := s.raw(hint.Key); ok && rec.User == "" {
				return nil
			}
			return s.touchKey(ctx, hint.Key, every)
		}},
		"is due by Created": {"touch-every", func(s *ref, ctx context.Context, hint store.Record, every time.Duration) error {
			if rec, ok := s.raw(hint.Key); ok && time.Since(rec.Created) >= every {
				every = 0
			}
			return s.touchKey(ctx, hint.Key, every)
		}},
	} {
		ws = append(ws, wrong{"a touch " + what, []string{w.want}, func(s *ref) store.Store {
			return &hinting{s, func(ctx context.Context, hint store.Record, every time.Duration) error {
				return w.touch(s, ctx, hint, every)
			}}
		}})
	}
	return ws
}

func contextStores() (ws []wrong) {
	for what, fail := range map[string]func(ctx context.Context) error{
		"is the cause": func(ctx context.Context) error {
			return fmt.Errorf("%w: %w: %w", store.ErrUnavailable, ctx.Err(), context.Cause(ctx))
		},
		"is not surely before": func(ctx context.Context) error { return fmt.Errorf("%w: %w", store.ErrIndeterminate, ctx.Err()) },
	} {
		ws = append(ws, wrong{"the error of an ended context " + what + ", in an update", []string{"context-cancelled"}, swap(func(a *altered) {
			a.update = func(ctx context.Context, rec store.Record, v uint64) error {
				if ctx.Err() != nil {
					return fail(ctx)
				}
				return a.ref.Update(ctx, rec, v)
			}
		})}, wrong{"the error of an ended context " + what + ", in a revoke", []string{"context-cancelled"}, swap(func(a *altered) {
			a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
				if ctx.Err() != nil {
					return store.Revoked{}, fail(ctx)
				}
				return a.ref.Revoke(ctx, user, sel)
			}
		})})
	}
	return append(ws, wrong{"an ended walk tells its error twice", []string{"context-cancelled", "context-deadline"}, swap(func(a *altered) {
		a.all = func(ctx context.Context) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				for rec, err := range a.ref.All(ctx) {
					if !yield(rec, err) || err != nil && !yield(rec, err) {
						return
					}
				}
			}
		}
	})}, wrong{"a record goes with the context that made it", []string{"context-after"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			if err == nil {
				context.AfterFunc(ctx, func() { a.ref.Delete(context.Background(), rec.Key) })
			}
			return got, err
		}
	})})
}

func evictStores() (ws []wrong) {
	id := func(a, b store.Record) int { return bytes.Compare(a.Key.ID[:], b.Key.ID[:]) }
	for what, by := range map[string]func(a, b store.Record) int{
		"expiry":   func(a, b store.Record) int { return a.Expires().Compare(b.Expires()) },
		"use":      func(a, b store.Record) int { return a.Seen.Compare(b.Seen) },
		"version":  func(a, b store.Record) int { return cmp.Compare(a.Version, b.Version) },
		"ID alone": id,
		"handle": func(a, b store.Record) int {
			return cmp.Or(a.Created.Compare(b.Created), bytes.Compare(a.Handle[:], b.Handle[:]))
		},
		"whole seconds": func(a, b store.Record) int { return cmp.Or(cmp.Compare(a.Created.Unix(), b.Created.Unix()), id(a, b)) },
		"an unsigned instant": func(a, b store.Record) int {
			return cmp.Or(cmp.Compare(uint64(a.Created.UnixNano()), uint64(b.Created.UnixNano())), id(a, b))
		},
		"the bytes of ID signed": func(a, b store.Record) int {
			return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(int8(a.Key.ID[0]), int8(b.Key.ID[0])), id(a, b))
		},
		"ID from its end": func(a, b store.Record) int { return cmp.Or(a.Created.Compare(b.Created), -id(a, b)) },
	} {
		ws = append(ws, wrong{"the oldest by " + what, []string{"evict-order"}, turn(func(s *ref) { s.evictBy = by })})
	}
	return append(ws, wrong{"no limit evicts all", []string{"evict-order"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if adm.Evict {
				adm.Max = max(adm.Max, 1)
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})})
}

var guardElseStores = []wrong{
	{"a rotate guards", []string{"guard-else"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			err := a.ref.Rotate(ctx, old, v, rec, tail)
			if err == nil && rec.User != "" {
				a.mu.Lock()
				a.guards[rec.User] = time.Now()
				a.mu.Unlock()
			}
			return err
		}
	})},
	{"a revoke refuses later rotations", []string{"guard-else"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			a.mu.Lock()
			_, guarded := a.guards[rec.User]
			a.mu.Unlock()
			if guarded {
				return store.ErrRevoked
			}
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"nobody's conditions are judged", []string{"user-nobody"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if adm.Max < 0 {
				return store.Admitted{}, store.ErrInvalid
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
}

// changedBytes are stores that take bytes for text, in one kind of write.
func changedBytes() (ws []wrong) {
	for what, change := range map[string]func(b []byte) []byte{
		"without zeros at their end": func(b []byte) []byte { return bytes.TrimRight(b, "\x00") },
		"without spaces around them": bytes.TrimSpace,
		"with other line ends":       func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) },
		"as UTF-8":                   func(b []byte) []byte { return bytes.ToValidUTF8(b, []byte("\uFFFD")) },
		"up to a zero":               untilZero,
	} {
		ws = append(ws, wrong{"an update takes bytes " + what, []string{"data-binary"}, swap(func(a *altered) {
			a.update = func(ctx context.Context, rec store.Record, v uint64) error {
				rec.Meta = change(rec.Meta)
				return a.ref.Update(ctx, rec, v)
			}
		})}, wrong{"a rotate takes bytes " + what, []string{"data-binary"}, swap(func(a *altered) {
			a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
				rec.Data = change(rec.Data)
				return a.ref.Rotate(ctx, old, v, rec, tail)
			}
		})}, wrong{"a tail takes bytes " + what, []string{"data-binary"}, swap(func(a *altered) {
			a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
				if tail != nil {
					changed := *tail
					changed.Meta = change(tail.Meta)
					tail = &changed
				}
				return a.ref.Rotate(ctx, old, v, rec, tail)
			}
		})})
	}
	return ws
}
