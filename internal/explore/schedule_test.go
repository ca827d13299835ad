package explore

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// A run is one schedule of a scene, carried out.
type run struct {
	*world
	choices *choices
	faults  int // how many faults may still happen
	reqs    []*request
	jar     jar        // the browser's, now
	form    string     // the CSRF token of the form that was rendered last
	mu      sync.Mutex // of what follows, which a touch beside a handler reads and writes, too
	trace   []event
	changes []change
	current *call         // being carried out
	parked  chan *request // a request that has stopped, or is over

	asleep    uint8 // requests whose next call was tried here before, see awake
	redundant bool  // this run differs from one before only in the order of calls that do not see each other
	faulted   bool  // a fault has happened
	late      bool  // an answer came after all others' steps
	findings  []finding
	names     map[store.Key]string // for the story
}

// A change is one write to the store.
type change struct {
	at            int
	call          *call
	key           store.Key
	before, after *store.Record // nil for absent, or without life
}

// state says where a request is.
type state byte

const (
	unsent  state = iota
	calling       // stopped before a call
	waiting       // the call is carried out, and its answer on the way
	resting       // about to work for minutes
	running
	over
)

// A request is one request of a run.
type request struct {
	stands atomic.Bool // its handler waits: before a call, or in rest
	*script
	run     *run
	id      int
	after   *request // is sent when that one's header arrives; nil: at once
	cookies jar      // as sent
	form    string   // the CSRF token that is sent with it
	resume  chan struct{}
	state
	pending  *call
	last     *call
	calls    []*call
	deeds    []*deed
	head     *written // nil: no response
	resp     response
	failures []error // what Options.OnError was given
	panicked any
	sentAt   int
	overAt   int
}

func (q *request) letter() string { return string('A' + rune(q.id)) }

// requestKey finds the request in its context.
type requestKey struct{}

// step is what time passes from call to call, so that what began before something else is older. It
// is more than the manager's random pauses between tries, which the scheduler rounds up, so that a
// schedule takes the same time whenever it is tried.
const step = 10 * time.Millisecond

// try carries out one schedule of the world's scene and judges it.
func (w *world) try(c *choices) *run {
	w.ready()
	r := &run{world: w, choices: c, faults: c.faults, parked: make(chan *request)}
	r.perform()
	if !r.redundant {
		r.judge()
	}
	return r
}

// perform carries the run out.
func (r *run) perform() {
	r.restore(r.start)
	r.watch(func(key store.Key, before, after *store.Record) {
		if after != nil && !after.Live(time.Now()) {
			after = nil
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changes = append(r.changes, change{len(r.trace), r.current, key, before, after})
	})
	r.jar, r.form = maps.Clone(r.jars[len(r.jars)-1]), r.world.form
	r.plan()
	for {
		r.sendDue()
		q := r.next()
		if q == nil {
			break
		}
		if q.state != calling {
			r.goOn(q)
			continue
		}
		r.carryOut(q)
		second, at := r.maybeLate(q)
		if second {
			q.state, r.late = waiting, true
			continue
		}
		if r.goOn(q); at >= 0 && q.head != nil && q.head.at > q.calls[len(q.calls)-1].at && q.head.header["Set-Cookie"] != nil {
			r.choices.widen(at)
		}
	}
	r.watch(nil)
}

// plan chooses which requests overlap: all, or one is sent when another's answer has arrived.
func (r *run) plan() {
	for i, s := range r.scene.scripts {
		r.reqs = append(r.reqs, &request{script: s, run: r, id: i, resume: make(chan struct{})})
	}
	if len(r.reqs) == 2 {
		ways := 3
		if r.scene.symmetric() {
			ways = 2
		}
		switch r.choices.pick(ways) {
		case 1:
			r.reqs[1].after = r.reqs[0]
		case 2:
			r.reqs[0].after = r.reqs[1]
		}
		return
	}
	for i, q := range r.reqs[1:] {
		if k := r.choices.pick(i + 2); k > 0 {
			q.after = r.reqs[k-1]
		}
	}
}

// sendDue sends the requests whose time has come.
func (r *run) sendDue() {
	for _, q := range r.reqs {
		if q.state == unsent && (q.after == nil || q.after.head != nil || q.after.state == over) {
			time.Sleep(time.Microsecond) // it is younger than what came before
			q.cookies, q.form = r.cookiesFor(q), r.form
			q.sentAt = r.log(event{kind: sent, q: q})
			q.state = running
			go q.serve()
			<-r.parked
			r.sendDue() // its header may have been written
		}
	}
}

// cookiesFor gives what the browser sends now. The first request may have been sent earlier than
// the run begins, with older cookies.
func (r *run) cookiesFor(q *request) jar {
	switch {
	case q.stranger, q.cross:
		return nil
	case q.id == 0 && len(r.jars) > 1:
		return r.jars[0]
	}
	return maps.Clone(r.jar)
}

// next chooses the request that makes the next step; nil if all are over.
func (r *run) next() *request {
	var ready, waits, rests []*request
	for _, q := range r.reqs {
		switch q.state {
		case calling:
			ready = append(ready, q)
		case waiting:
			waits = append(waits, q)
		case resting:
			rests = append(rests, q)
		}
	}
	if len(ready)+len(waits) == 0 {
		waits = rests // no call takes minutes
	}
	if !r.choices.all {
		ready = append(ready, waits...)
	} else if len(ready) == 0 {
		ready = waits // late answers come after everything else
	}
	switch {
	case len(ready) == 0:
		return nil
	case ready[0].state != calling || !r.choices.all:
		return ready[r.pick(len(ready))]
	}
	return r.awake(ready)
}

// awake chooses among requests that stand before a call, each order of calls once. When the call of
// one was tried first at this point, then in the runs that begin here with another's it need not
// come right after it if neither sees the other: that run was had. (These are the sleep sets of
// Godefroid, Partial-Order Methods for the Verification of Concurrent Systems, 1996.)
func (r *run) awake(ready []*request) *request {
	var awake []*request
	for _, q := range ready {
		if r.asleep&(1<<q.id) == 0 {
			awake = append(awake, q)
		}
	}
	if len(awake) == 0 {
		r.redundant = true
		return ready[0]
	}
	k := r.pick(len(awake))
	chosen, sleepy := awake[k], r.asleep
	for _, q := range awake[:k] {
		sleepy |= 1 << q.id
	}
	r.asleep = 0
	for _, q := range ready {
		if q != chosen && sleepy&(1<<q.id) != 0 && !q.pending.sees(chosen.pending) {
			r.asleep |= 1 << q.id
		}
	}
	return chosen
}

// sees reports whether the order of two calls can matter to what they do or answer.
func (c *call) sees(d *call) bool {
	switch {
	case c.method == get && d.method == get:
		return false
	case c.method == revoke || d.method == revoke:
		return c.key.Tag == d.key.Tag
	}
	none := store.Key{}
	return c.key == d.key || c.key == d.next || c.next == d.key || c.next == d.next && c.next != none
}

// pick chooses one of several ways, the first where the run does not matter.
func (r *run) pick(of int) int {
	if r.redundant {
		return 0
	}
	return r.choices.pick(of)
}

// carryOut does the call before which q stands, as a choice says.
func (r *run) carryOut(q *request) {
	time.Sleep(step - time.Duration(time.Now().UnixNano())%step)
	c := q.pending
	before := q.last
	q.pending, q.last = nil, c
	c.again = c.retries(before)
	switch ways := c.ways(before); {
	case c.again && before.fault.all:
		c.fault = before.fault
	case r.faults > 0 && !r.redundant:
		c.fault = ways[r.choices.rarely(len(ways), 5)]
		c.choice = r.choices.at
		if c.fault.outcome != applied {
			r.faults--
			r.faulted = true
		}
	}
	r.mu.Lock()
	r.current, c.now = c, time.Now()
	r.mu.Unlock()
	c.carryOut()
	c.done = c.written() || c.again && before.done
	c.at = r.log(event{kind: carriedOut, q: q, call: c})
	q.calls = append(q.calls, c)
}

// maybeLate chooses whether the answer to q's call comes late. at is where widen allows it: it
// makes a difference only if the header follows.
func (r *run) maybeLate(q *request) (late bool, at int) {
	others := 0
	for _, o := range r.reqs {
		if o != q && o.state != over && o.state != waiting {
			others++
		}
	}
	switch {
	case others == 0 || r.redundant:
		return false, -1
	case !r.choices.all:
		return r.choices.rarely(2, 4) == 1, -1
	case r.faulted:
		return false, -1
	}
	if late, at = r.choices.peek(); late {
		r.faults = 0 // in a search, either the one or the other
	}
	return late, at
}

// goOn lets q go on until it stops again.
func (r *run) goOn(q *request) {
	q.state = running
	q.resume <- struct{}{}
	<-r.parked
}

// ask stops q before a call.
func (q *request) ask(c *call) error {
	c.q, q.pending, q.state = q, c, calling
	q.stands.Store(true)
	q.run.parked <- q
	<-q.resume
	q.stands.Store(false)
	return c.said
}

// rest lets minutes pass, when no other request stands before a call: none takes that long.
func (q *request) rest(d time.Duration) {
	q.state = resting
	q.stands.Store(true)
	q.run.parked <- q
	<-q.resume
	time.Sleep(d)
	q.stands.Store(false)
}

// serve runs q through the manager's handler, as net/http would.
func (q *request) serve() {
	defer func() {
		q.panicked = recover()
		if q.panicked != nil && !q.resp.flushed {
			q.head = nil // net/http drops what it has, and the connection
		}
		q.state = over
		q.overAt = q.run.log(event{kind: finished, q: q})
		q.run.parked <- q
	}()
	q.resp = response{header: http.Header{}, wrote: q.wroteHeader}
	r := newRequest(context.WithValue(context.Background(), requestKey{}, q), q.cookies)
	if q.cross {
		r.Method, r.URL = "POST", returnURL
		if q.refused {
			r.URL = someURL
		}
		r.Header["Sec-Fetch-Site"] = []string{"cross-site"}
	}
	h := q.run.handler
	if q.rescued {
		h = q.run.rescuing
	}
	h.ServeHTTP(&q.resp, r)
	q.resp.WriteHeader(http.StatusOK)
}

// wroteHeader notes the response's header, which arrives at once.
func (q *request) wroteHeader() {
	r := q.run
	q.head = &written{status: q.resp.status, header: q.resp.header.Clone()}
	r.readCookies(q.head)
	q.head.at = r.log(event{kind: header, q: q, header: q.head})
	if q.stranger {
		return
	}
	r.jar.take(q.head.header)
	for _, d := range q.deeds {
		if d.form != "" {
			r.form = d.form
		}
	}
}

// handle is the handler below the manager: it does what the request's script says.
func handle(w *world, rw http.ResponseWriter, r *http.Request) {
	q := r.Context().Value(requestKey{}).(*request)
	time.Sleep(time.Microsecond) // the request is older than what it does first
	v := &visit{q: q, m: w.node, w: rw, r: r}
	for i := range q.acts {
		d := &deed{act: &q.acts[i], id: q.letter() + string('1'+rune(i))}
		q.deeds = append(q.deeds, d)
		d.began = q.run.log(event{kind: began, q: q, act: d})
		d.err = d.do(v, d)
		d.end = q.run.log(event{kind: ended, q: q, act: d})
		if d.err != nil && !q.stubborn {
			if q.resp.status == 0 {
				sojourn.DefaultOnError(rw, r, d.err)
			}
			return
		}
	}
	rw.Write([]byte("a page"))
}
