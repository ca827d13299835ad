// Package besidepossessions compares the older possessions with ours. scripts/older.sh makes a module
// of it, since the older library is no module that a registry has: its source is given by path.
package besidepossessions

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	older "github.com/volatiletech/possessions"

	newer "github.com/sojourn-go/sojourn/compat/possessions"
	"github.com/sojourn-go/sojourn/store"

	"github.com/sojourn-go/sojourn/compat/beside/alternate"
)

// storer is what both libraries' storers can do.
type storer interface {
	Get(ctx context.Context, key string) (string, error)
	Set(ctx context.Context, key, value string) error
}

// side is a site over one of both libraries, and its storer.
type side struct {
	h        http.Handler
	st       storer
	ids      []string
	requests []*http.Request
	next     int
	fresh    int
}

// sink is a response without a client.
type sink http.Header

func (s sink) Header() http.Header         { return http.Header(s) }
func (s sink) Write(b []byte) (int, error) { return len(b), nil }
func (s sink) WriteHeader(int)             {}

func (s *side) serve(r *http.Request, path string) error {
	w := sink{}
	r.URL.Path = path
	s.h.ServeHTTP(w, r)
	return nil
}

// fill begins n sessions, which the acts go round.
func (s *side) fill(b *testing.B, all func() []string, n int) {
	for range n {
		r := httptest.NewRequest("GET", "https://example.com/set", nil)
		r.TLS = new(tls.ConnectionState)
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, r)
		c := w.Result().Cookies()
		if len(c) != 1 {
			b.Fatalf("%d cookies", len(c))
		}
		r = httptest.NewRequest("GET", "https://example.com/", nil)
		r.TLS = new(tls.ConnectionState)
		r.Header.Set("Cookie", c[0].Name+"="+c[0].Value)
		s.requests = append(s.requests, r)
	}
	if s.ids = all(); len(s.ids) != n {
		b.Fatalf("%d sessions", len(s.ids))
	}
}

func (s *side) turn() int {
	s.next = (s.next + 1) % len(s.requests)
	return s.next
}

// acts are what is compared.
var acts = []struct {
	name string
	do   func(*side) error
}{
	{"get", func(s *side) error { return s.serve(s.requests[s.turn()], "/get") }},
	{"set", func(s *side) error { return s.serve(s.requests[s.turn()], "/set") }},
	{"new", func(s *side) error {
		r := s.requests[0].Clone(context.Background())
		r.Header.Del("Cookie")
		return s.serve(r, "/set")
	}},
	{"Storer.Get", func(s *side) error {
		text, err := s.st.Get(context.Background(), s.ids[s.turn()])
		if err == nil && text == "" {
			err = errors.New("no text")
		}
		return err
	}},
	{"Storer.Set", func(s *side) error {
		s.fresh++
		return s.st.Set(context.Background(), s.ids[s.turn()], fmt.Sprintf(`{"n":"%d"}`, s.fresh))
	}},
}

func mux(get func(*http.Request) bool, set func(http.ResponseWriter)) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		if !get(r) {
			panic("the session is lost")
		}
	})
	m.HandleFunc("/set", func(w http.ResponseWriter, r *http.Request) { set(w); io.WriteString(w, "page") })
	return m
}

func sides(b *testing.B, o older.Storer, n newer.Storer) (*side, *side) {
	count := 0
	value := func() string { count++; return fmt.Sprint("a value of some length, ", count) }
	all := func(list func(context.Context) ([]string, error)) func() []string {
		return func() []string {
			ids, err := list(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			return ids
		}
	}
	was := &side{st: o, h: older.NewOverseeingMiddleware(older.NewStorageOverseer(older.NewCookieOptions(), o)).Wrap(mux(
		func(r *http.Request) bool { _, ok := older.Get(r.Context(), "n"); return ok },
		func(w http.ResponseWriter) { older.Set(w, "n", value()) }))}
	is := &side{st: n, h: newer.NewOverseeingMiddleware(newer.NewStorageOverseer(newer.NewCookieOptions(), n)).Wrap(mux(
		func(r *http.Request) bool { _, ok := newer.Get(r.Context(), "n"); return ok },
		func(w http.ResponseWriter) { newer.Set(w, "n", value()) }))}
	was.fill(b, all(o.All), 100)
	is.fill(b, all(n.All), 100)
	return was, is
}

// BenchmarkMemory compares sessions in memory, and BenchmarkDisk sessions on the same disk.
func BenchmarkMemory(b *testing.B) {
	for _, act := range acts {
		b.Run(act.name, func(b *testing.B) {
			o, err := older.NewMemoryStorer(time.Hour, time.Hour)
			if err != nil {
				b.Fatal(err)
			}
			n, err := newer.NewMemoryStorer(time.Hour, time.Hour)
			if err != nil {
				b.Fatal(err)
			}
			was, is := sides(b, o, n)
			alternate.Run(b, 100, func() error { return act.do(was) }, func() error { return act.do(is) })
		})
	}
}

// BenchmarkDisk has our side with each setting of durability. The first is what NewDiskStorer has.
func BenchmarkDisk(b *testing.B) {
	b.Run("loose", func(b *testing.B) { disk(b, store.Loose, 20) })
	b.Run("durable", func(b *testing.B) { disk(b, store.Durable, 5) })
}

func disk(b *testing.B, d store.Durability, turn int) {
	for _, act := range acts {
		b.Run(act.name, func(b *testing.B) {
			o, err := older.NewDiskStorer(b.TempDir(), time.Hour, time.Hour)
			if err != nil {
				b.Fatal(err)
			}
			n, err := newer.NewDiskStorerWith(d, b.TempDir(), time.Hour, time.Hour)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { n.Close() })
			was, is := sides(b, o, n)
			alternate.Run(b, turn, func() error { return act.do(was) }, func() error { return act.do(is) })
		})
	}
}
