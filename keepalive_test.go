package sojourn_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// L8: a slow request keeps its session alive wherever other requests' renewals have moved it, with
// the idle limit that they have left it, and not where it has ended.
func TestL8ShortIdleThroughRenewals(t *testing.T) {
	for name, tt := range map[string]struct {
		during string // what another request does, twice
		status int
	}{
		"renewed": {"renew", 200}, "nothing": {"user", 200}, "confirmed": {"login?user=ada", 409}, "signed out": {"logout", 409},
	} {
		bubble(t, func(t *testing.T, g *site) {
			g.onLoaded("shorten", shorten)
			b := g.shortened()
			slow := b.copy()
			finish := slow.start("append?v=x")
			for range 2 {
				time.Sleep(10 * time.Second)
				b.ok(tt.during)
			}
			time.Sleep(8 * time.Minute)
			if g.status(finish(), tt.status); tt.status == http.StatusOK {
				slow.wants("user", "ada")
			}
			if t.Failed() {
				t.Fatal(name)
			}
		})
	}
}

// shortened is a browser whose user is signed in, with an idle limit of a minute.
func (g *site) shortened() *browser {
	g.Helper()
	b := g.signedIn("ada")
	b.ok("shorten")
	return b
}

func shorten(s *sojourn.Session, _ *http.Request) (string, error) {
	return "", s.SetIdle(time.Minute)
}

// A request that comes when next to nothing is left of the idle limit starts a timer that may fire
// before anything else is done.
func TestKeepAliveOfTheLastMoment(t *testing.T) {
	last := &lastMoment{Store: memstore.New(nil)}
	g := newWebRig(t, last, sojourn.Options{})
	cookie := g.login("")
	for left := time.Microsecond; left < 200*time.Microsecond; left += left/2 + 1 {
		last.left.Store(int64(left))
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 500 {
					g.serve(rigRequest("GET", cookie), func(_ http.ResponseWriter, r *http.Request) { must(g.m.Load(r)) })
				}
			})
		}
		all.Wait()
	}
}

// lastMoment shows each user's session with so much left of its idle limit; 0 is what there is.
type lastMoment struct {
	store.Store
	left atomic.Int64
}

func (l *lastMoment) Get(ctx context.Context, k store.Key) (store.Record, time.Time, error) {
	rec, now, err := l.Store.Get(ctx, k)
	if left := time.Duration(l.left.Load()); err == nil && left > 0 {
		rec.Seen = now.Add(left - rec.Idle)
	}
	return rec, now, err
}

// A request whose last commit panics, in a function given to Update, keeps no session alive.
func TestKeepAliveEndsWithAPanic(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		g.onLoaded("shorten", shorten)
		b := g.shortened()
		g.mux.HandleFunc("/brittle", func(w http.ResponseWriter, r *http.Request) {
			s := must(g.Load(r))
			_, err := io.WriteString(w, "page")
			rigOK(t, err)
			rigOK(t, brittle(s))
			b.copy().ok("set?k=x&v=other")
		})
		func() {
			defer func() {
				if recover() == nil {
					t.Error("nothing ran again")
				}
			}()
			b.get("brittle")
		}()
		time.Sleep(5 * time.Minute)
		b.wants("user", "")
	})
}

// L5: a record of another version, as during a rolling upgrade, is no sign that the store is down:
// slow requests that meet it, however many, leave everybody else's alone.
func TestKeepAliveBesideANewerVersion(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		g.onLoaded("shorten", shorten)
		var finish []func() *httptest.ResponseRecorder
		for range 20 {
			finish = append(finish, g.shortened().start("append?v=x"))
		}
		for rec, err := range g.store.User(t.Context(), "ada") {
			rigOK(t, err)
			rec.Meta[0], rec.Writer, rec.Seen = 0x7f, store.Writer{1}, time.Time{}
			rigOK(t, g.store.Update(t.Context(), rec, rec.Version))
		}
		time.Sleep(30*time.Second + 500*time.Millisecond)
		if n := g.log.count(sojourn.StoreFailed); n != len(finish) {
			t.Errorf("%d events of slow requests, want %d", n, len(finish))
		}
		w := g.browser().get("login?user=eve")
		for _, f := range finish {
			g.status(f(), http.StatusServiceUnavailable)
		}
		g.status(w, http.StatusOK)
	})
}
