// Package embedded is for stores whose engine runs in this process and can make several changes in
// one step under a lock. What such stores decide is decided here, once for all of them: the order
// of checks, limits and eviction, which sign-in a revocation refuses, and which write is a repeated
// one. An engine looks up records, lists those of a tag, and carries out a [Change]; see [Driver].
//
//	func New() *driver.Store { return embedded.New("mystore", &engine{...}) }
//
// Package kvstore does the rest for engines that are ordered key-value databases.
package embedded

import (
	"context"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// A Driver is an engine within the process. Its methods are safe for concurrent use. They return
// the plain sentinels of package store, and do not look at a record's life: Read, View and List
// return records that have expired, too, until Sweep removes them.
type Driver interface {
	// Traits are those of the store; that it is Local need not be said.
	Traits() store.Traits

	// Clock turns an instant of this process, as time.Now returns it, into one of the engine's
	// clock. That clock never goes back, not over a restart either, and the machine's may be set
	// without moving it.
	Clock(time.Time) time.Time

	// Read returns the record at a key, with its Data or without, as it was at one instant during
	// the call. It should not wait for writers. Its bytes belong to the caller. Errors:
	// [store.ErrNotFound], [store.ErrCorrupt].
	Read(ctx context.Context, key store.Key, data bool) (store.Record, error)

	// Write locks the records of a tag against other writers, in all processes that use the engine;
	// lets decide look at them; carries out the Change it returns, all or nothing; and unlocks. It
	// returns nil when the change is durable, unless that need not be ([Change.Waits]), and where
	// nothing is to be changed when all earlier changes under the tag are. It may call decide
	// again, with another View, where the first attempt left nothing behind. An error of decide is
	// returned as it is, and nothing is changed. The wait for the lock ends with ctx. Errors:
	// [store.ErrFull] where the change needs room that is not there, which one that only ends
	// records never does. What a View cannot read is [store.ErrUnavailable], wrapped: an error
	// without a sentinel would mean that something may have been written.
	Write(ctx context.Context, tag store.Tag, decide func(View) (Change, error)) error

	// List calls f for each record that may be the user's, as they were at one instant, or if user
	// is "" for all records, each once, until f returns false. They come without Data and belong to
	// f. For a damaged one err is not nil and rec is nil. Nothing is locked during f, which may
	// write to the store.
	List(ctx context.Context, user string, f func(rec *store.Record, err error) bool) error

	// Sweep is that of [store.Store]. It also forgets revocations that are older than [GuardKept].
	Sweep(ctx context.Context, limit int) (int, error)
}

// A Toucher is a Driver with a faster way to touch a record than to read it and then write it under
// the lock. It uses [Due].
type Toucher interface {
	Touch(ctx context.Context, key store.Key, every time.Duration) error
}

// View is what decide sees of the records under a tag.
type View interface {
	// Now is the engine's clock, read under the lock. It may move on when a record is read that
	// another process has written.
	Now() time.Time

	// Find reads the record with an ID into rec, all but its Meta and Data, and reports whether
	// there is one. Errors: [store.ErrCorrupt].
	Find(id store.ID, rec *store.Record) (found bool, err error)

	// Each calls f for each record under the tag that may belong to user, without Meta and Data.
	// For a damaged one err is not nil, and of rec only the Key is known. rec is valid during the
	// call only.
	Each(user string, f func(rec *store.Record, err error)) error

	// Revoked returns when the tag's records were last revoked, or zero. It remembers that for
	// [GuardKept] at least. Errors: [store.ErrCorrupt].
	Revoked() (time.Time, error)
}

// Apply lets decide look at a view, and carries out the change that it returns.
func Apply(v interface {
	View
	Apply(*Change) error
}, decide func(View) (Change, error)) error {
	c, err := decide(v)
	if err != nil {
		return err
	}
	return v.Apply(&c)
}

// GuardKept is how long a driver keeps a revocation: a sign-in that took [store.GuardFor] to the
// moment must still meet it.
const GuardKept = store.GuardFor + time.Minute

// Change is what a write changes. Its records and their bytes are valid until Write returns. Their
// Created and Seen are never zero; they may lie before 1970, or be its first instant. A touch comes
// alone.
type Change struct {
	Put     []Put         // written whole
	Drop    []store.ID    // deleted, where they are there
	Seen    *store.Record // touched: only its Seen has changed, which need not become durable
	Revoked time.Time     // to be remembered, unless zero

	// spare is the setting from which on a write need not wait for the disk; 0: it always waits.
	spare store.Durability
}

// Waits reports whether a write with this change returns only when it is on the disk, in a store of
// that setting. A touch never waits. A change that is empty does: for what was done before.
func (c *Change) Waits(d store.Durability) bool {
	return c.Seen == nil && (c.spare == store.Durable || d < c.spare)
}

// Put is a record to be written, with a Key under the tag. Old is what Find returned at that key,
// live or not, or nil.
type Put struct{ Rec, Old *store.Record }

// Ends reports whether the change only ends records, so that it needs no room. A touch does not,
// but should not be refused for want of room either.
func (c *Change) Ends() bool { return len(c.Put) == 0 && c.Seen == nil }

// Due reports whether a touch is to be written.
func Due(seen, now time.Time, every time.Duration) bool {
	return now.After(seen) && now.Sub(seen) >= every
}

// New makes a store on a driver. name begins the texts of its errors.
func New(name string, d Driver) *driver.Store {
	c := &core{d: d, start: time.Now()}
	c.toucher, _ = d.(Toucher)
	return driver.New(name, c)
}

// core is the [driver.Driver] on a Driver.
type core struct {
	d       Driver
	toucher Toucher   // nil if d is none
	start   time.Time // for its monotonic reading
}

func (c *core) Traits() store.Traits {
	t := c.d.Traits()
	t.Local = true
	return t
}

func (c *core) Create(ctx context.Context, rec *store.Record, adm store.Admission) (store.Admitted, error) {
	o := begin((*op).create)
	defer o.end()
	o.take(rec, nil)
	if o.adm = adm; !adm.Began.IsZero() {
		o.began = c.d.Clock(adm.Began)
	}
	err := c.d.Write(ctx, rec.Key.Tag, o.decide)
	return o.admitted, err
}

// now asks for the monotonic clock only, which takes half the time of time.Now.
func (c *core) now() time.Time { return c.d.Clock(c.start.Add(time.Since(c.start))) }

// Get reads a record without a lock. One that has expired is read once more: if it is the same, it
// had ended in between; else a touch came just in time.
func (c *core) Get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	for {
		version, seen := rec.Version, rec.Seen // of the time before
		if rec, err = c.d.Read(ctx, key, true); err != nil {
			return rec, now, err
		}
		now = c.now()
		switch {
		case rec.Live(now):
			return rec, now, nil
		case rec.Version == version && rec.Seen.Equal(seen):
			return rec, now, store.ErrNotFound
		}
	}
}

func (c *core) Update(ctx context.Context, rec *store.Record, ifVersion uint64) error {
	o := begin((*op).update)
	defer o.end()
	o.take(rec, nil)
	o.version = ifVersion
	return c.d.Write(ctx, rec.Key.Tag, o.decide)
}

// Touch waits for other writers only when there is something to write.
func (c *core) Touch(ctx context.Context, rec *store.Record, every time.Duration) error {
	if c.toucher != nil {
		return c.toucher.Touch(ctx, rec.Key, every)
	}
	old, err := c.d.Read(ctx, rec.Key, false)
	if err != nil {
		return err
	}
	if now := c.now(); old.Live(now) && !Due(old.Seen, now, every) {
		return nil
	}
	o := begin((*op).touch)
	defer o.end()
	o.rec, o.every = rec, every
	return c.d.Write(ctx, rec.Key.Tag, o.decide)
}

func (c *core) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec, tail *store.Record) error {
	o := begin((*op).rotate)
	defer o.end()
	o.take(rec, tail)
	o.from, o.version = old.ID, ifVersion
	return c.d.Write(ctx, old.Tag, o.decide)
}

func (c *core) Delete(ctx context.Context, key store.Key) error {
	o := begin((*op).delete)
	defer o.end()
	o.from = key.ID
	return c.d.Write(ctx, key.Tag, o.decide)
}

func (c *core) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	o := begin((*op).revoke)
	defer o.end()
	o.user, o.sel = user, sel
	err := c.d.Write(ctx, store.TagOf(user), o.decide)
	return o.revoked, err
}

func (c *core) Sweep(ctx context.Context, limit int) (int, error) { return c.d.Sweep(ctx, limit) }
