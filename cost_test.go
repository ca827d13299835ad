package sojourn_test

// What a session costs: promise 7.

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// Promise 7: store calls of each kind of request.
func TestCostInCalls(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	b.ok("set?k=a&v=x")
	for path, want := range map[string]map[string]int{
		"none": {}, "user": {opGet: 1}, "names": {opGet: 1}, "get?k=a": {opGet: 1}, "set?k=a&v=x": {opGet: 1}, // no change, no write
		"set?k=a&v=y": {opGet: 1, opUpdate: 1}, "renew": {opGet: 2, opRotate: 1}, // the second makes sure, before the new token is sent, that it still is the session's
	} {
		g.store.reset()
		b.ok(path)
		total := 0
		for op, n := range want {
			total += n
			if k := g.store.count(op); k != n {
				t.Errorf("%s: %d %s, want %d", path, k, op, n)
			}
		}
		if n := g.store.count(); n != total {
			t.Errorf("%s: %d calls, want %d", path, n, total)
		}
		b.ok("set?k=a&v=x")
	}
}

// Promise 7: around a request that does not touch its session, Handler allocates its visit (which
// is context, writer and session in one) and net/http's copy of the Request, and nothing else.
func TestCostInAllocations(t *testing.T) {
	m := must(sojourn.New(memstore.New(nil), nil))
	bare := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	r := (&browser{cookie: strings.Repeat("A", 124)}).request(t.Context(), "")
	w := httptest.NewRecorder()
	handler := m.Handler(bare)
	base := testing.AllocsPerRun(1000, func() { bare.ServeHTTP(w, r) })
	if n := testing.AllocsPerRun(1000, func() { handler.ServeHTTP(w, r) }) - base; n != 2 {
		t.Errorf("%v allocations around an untouched session, want 2", n)
	}
}

// Promise 7: a request that reads a user's session allocates six times more, and no more than that
// where the cookie had other spellings before.
func TestCostOfARead(t *testing.T) {
	until := time.Now().Add(time.Hour)
	for _, former := range [][]sojourn.FormerCookie{nil, {{Name: "sid", Until: until}, {Name: "sid", Domain: "example.com", Until: until}}} {
		m := must(sojourn.New(memstore.New(nil), &sojourn.Options{Cookie: sojourn.CookieOptions{Former: former}}))
		signIn := httptest.NewRecorder()
		m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			rigOK(t, m.From(r).Login(r.Context(), "ada"))
		})).ServeHTTP(signIn, rigRequest("POST"))
		r, w := rigRequest("GET", rigCookies(signIn)), httptest.NewRecorder()
		handler := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if s, err := m.Load(r); err != nil || s.User() != "ada" {
				t.Errorf("user %q, %v", s.User(), err)
			}
		}))
		if n := testing.AllocsPerRun(1000, func() { handler.ServeHTTP(w, r) }); n != 8 {
			t.Errorf("%v allocations, want 8", n)
		}
	}
}

// Promise 7: a text that JSON need not escape is read and written without the codec's allocations.
func TestCostOfAText(t *testing.T) {
	m := must(sojourn.New(memstore.New(nil), nil))
	g := &webRig{TB: t, m: m}
	texts := [2]string{"a plain text", "another text"}
	w := g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, texts[0])) })
	i := 0
	g.do(rigCookies(w), func(s *sojourn.Session) {
		if n := testing.AllocsPerRun(100, func() { rigNote.Get(s) }); n != 1 { // the text itself
			t.Errorf("reading allocates %v times", n)
		}
		if n := testing.AllocsPerRun(100, func() { i++; rigOK(t, rigNote.Set(s, texts[i%2])) }); n != 2 { // its bytes, and the change for a replay
			t.Errorf("writing allocates %v times", n)
		}
	})
}
