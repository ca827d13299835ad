package qsess_test

import (
	"encoding/gob"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/sojourntest"
)

type (
	account struct{ Name string }
	shared  struct{ Name string } // kept as a pointer
)

func init() {
	for _, v := range []any{account{}, &shared{}, []int{}, time.Time{}} {
		gob.Register(v)
	}
}

func TestVarMap(t *testing.T) {
	in := &qsess.VarMap{Vars: map[any]any{"n": 7, 3: "three", "a": account{"Ada"}, "at": time.Now()}}
	b, err := in.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	out := &qsess.VarMap{Vars: map[any]any{"left": "over"}}
	if err := out.Unmarshal(b); err != nil {
		t.Fatal(err)
	}
	if at := out.Vars["at"].(time.Time); !at.Equal(in.Vars["at"].(time.Time)) {
		t.Errorf("a time came back as %v", at)
	}
	delete(in.Vars, "at")
	delete(out.Vars, "at")
	if !reflect.DeepEqual(in.Vars, out.Vars) {
		t.Errorf("%v came back as %v", in.Vars, out.Vars)
	}
	if err := out.Unmarshal(nil); err != nil || len(out.Vars) != 0 {
		t.Errorf("no bytes came back as %v, %v", out.Vars, err)
	}
	if err := out.Unmarshal([]byte("nonsense")); err == nil {
		t.Error("nonsense decodes")
	}
	if b, err = new(qsess.VarMap).Marshal(); err != nil || out.Unmarshal(b) != nil {
		t.Errorf("a zero VarMap: %v", err)
	}
}

// TestMerge compares with what a merge is: theirs, and on top each key that this request set or
// deleted.
func TestMerge(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	mapOf := func() map[any]any {
		m := map[any]any{}
		for k := range 4 {
			if random.IntN(2) == 0 {
				m[k] = random.IntN(2)
			}
		}
		return m
	}
	for range 500 {
		base, own, theirs := mapOf(), mapOf(), mapOf()
		want := maps.Clone(theirs)
		for k := range 4 {
			switch v, has := own[k]; {
			case has && v != base[k]:
				want[k] = v
			case !has && base[k] != nil:
				delete(want, k)
			}
		}
		m := &qsess.VarMap{Vars: maps.Clone(own)}
		if err := m.Merge(encode(t, base), encode(t, theirs)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(m.Vars, want) {
			t.Fatalf("base %v, own %v, theirs %v became %v, want %v", base, own, theirs, m.Vars, want)
		}
	}
	m := &qsess.VarMap{Vars: map[any]any{"a": 1}}
	if err := m.Merge([]byte("nonsense"), nil); err == nil || m.Vars["a"] != 1 {
		t.Errorf("nonsense merged to %v, %v", m.Vars, err)
	}
}

func encode(t testing.TB, m map[any]any) []byte {
	t.Helper()
	b, err := (&qsess.VarMap{Vars: m}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWhatIsAChange: every change of a VarMap is saved, also one in place, and what is none writes
// no data.
func TestWhatIsAChange(t *testing.T) {
	plain := map[any]any{"n": 1, "s": "text", 2: true}
	deep := map[any]any{"n": 1, "list": []int{1, 2}, "account": account{"Ada"}, "pointer": &shared{"Ada"}}
	for name, c := range map[string]struct {
		data    map[any]any
		change  func(map[any]any)
		changes bool
	}{
		"nothing":          {plain, func(map[any]any) {}, false},
		"nothing, deep":    {deep, func(map[any]any) {}, false},
		"nothing, empty":   {map[any]any{}, func(map[any]any) {}, false},
		"the same again":   {plain, func(m map[any]any) { m["n"] = 1 }, false},
		"there and back":   {plain, func(m map[any]any) { m["x"] = 1; delete(m, "x") }, false},
		"another value":    {plain, func(m map[any]any) { m["n"] = 2 }, true},
		"another type":     {plain, func(m map[any]any) { m["n"] = int64(1) }, true},
		"another key":      {plain, func(m map[any]any) { delete(m, 2); m[int64(2)] = true }, true},
		"one more":         {plain, func(m map[any]any) { m["x"] = 1 }, true},
		"one less":         {plain, func(m map[any]any) { delete(m, "s") }, true},
		"the first":        {map[any]any{}, func(m map[any]any) { m["x"] = 1 }, true},
		"the last":         {map[any]any{"x": 1}, func(m map[any]any) { delete(m, "x") }, true},
		"a deep one":       {plain, func(m map[any]any) { m["n"] = []int{1} }, true},
		"in place":         {deep, func(m map[any]any) { m["list"].([]int)[0] = 7 }, true},
		"behind a pointer": {deep, func(m map[any]any) { m["pointer"].(*shared).Name = "Bob" }, true},
		"no deep one now":  {deep, func(m map[any]any) { delete(m, "list"); delete(m, "pointer"); m["account"] = 1 }, true},
	} {
		for _, saved := range []bool{false, true} { // on a session that was just loaded, and on one that was saved since
			st, f := newFaulty(t)
			first := st.NewSession([]byte("ada"))
			first.Data.(*qsess.VarMap).Vars = c.data
			_, token := save(t, first)
			s, _ := load(t, st, token)
			if saved {
				vars(s)["more"] = 1
				save(t, s)
			}
			before := f.Calls(sojourntest.OpUpdate)
			c.change(vars(s))
			if err := s.Save(httptest.NewRecorder()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if n := f.Calls(sojourntest.OpUpdate) - before; (n > 0) != c.changes {
				t.Errorf("%s: %d updates", name, n)
			}
			if got, _ := load(t, st, token); !reflect.DeepEqual(vars(got), vars(s)) {
				t.Errorf("%s: %v was saved as %v", name, vars(s), vars(got))
			}
		}
	}
}

// TestOverlapping: three requests load one session; what each changed is there in the end, in each
// of them too, and a deletion stays one.
func TestOverlapping(t *testing.T) {
	st := newMap(t)
	first := st.NewSession([]byte("ada"))
	vars(first)["gone"], vars(first)["both"] = 1, 1
	_, token := save(t, first)
	a, _ := load(t, st, token)
	b, _ := load(t, st, token)
	c, _ := load(t, st, token)
	vars(a)["a"] = 1
	delete(vars(a), "gone")
	vars(b)["b"], vars(b)["both"] = 2, 2
	vars(c)["both"] = 3
	for _, s := range []*qsess.Session{a, b, c, a, b} {
		if err := s.Save(httptest.NewRecorder()); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := load(t, st, token)
	if want := (map[any]any{"a": 1, "b": 2, "both": 3}); !reflect.DeepEqual(vars(got), want) {
		t.Errorf("the session has %v, want %v", vars(got), want)
	}
	vars(c)["c"] = 1
	save(t, c)
	if !reflect.DeepEqual(vars(c), map[any]any{"a": 1, "b": 2, "both": 3, "c": 1}) {
		t.Errorf("the last request holds %v", vars(c))
	}
}
