package sojourn_test

// Damaged records: R47 as docs/promises.md amends it, P15.

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/diskstore"
	"github.com/sojourn-go/sojourn/store"
)

// badMeta and badData are of this version, and nobody has written them; later is another version's.
var badMeta, badData, later = []byte{1, 9}, []byte{1, 0}, []byte{2, 1, 1, 1}

// A damaged record ends its session and no other: the event is told, the visitor begins anew,
// whatever he does first, and the store has the record no more.
func TestDamagedRecord(t *testing.T) {
	damage := map[string]func(*site){
		"the store says so": func(g *site) { g.store.setBefore(failNth(1, fail(store.ErrCorrupt)), opGet) },
		"meta":              func(g *site) { g.store.mutate = func(r *store.Record) { r.Meta = badMeta } },
		"data":              func(g *site) { g.store.mutate = func(r *store.Record) { r.Data = badData } },
	}
	for name, hurt := range damage {
		for path, after := range map[string]string{
			"user": "", "set?k=x": "", "login?user=ada": "ada", "login?user=eve": "eve", "logout": "", "renew": "", "others": "",
		} {
			t.Run(name+"/"+path, func(t *testing.T) {
				bubble(t, func(t *testing.T, g *site) {
					other, b := g.signedIn("ada"), g.signedIn("ada")
					g.store.reset()
					hurt(g)
					old := b.copy()
					if w := b.get(path); w.Code >= 500 {
						t.Errorf("status %d: %s", w.Code, w.Body)
					}
					g.store.heal()
					if n := g.log.count(sojourn.SessionDamaged); n != 1 {
						t.Errorf("%d events", n)
					}
					b.wants("user", after)
					old.wants("user", "") // it never comes back
					other.wants("user", "ada")
				})
			})
		}
	}
}

// A value that is kept after the damage begins a session.
func TestDamagedThenAnew(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		g.store.setBefore(failNth(1, fail(store.ErrCorrupt)), opGet)
		b.ok("set?k=x&v=1")
		b.wants("get?k=x", "1")
		b.wants("user", "")
		if g.sessions("ada") != 0 {
			t.Error("the damaged session is still there")
		}
	})
}

// A record that is damaged while a request holds it ends around the request.
func TestDamagedMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		g.store.setBefore(fail(store.ErrCorrupt), opUpdate)
		g.store.setBefore(failNth(2, fail(store.ErrCorrupt)), opGet)
		g.status(b.get("set?k=x&v=1"), http.StatusConflict)
		g.store.heal()
		b.wants("user", "")
	})
}

// P15: what another version has written is an outage of this node, and stays.
func TestOtherVersion(t *testing.T) {
	for name, change := range map[string]func(*store.Record){
		"meta": func(r *store.Record) { r.Meta = later },
		"data": func(r *store.Record) { r.Data = later },
	} {
		for _, path := range []string{"user", "set?k=x", "login?user=ada", "login?user=eve", "logout", "renew", "others"} {
			t.Run(name+"/"+path, func(t *testing.T) {
				bubble(t, func(t *testing.T, g *site) {
					b := g.signedIn("ada")
					g.store.mutate = change
					w := b.copy().get(path)
					g.status(w, http.StatusServiceUnavailable)
					g.noCookie(w)
					g.store.heal()
					b.wants("user", "ada")
					if n := g.log.count(sojourn.SessionDamaged); n != 0 {
						t.Errorf("%d events of damage", n)
					}
				})
			})
		}
	}
}

// More damage than Options.DamagedPerMinute is an outage, and then nothing more is removed; one
// record counts once, however many requests meet it.
func TestMuchDamage(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		var all []*browser
		for range 5 {
			all = append(all, g.signedIn("ada"))
		}
		g.store.setBefore(fail(store.ErrUnavailable), opDelete) // so that it is met again
		g.store.mutate = func(r *store.Record) { r.Meta = badMeta }
		for range 5 {
			g.status(all[0].copy().get("user"), http.StatusServiceUnavailable)
			time.Sleep(2 * time.Second)
		}
		g.store.setBefore(nil, opDelete)
		for i, b := range all {
			want := http.StatusOK
			if i >= 3 {
				want = http.StatusServiceUnavailable
			}
			g.status(b.copy().get("user"), want)
			g.status(b.copy().get("logout"), want)
		}
		g.store.heal()
		if n := g.sessions("ada"); n != 2 {
			t.Errorf("%d of 2 sessions are left", n)
		}
		all[3].wants("user", "ada")
		time.Sleep(time.Minute)
		g.store.mutate = func(r *store.Record) { r.Meta = badMeta }
		g.status(all[3].copy().get("user"), http.StatusOK)
	}, func(o *sojourn.Options) { o.DamagedPerMinute = 3 })
}

// A record that was to be set aside, and could not be, counts once; one that cannot be removed at
// all is an outage each time.
func TestDamagedTwice(t *testing.T) {
	for _, err := range []error{store.ErrUnavailable, store.ErrCorrupt} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			g.store.mutate = func(r *store.Record) { r.Meta = badMeta }
			g.store.setBefore(fail(err), opDelete)
			for range 3 {
				w := b.copy().get("user")
				g.status(w, http.StatusServiceUnavailable)
				g.noCookie(w)
				time.Sleep(2 * time.Second)
				if _, err := g.Open(t.Context(), b.request(t.Context(), "")); !sojourn.IsOutage(err) || errors.Is(err, sojourn.ErrCorrupt) {
					t.Errorf("not an outage: %v", err)
				}
			}
			g.store.setBefore(nil, opDelete)
			b.wants("user", "")
		}, func(o *sojourn.Options) { o.DamagedPerMinute = 1 })
	}
}

// A list goes on past what the store cannot read, and says so.
func TestDamagedInList(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		g.signedIn("ada")
		g.store.setAfter(fail(store.ErrCorrupt), opUser)
		list, err := g.Sessions(t.Context(), "ada")
		if len(list) != 1 || err != nil || g.log.count(sojourn.SessionDamaged) != 1 {
			t.Errorf("%d listed, %v, %d events", len(list), err, g.log.count(sojourn.SessionDamaged))
		}
	})
}

// The same on a real disk, where bytes of the files change: whatever byte it is, its visitor begins
// anew with the next request, and nobody else notices.
func TestDamagedOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "store")
		st, err := diskstore.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		g := newWebRig(t, st, sojourn.Options{Keys: rigKeys(t), DamagedPerMinute: 1000})
		other := g.login("")
		known := sessionFiles(t, dir)
		for at := 0; at < 140; at += 7 {
			cookie := g.login("")
			for _, name := range sessionFiles(t, dir) {
				if contains(known, name) {
					continue
				}
				b, err := os.ReadFile(name)
				if err != nil || at >= len(b) {
					t.Fatal(err, len(b))
				}
				b[at] ^= 0x10
				if err := os.WriteFile(name, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := g.user(cookie); got != "" {
				t.Errorf("byte %d: the user is %q", at, got)
			}
			if got := g.user(other); got != "ada" {
				t.Fatalf("byte %d: the other session's user is %q", at, got)
			}
			for _, err := range st.All(t.Context()) {
				if err != nil {
					t.Fatalf("byte %d: %v", at, err)
				}
			}
		}
		if n := g.seen(sojourn.SessionDamaged); n == 0 {
			t.Error("no event")
		}
	})
}

func contains(list []string, s string) bool { return strings.Contains(strings.Join(list, "\n"), s) }

// sessionFiles are the files of sessions, without those that were set aside.
func sessionFiles(t *testing.T, dir string) (list []string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && len(d.Name()) == 2*len(store.ID{}) {
			list = append(list, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return list
}
