package possessions

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"testing"

	"github.com/sojourn-go/sojourn/sojourntest"
)

// What the functions do, on every back-end.
func TestFunctions(t *testing.T) {
	on(t, everywhere, func(t *testing.T, o Overseer, s Storer) {
		v := visit(t, o)
		v.want("<none>", "get", "k", "a")
		v.at("del", "k", "a")
		v.at("delall")
		v.at("refresh")
		if s != nil && len(ids(t, s)) != 0 {
			t.Error("a visitor who keeps nothing has a session")
		}
		odd := "ключ \x00 = ;\"" // any text is a key
		v.at("set", "k", odd, "v", "1")
		v.at("set", "k", "b", "v", "2")
		v.at("set", "k", "c", "v", "")
		v.want("1", "get", "k", odd)
		v.want("2", "get", "k", "b")
		v.want("", "get", "k", "c")
		v.at("del", "k", "b")
		v.want("<none>", "get", "k", "b")
		v.at("set", "k", "d", "v", "4")
		v.at("delall", "keep", "d", "keep", "c")
		v.want("<none>", "get", "k", odd)
		v.want("4", "get", "k", "d")
		v.at("delall")
		v.want("<none>", "get", "k", "d")

		v.at("flash", "k", "note", "v", "Saved.")
		v.want("Saved.", "show", "k", "note")
		v.want("<none>", "show", "k", "note")
		visit(t, o).want("<none>", "get", "k", odd) // another visitor
	})
}

type profile struct {
	Name string
	Age  int
}

// GetObj and its kin, IsNoMapKeyError.
func TestObjects(t *testing.T) {
	on(t, everywhere, func(t *testing.T, o Overseer, _ Storer) {
		step := 0
		c := sojourntest.NewClient(t, NewOverseeingMiddleware(o).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ada := profile{"Ada", 36}
			var got profile
			switch ctx := r.Context(); step {
			case 0:
				if err := GetObj(ctx, "p", &got); !IsNoMapKeyError(err) || IsNoSessionError(err) {
					t.Errorf("GetObj of nothing: %v", err)
				}
				if err := GetFlashObj(w, ctx, "f", &got); !IsNoMapKeyError(fmt.Errorf("page: %w", err)) {
					t.Errorf("GetFlashObj of nothing: %v", err)
				}
				ok(t, SetObj(w, "p", ada))
				ok(t, AddFlashObj(w, "f", &ada))
				ok(t, AddFlashObj(w, "wrong", "text"))
				var unsupported *json.UnsupportedTypeError
				if err := SetObj(w, "chan", make(chan int)); !errors.As(err, &unsupported) {
					t.Errorf("SetObj of a channel: %v", err)
				}
			case 1:
				ok(t, GetObj(ctx, "p", &got))
				if !reflect.DeepEqual(got, ada) {
					t.Errorf("GetObj: %v", got)
				}
				got = profile{}
				ok(t, GetFlashObj(w, ctx, "f", &got))
				if !reflect.DeepEqual(got, ada) {
					t.Errorf("GetFlashObj: %v", got)
				}
				if err := GetFlashObj(w, ctx, "wrong", &got); err == nil || IsNoMapKeyError(err) {
					t.Errorf("GetFlashObj of another type: %v", err)
				}
			case 2:
				for _, k := range []string{"f", "wrong"} {
					if err := GetFlashObj(w, ctx, k, &got); !IsNoMapKeyError(err) {
						t.Errorf("a flash shown twice: %v", err)
					}
				}
			}
		})))
		for ; step < 3; step++ {
			c.Get("/")
		}
	})
}

// The methods of a Storer. "In the case of session management, keys here are synonymous with
// session IDs." "errNoSession is a possible return value of Get and ResetExpiry."
func TestStorer(t *testing.T) {
	on(t, natives, func(t *testing.T, o Overseer, s Storer) {
		v, ctx := visit(t, o), t.Context()
		v.at("set", "k", "a", "v", "1")
		id := only(t, s)
		if text, err := s.Get(ctx, id); err != nil || text != `{"a":"1"}` {
			t.Errorf("Get: %q, %v", text, err)
		}
		ok(t, s.Set(ctx, id, `{"a":"2","b":"3"}`))
		v.want("2", "get", "k", "a")
		ok(t, s.ResetExpiry(ctx, id))
		ok(t, s.Del(ctx, id))
		ok(t, s.Del(ctx, id))
		v.want("<none>", "get", "k", "a")
		for _, id := range []string{id, "", "no id", "../../etc/passwd", "00000000-0000-4000-8000-00000000000g"} {
			if _, err := s.Get(ctx, id); !IsNoSessionError(err) || !IsNoSessionError(fmt.Errorf("page: %w", err)) || IsNoMapKeyError(err) {
				t.Errorf("Get %q: %v", id, err)
			}
			if err := s.ResetExpiry(ctx, id); !IsNoSessionError(err) {
				t.Errorf("ResetExpiry %q: %v", id, err)
			}
		}
		fresh := "a668b3bb-0cf1-4627-8cd4-7f62d09ebad6"
		ok(t, s.Set(ctx, fresh, "any text"))
		if text, err := s.Get(ctx, fresh); err != nil || text != "any text" || only(t, s) != fresh {
			t.Errorf("Get %q, %v, %v", text, err, ids(t, s))
		}
		ok(t, s.Del(ctx, fresh))
	})
}

// ReadState and WriteState, "if you want to work with the session directly".
func TestOverseerMethods(t *testing.T) {
	on(t, everywhere, func(t *testing.T, o Overseer, _ Storer) {
		step := 0
		c := sojourntest.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, err := o.ReadState(r)
			if err != nil {
				t.Fatal(err)
			}
			var events []Event
			switch step {
			case 0:
				events = []Event{{Kind: EventSet, Key: "a", Val: "1"}, {Kind: EventSet, Key: "b", Val: "2"}, {Kind: EventSet, Key: "c", Val: "3"}}
			case 1:
				if v, ok := s.Get("a"); !ok || v != "1" {
					t.Errorf("Get: %q, %v", v, ok)
				}
				events = []Event{{Kind: EventDel, Key: "a"}, {Kind: EventRefresh}, {Kind: EventDelAll, Keys: []string{"c"}}}
			case 2:
				for k, want := range map[string]bool{"a": false, "b": false, "c": true} {
					if _, ok := s.Get(k); ok != want {
						t.Errorf("%s: %v, want %v", k, ok, want)
					}
				}
				events = []Event{{Kind: EventDelClientState}}
			case 3:
				if _, err := r.Cookie("id"); err == nil {
					t.Error("the cookie was not taken away")
				}
			}
			ok(t, o.WriteState(r.Context(), w, s, events))
		}))
		for ; step < 4; step++ {
			c.Get("/")
		}
		if err := o.WriteState(t.Context(), nil, nil, nil); err == nil {
			t.Error("WriteState without a session anywhere: no error")
		}
	})
}
