package sojourn

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// sealedRig is the store of one request to a sealed session, over a presence store or none.
type sealedRig struct {
	*testing.T
	*sealedStore
	presence store.Store
	user     string
}

func eachSealedStore(t *testing.T, f func(g *sealedRig)) {
	for _, c := range []struct {
		name, user string
		presence   bool
	}{{"ada", "ada", true}, {"visitor", "", true}, {"ada without presence", "ada", false}, {"visitor without presence", "", false}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &sealedRig{T: t, user: c.user}
				so := SealedOptions{AcceptReplayUntilExpiry: !c.presence}
				keys, err := NewKeyRing(NewKey())
				if err != nil {
					t.Fatal(err)
				}
				if c.presence {
					g.presence = memstore.New(nil)
					so.Store = g.presence
				}
				m, err := NewSealed(&so, &Options{Keys: keys})
				if err != nil {
					t.Fatal(err)
				}
				g.sealedStore = newSealedStore(m, nil)
				f(g)
			})
		})
	}
}

func (g *sealedRig) record() store.Record {
	c := token.New(g.user)
	return store.Record{
		Key: c.Key(), Handle: newHandle(), User: g.user, Writer: newWriter(),
		Idle: 30 * time.Minute, Lifetime: 12 * time.Hour, Data: []byte("old"),
	}
}

func (g *sealedRig) created() store.Record {
	g.Helper()
	rec := g.record()
	_, err := g.Create(g.Context(), rec, store.Admission{})
	g.want("create", err, nil)
	return rec
}

func (g *sealedRig) want(what string, got, want error) {
	g.Helper()
	if !errors.Is(got, want) || (got == nil) != (want == nil) {
		g.Errorf("%s: %v, want %v", what, got, want)
	}
}

// reads checks what is at key.
func (g *sealedRig) reads(what string, key store.Key, want store.Record) {
	g.Helper()
	got, now, err := g.Get(g.Context(), key)
	if err != nil {
		g.Errorf("%s: %v", what, err)
		return
	}
	if !now.Equal(time.Now()) || string(got.Data) != string(want.Data) || got.Version != want.Version || got.Handle != want.Handle ||
		got.User != g.user || !got.Created.Equal(want.Created) || !got.Seen.Equal(want.Seen) || got.Idle != want.Idle || got.Lifetime != want.Lifetime {
		g.Errorf("%s: read %+v, want %+v", what, got, want)
	}
}

// kept is the presence record of rec, if there is to be one.
func (g *sealedRig) kept(what string, rec store.Record) (p store.Record) {
	g.Helper()
	if g.sealedStore.presence == nil || g.user == "" {
		return p
	}
	p, _, err := g.presence.Get(g.Context(), rec.Key)
	if err != nil || len(p.Data) > 0 || p.Handle != rec.Handle || p.User != g.user || p.Idle != rec.Idle || p.Lifetime != rec.Lifetime {
		g.Errorf("%s: presence %+v, %v", what, p, err)
	}
	return p
}

// A sealed session's store answers as any other does to what is not there, not this version, or too
// large, and changes nothing then.
func TestSealedStoreRefuses(t *testing.T) {
	eachSealedStore(t, func(g *sealedRig) {
		ctx := g.Context()
		other := g.record()
		large := g.record()
		large.Data = []byte(strings.Repeat("x", 1<<14))
		_, err := g.Create(ctx, large, store.Admission{})
		g.want("create too large", err, ErrTooLarge)
		_, err = g.Create(ctx, store.Record{}, store.Admission{})
		g.want("create nothing", err, store.ErrInvalid)
		_, _, err = g.Get(ctx, store.Key{})
		g.want("get before there is one", err, store.ErrNotFound)
		zero := store.Record{Idle: time.Hour}
		g.want("update before there is one", g.Update(ctx, zero, 0), store.ErrNotFound)
		g.want("touch before there is one", g.Touch(ctx, zero, 0), store.ErrNotFound)
		g.want("rotate before there is one", g.Rotate(ctx, store.Key{}, 0, other, nil), store.ErrNotFound)

		rec := g.created()
		rec.Version, rec.Created, rec.Seen = 1, time.Now(), time.Now()
		large.Key = rec.Key
		_, _, err = g.Get(ctx, other.Key)
		g.want("get another", err, store.ErrNotFound)
		g.want("update another", g.Update(ctx, other, 1), store.ErrNotFound)
		g.want("touch another", g.Touch(ctx, other, 0), store.ErrNotFound)
		g.want("rotate another", g.Rotate(ctx, other.Key, 1, other, nil), store.ErrNotFound)
		g.want("update at another version", g.Update(ctx, rec, 2), store.ErrConflict)
		g.want("rotate at another version", g.Rotate(ctx, rec.Key, 2, other, nil), store.ErrConflict)
		g.want("update too large", g.Update(ctx, large, 1), ErrTooLarge)
		large.Key = other.Key
		g.want("rotate too large", g.Rotate(ctx, rec.Key, 1, large, nil), ErrTooLarge)
		g.want("delete another", g.Delete(ctx, other.Key), nil)
		g.reads("after all that", rec.Key, rec)
		g.kept("after all that", rec)

		time.Sleep(30*time.Minute - 1)
		g.reads("at its end", rec.Key, rec)
		time.Sleep(time.Nanosecond)
		_, _, err = g.Get(ctx, rec.Key)
		g.want("get an expired one", err, store.ErrNotFound)
	})
}

// Writes keep what they do not change, and the presence record lives as long as the cookie.
func TestSealedStoreWrites(t *testing.T) {
	eachSealedStore(t, func(g *sealedRig) {
		ctx := g.Context()
		rec := g.created()
		created := time.Now()
		time.Sleep(time.Minute)
		change := g.record()
		change.Key, change.Data, change.Created = rec.Key, []byte("new"), time.Now()
		g.want("update", g.Update(ctx, change, 1), nil)
		want := rec
		want.Data, want.Version, want.Created, want.Seen = change.Data, 2, created, time.Now()
		g.reads("updated", rec.Key, want)

		time.Sleep(time.Minute)
		change = want
		change.Data = []byte("peeked")
		g.want("update that is no use", g.Update(ctx, change, 2), nil)
		want.Data, want.Version = change.Data, 3
		g.reads("updated without use", rec.Key, want)

		for i, limits := range [][2]time.Duration{{time.Hour, 12 * time.Hour}, {time.Hour, 6 * time.Hour}, {2 * time.Hour, 5 * time.Hour}} {
			change.Idle, change.Lifetime, change.Seen = limits[0], limits[1], time.Time{}
			g.want("update of limits", g.Update(ctx, change, want.Version), nil)
			want.Idle, want.Lifetime, want.Seen = limits[0], limits[1], time.Now()
			want.Version++
			g.reads("limits", rec.Key, want)
			if p := g.kept("limits", want); p.Version > 0 && p.Version != uint64(i+2) {
				g.Errorf("presence has version %d after %d changes of its limits", p.Version, i+1)
			}
		}

		// A use is written down now and then, though the cookie has it each time.
		g.reads("before its use", rec.Key, want)
		seen := g.kept("before its use", want).Seen
		for _, tt := range []struct {
			wait time.Duration
			due  bool
		}{{time.Minute - 1, false}, {1, true}, {time.Second, false}, {time.Minute, true}} {
			time.Sleep(tt.wait)
			g.want("touch", g.Touch(ctx, want, time.Minute), nil)
			want.Seen = time.Now()
			g.reads("touched", rec.Key, want)
			if p := g.kept("touched", want); p.Version > 0 && !p.Seen.Equal(seen) != tt.due {
				g.Errorf("after %v the use is written: %t, want %t", tt.wait, !tt.due, tt.due)
			} else {
				seen = p.Seen
			}
		}
		g.want("delete", g.Delete(ctx, rec.Key), nil)
		_, _, err := g.Get(ctx, rec.Key)
		g.want("get what was deleted", err, store.ErrNotFound)
		if g.presence != nil {
			_, _, err = g.presence.Get(ctx, rec.Key)
			g.want("presence of what was deleted", err, store.ErrNotFound)
		}
	})
}

// A rotation moves cookie and presence; an older copy of the cookie meets the mark.
func TestSealedStoreRotates(t *testing.T) {
	eachSealedStore(t, func(g *sealedRig) {
		ctx := g.Context()
		rec := g.created()
		created := time.Now()
		for i, given := range []bool{true, false, true} {
			time.Sleep(time.Minute)
			copied := *g.sealedStore
			next := g.record()
			next.Handle, next.Data = rec.Handle, []byte("moved")
			want := next
			want.Version = uint64(i + 2)
			if want.Created, want.Seen = time.Now(), time.Now(); given {
				next.Created, next.Seen = created, created
				want.Created, want.Seen = created, created
			}
			tail := store.Record{Key: rec.Key, Handle: rec.Handle, Writer: newWriter(), Lifetime: time.Minute, Meta: []byte("mark")}
			g.want("rotate", g.Rotate(ctx, rec.Key, uint64(i+1), next, &tail), nil)
			g.reads("rotated", next.Key, want)
			g.kept("rotated", next)
			_, _, err := g.Get(ctx, rec.Key)
			g.want("get at the old key", err, store.ErrNotFound)
			if g.sealedStore.presence != nil && g.user != "" {
				old, _, err := copied.Get(ctx, rec.Key)
				if err != nil || old.User != "" || string(old.Meta) != "mark" {
					g.Errorf("the older copy finds %+v, %v", old, err)
				}
				g.want("update of the older copy", copied.Update(ctx, copied.rec, copied.rec.Version), store.ErrConflict)
				g.want("touch of the older copy", copied.Touch(ctx, copied.rec, 0), store.ErrConflict)
			}
			rec, created = next, want.Created
		}
	})
}

// What is revoked is over, at once where there is a presence store.
func TestSealedStoreRevokes(t *testing.T) {
	eachSealedStore(t, func(g *sealedRig) {
		if g.user == "" {
			return
		}
		ctx := g.Context()
		rec := g.created()
		for what, tt := range map[string]struct {
			user string
			sel  store.Selection
		}{"another user": {"eve", store.Selection{}}, "another handle": {g.user, store.Selection{Only: []store.Handle{newHandle()}}}} {
			_, err := g.Revoke(ctx, tt.user, tt.sel)
			g.want(what, err, nil)
			_, _, err = g.Get(ctx, rec.Key)
			g.want("after "+what, err, nil)
		}
		_, err := g.Revoke(ctx, g.user, store.Selection{Only: []store.Handle{rec.Handle}})
		g.want("revoke", err, nil)
		_, _, err = g.Get(ctx, rec.Key)
		g.want("get", err, store.ErrNotFound)
		if g.presence != nil {
			g.want("update", g.Update(ctx, g.rec, 1), store.ErrNotFound)
			g.want("touch", g.Touch(ctx, g.rec, time.Hour), store.ErrNotFound)
		}
	})
}

// What the Manager asks the presence store itself is not answered in silence.
func TestSealedStoreListsNothing(t *testing.T) {
	eachSealedStore(t, func(g *sealedRig) {
		for _, seq := range []func(func(store.Record, error) bool){g.User(g.Context(), g.user), g.All(g.Context())} {
			n := 0
			for _, err := range seq {
				n++
				g.want("list", err, errors.ErrUnsupported)
			}
			if n != 1 {
				g.Errorf("%d answers", n)
			}
		}
		_, err := g.Sweep(g.Context(), 1)
		g.want("sweep", err, errors.ErrUnsupported)
		g.want("watch", g.Watch(g.Context(), nil), errors.ErrUnsupported)
	})
}

// Writes that follow each other in one request, with no read between them, each meet the presence
// record as the one before has left it.
func TestSealedStoreWritesInARow(t *testing.T) {
	eachSealedStore(t, func(g *sealedRig) {
		ctx := g.Context()
		rec := g.created()
		limits := func(version uint64, idle time.Duration) {
			g.Helper()
			rec.Idle = idle
			g.want("update", g.Update(ctx, rec, version), nil)
		}
		limits(1, 20*time.Minute)
		limits(2, 10*time.Minute)
		next := g.record()
		next.Handle = rec.Handle
		tail := store.Record{Key: rec.Key, Handle: rec.Handle, Writer: newWriter(), Lifetime: time.Minute, Meta: []byte("mark")}
		g.want("rotate", g.Rotate(ctx, rec.Key, 3, next, &tail), nil)
		rec = next
		limits(4, 20*time.Minute)
		limits(5, 10*time.Minute)
		if p := g.kept("after all", rec); p.Version > 0 && p.Version != 6 {
			g.Errorf("presence has version %d", p.Version)
		}
		time.Sleep(time.Minute)
		g.want("touch", g.Touch(ctx, rec, time.Minute), nil)
		if p := g.kept("touched", rec); p.Version > 0 && !p.Seen.Equal(time.Now()) {
			g.Errorf("the use is not written down: seen %v ago", time.Since(p.Seen))
		}
	})
}

// A presence store that fails is heard, whatever was asked of it.
func TestSealedStoreFails(t *testing.T) {
	eachSealedStore(t, func(g *sealedRig) {
		if g.presence == nil || g.user == "" {
			return
		}
		ctx := g.Context()
		rec := g.created()
		given, giveUp := context.WithCancel(ctx)
		giveUp()
		rec.Idle /= 2
		_, _, err := g.Get(given, rec.Key)
		g.want("get", err, context.Canceled)
		g.want("update", g.Update(given, rec, 1), context.Canceled)
		g.want("update after one that failed", g.Update(ctx, rec, 1), nil)
		g.want("touch", g.Touch(given, rec, 0), context.Canceled)
		g.want("delete", g.Delete(given, rec.Key), context.Canceled)
	})
}

// What was ended stays so, whatever is revoked after it.
func TestSealedStoreStaysEnded(t *testing.T) {
	eachSealedStore(t, func(g *sealedRig) {
		ctx := g.Context()
		rec := g.created()
		g.want("delete", g.Delete(ctx, rec.Key), nil)
		_, err := g.Revoke(ctx, "eve", store.Selection{})
		g.want("revoke", err, nil)
		_, _, err = g.Get(ctx, rec.Key)
		g.want("get", err, store.ErrNotFound)
	})
}

// trips counts what reaches a presence store.
type trips struct {
	store.Store
	touches int
}

func (c *trips) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	c.touches++
	return c.Store.Touch(ctx, rec, every)
}

// A presence record that was used a moment ago is not touched again.
func TestSealedStoreTouchesSeldom(t *testing.T) {
	eachSealedStore(t, func(g *sealedRig) {
		if g.presence == nil || g.user == "" {
			return
		}
		ctx := g.Context()
		c := &trips{Store: g.presence}
		g.sealedStore.presence = c
		rec := g.created()
		_, _, err := g.Get(ctx, rec.Key)
		g.want("get", err, nil)
		for i, tt := range []struct {
			wait time.Duration
			want int
		}{{time.Minute - 1, 0}, {1, 1}, {time.Minute - 1, 1}, {1, 2}} {
			time.Sleep(tt.wait)
			g.want("touch", g.Touch(ctx, rec, time.Minute), nil)
			if c.touches != tt.want {
				g.Errorf("step %d: the presence store was touched %d times, want %d", i, c.touches, tt.want)
			}
		}
	})
}
