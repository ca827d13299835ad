package explore

import (
	"context"
	"iter"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// An outcome is what the stage makes of a call.
type outcome byte

const (
	applied     outcome = iota
	unavailable         // not applied, and the answer says so
	lost                // applied; the answer was lost
	vanished            // not applied; an answer was lost all the same
	full                // refused
	conflict            // refused: the version was another one, it says
	corrupt             // the record is damaged, it says
)

var outcomeNames = [...]string{"applied", "unavailable", "applied, answer lost", "not applied, answer lost", "full", "conflict", "corrupt"}

func (o outcome) String() string { return outcomeNames[o] }

var outcomeErrors = [...]error{nil, store.ErrUnavailable, store.ErrIndeterminate, store.ErrIndeterminate, store.ErrFull, store.ErrConflict, store.ErrCorrupt}

// A fault is an outcome other than applied, for one try of an act or for all of its tries.
type fault struct {
	outcome
	all bool
}

func (f fault) String() string {
	switch {
	case f.outcome == applied || f.outcome >= full:
		return f.outcome.String()
	case f.all:
		return f.outcome.String() + " (each try)"
	}
	return f.outcome.String() + " (once)"
}

// method is one of a store's methods.
type method byte

const (
	create method = iota
	get
	update
	touch
	rotate
	remove
	revoke
)

var methodNames = [...]string{"Create", "Get", "Update", "Touch", "Rotate", "Delete", "Revoke"}

func (m method) String() string { return methodNames[m] }

// faults are what can happen to a call, by its method. The first is no fault. One try of several is
// treated apart where that differs from a call that just comes later: where an answer is lost, and
// where a read sees two states.
var faults = [...][]fault{
	create: {{}, {unavailable, true}, {lost, false}, {lost, true}, {vanished, true}, {full, false}},
	get:    {{}, {unavailable, false}, {unavailable, true}, {corrupt, false}},
	update: {{}, {unavailable, true}, {lost, false}, {lost, true}, {vanished, true}, {full, false}, {conflict, false}},
	touch:  {{}, {unavailable, true}, {lost, true}},
	rotate: {{}, {unavailable, true}, {lost, false}, {lost, true}, {vanished, true}, {full, false}, {conflict, false}},
	remove: {{}, {unavailable, true}, {lost, true}},
	revoke: {{}, {unavailable, true}, {lost, false}, {lost, true}, {vanished, true}},
}

// A call is one call of a request to the store: one try of an act.
type call struct {
	q      *request
	method method
	key    store.Key // of the record; of a Rotate, the old one
	next   store.Key // of a Rotate: the new one
	user   string    // of a Revoke
	sel    store.Selection
	rec    *store.Record // what it writes; what a Get gave
	tail   *store.Record // what a Rotate leaves behind
	again  bool          // another try of the act before
	done   bool          // this try of the act, or one before, has changed the store
	fault  fault
	choice int // how many choices had been made when the fault was chosen; 0: it was not
	spot   spot
	at     int // the tick at which it was applied, or was not
	now    time.Time
	truth  error // what the engine said; of a call that was not applied, the fault's error
	said   error // what the request was told
	apply  func() error
	// destroy takes the record of a Get away, as damage does: nobody can use it from then on.
	destroy func()
}

// written reports whether the call has changed the store.
func (c *call) written() bool {
	return c.truth == nil && c.fault.outcome != unavailable && c.fault.outcome != vanished && c.fault.outcome < full
}

// stage is the store that the manager of a run sees. It hands each call of a request to the run's
// scheduler, and others, of the preparation and of the judge, to the engine.
type stage struct{ *engine }

// ask makes a call wait for its turn; apply is then run by the scheduler.
func (s stage) ask(ctx context.Context, c call) error {
	q, _ := ctx.Value(requestKey{}).(*request)
	if q == nil || q.stands.Load() { // beside a handler that takes minutes, its session is kept alive
		return c.apply()
	}
	return q.ask(&c)
}

func (s stage) Create(ctx context.Context, rec store.Record, adm store.Admission) (a store.Admitted, err error) {
	err = s.ask(ctx, call{method: create, key: rec.Key, rec: &rec, apply: func() (err error) {
		a, err = s.engine.Create(ctx, rec, adm)
		return err
	}})
	if err != nil {
		return store.Admitted{}, err
	}
	return a, nil
}

func (s stage) Get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	err = s.ask(ctx, call{method: get, key: key, rec: &rec, apply: func() (err error) {
		rec, now, err = s.engine.Get(ctx, key)
		return err
	}, destroy: func() { _ = s.engine.Delete(ctx, key) }})
	if err != nil {
		return store.Record{}, now, err
	}
	return rec, now, nil
}

func (s stage) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	return s.ask(ctx, call{method: update, key: rec.Key, rec: &rec, apply: func() error { return s.engine.Update(ctx, rec, ifVersion) }})
}

func (s stage) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	return s.ask(ctx, call{method: touch, key: rec.Key, apply: func() error { return s.engine.Touch(ctx, rec, every) }})
}

func (s stage) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	return s.ask(ctx, call{method: rotate, key: old, next: rec.Key, rec: &rec, tail: tail, apply: func() error {
		return s.engine.Rotate(ctx, old, ifVersion, rec, tail)
	}})
}

func (s stage) Delete(ctx context.Context, key store.Key) error {
	return s.ask(ctx, call{method: remove, key: key, apply: func() error { return s.engine.Delete(ctx, key) }})
}

func (s stage) Revoke(ctx context.Context, user string, sel store.Selection) (r store.Revoked, err error) {
	err = s.ask(ctx, call{method: revoke, key: store.Key{Tag: store.TagOf(user)}, user: user, sel: sel, apply: func() (err error) {
		r, err = s.engine.Revoke(ctx, user, sel)
		return err
	}})
	if err != nil {
		return store.Revoked{}, err
	}
	return r, nil
}

// The walks are not explored.
func (s stage) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return s.engine.User(ctx, user)
}
func (s stage) All(ctx context.Context) iter.Seq2[store.Record, error] { return s.engine.All(ctx) }

// retries reports whether c is another try of the act whose last try was before.
func (c *call) retries(before *call) bool {
	return before != nil && before.method == c.method && before.key == c.key && before.next == c.next && before.user == c.user &&
		(before.said == store.ErrUnavailable || before.said == store.ErrIndeterminate)
}

// ways gives what can happen to the call. What was applied before is known again, and not refused.
func (c *call) ways(before *call) []fault {
	ways := faults[c.method]
	for c.again && before.done && ways[len(ways)-1].outcome >= full {
		ways = ways[:len(ways)-1]
	}
	return ways
}

// carryOut applies the call as its fault says.
func (c *call) carryOut() {
	switch c.fault.outcome {
	case applied, lost:
		c.truth = c.apply()
	default:
		if c.fault.outcome == corrupt {
			c.destroy()
		}
		c.truth = outcomeErrors[c.fault.outcome]
	}
	c.said = c.truth
	if c.fault.outcome != applied {
		c.said = outcomeErrors[c.fault.outcome]
	}
}
