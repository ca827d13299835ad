package explore

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// A situation is what a browser and the store hold when a run begins.
type situation struct {
	name    string
	modes   modes
	two     bool // the first request was sent with an older cookie than the others
	slow    bool // about time: for slow scripts
	few     bool // for the plain scripts only
	prepare func(w *world) []jar
}

// modes say how sessions may be kept.
type modes byte

const (
	stored modes = 1 << iota
	sealed
	both = stored | sealed
)

var situations = []*situation{
	{name: "nobody", modes: both, prepare: func(*world) []jar { return []jar{{}} }},
	{name: "visitor", modes: both, prepare: func(w *world) []jar { return []jar{w.visitor()} }},
	{name: "signed-in", modes: both, prepare: func(w *world) []jar { return []jar{w.signedIn()} }},
	{name: "used", modes: both, few: true, prepare: func(w *world) []jar { return []jar{w.after(5*time.Minute, w.signedIn())} }},
	{name: "due", modes: stored, prepare: func(w *world) []jar { return []jar{w.after(12*time.Minute, w.signedIn())} }},
	{name: "renewed", modes: stored, prepare: func(w *world) []jar { return []jar{w.signedIn().before(w, aRenew)} }},
	{name: "renewed-late", modes: stored, two: true, prepare: func(w *world) []jar { return w.renewed(1) }},
	{name: "renewed-4", modes: stored, two: true, few: true, prepare: func(w *world) []jar { return w.renewed(4) }},
	{name: "remembered", modes: stored, few: true, prepare: func(w *world) []jar { j := w.visitor(); w.do(j, aRemember); return []jar{j} }},
	{name: "ended", modes: both, few: true, prepare: func(w *world) []jar { return []jar{w.signedIn().before(w, aRevokeAda)} }},
	{name: "forged", modes: both, few: true, prepare: func(*world) []jar { return []jar{{cookieName: "AAAA"}} }},
	{name: "future", modes: sealed, few: true, prepare: func(w *world) []jar { return []jar{{cookieName: sealVisitor(w.ring, time.Now().Add(time.Hour))}} }},
	{name: "nearly-idle", modes: both, slow: true, prepare: func(w *world) []jar { return []jar{w.after(28*time.Minute, w.signedIn())} }},
}

// visitor gives the jar of a visitor with all values.
func (w *world) visitor() jar {
	j := jar{}
	code := act{do: onSession(func(s *sojourn.Session, _ *deed) error { return codeValue.Set(s, theCode) })}
	w.do(j, aIncr, aSet, aSay, code)
	w.renderForm(j)
	return j
}

func (w *world) signedIn() jar {
	j := w.visitor()
	w.do(j, aKeepAll)
	w.renderForm(j)
	return j
}

// renderForm keeps the token of a form that is open in a tab from now on.
func (w *world) renderForm(j jar) {
	s, err := w.node.Open(context.Background(), newRequest(context.Background(), j))
	if err != nil {
		panic(err)
	}
	w.form = s.CSRFToken()
}

// after lets time pass.
func (w *world) after(d time.Duration, j jar) jar {
	time.Sleep(d)
	return j
}

// before gives the jar as it was before acts: their answer is still on its way.
func (j jar) before(w *world, acts ...act) jar {
	w.do(maps.Clone(j), acts...)
	return j
}

// renewed gives a jar from before n renewals and one from after them.
func (w *world) renewed(n int) []jar {
	j := w.signedIn()
	old := maps.Clone(j)
	for range n {
		w.do(j, aRenew)
	}
	return []jar{old, j}
}

// A world is a scene made ready in one bubble: its runs begin where it stands.
type world struct {
	*engine
	scene    *scene
	ring     *sojourn.KeyRing
	node     *sojourn.Manager // serves the requests
	other    *sojourn.Manager // another node, which has seen no token before
	handler  http.Handler
	rescuing http.Handler // with a recoverer around it
	made     time.Time
	start    *snapshot
	jars     []jar        // of the first request, if it is older, and of the browser
	handle   store.Handle // of ada's session, if there is one
	eve      jar          // somebody else's browser
	form     string       // the CSRF token of a form that is open in a tab
}

// noCache is a ring whose tokens no manager remembers.
type noCache struct{ *sojourn.KeyRing }

// Durations of the runs' managers, short enough that situations are quickly made.
const (
	idle       = 30 * time.Minute
	renewAfter = 10 * time.Minute
	longest    = 15 * time.Minute
)

func newWorld(s *scene) *world {
	ring, err := sojourn.NewKeyRing(sojourn.NewKey())
	if err != nil {
		panic(err)
	}
	w := &world{engine: newEngine(), scene: s, ring: ring}
	w.node = w.manager(ring)
	w.other = w.manager(noCache{ring})
	w.handler = w.node.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handle(w, rw, r) }))
	w.rescuing = recoverer(w.handler)
	w.prepare()
	return w
}

func (w *world) manager(keys sojourn.Sealer) *sojourn.Manager {
	o := &sojourn.Options{Keys: keys, Idle: idle, RenewAfter: renewAfter, LongestRequest: longest, Observe: observe, OnError: onError,
		InsecureCrossSite: map[string]sojourn.CrossSite{"POST " + returnURL.Path: sojourn.CrossSiteRead}}
	var m *sojourn.Manager
	var err error
	if w.scene.sealed {
		m, err = sojourn.NewSealed(&sojourn.SealedOptions{Store: stage{w.engine}}, o)
	} else {
		m, err = sojourn.New(stage{w.engine}, o)
	}
	if err != nil {
		panic(err)
	}
	return m
}

func observe(ctx context.Context, e sojourn.Event) {
	if q, ok := ctx.Value(requestKey{}).(*request); ok {
		q.run.log(event{kind: noticed, q: q, notice: &e})
	}
}

func onError(w http.ResponseWriter, r *http.Request, err error) {
	if q, ok := r.Context().Value(requestKey{}).(*request); ok {
		q.failures = append(q.failures, err)
	}
	sojourn.DefaultOnError(w, r, err)
}

// prepare makes the situation.
func (w *world) prepare() {
	clear(w.records)
	clear(w.revoked)
	w.form = ""
	w.eve = jar{}
	w.do(w.eve, act{do: login("eve", sojourn.Remember(7*24*time.Hour))})
	w.jars = w.scene.situation.prepare(w)
	w.handle = store.Handle{}
	for _, rec := range w.records {
		if rec.User == ada {
			w.handle = rec.Handle
		}
	}
	time.Sleep(time.Second) // what comes is later than this
	w.made, w.start = time.Now(), w.snapshot()
}

// ready makes the situation anew where it has grown old: a sealed cookie holds its times.
func (w *world) ready() {
	if w.scene.sealed && time.Since(w.made) > 30*time.Second {
		w.prepare()
	}
}

// do serves a request that does acts, undisturbed, and keeps the cookie that comes back.
func (w *world) do(j jar, acts ...act) {
	h := w.node.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		v := &visit{m: w.node, w: rw, r: r}
		for _, a := range acts {
			if err := a.do(v, &deed{id: startID}); err != nil {
				panic(fmt.Sprintf("explore: preparing %v: %v", w.scene, err))
			}
		}
	}))
	resp := &response{header: http.Header{}}
	resp.wrote = func() { j.take(resp.header) }
	h.ServeHTTP(resp, newRequest(context.Background(), j))
	resp.WriteHeader(http.StatusOK)
}
