// Package storetest proves that a [store.Store] keeps the contract of package store. It needs
// nothing but the standard library:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t testing.TB) store.Store {
//			return mystore.New(...)
//		}, nil)
//	}
//
// The kit is a table of clauses. Each has a name, the promise it tests and a function that tries to
// break it on a store of its own, with random keys and users, so that all of them may run at once
// against one shared server. A failure begins with the clause's name, by which its function is
// found in this package's source.
//
// # Two kinds of time
//
// A store within the process is tested in a [testing/synctest] bubble: time is fake, so that a life
// of 400 days costs nothing and is proved to the tick. Such a store must take its time from package
// time. A networked store has a clock of its own; set [Options.Networked], and the clauses sleep,
// with short lives, and allow for slow answers: they then prove that nothing ends early or stays
// late by more than the machine's delays, and that what Get returns agrees with the clock it
// returns. Where they judge time they ask the store for its own. A clause that fails while calls
// took long is run again with a longer [Options.Unit], so that a slow machine fails no right store.
//
// # Two writes at once
//
// Clauses whose names begin with meet let two calls meet in every way that a bubble can arrange:
// the first is stopped wherever it waits, and the second runs meanwhile; then the other way round.
// What does not wait, but leaves its lock between two steps, is met by chance: both begin at once,
// some dozens of times. Clauses that begin with race let many calls loose. A networked store has
// chance alone.
//
// # Many
//
// Clauses that begin with many use 1,061 records, or 331 of a networked store, and look at lists
// with as many records as pages of any usual size hold, and one more and one less.
//
// # What it cannot show
//
// Durability needs a crash, outcomes of a lost connection need a broken network, and a black box
// does not tell what a method costs: the kit proves that Sweep is exact, and [Bench] shows its cost
// among many live records. A goroutine that a store leaves behind ends the test with a panic of
// synctest. A store that deadlocks on a mutex makes the test time out rather than fail; the clause
// is named in the time-out's list of running tests.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Options describe a store to the kit. The zero value, like nil, describes a complete store within
// the process whose time is exact.
type Options struct {
	// Tick is the store's resolution of time. 0 means one nanosecond.
	Tick time.Duration

	// Networked says that the store has a clock outside the process, perhaps a server that others
	// use too: clauses really sleep, and expect no exact counts of what a sweep finds.
	Networked bool

	// Unit is the short life that clauses give to records of a Networked store. 0 means 500 ms or
	// ten ticks, whichever is more. A slow or far server needs a longer one.
	Unit time.Duration

	// Damage, if not nil, damages the stored bytes of the record at key, so that its checksum
	// fails, and proves the clauses of damage, too. The store is what open returned.
	Damage func(s store.Store, key store.Key) error

	// Older moves time for what the engine keeps of a user's last revocation, which the kit cannot
	// wait for: it makes the instant that is kept older by a duration, and takes as much from a
	// time-to-live that the engine gave it. It is for Networked stores, and a test reaches past the
	// store for it, to the engine itself. Without it the clause guard-whole does not run there.
	Older func(ctx context.Context, user string, by time.Duration) error

	// Unsupported names the methods ("Sweep", "All") that answer [errors.ErrUnsupported]. From a
	// method that is not named, that answer is a failure. A clause that comes to a named method
	// ends there, and Run shows it as skipped.
	Unsupported []string
}

// Failure says that a store broke one clause.
type Failure struct {
	Clause  string // name in the table, as in the names of Run's subtests
	Promise string // what the store should have kept
	Err     error  // what was seen
}

// Error names the clause, what was seen and what was promised.
func (f *Failure) Error() string {
	return fmt.Sprintf("storetest: %s: %v\n\tpromise: %s", f.Clause, f.Err, f.Promise)
}

// Unwrap returns what was seen.
func (f *Failure) Unwrap() error { return f.Err }

// clause is one promise of the contract and the function that tries to break it.
type clause struct {
	name    string
	promise string
	run     func(*kit)
}

func clauses() []clause {
	return slices.Concat(traitClauses, outcomeClauses, orderClauses, replayClauses, admittedClauses, updateClauses, rotateClauses, handleClauses,
		timeClauses, givenClauses, keptClauses, lifeClauses, userClauses, revokeClauses, guardClauses, limitClauses, manyClauses,
		raceClauses, revokeRaceClauses, largeClauses, meetClauses, meetMoreClauses, meetRevokeClauses, byteClauses, sizeClauses, argumentClauses, contextClauses, nearClauses, edgeClauses,
		sweepClauses, walkClauses)
}

// clauses are those that fit the store.
func (o *Options) clauses() []clause {
	all := clauses()
	if o != nil && o.Networked && o.Older == nil {
		all = slices.DeleteFunc(all, func(c clause) bool { return c.name == guardWholeName })
	}
	if o != nil && o.Damage != nil {
		all = append(all, damageClauses...)
	}
	return all
}

// Check runs all clauses and joins their failures; each is a [*Failure]. A store within the process
// must be checked inside [synctest.Test]. The stores that open returns are not closed.
func Check(ctx context.Context, open func() (store.Store, error), opts *Options) error {
	return check(ctx, open, opts, opts.clauses())
}

func check(ctx context.Context, open func() (store.Store, error), opts *Options, table []clause) error {
	o, err := opts.resolve()
	if err != nil {
		return err
	}
	errs := make([]error, len(table))
	if !o.Networked {
		if !bubbled() {
			return errors.New("storetest: Check needs to run inside synctest.Test, or Options.Networked")
		}
		for i, c := range table {
			_, errs[i] = c.check(ctx, open, o)
		}
		return errors.Join(errs...)
	}
	// Sleeping clauses run side by side, or the kit would take minutes.
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i, c := range table {
		slots <- struct{}{}
		wg.Go(func() {
			_, errs[i] = c.check(ctx, open, o)
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Run runs each clause as a parallel subtest. It calls open once for each, with the subtest's t, so
// that t.Cleanup may close the store. Clauses for a networked store mostly sleep: go test -parallel
// 16 makes them fast on few processors.
func Run(t *testing.T, open func(testing.TB) store.Store, opts *Options) {
	t.Helper()
	o, err := opts.resolve()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range opts.clauses() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if o.Networked {
				c.test(t, open, o)
				return
			}
			synctest.Test(t, func(t *testing.T) { c.test(t, open, o) })
		})
	}
}

func (c clause) test(t *testing.T, open func(testing.TB) store.Store, o Options) {
	why, err := c.check(t.Context(), func() (store.Store, error) { return open(t), nil }, o)
	if err != nil {
		t.Error(err)
	} else if why != "" {
		t.Skip("ended where " + why)
	}
}

// check runs the clause. why says what ended it early, if it was not a failure.
func (c clause) check(ctx context.Context, open func() (store.Store, error), o Options) (why string, err error) {
	s, err := open()
	if err != nil {
		return "", c.failure(fmt.Errorf("open: %w", err))
	}
	for ; ; o.Unit *= 2 {
		k := &kit{ctx: ctx, s: s, opts: o, tick: o.Tick, unit: o.Unit, exact: !o.Networked}
		began := time.Now()
		why, err = c.once(k)
		busy := time.Since(began) - time.Duration(k.slept.Load())
		if err == nil || k.exact || busy < o.Unit/2 || o.Unit >= patience {
			return why, err
		}
	}
}

// patience bounds the Unit of a clause that is run again. What fails where calls have taken half a
// Unit may have failed because of them: records end while a slow machine is still at work on them.
// Such a failure proves nothing, and the clause is run again with twice the Unit.
const patience = 16 * time.Second

// once runs the clause once.
func (c clause) once(k *kit) (why string, err error) {
	if !k.exact {
		var cancel context.CancelFunc
		k.ctx, cancel = context.WithTimeout(k.ctx, 2*time.Minute+60*k.unit)
		defer cancel()
	}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failed:
			err = c.failure(p.err)
		case skipped:
			why = p.why
		default:
			err = c.failure(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	c.run(k)
	return "", nil
}

func (c clause) failure(err error) error {
	return &Failure{Clause: c.name, Promise: c.promise, Err: err}
}

var methods = []string{"Create", "Get", "Update", "Touch", "Rotate", "Delete", "User", "Revoke", "Sweep", "All"}

// resolve returns a copy with all defaults filled in.
func (o *Options) resolve() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	for _, m := range r.Unsupported {
		if !slices.Contains(methods, m) {
			return r, fmt.Errorf("storetest: Options.Unsupported names %q, not a method of store.Store", m)
		}
	}
	r.Tick = max(r.Tick, 1)
	switch {
	case !r.Networked:
		r.Unit = max(time.Minute, 10*r.Tick) // fake time costs nothing
	case r.Unit == 0:
		r.Unit = max(500*time.Millisecond, 10*r.Tick)
	}
	return r, nil
}

// bubbled reports whether time is fake: only then is a sleep as long as asked.
func bubbled() bool {
	for range 3 {
		start := time.Now()
		time.Sleep(time.Microsecond)
		if time.Since(start) != time.Microsecond {
			return false
		}
	}
	return true
}
