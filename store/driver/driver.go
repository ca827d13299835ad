// Package driver is for those who write stores. A [Driver] is the part of a store that differs from
// engine to engine; [New] puts in front of it what is the same for all, and gives the [store.Store]
// that programs use. The comment of package store is the checklist.
//
//	type Store struct {
//		*driver.Store
//		db *engine
//	}
//
//	func New(db *sql.DB) *Store {
//		e := &engine{db}
//		return &Store{driver.New("mystore", e), e}
//	}
package driver

import (
	"context"
	"iter"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// A Driver keeps records as [store.Store] says of each method, on input that is valid. Before it is
// called the front has looked at the context and has refused bad arguments; after it the front
// names the store and the operation in the error. So a driver
//
//   - gets what [store.Check], [store.CheckCreate], [store.CheckRotate], [store.CheckSelection] and [store.CheckUser]
//     accept, no conditions for a record of nobody, no user "", and nothing negative;
//   - returns the plain sentinels of package store, or a [Fault] for what an engine said. What else it returns is
//     unavailable for a read and indeterminate for a write: return [store.ErrUnavailable], wrapped, where a write was
//     surely not applied;
//   - need not look at the context between the records of a walk;
//   - may yield a [store.ErrCorrupt] for a damaged record and go on: the front tells of one of them at the end.
//
// Records that are handed in belong to the front and are used again: a driver may change them, and
// keeps none of them after it returns. Their Meta and Data are the caller's bytes, which it neither
// changes nor keeps.
type Driver interface {
	Traits() store.Traits
	Create(ctx context.Context, rec *store.Record, adm store.Admission) (store.Admitted, error)
	Get(ctx context.Context, key store.Key) (store.Record, time.Time, error)
	Update(ctx context.Context, rec *store.Record, ifVersion uint64) error
	Touch(ctx context.Context, rec *store.Record, every time.Duration) error
	Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec, tail *store.Record) error
	Delete(ctx context.Context, key store.Key) error
	User(ctx context.Context, user string) iter.Seq2[store.Record, error]
	Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error)
	Sweep(ctx context.Context, limit int) (int, error)
	All(ctx context.Context) iter.Seq2[store.Record, error]
}

// A Watcher is a Driver whose Traits say Push.
type Watcher interface {
	Driver
	Watch(ctx context.Context, f func(store.Ending)) error
}
