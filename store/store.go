package store

import (
	"context"
	"iter"
	"time"
)

// A Store keeps records. All methods are safe for concurrent use. All may fail with
// [ErrUnavailable], [ErrIndeterminate] (writes only), [ErrInvalid], [ErrCorrupt] (reads only) or
// the context's error; what else each may return is said beside it. A method that an engine cannot
// offer at all returns [errors.ErrUnsupported]; the stores of this project offer all but Watch. A
// method whose context has ended before the call does nothing and returns [FromContext].
//
// Every method is required, so a wrapper that embeds a Store forwards all of them. The comment of
// package driver is the checklist behind this interface.
type Store interface {
	// Traits says what is special about the store. It is the same at every call.
	Traits() Traits

	// Create inserts rec at rec.Key with Version 1 if no live record is there. Where rec.User is
	// not empty, adm is checked in the same atomic step (else it is ignored). A record without life
	// left is accepted, after all checks, and never lives; nobody is evicted for it. Errors:
	// [ErrExists], [ErrLimit], [ErrRevoked], [ErrFull]. Sending the same rec (same Key and Writer)
	// again after it was applied, and before any other write to it, returns nil, and no handles.
	// Checks come in this order: replay, exists, revoked, limit.
	Create(ctx context.Context, rec Record, adm Admission) (Admitted, error)

	// Get returns the live record at key and the store's present time. The record's bytes belong to
	// the caller. Errors: [ErrNotFound].
	Get(ctx context.Context, key Key) (rec Record, now time.Time, err error)

	// Update replaces Idle, Lifetime, Meta and Data of the live record at rec.Key if its version is
	// ifVersion, sets its Version to ifVersion+1, its Writer to rec.Writer and its Seen as [Record]
	// says. Handle, User and Created are not changed, whatever rec holds. An update that leaves the
	// record no life (Lifetime over, or Idle over) ends it. Errors: [ErrConflict], [ErrNotFound],
	// [ErrFull]. If the record's version is ifVersion+1 and its writer is rec.Writer, the update
	// was applied before, and nil is returned.
	Update(ctx context.Context, rec Record, ifVersion uint64) error

	// Touch sets Seen of the live record at rec.Key to now, if it is at least every old; otherwise
	// it writes nothing. It never changes Version and need not be durable. The rest of rec, as Get
	// returned it, is a hint that saves some engines a read: the stored values count. Errors:
	// [ErrNotFound].
	Touch(ctx context.Context, rec Record, every time.Duration) error

	// Rotate ends the live record at old, if its version is ifVersion, and inserts rec at rec.Key
	// with Version ifVersion+1, in one atomic step. old and rec.Key share their tag and differ in
	// their ID. rec.User must be the user of the old record. If tail is not nil, *tail is left at
	// old, also with Version ifVersion+1, so that no writer who still holds the old version can
	// change it; tail.Key must be old and tail.User empty. Errors: [ErrConflict], [ErrNotFound],
	// [ErrExists], [ErrFull]. If the record at rec.Key has version ifVersion+1 and rec.Writer, the
	// rotation was applied before, and nil is returned. Checks come in this order: replay, not
	// found, conflict, user (another one is [ErrInvalid]), exists. A rec without life left is
	// accepted and never lives: the old record ends and the tail stays, in one step. Sending such a
	// rotation again returns nil or ErrNotFound, or ErrConflict where a tail stands. Its Idle and
	// Lifetime are best those of the old record: that saves some engines a read.
	Rotate(ctx context.Context, old Key, ifVersion uint64, rec Record, tail *Record) error

	// Delete ends the record at key. Deleting what is not there is no error. It does not follow a
	// rotation: to end a user's session whatever its present key, use Revoke with its handle.
	Delete(ctx context.Context, key Key) error

	// User yields the live records of user in no order, without Data. It yields a non-nil error at
	// most once, as its last pair. A record that lives from before the call to after its end is
	// yielded exactly once, or as often as it was rotated meanwhile. Writing to the store while
	// walking is allowed. user "" yields nothing.
	User(ctx context.Context, user string) iter.Seq2[Record, error]

	// Revoke ends the live records of user that sel selects, in one step that is atomic against
	// Create, Update and Rotate. When sel names no Only, it also makes later Creates fail with
	// [ErrRevoked] whose sign-in began before this call, for at least [GuardFor]. user "" has no
	// records, and the answer is the zero Revoked.
	Revoke(ctx context.Context, user string, sel Selection) (Revoked, error)

	// Watch calls f, one call at a time, for each Revoke of any process that is acknowledged after
	// Watch began, until ctx ends or it fails, and returns the reason. It may call f more often
	// than needed and in another order. An Ending whose Missed is true is the first after a time in
	// which others may have been lost. f must not block. Errors: [errors.ErrUnsupported] where
	// [Traits] says no Push.
	Watch(ctx context.Context, f func(Ending)) error

	// Sweep deletes at most limit expired records and returns how many; fewer than limit means that
	// none is left. A limit of 0 or less deletes none. Its cost grows with what is expired, not
	// with what is stored. Engines that expire by themselves return 0.
	Sweep(ctx context.Context, limit int) (int, error)

	// All walks over the live records, without Data, in no order, for tools. A record that lives
	// from before the call to after its end, and is not rotated meanwhile, is yielded exactly once
	// (an engine whose own cursor may repeat says so); others may or may not be. Writing to the
	// store while walking is allowed. It yields a non-nil error at most once, as its last pair.
	All(ctx context.Context) iter.Seq2[Record, error]
}

// Traits is what a manager must know of a store. The zero Traits is that of a durable store with
// one clock, which never serves a record that has ended.
type Traits struct {
	// Volatile says that everything is forgotten with the process.
	Volatile bool
	// Lag is the longest time for which Get may serve a record that has been revoked, as with a
	// cache.
	Lag time.Duration
	// Skew is how far the clocks of the engine may differ from each other: that of a cluster whose
	// nodes each have their own. 0 means one clock.
	Skew time.Duration
	// Local says that the store acts in this process, so that it judges how long ago a sign-in
	// began at the very act: nothing can overtake the sign-in on its way.
	Local bool
	// Push says that Watch works.
	Push bool
}

// Admission holds the conditions under which Create accepts a user's record. The zero Admission has
// none.
type Admission struct {
	// Max is the number of live records the user may have, the new one included. 0 means no limit.
	Max int
	// Evict says what happens at the limit: true ends the user's oldest records (by Created, then
	// by ID) to make room, false returns [ErrLimit].
	Evict bool
	// Began is when the sign-in began, at most [GuardFor] ago, by the clock of this process (with
	// time.Now's monotonic reading). A Revoke (without Only) since then makes Create fail with
	// [ErrRevoked]. Zero asks for no such check. A store turns it into an age by [Admission.Age]
	// when it is called or later, and its engine refuses where the last Revoke is at or after
	// now-Age. An engine with several clocks adds their skew: it may refuse too much, never too
	// little. What overtakes the call on its way shows in [Admitted].
	Began time.Time
	// Known is the instant, as [Revoked] has it, of a revocation that the sign-in knows of: it and
	// those before it do not count for Began. Zero means none. It is for a program that ends all of
	// a user's sessions and signs the user in again, such as after a change of the password.
	Known time.Time
}

// Age is how long ago the sign-in began; 0 where Began is zero, and only there: a sign-in that
// began within the present tick of the clock is 1 ns old, for a Revoke at that instant refuses it.
func (a *Admission) Age() time.Duration {
	if a.Began.IsZero() {
		return 0
	}
	if age := time.Since(a.Began); age != 0 {
		return age
	}
	return 1
}

// Admitted is what a Create that succeeded has to say. Its instants are in the store's clock and
// were read in the same atomic step.
type Admitted struct {
	// Evicted holds the handles of the records that were ended to make room. A replay has none.
	Evicted []Handle
	// Now is when the store acted, which is the record's Created where rec.Created was zero. Of a
	// replay it is when that was recognised.
	Now time.Time
	// Revoked is when the user's records were last revoked (without Only), as far as the store
	// remembers: for at least [GuardFor]. Zero means never, and for records of nobody. A caller
	// that knows for how long the call was under way sees by it whether a revocation may have
	// overtaken the sign-in.
	Revoked time.Time
}

// Revoked is what a Revoke that succeeded has to say.
type Revoked struct {
	N  int       // how many live records it ended
	At time.Time // when, in the store's clock, for [Admission].Known; zero where the selection has Only
}

// Selection says which of a user's records Revoke ends. The zero Selection means all. Only and
// Except exclude each other.
type Selection struct {
	Only   []Handle // these, and no others
	Except []Handle // all but these
}

// Ending is a Revoke as Watch reports it.
type Ending struct {
	User      string // whose sessions ended
	Selection        // which of them, as given to Revoke
	// Missed says that endings may have been missed, since a connection was lost: whoever keeps
	// something about sessions must ask the store again. The other fields are zero then.
	Missed bool
}

// GuardFor is how long a store remembers that a user's records were revoked. A sign-in that takes
// longer is refused with [ErrRevoked].
const GuardFor = 15 * time.Minute

// Reserved is the tag under which managers keep anonymous records of their own beside the sessions.
// It belongs to no user. A store treats them like any other record, and All yields them.
var Reserved = Tag([]byte("sojourn reserved"))
