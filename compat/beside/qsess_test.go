package beside

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	older "github.com/gkong/go-qweb/qsess"
	olderldb "github.com/gkong/go-qweb/qsess/qsldb"
	"github.com/syndtr/goleveldb/leveldb"

	newer "github.com/sojourn-go/sojourn/compat/qsess"
	newerldb "github.com/sojourn-go/sojourn/compat/qsess/qsldb"
	"github.com/sojourn-go/sojourn/store"

	"github.com/sojourn-go/sojourn/compat/beside/alternate"
)

var key = []byte("an encryption key of the benches")

// session is what both libraries' sessions can do.
type session interface {
	Save(http.ResponseWriter) error
	UserID() []byte
}

// side is a Store of one of both libraries.
type side struct {
	create func(user []byte) session
	get    func(w http.ResponseWriter, r *http.Request) (session, error)
	change func(session) // of the data, so that a Save has something to write

	w        sink
	requests []*http.Request
	next     int
}

// text is session data of the program's own, as the older library recommends it.
type text struct{ b []byte }

func (t *text) Marshal() ([]byte, error)    { return t.b, nil }
func (t *text) Unmarshal(data []byte) error { t.b = append(t.b[:0], data...); return nil }
func (t *text) change()                     { t.b[0]++ }

func newText() *text { return &text{[]byte("some forty bytes of a session's own data")} }

// data are the kinds of session data.
var data = []string{"none", "own", "VarMap"}

func olderSide(st *older.Store, kind string) *side {
	s := &side{
		create: func(user []byte) session { return st.NewSession(user) },
		get: func(w http.ResponseWriter, r *http.Request) (session, error) {
			s, _, err := st.GetSession(w, r)
			return s, err
		},
		change: func(session) {},
	}
	switch kind {
	case "none":
		st.NewSessData = nil
	case "own":
		st.NewSessData = func() older.SessData { return newText() }
		s.change = func(s session) { s.(*older.Session).Data.(*text).change() }
	case "VarMap":
		n := 0
		s.change = func(s session) { n++; s.(*older.Session).Data.(*older.VarMap).Vars["n"] = n }
	}
	return s
}

func newerSide(st *newer.Store, kind string) *side {
	s := &side{
		create: func(user []byte) session { return st.NewSession(user) },
		get: func(w http.ResponseWriter, r *http.Request) (session, error) {
			s, _, err := st.GetSession(w, r)
			return s, err
		},
		change: func(session) {},
	}
	switch kind {
	case "none":
		st.NewSessData = nil
	case "own":
		st.NewSessData = func() newer.SessData { return newText() }
		s.change = func(s session) { s.(*newer.Session).Data.(*text).change() }
	case "VarMap":
		n := 0
		s.change = func(s session) { n++; s.(*newer.Session).Data.(*newer.VarMap).Vars["n"] = n }
	}
	return s
}

// sink is a response without a client.
type sink http.Header

func (s sink) Header() http.Header         { return http.Header(s) }
func (s sink) Write(b []byte) (int, error) { return len(b), nil }
func (s sink) WriteHeader(int)             {}

// fill saves n sessions, which the acts go round.
func (s *side) fill(b *testing.B, n int) {
	s.w = sink{}
	for range n {
		w := httptest.NewRecorder()
		if err := s.create([]byte("a user's id")).Save(w); err != nil {
			b.Fatal(err)
		}
		r := httptest.NewRequest("GET", "http://example.com/", nil)
		r.Header.Set("Cookie", w.Result().Cookies()[0].String())
		s.requests = append(s.requests, r)
	}
}

// The acts that are compared.

func (s *side) getOne() error {
	_, err := s.load()
	return err
}

func (s *side) load() (session, error) {
	s.next = (s.next + 1) % len(s.requests)
	got, err := s.get(s.w, s.requests[s.next])
	if err == nil && len(got.UserID()) == 0 {
		err = errors.New("the session has no user")
	}
	return got, err
}

func (s *side) createOne() error {
	clear(s.w)
	return s.create([]byte("a user's id")).Save(s.w)
}

// visitOne makes a session of nobody.
func (s *side) visitOne() error {
	clear(s.w)
	return s.create(nil).Save(s.w)
}

func (s *side) refreshOne() error {
	clear(s.w)
	got, err := s.load()
	if err != nil {
		return err
	}
	return got.Save(s.w)
}

func (s *side) changeOne() error {
	clear(s.w)
	got, err := s.load()
	if err != nil {
		return err
	}
	s.change(got)
	return got.Save(s.w)
}

var acts = []struct {
	name string
	do   func(*side) error
}{{"get", (*side).getOne}, {"create", (*side).createOne}, {"visit", (*side).visitOne}, {"refresh", (*side).refreshOne}, {"change", (*side).changeOne}}

// each runs all acts on all kinds of data. n is how many calls a turn has.
func each(b *testing.B, n func(act string) int, open func(b *testing.B, kind string) (old, new *side)) {
	for _, kind := range data {
		for _, act := range acts {
			if act.name == "change" && kind == "none" {
				continue
			}
			b.Run(act.name+"/"+kind, func(b *testing.B) {
				old, new := open(b, kind)
				old.fill(b, 200)
				new.fill(b, 200)
				alternate.Run(b, n(act.name), func() error { return act.do(old) }, func() error { return act.do(new) })
			})
		}
	}
}

// BenchmarkMap compares sessions in memory.
func BenchmarkMap(b *testing.B) {
	each(b, func(string) int { return 200 }, func(b *testing.B, kind string) (*side, *side) {
		o, err := older.NewMapStore(key)
		if err != nil {
			b.Fatal(err)
		}
		n, err := newer.NewMapStore(key)
		if err != nil {
			b.Fatal(err)
		}
		return olderSide(o, kind), newerSide(n, kind)
	})
}

// BenchmarkLevelDB compares sessions in goleveldb, each side with a database of its own on the same
// disk, and our side with each setting of durability. The first is what NewGldbStore has.
func BenchmarkLevelDB(b *testing.B) {
	b.Run("relaxed", func(b *testing.B) { levelDB(b, store.Relaxed, 50) })
	b.Run("durable", func(b *testing.B) { levelDB(b, store.Durable, 5) })
}

func levelDB(b *testing.B, d store.Durability, writes int) {
	turn := func(act string) int {
		if act == "get" {
			return 200
		}
		return writes
	}
	each(b, turn, func(b *testing.B, kind string) (*side, *side) {
		db := [2]*leveldb.DB{}
		for i := range db {
			var err error
			if db[i], err = leveldb.OpenFile(b.TempDir(), nil); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { db[i].Close() })
		}
		o, err := olderldb.NewGldbStore(db[0], nil, nil, key)
		if err != nil {
			b.Fatal(err)
		}
		n, err := newerldb.NewGldbStoreWith(d, db[1], nil, nil, key)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { o.PruneKill <- 1; n.PruneKill <- 1 })
		return olderSide(o, kind), newerSide(n, kind)
	})
}
