package driver_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// TestBounds has each part of what a write is given at its bound, which passes, and beyond, which
// never reaches a driver.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &stub{}
		s := driver.New("toystore", d)
		other := record("ada")
		other.Key.ID[0]++
		create := func(change func(*store.Record)) error {
			rec := record("ada")
			change(&rec)
			_, err := s.Create(t.Context(), rec, store.Admission{})
			return err
		}
		user := func(n int) error {
			_, err := s.Create(t.Context(), record(strings.Repeat("x", n)), store.Admission{})
			return err
		}
		admit := func(adm store.Admission) error {
			_, err := s.Create(t.Context(), record("ada"), adm)
			return err
		}
		rotate := func(change func(old *store.Key, rec, tail *store.Record)) error {
			old, rec, tail := record("ada").Key, other, record("")
			tail.Key = old
			change(&old, &rec, &tail)
			return s.Rotate(t.Context(), old, 1, rec, &tail)
		}
		revoke := func(user string, sel store.Selection) error { return second(s.Revoke(t.Context(), user, sel)) }
		one := []store.Handle{{1}}
		ago := func(d time.Duration) store.Admission { return store.Admission{Began: time.Now().Add(-d)} }
		for _, c := range []struct {
			what string
			err  error
			want error
		}{
			{"user", user(store.MaxUser), nil},
			{"user", user(store.MaxUser + 1), store.ErrInvalid},
			{"tag", create(func(r *store.Record) { r.Key.Tag = (store.Tag{}) }), store.ErrInvalid},
			{"tag of nobody", create(func(r *store.Record) { r.User, r.Key.Tag = "", (store.Tag{}) }), nil},
			{"meta", create(func(r *store.Record) { r.Meta = make([]byte, store.MaxMeta) }), nil},
			{"meta", create(func(r *store.Record) { r.Meta = make([]byte, store.MaxMeta+1) }), store.ErrInvalid},
			{"data", create(func(r *store.Record) { r.Data = make([]byte, store.MaxData) }), nil},
			{"data", create(func(r *store.Record) { r.Data = make([]byte, store.MaxData+1) }), store.ErrInvalid},
			{"writer", create(func(r *store.Record) { r.Writer = store.Writer{} }), store.ErrInvalid},
			{"idle", create(func(r *store.Record) { r.Idle = -1 }), store.ErrInvalid},
			{"idle", create(func(r *store.Record) { r.Idle = store.MaxLife }), nil},
			{"idle", create(func(r *store.Record) { r.Idle = store.MaxLife + 1 }), store.ErrInvalid},
			{"lifetime", create(func(r *store.Record) { r.Lifetime = -1 }), store.ErrInvalid},
			{"lifetime", create(func(r *store.Record) { r.Lifetime = store.MaxLife }), nil},
			{"lifetime", create(func(r *store.Record) { r.Lifetime = store.MaxLife + 1 }), store.ErrInvalid},
			{"max", admit(store.Admission{Max: -1}), store.ErrInvalid},
			{"max", admit(store.Admission{Max: 1}), nil},
			{"age", admit(ago(-1)), store.ErrInvalid},
			{"age", admit(ago(0)), nil},
			{"age", admit(ago(store.GuardFor)), nil},
			{"age", admit(ago(store.GuardFor + 1)), store.ErrRevoked},
			{"rotate", rotate(func(*store.Key, *store.Record, *store.Record) {}), nil},
			{"rotate: record", rotate(func(_ *store.Key, r, _ *store.Record) { r.Writer = store.Writer{} }), store.ErrInvalid},
			{"rotate: tail", rotate(func(_ *store.Key, _, tail *store.Record) { tail.Writer = store.Writer{} }), store.ErrInvalid},
			{"rotate: one ID", rotate(func(_ *store.Key, r, tail *store.Record) { r.Key = tail.Key }), store.ErrInvalid},
			{"rotate: two tags", rotate(func(old *store.Key, _, tail *store.Record) { old.Tag[0]++; tail.Key = *old }), store.ErrInvalid},
			{"rotate: the tail's key", rotate(func(_ *store.Key, _, tail *store.Record) { tail.Key.ID[1]++ }), store.ErrInvalid},
			{"rotate: the tail's user", rotate(func(_ *store.Key, _, tail *store.Record) { tail.User = "ada" }), store.ErrInvalid},
			{"revoke: only", revoke("ada", store.Selection{Only: one}), nil},
			{"revoke: except", revoke("ada", store.Selection{Except: one}), nil},
			{"revoke: both", revoke("ada", store.Selection{Only: one, Except: one}), store.ErrInvalid},
			{"revoke: user", revoke(strings.Repeat("x", store.MaxUser), store.Selection{}), nil},
			{"revoke: user", revoke(strings.Repeat("x", store.MaxUser+1), store.Selection{}), store.ErrInvalid},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v, want %v", c.what, c.err, c.want)
			}
		}
	})
}

// TestLives has records at their end, and a moment before.
func TestLives(t *testing.T) {
	began := time.Unix(1e9, 0)
	for _, c := range []struct {
		idle, life, seen time.Duration
		end              time.Duration // 0: never
	}{
		{0, 0, 0, 0}, {0, 0, 5, 0}, {10, 0, 5, 15}, {0, 10, 5, 10}, {10, 20, 5, 15}, {10, 12, 5, 12}, {10, 15, 5, 15},
	} {
		r := store.Record{Created: began, Seen: began.Add(c.seen), Idle: c.idle, Lifetime: c.life}
		if c.end == 0 {
			if !r.Expires().IsZero() || !r.Live(began.Add(math.MaxInt64)) {
				t.Errorf("%+v ends", c)
			}
		} else if end := began.Add(c.end); !r.Expires().Equal(end) || r.Live(end) || !r.Live(end.Add(-1)) {
			t.Errorf("%+v ends at %v; lives there %v, and before %v", c, r.Expires(), r.Live(end), r.Live(end.Add(-1)))
		}
	}
}

// TestHandles spells and reads handles, and nothing that only looks like one.
func TestHandles(t *testing.T) {
	h := store.Handle{1, 2, 3, 0xff}
	text, _ := h.MarshalText()
	var back store.Handle
	if err := back.UnmarshalText(text); err != nil || back != h || len(text) != 22 || string(text) != h.String() {
		t.Errorf("%s became %v, %v", text, back, err)
	}
	good := h.String()
	for _, bad := range []string{"", good[:21], good + "A", good + "AA", good[:21] + "\n", good + "\n", good[:21] + "=", good[:21] + "B", good[:10] + "\n" + good[10:]} {
		if got, err := store.ParseHandle(bad); !errors.Is(err, store.ErrInvalid) || got != (store.Handle{}) {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
	sel := store.Selection{Only: []store.Handle{{9}, h}}
	if !sel.Picks(h) || sel.Picks(store.Handle{8}) {
		t.Error("Only picks wrongly")
	}
	sel = store.Selection{Except: sel.Only}
	if sel.Picks(h) || !sel.Picks(store.Handle{8}) || !(store.Selection{}).Picks(h) {
		t.Error("Except picks wrongly")
	}
}

// TestHidden prints records and keys in every way: nothing shows but handle and tag.
func TestHidden(t *testing.T) {
	rec := record("secretuser")
	rec.Data, rec.Meta = []byte("secretdata"), []byte("secretmeta")
	rec.Key.ID = store.ID([]byte("secretsecretsecretsecretsecretse"))
	id := fmt.Sprintf("%x", rec.Key.ID[:4])
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{rec, &rec, rec.Key, &rec.Key, rec.LogValue()} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "secret") || strings.Contains(text, id) || text == "" {
				t.Errorf("%s of %T shows %s", verb, v, text)
			}
		}
	}
	if want := "session " + rec.Handle.String(); rec.String() != want || fmt.Sprint(rec) != want || rec.LogValue().String() != want {
		t.Errorf("%v, want %s", rec, want)
	}
	if text, err := json.Marshal(rec); err == nil {
		t.Errorf("as JSON: %s", text)
	}
}
