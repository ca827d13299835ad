package sojourn_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// The benchmarks visit this many sessions in turn, each with four strings of 50 bytes, of which one
// is asked for.
const (
	benchSessions = 4096
	fieldSize     = 50
	asked         = 2
)

var benchValues = [4]sojourn.Value[string]{
	sojourn.NewValue[string]("address"), sojourn.NewValue[string]("colour"),
	sojourn.NewValue[string]("customer"), sojourn.NewValue[string]("language"),
}

const benchAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// field is the n-th string of session i; turn tells its first value from its second.
func field(i, n, turn int) string { return fmt.Sprintf("%0*d", fieldSize, 100*i+10*n+turn) }

func fieldsOf(i int) []string {
	all := make([]string, len(benchValues))
	for n := range all {
		all[n] = field(i, n, 0)
	}
	return all
}

// sink takes responses without allocating and without a socket.
type sink struct {
	header http.Header
	code   int
	body   string
}

func newSink() *sink                 { return &sink{header: make(http.Header)} }
func (b *sink) Header() http.Header  { return b.header }
func (b *sink) WriteHeader(code int) { b.code = code }
func (b *sink) Write(p []byte) (int, error) {
	b.body = string(p)
	return len(p), nil
}

func (b *sink) WriteString(s string) (int, error) {
	b.body = s
	return len(s), nil
}

// rig is one handler and its clients: session i sends request i. Two goroutines must not use one i
// at a time.
type rig struct {
	h       http.Handler
	reqs    []*http.Request
	want    []string // what the response to request i says
	next    []string // sent with request i, and what the one after it will say; nil for reads
	users   bool     // next holds users, which the response to this request says
	cookies bool     // each response brings a new cookie
}

var errAnswer = errors.New("wrong answer")

// visit sends request i and checks the answer.
func (g *rig) visit(b *sink, i int) error {
	r := g.reqs[i]
	clear(b.header)
	b.body = ""
	switch {
	case g.users:
		g.want[i], g.next[i] = g.next[i], g.want[i]
		r.Header["X-User"][0] = g.want[i]
	case g.next != nil:
		r.Header["X-Value"][0] = g.next[i]
	}
	g.h.ServeHTTP(b, r)
	if b.body != g.want[i] {
		return errAnswer
	}
	if g.next != nil && !g.users {
		g.want[i], g.next[i] = g.next[i], g.want[i]
	}
	if g.cookies {
		return g.keepCookie(b, r)
	}
	return nil
}

// keepCookie does what a browser does, without allocating.
func (g *rig) keepCookie(b *sink, r *http.Request) error {
	lines := b.header["Set-Cookie"]
	if len(lines) != 1 {
		return errAnswer
	}
	pair, _, _ := strings.Cut(lines[0], ";")
	r.Header["Cookie"][0] = pair
	return nil
}

// newRig opens a session for each client by setup, which is called with the client's number in the
// header X-Client.
func newRig(setup http.Handler) *rig {
	g := &rig{cookies: true}
	b := newSink()
	for i := range benchSessions {
		r := httptest.NewRequest("GET", "https://example.com/", nil)
		r.Header = http.Header{
			"Cookie": {""}, "X-Client": {fmt.Sprint(i)}, "X-Value": {""}, "X-User": {""},
			"User-Agent": {benchAgent}, "Accept": {"text/html"},
		}
		clear(b.header)
		setup.ServeHTTP(b, r)
		if err := g.keepCookie(b, r); err != nil {
			panic(fmt.Sprint("setup: ", b.code, b.body))
		}
		g.reqs = append(g.reqs, r)
		g.want = append(g.want, field(i, asked, 0))
	}
	g.cookies = false
	return g
}

func clientOf(r *http.Request) (i int) {
	fmt.Sscan(r.Header["X-Client"][0], &i)
	return i
}

// to makes the rig send its requests to h.
func (g *rig) to(h http.HandlerFunc) *rig { g.h = h; return g }

// writing makes each request carry the next value, in turn one of two.
func (g *rig) writing() *rig {
	for i := range g.reqs {
		g.next = append(g.next, field(i, asked, 1))
	}
	return g
}

// loggingIn makes each request sign in one of two users in place of the other.
func (g *rig) loggingIn() *rig {
	g.users, g.cookies, g.want, g.next = true, true, nil, nil
	for i := range g.reqs {
		g.want = append(g.want, fmt.Sprint("user", i))
		g.next = append(g.next, fmt.Sprint("admin", i))
	}
	return g
}

func (g *rig) renewingCookies() *rig { g.cookies = true; return g }

// answering makes all requests expect one answer.
func (g *rig) answering(s string) *rig {
	for i := range g.want {
		g.want[i] = s
	}
	return g
}

// withoutCookie makes the clients strangers.
func (g *rig) withoutCookie() *rig {
	for _, r := range g.reqs {
		delete(r.Header, "Cookie")
	}
	return g
}

func floorRig(f *floor) *rig {
	return newRig(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.insert(w, packed(fieldsOf(clientOf(r))...))
	}))
}

func floorSealedRig(f *floor) *rig {
	return newRig(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.seal(w, packed(fieldsOf(clientOf(r))...))
	}))
}

func orDie[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

func benchManager() *sojourn.Manager { return orDie(sojourn.New(memstore.New(nil), nil)) }

func benchSealed() *sojourn.Manager {
	keys := orDie(sojourn.NewKeyRing(sojourn.NewKey()))
	return orDie(sojourn.NewSealed(&sojourn.SealedOptions{AcceptReplayUntilExpiry: true}, &sojourn.Options{Keys: keys}))
}

// sessionRig signs a user in for each client and keeps four values.
func sessionRig(m *sojourn.Manager) *rig {
	return newRig(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, i := m.From(r), clientOf(r)
		if err := s.Login(r.Context(), fmt.Sprint("user", i)); err != nil {
			panic(err)
		}
		for n, v := range benchValues {
			if err := v.Set(s, field(i, n, 0)); err != nil {
				panic(err)
			}
		}
	})))
}

// loaded is what a program's handler looks like; an error shows as a wrong answer.
func loaded(m *sojourn.Manager, f func(http.ResponseWriter, *http.Request, *sojourn.Session) error) http.HandlerFunc {
	return m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := m.Load(r)
		if err == nil {
			err = f(w, r, s)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})).ServeHTTP
}

func readValue(w http.ResponseWriter, _ *http.Request, s *sojourn.Session) error {
	_, err := io.WriteString(w, benchValues[asked].Get(s))
	return err
}

func writeValue(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	was := benchValues[asked].Get(s)
	if err := benchValues[asked].Set(s, r.Header["X-Value"][0]); err != nil {
		return err
	}
	_, err := io.WriteString(w, was)
	return err
}

func logIn(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	if err := s.Login(r.Context(), r.Header["X-User"][0]); err != nil {
		return err
	}
	_, err := io.WriteString(w, s.User())
	return err
}

const greeting = "hello"

func greet(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, greeting) }

// workload is a pair of rigs that do the same work, and how far apart they may be; 0 is no aim.
//
// In read-uncached the keys are no KeyRing, so each token is opened anew: what a read costs whose
// token is not among those seen last.
type workload struct {
	name           string
	floor, sojourn func() *rig
	least          func() *rig // see [least]; nil if there is none
	ratio          float64
	allocs         int
}

var workloads = []workload{
	{"read", func() *rig { f := newFloor(); return floorRig(f).to(f.read) },
		func() *rig { m := benchManager(); return sessionRig(m).to(loaded(m, readValue)) },
		func() *rig { l := newLeast(); return leastRig(l).to(l.handler(l.read)) }, 1.5, 8},
	{"read-uncached", func() *rig { f := newFloor(); return floorRig(f).to(f.read) },
		func() *rig {
			keys := struct{ sojourn.Sealer }{orDie(sojourn.NewKeyRing(sojourn.NewKey()))}
			m := orDie(sojourn.New(memstore.New(nil), &sojourn.Options{Keys: keys}))
			return sessionRig(m).to(loaded(m, readValue))
		}, nil, 0, 0},
	{"write", func() *rig { f := newFloor(); return floorRig(f).to(f.write).writing() },
		func() *rig { m := benchManager(); return sessionRig(m).to(loaded(m, writeValue)).writing() },
		func() *rig { l := newLeast(); return leastRig(l).to(l.handler(l.write)).writing() }, 2.5, 14},
	{"login", func() *rig { f := newFloor(); return floorRig(f).to(f.login).loggingIn() },
		func() *rig { m := benchManager(); return sessionRig(m).to(loaded(m, logIn)).loggingIn() },
		func() *rig { l := newLeast(); return leastRig(l).to(l.handler(l.login)).loggingIn() }, 1.3, 0},
	{"untouched", func() *rig { return floorRig(newFloor()).to(greet).answering(greeting) },
		func() *rig {
			m := benchManager()
			return sessionRig(m).to(m.Handler(http.HandlerFunc(greet)).ServeHTTP).answering(greeting)
		}, nil, 0, 0},
	{"visitor", func() *rig { f := newFloor(); return floorRig(f).to(f.read).withoutCookie().answering("") },
		func() *rig {
			m := benchManager()
			return sessionRig(m).to(loaded(m, readValue)).withoutCookie().answering("")
		}, nil, 0, 0},
	{"sealed-read", func() *rig { f := newFloor(); return floorSealedRig(f).to(f.sealedRead) },
		func() *rig { m := benchSealed(); return sessionRig(m).to(loaded(m, readValue)) }, nil, 0, 0},
	{"sealed-write", func() *rig { f := newFloor(); return floorSealedRig(f).to(f.sealedWrite).writing().renewingCookies() },
		func() *rig {
			m := benchSealed()
			return sessionRig(m).to(loaded(m, writeValue)).writing().renewingCookies()
		}, nil, 0, 0},
}

// BenchmarkRequest measures whole requests, from ServeHTTP to the answer, of a program that uses
// sojourn and of the floor (see [floor]), from one goroutine and from as many as there are cores.
// It is for profiles and for comparing two versions; BenchmarkPairs compares the two sides.
func BenchmarkRequest(b *testing.B) {
	for _, wl := range workloads {
		for _, side := range []struct {
			name string
			make func() *rig
		}{{"floor", wl.floor}, {"sojourn", wl.sojourn}} {
			b.Run(wl.name+"/"+side.name, func(b *testing.B) {
				g := side.make()
				b.Run("serial", func(b *testing.B) {
					c := newSink()
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						if err := g.visit(c, i%benchSessions); err != nil {
							b.Fatal(err, c.code, c.body)
						}
					}
				})
				b.Run("parallel", func(b *testing.B) {
					var goroutines atomic.Int64
					n := benchSessions / runtime.GOMAXPROCS(0)
					b.ReportAllocs()
					b.RunParallel(func(pb *testing.PB) {
						first := int(goroutines.Add(1)-1) * n
						c := newSink()
						for i := 0; pb.Next(); i++ {
							if err := g.visit(c, first+i%n); err != nil {
								b.Error(err, c.code, c.body)
								return
							}
						}
					})
				})
			})
		}
	}
}
