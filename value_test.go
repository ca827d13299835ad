package sojourn_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/door"
	"github.com/sojourn-go/sojourn/memstore"
)

type valueThing struct {
	A string
	M map[string]int
	L []string
}

// point has its own encoding, on the pointer.
type point struct{ x, y byte }

func (p *point) MarshalBinary() ([]byte, error) { return []byte{'P', p.x, p.y}, nil }
func (p *point) UnmarshalBinary(b []byte) error {
	if len(b) != 3 || b[0] != 'P' {
		return errors.New("no point")
	}
	p.x, p.y = b[1], b[2]
	return nil
}

// backwards is a codec of the program's own.
type backwards struct{}

func (backwards) Append(dst []byte, p any) ([]byte, error) {
	b, err := sojourn.JSON.Append(nil, p)
	slices.Reverse(b)
	return append(dst, b...), err
}
func (backwards) Decode(b []byte, p any) error {
	b = slices.Clone(b)
	slices.Reverse(b)
	return sojourn.JSON.Decode(b, p)
}

// Values come back as they were, by every codec, over two requests.
func TestValueCodecs(t *testing.T) {
	for name, c := range map[string]sojourn.Codec{"json": sojourn.JSON, "gob": sojourn.Gob, "binary": door.Binary, "own": backwards{}} {
		g := newWebRig(t, nil, sojourn.Options{Codec: c})
		roundTrip(g, name, "a string \"<é\u2028", 42, []byte{0, 1, 255}, valueThing{"a", map[string]int{"k": 1}, []string{"l"}},
			time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), map[string][]int{"a": {1}}, *big.NewInt(1 << 40))
		if name == "binary" {
			roundTrip(g, name, point{3, 4})
		}
	}
}

func roundTrip(g *webRig, codec string, all ...any) {
	g.Helper()
	for i, x := range all {
		name := fmt.Sprint("v", i)
		switch x := x.(type) {
		case string:
			trip(g, codec, name, x)
		case int:
			trip(g, codec, name, x)
		case []byte:
			trip(g, codec, name, x)
		case valueThing:
			trip(g, codec, name, x)
		case time.Time:
			trip(g, codec, name, x)
		case map[string][]int:
			trip(g, codec, name, x)
		case big.Int:
			trip(g, codec, name, x)
		case point:
			trip(g, codec, name, x)
		}
	}
}

func trip[T any](g *webRig, codec, name string, x T) {
	g.Helper()
	v := sojourn.NewValue[T](name)
	w := g.do("", func(s *sojourn.Session) { rigOK(g, v.Set(s, x)) })
	g.do(rigCookies(w), func(s *sojourn.Session) {
		if got, err := v.Lookup(s); err != nil || !reflect.DeepEqual(got, x) {
			g.Errorf("%s: %T came back as %+v, %v; want %+v", codec, x, &got, err, &x)
		}
	})
}

// No aliasing: what a handler does to what it gave or got changes nothing.
func TestValueNoAliasing(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	v := sojourn.NewValue[valueThing]("thing")
	mine := valueThing{M: map[string]int{"k": 1}, L: []string{"a"}}
	w := g.do("", func(s *sojourn.Session) {
		rigOK(t, v.Set(s, mine))
		mine.M["k"], mine.L[0] = 2, "changed"
		got := v.Get(s)
		got.M["k"], got.L[0] = 3, "changed"
		if again := v.Get(s); again.M["k"] != 1 || again.L[0] != "a" {
			t.Errorf("aliased: %+v", again)
		}
	})
	g.do(rigCookies(w), func(s *sojourn.Session) {
		if got := v.Get(s); got.M["k"] != 1 || got.L[0] != "a" {
			t.Errorf("committed: %+v", got)
		}
	})
}

// Has, Names, Take, Delete, Clear and Flash do what they say, in the request and after it.
func TestValueOperations(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	a, b, f := sojourn.NewValue[int]("a"), sojourn.NewValue[int]("b"), sojourn.NewFlash[string]("f")
	cookie := rigCookies(g.do("", func(s *sojourn.Session) {
		rigOK(t, b.Set(s, 2))
		rigOK(t, a.Set(s, 1))
		rigOK(t, f.Add(s, "one"))
		rigOK(t, f.Add(s, "one"))
		if got := s.Names(); !slices.Equal(got, []string{"a", "b", "f"}) {
			t.Errorf("names %q", got)
		}
	}))
	g.do(cookie, func(s *sojourn.Session) {
		if x, ok := a.Take(s); x != 1 || !ok || a.Has(s) {
			t.Errorf("take: %d %v", x, ok)
		}
		if x, ok := a.Take(s); x != 0 || ok {
			t.Errorf("take twice: %d %v", x, ok)
		}
		rigOK(t, f.Add(s, "two"))
		if got := f.Take(s); !slices.Equal(got, []string{"one", "one", "two"}) {
			t.Errorf("flash %q", got)
		}
		if got := f.Take(s); got != nil {
			t.Errorf("flash twice: %q", got)
		}
		b.Delete(s)
		b.Delete(s)
		if _, err := b.Lookup(s); !errors.Is(err, sojourn.ErrNoValue) {
			t.Errorf("deleted: %v", err)
		}
		rigOK(t, b.Set(s, 3))
		s.Clear()
		rigOK(t, a.Set(s, 9))
		if err := a.Update(s, func(x *int) error { *x = 0; return errors.New("no") }); err == nil || a.Get(s) != 9 {
			t.Errorf("failed update: %v, %d", err, a.Get(s))
		}
	})
	g.do(cookie, func(s *sojourn.Session) {
		if got := s.Names(); !slices.Equal(got, []string{"a"}) || a.Get(s) != 9 {
			t.Errorf("afterwards: %q, %d", got, a.Get(s))
		}
	})
}

func TestValueNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"": false, "a": true, strings.Repeat("n", 64): true, strings.Repeat("n", 65): false, "a b": false, "é": false, "a\x00": false, "a\x7f": false, "!~": true,
	} {
		for kind, make := range map[string]func(){"value": func() { sojourn.NewValue[int](name) }, "flash": func() { sojourn.NewFlash[int](name) }} {
			func() {
				defer func() {
					if (recover() == nil) != ok {
						t.Errorf("%s %q: ok %v", kind, name, ok)
					}
				}()
				make()
			}()
		}
	}
}

// Bad input: the data's limit is checked when a value is set, and what was there stays.
func TestValueMaxData(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	const room = 1<<20 - 1 - 5 - 3 - 2 // version, name, length, quotes
	cookie := rigCookies(g.do("", func(s *sojourn.Session) {
		rigOK(t, rigNote.Set(s, xs(room)))
		if err := rigNote.Set(s, xs(room+1)); !errors.Is(err, sojourn.ErrTooLarge) || len(rigNote.Get(s)) != room {
			t.Errorf("one byte more: %v, %d", err, len(rigNote.Get(s)))
		}
		if err := sojourn.NewValue[int]("x").Set(s, 1); !errors.Is(err, sojourn.ErrTooLarge) {
			t.Errorf("another value: %v", err)
		}
		if err := sojourn.NewFlash[int]("f").Add(s, 1); !errors.Is(err, sojourn.ErrTooLarge) || len(s.Names()) != 1 {
			t.Errorf("a flash: %v, %q", err, s.Names())
		}
	}))
	g.do(cookie, func(s *sojourn.Session) {
		if len(rigNote.Get(s)) != room {
			t.Errorf("read %d of %d", len(rigNote.Get(s)), room)
		}
	})
}

// Bad input: a value that does not decode is dropped, refused or upgraded, and its bytes stay until
// it is set.
func TestValueUndecodable(t *testing.T) {
	text, number := sojourn.NewValue[string]("v"), sojourn.NewValue[int]("v")
	upgrade := func(_ context.Context, name string, raw []byte, _ error) ([]byte, error) {
		clear(raw[:0])
		return []byte("42"), nil
	}
	junk := func(context.Context, string, []byte, error) ([]byte, error) { return []byte("{"), nil }
	for name, tt := range map[string]struct {
		hook func(context.Context, string, []byte, error) ([]byte, error)
		want int
		err  error
	}{
		"default": {nil, 0, sojourn.ErrNoValue},
		"refuse":  {sojourn.RefuseValue, 0, sojourn.ErrDecode}, "upgrade": {upgrade, 42, nil}, "junk": {junk, 0, sojourn.ErrDecode},
	} {
		g := newWebRig(t, nil, sojourn.Options{OnDecodeError: tt.hook})
		cookie := rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, text.Set(s, "precious")) }))
		w := g.do(cookie, func(s *sojourn.Session) {
			got, err := number.Lookup(s)
			if got != tt.want || !errors.Is(err, tt.err) || err != nil && strings.Contains(err.Error(), "precious") {
				t.Errorf("%s: lookup %d, %v", name, got, err)
			}
			if tt.err == nil {
				return
			}
			if x, ok := number.Take(s); ok || x != 0 {
				t.Errorf("%s: take %d, %v", name, x, ok)
			}
			if errors.Is(tt.err, sojourn.ErrDecode) {
				if err := number.Update(s, func(*int) error { return nil }); !errors.Is(err, sojourn.ErrDecode) {
					t.Errorf("%s: update %v", name, err)
				}
			}
		})
		if w.Code != 200 {
			t.Errorf("%s: status %d", name, w.Code)
		}
		g.do(cookie, func(s *sojourn.Session) {
			if got := text.Get(s); got != "precious" {
				t.Errorf("%s: the stored value is now %q", name, got)
			}
			rigOK(t, number.Set(s, 1))
			if number.Get(s) != 1 {
				t.Errorf("%s: set does not replace it", name)
			}
		})
	}
}

// Bad input: a full store is an outage with a clear error, and loses nothing that was there.
func TestValueFullStore(t *testing.T) {
	g := newWebRig(t, memstore.New(&memstore.Options{MaxRecords: 1, MaxBytes: 2000}), sojourn.Options{})
	cookie := rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "first")) }))
	set := func(cookie, x string) int {
		return g.serve(rigRequest("POST", cookie), func(w http.ResponseWriter, r *http.Request) {
			s, err := g.m.Load(r)
			rigOK(t, err)
			rigOK(t, rigNote.Set(s, x))
			fmt.Fprint(w, "saved")
		}).Code
	}
	if a, b := set("", "second"), set(cookie, xs(4000)); a != 503 || b != 503 {
		t.Errorf("status %d and %d, want 503", a, b)
	}
	w := g.do("", func(s *sojourn.Session) {
		if err := s.Login(t.Context(), "ada"); !errors.Is(err, sojourn.ErrFull) {
			t.Errorf("login: %v", err)
		}
	})
	if w.Header()["Set-Cookie"] != nil {
		t.Errorf("a cookie for nothing: %q", w.Header())
	}
	g.do(cookie, func(s *sojourn.Session) {
		if got := rigNote.Get(s); got != "first" {
			t.Errorf("the first value is now %q", got)
		}
	})
}
