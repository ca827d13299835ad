package store

import (
	"context"
	"iter"
	"time"
)

// A Store keeps records. All methods are safe for concurrent use. All may fail
// with [ErrUnavailable], [ErrIndeterminate] (writes only), [ErrInvalid], [ErrCorrupt]
// (reads only) or the context's error; what else each may return is said beside
// it. A method that an engine cannot offer at all returns
// [errors.ErrUnsupported]; the stores of this project offer all.
//
// The package comment is the checklist behind this interface.
type Store interface {
	// Create inserts rec at rec.Key with Version 1 if no live record is there.
	// Where rec.User is not empty, adm is checked in the same atomic step (else it
	// is ignored); the handles of records ended to make room are returned.
	// A record without life left is accepted and never lives.
	// Errors: [ErrExists], [ErrLimit], [ErrRevoked], [ErrFull].
	// Sending the same rec (same Key and Writer) again after it was applied, and
	// before any other write to it, returns nil, and no handles. Checks come in
	// this order: replay, exists, revoked, limit.
	Create(ctx context.Context, rec Record, adm Admission) (evicted []Handle, err error)

	// Get returns the live record at key and the store's present time. The
	// record's bytes belong to the caller. Errors: [ErrNotFound].
	Get(ctx context.Context, key Key) (rec Record, now time.Time, err error)

	// Update replaces Idle, Lifetime, Meta and Data of the live record at
	// rec.Key if its version is ifVersion, sets its Version to ifVersion+1, its
	// Writer to rec.Writer and its Seen as [Record] says. Handle, User and
	// Created are not changed, whatever rec holds. An update that leaves the
	// record no life (Lifetime over, or Idle over) ends it.
	// Errors: [ErrConflict], [ErrNotFound], [ErrFull].
	// If the record's version is ifVersion+1 and its writer is rec.Writer, the
	// update was applied before, and nil is returned.
	Update(ctx context.Context, rec Record, ifVersion uint64) error

	// Touch sets Seen of the live record at rec.Key to now, if it is at least
	// every old; otherwise it writes nothing. It never changes Version and
	// need not be durable. The rest of rec, as Get returned it, is a hint that saves some
	// engines a read: the stored values count. Errors: [ErrNotFound].
	Touch(ctx context.Context, rec Record, every time.Duration) error

	// Rotate ends the live record at old, if its version is ifVersion, and inserts
	// rec at rec.Key with Version ifVersion+1, in one atomic step. old and
	// rec.Key share their tag and differ in their ID. rec.User must be the
	// user of the old record. If tail is not nil, *tail is left at old, also with
	// Version ifVersion+1, so that no writer who still holds the old version can
	// change it; tail.Key must be old and tail.User empty.
	// Errors: [ErrConflict], [ErrNotFound], [ErrExists], [ErrFull].
	// If the record at rec.Key has version ifVersion+1 and rec.Writer, the rotation
	// was applied before, and nil is returned. Checks come in this order: replay,
	// not found, conflict, user (another one is [ErrInvalid]), exists.
	Rotate(ctx context.Context, old Key, ifVersion uint64, rec Record, tail *Record) error

	// Delete ends the record at key. Deleting what is not there is no error. It
	// does not follow a rotation: to end a user's session whatever its present
	// key, use Revoke with its handle.
	Delete(ctx context.Context, key Key) error

	// User yields the live records of user in no order, without Data. It yields a
	// non-nil error at most once, as its last pair. A record that lives from
	// before the call to after its end is yielded exactly once, or as often as it
	// was rotated meanwhile. Writing to the store while walking is allowed. user "" yields nothing.
	User(ctx context.Context, user string) iter.Seq2[Record, error]

	// Revoke ends the live records of user that sel selects, in one step
	// that is atomic against Create, Update and Rotate, and tells how many. When sel names no
	// Only, it also makes later Creates fail with [ErrRevoked] whose sign-in
	// began before this call, for at least [GuardFor]. user "" has no records:
	// 0, nil.
	Revoke(ctx context.Context, user string, sel Selection) (int, error)

	// Sweep deletes at most limit expired records and tells how many; fewer than
	// limit means that none is left. Its cost grows with what is expired, not
	// with what is stored. Engines that expire by themselves return 0.
	Sweep(ctx context.Context, limit int) (int, error)

	// All walks over the live records, without Data, in no order, for tools.
	// A record that lives from before the call to after its end, and is not
	// rotated meanwhile, is yielded exactly once (an engine whose own cursor may
	// repeat says so); others may or may not be.
	// Writing to the store while walking is allowed. It yields a non-nil error
	// at most once, as its last pair.
	All(ctx context.Context) iter.Seq2[Record, error]
}

// Admission holds the conditions under which Create accepts a user's record.
// The zero Admission has none.
type Admission struct {
	// Max is the number of live records the user may have, the new one
	// included. 0 means no limit.
	Max int
	// Evict says what happens at the limit: true ends the user's oldest
	// records (by Created, then by ID) to make room, false returns [ErrLimit].
	Evict bool
	// Age says how long ago the sign-in began, at most [GuardFor]. A
	// Revoke (without Only) since then makes Create fail with [ErrRevoked]: one
	// at or after now-Age. An Age of 0 asks for no such check. A store adds the
	// time that its own retries take, and an engine with several clocks their
	// skew: it may refuse too much, never too little.
	Age time.Duration
}

// Selection says which of a user's records Revoke ends. The zero Selection
// means all. Only and Except exclude each other.
type Selection struct {
	Only   []Handle // these, and no others
	Except []Handle // all but these
}

// GuardFor is how long a store remembers that a user's records were revoked. A
// sign-in that takes longer is refused with [ErrRevoked].
const GuardFor = 15 * time.Minute
