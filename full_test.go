package sojourn_test

// L4: a full store signs nobody out who is in constant use.

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// readEachMinute reads a page each minute for longer than any idle limit, as ada.
func (b *browser) readEachMinute(path string, minutes int) {
	b.g.Helper()
	for i := range minutes {
		time.Sleep(time.Minute)
		if w := b.get(path); w.Code != http.StatusOK || w.Body.String() != "ada" {
			b.g.Fatalf("minute %d: status %d, user %q", i+1, w.Code, w.Body)
		}
	}
}

// L4: a renewal that is due and finds no room keeps no use from being written down.
func TestL4FullAtRenewal(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		g.store.setBefore(fail(store.ErrFull), opRotate)
		b.readEachMinute("user", 180)
	})
	synctest.Test(t, func(t *testing.T) { // memstore itself, at its bound
		keys := must(sojourn.NewKeyRing(sojourn.NewKey()))
		st := newFaultStore(memstore.New(&memstore.Options{MaxRecords: 2}))
		g := openSite(t, st, false, sojourn.Options{Keys: keys})
		g.signedIn("bob")
		g.signedIn("ada").readEachMinute("user", 180)
	})
}

// L4: the same of a request with one commit: a handler that writes nothing, and Open.
func TestL4FullAtRenewalOneCommit(t *testing.T) {
	for _, open := range []bool{false, true} {
		t.Run(fmt.Sprint("Open ", open), func(t *testing.T) {
			bubble(t, func(t *testing.T, g *site) {
				who := ""
				g.mux.HandleFunc("/silent", func(_ http.ResponseWriter, r *http.Request) { who = must(g.Load(r)).User() })
				b := g.signedIn("ada")
				g.store.setBefore(fail(store.ErrFull), opRotate)
				for i := range 180 {
					time.Sleep(time.Minute)
					if open {
						r := b.request(context.Background(), "")
						s := must(g.Open(r.Context(), r))
						who = s.User()
						must(s.Commit(r.Context()))
					} else {
						b.ok("silent")
					}
					if who != "ada" {
						t.Fatalf("minute %d: user %q", i+1, who)
					}
				}
			})
		})
	}
}

// L4: the token of a renewal has come back, and there is no room to note it.
func TestL4FullAtNote(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		for old := b.cookie; b.cookie == old; { // the last one renews
			time.Sleep(20 * time.Minute)
			b.ok("user")
		}
		g.store.setBefore(fail(store.ErrFull), opCreate, opUpdate, opRotate)
		b.readEachMinute("user", 100)
		g.store.heal()
		time.Sleep(time.Minute)
		g.store.reset()
		b.wants("user", "ada")
		b.wants("user", "ada")
		if n := g.store.count(opUpdate); n != 1 {
			t.Errorf("the note was written %d times once there was room, want 1", n)
		}
	})
}

// L4: the same in memstore at MaxBytes, which other sessions have filled to the last byte.
func TestL4FullMemstoreBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := must(sojourn.NewKeyRing(sojourn.NewKey()))
		st := newFaultStore(memstore.New(&memstore.Options{MaxBytes: 20000}))
		g := openSite(t, st, false, sojourn.Options{Keys: keys})
		filler := openSite(t, st, false, sojourn.Options{Keys: keys, Name: "filler", Lifetime: 10000 * time.Hour, Idle: sojourn.Unlimited})
		big := 10000
		filler.onLoaded("fill", func(s *sojourn.Session, _ *http.Request) (string, error) {
			return "", slot("v").Set(s, strings.Repeat("x", big))
		})
		b, f := g.signedIn("ada"), filler.browser()
		f.ok("fill")
		for old := b.cookie; b.cookie == old; {
			time.Sleep(time.Minute)
			b.ok("user")
		}
		fill := func(step int) {
			for ; step > 0; step /= 2 {
				for big += step; f.get("fill").Code == http.StatusOK; big += step {
				}
				big -= step
			}
		}
		fill(4096)
		for range 100 {
			time.Sleep(time.Minute)
			fill(256) // the room of the tail goes, too
			if w := b.get("user"); w.Code != http.StatusOK || w.Body.String() != "ada" {
				t.Fatalf("status %d, user %q", w.Code, w.Body)
			}
		}
	})
}
