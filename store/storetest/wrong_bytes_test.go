package storetest

import (
	"bytes"
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// through makes a wrong store that changes bytes on their way in and out.
func through(change func([]byte) []byte) func(*ref) store.Store {
	return turn(func(s *ref) { s.clone = func(b []byte) []byte { return change(bytes.Clone(b)) } })
}

var errRow = errors.New("sql: no rows in result set")

// Stores that err about bytes, arguments, errors and contexts.
var wrongBytes = []wrong{
	{"keeps and hands out the same bytes", []string{"alias-in", "alias-out", "alias-list"},
		turn(func(s *ref) { s.clone = func(b []byte) []byte { return b } })},
	{"keeps the caller's bytes", []string{"alias-in"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			a.mu.Lock()
			defer a.mu.Unlock()
			if got, ok := a.recs[rec.Key]; ok && err == nil {
				got.Data = rec.Data
				a.recs[rec.Key] = got
			}
			return got, err
		}
	})},
	{"hands out bytes that change later (D8b)", []string{"alias-out"}, swap(func(a *altered) {
		var buf []byte
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, now, err := a.ref.Get(ctx, key)
			buf = append(buf[:0], rec.Data...)
			rec.Data = buf
			return rec, now, err
		}
	})},
	{"a walk reuses its bytes (D8)", []string{"alias-list"}, swap(func(a *altered) {
		a.all = func(ctx context.Context) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				var buf []byte
				for r, err := range a.ref.All(ctx) {
					buf = append(buf[:0], r.Meta...)
					r.Meta = buf
					if !yield(r, err) {
						return
					}
				}
			}
		}
	})},
	{"data is cut at 64 KiB", []string{"data-sizes"}, through(func(b []byte) []byte { return b[:min(len(b), 1<<16-1)] })},
	{"data is cut at 1 MiB less a byte", []string{"data-sizes"}, through(func(b []byte) []byte { return b[:min(len(b), store.MaxData-1)] })},
	{"data is made UTF-8", []string{"data-binary", "data-sizes"}, through(func(b []byte) []byte { return bytes.ToValidUTF8(b, []byte("?")) })},
	{"data is trimmed", []string{"data-binary"}, through(bytes.TrimSpace)},
	{"data ends at NUL", []string{"data-binary"}, through(func(b []byte) []byte { b, _, _ = bytes.Cut(b, []byte{0}); return b })},
	{"empty data is no record", []string{"data-empty", "data-sizes"}, swap(func(a *altered) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, now, err := a.ref.Get(ctx, key)
			if err == nil && len(rec.Data) == 0 {
				err = store.ErrNotFound
			}
			return rec, now, err
		}
	})},
	{"keys by ID alone", []string{"keys"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			for key := range a.recs {
				if key.ID == rec.Key.ID && key.Tag != rec.Key.Tag {
					return store.Admitted{}, store.ErrExists
				}
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"keys are cut", []string{"keys"}, swap(func(a *altered) {
		a.delete = func(ctx context.Context, key store.Key) error {
			for other := range a.recs {
				if other.Tag == key.Tag && bytes.Equal(other.ID[:28], key.ID[:28]) {
					a.ref.Delete(ctx, other)
				}
			}
			return a.ref.Delete(ctx, key)
		}
	})},
	{"errors of its own", []string{"error-identity", "missing"}, swap(func(a *altered) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, now, err := a.ref.Get(ctx, key)
			if errors.Is(err, store.ErrNotFound) {
				err = errRow
			}
			return rec, now, err
		}
	})},
	{"errors that match two sentinels", []string{"error-identity"}, swap(func(a *altered) {
		a.touch = func(ctx context.Context, key store.Key, every time.Duration) error {
			if err := a.ref.touchKey(ctx, key, every); err != nil {
				return errors.Join(err, store.ErrUnavailable)
			}
			return nil
		}
	})},
	{"errors name the user", []string{"error-text"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			if err != nil {
				err = fmt.Errorf("user %s: %w", rec.User, err)
			}
			return got, err
		}
	})},
	{"errors name the ID", []string{"error-text"}, swap(func(a *altered) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, now, err := a.ref.Get(ctx, key)
			if err != nil {
				err = fmt.Errorf("key %X: %w", key.ID[:], err)
			}
			return rec, now, err
		}
	})},
	{"errors name the beginning of the ID", []string{"error-text"}, swap(func(a *altered) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, now, err := a.ref.Get(ctx, key)
			if err != nil {
				err = fmt.Errorf("key %x…: %w", key.ID[:8], err)
			}
			return rec, now, err
		}
	})},
	{"errors name the ID in base32", []string{"error-text"}, swap(func(a *altered) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, now, err := a.ref.Get(ctx, key)
			if err != nil {
				err = fmt.Errorf("key %s: %w", base32.StdEncoding.EncodeToString(key.ID[:]), err)
			}
			return rec, now, err
		}
	})},
	{"errors hold data", []string{"error-text"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if err := a.ref.Update(ctx, rec, v); err != nil {
				return fmt.Errorf("UPDATE sessions SET data='%s': %w", rec.Data, err)
			}
			return nil
		}
	})},
	{"a failed query is not found (D8d)", []string{"context-cancelled", "context-deadline"}, swap(func(a *altered) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, now, err := a.ref.Get(ctx, key)
			if err != nil {
				err = store.ErrNotFound
			}
			return rec, now, err
		}
	})},
	{"no contexts (D34)", []string{"context-cancelled", "context-deadline"}, swap(func(a *altered) {
		a.update = func(_ context.Context, rec store.Record, v uint64) error {
			return a.ref.Update(context.Background(), rec, v)
		}
	})},
	{"a failed list is an empty one", []string{"context-cancelled", "context-deadline", "walk-error"}, swap(func(a *altered) {
		a.user = func(ctx context.Context, user string) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				for r, err := range a.ref.User(ctx, user) {
					if err != nil || ctx.Err() != nil || !yield(r, nil) {
						return
					}
				}
			}
		}
	})},
	{"writes, then finds the context ended", []string{"context-cancelled", "context-deadline"}, swap(func(a *altered) {
		a.delete = func(ctx context.Context, key store.Key) error {
			a.ref.Delete(context.Background(), key)
			return store.FromContext(ctx)
		}
	})},
	{"an expired context is its own error", []string{"context-deadline"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return store.Revoked{}, ctx.Err()
			}
			return a.ref.Revoke(ctx, user, sel)
		}
	})},
	{"panics", []string{"missing", "delete-missing"}, swap(func(a *altered) {
		a.delete = func(ctx context.Context, key store.Key) error {
			if _, ok := a.raw(key); !ok {
				panic("no such key")
			}
			return a.ref.Delete(ctx, key)
		}
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if _, ok := a.raw(rec.Key); !ok {
				panic("no such key")
			}
			return a.ref.Update(ctx, rec, v)
		}
	})},
}

var wrongs = slices.Concat(wrongWrites, wrongTimes, wrongUsers, wrongAdmitted, wrongRaces, wrongWalks, wrongBytes,
	wrongGuards, wrongMany, wrongHandles, wrongMeets, wrongGiven, wrongSizes, wrongDamage, wrongNears, wrongEdges, wrongAgain)
