// Package driver is for those who write stores. A [Driver] is the part of a store that differs from
// engine to engine; [New] puts in front of it what is the same for all, and makes the [store.Store]
// that programs use.
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
//
// An engine within the process, with a lock and a transaction, takes less: see package embedded. An
// ordered key-value database takes three methods: see package kvstore.
//
// # What the front does
//
// It refuses ended contexts and bad arguments before the driver is called, names the store and the
// operation in errors, gives an error a sentinel where the driver did not, ends walks with their
// context, and reports a damaged record at the end of a walk.
//
// # Checklist
//
//  1. Nothing is created by accident. Only Create and the new key of Rotate insert. Update, Touch
//     and Rotate require a live record, in the same atomic step as the write.
//  2. Ended means ended. What Delete, Revoke, Rotate or expiry ended is never live again, whatever
//     runs at the same time.
//  3. Compare and swap. Update and Rotate apply only to the expected version; of two with the same
//     one, exactly one is applied, and the other gets [store.ErrConflict], or [store.ErrNotFound]
//     where the record is gone.
//  4. Retries are harmless. Writer is kept beside Version: a write sent twice is recognised and
//     answered nil. The order of all checks stands beside each method of [store.Store].
//  5. One clock: the engine's (the process's own, if the store is in it; there it must not jump, so
//     measure with the monotonic clock). No caller's instant is compared with it, but for those
//     that a caller hands back; see [store.Record].
//  6. Expired means absent for every method, at the very instant, swept or not. An engine's own
//     time-to-live is garbage collection, not truth. (A Touch or Update that began before the
//     instant may still win.)
//  7. Lives are exact to the store's tick and may be as long as [store.MaxLife] and as short as a
//     tick. Zero means no limit. Package ticks counts them.
//  8. Bytes are never shared: copy what comes in before the call returns, hand out copies. nil and
//     empty byte slices are the same.
//  9. A user id is any bytes up to [store.MaxUser]. "user1" is not "user10", "a" is not "a\x00".
//     Compare the id itself, not only its tag.
//  10. Limits and revocations are exact under any number of parallel Creates. Each Revoke without
//     Only has an instant of its own: now, or one tick after the last.
//  11. The ends (Delete, Revoke, Rotate, an Update that shortens) are durable before they are
//     acknowledged. A Touch need not be.
//  12. What was surely not applied is [store.ErrUnavailable], what may have been is
//     [store.ErrIndeterminate]: when in doubt, the second. No error holds an ID, a user or data.
//  13. New opens nothing, starts no goroutine and creates no table. Migrate makes schemas. The
//     caller runs Sweep. Nothing logs, nothing panics.
//
// # Proof
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t testing.TB) store.Store { return mystore.New(...) }, nil)
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
//   - gets what [store.Check], [store.CheckCreate], [store.CheckRotate], [store.CheckSelection] and
//     [store.CheckUser] accept, no conditions for a record of nobody, no user "" to list or revoke,
//     and nothing negative;
//   - returns the plain sentinels of package store, or a [Fault] for what an engine said. What else
//     it returns is unavailable for a read and indeterminate for a write: return
//     [store.ErrUnavailable], wrapped, where a write was surely not applied;
//   - need not look at the context between the records of a walk;
//   - may yield a [store.ErrCorrupt] for a damaged record and go on: the front reports one of them
//     at the end.
//
// Records that are handed in belong to the front and are used again: a driver may change them, and
// keeps none of them after it returns. Their Meta and Data are the caller's bytes, which it neither
// changes nor keeps.
type Driver interface {
	// Traits is that of [store.Store].
	Traits() store.Traits
	// Create is that of [store.Store].
	Create(ctx context.Context, rec *store.Record, adm store.Admission) (store.Admitted, error)
	// Get is that of [store.Store].
	Get(ctx context.Context, key store.Key) (store.Record, time.Time, error)
	// Update is that of [store.Store].
	Update(ctx context.Context, rec *store.Record, ifVersion uint64) error
	// Touch is that of [store.Store].
	Touch(ctx context.Context, rec *store.Record, every time.Duration) error
	// Rotate is that of [store.Store].
	Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec, tail *store.Record) error
	// Delete is that of [store.Store].
	Delete(ctx context.Context, key store.Key) error
	// User is that of [store.Store].
	User(ctx context.Context, user string) iter.Seq2[store.Record, error]
	// Revoke is that of [store.Store].
	Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error)
	// Sweep is that of [store.Store].
	Sweep(ctx context.Context, limit int) (int, error)
	// All is that of [store.Store].
	All(ctx context.Context) iter.Seq2[store.Record, error]
}

// A Watcher is a Driver whose Traits say Push.
type Watcher interface {
	Driver
	// Watch is that of [store.Store].
	Watch(ctx context.Context, f func(store.Ending)) error
}
