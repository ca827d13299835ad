package sojourn_test

// Lives of sessions: R11 and R13 to R26.

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// bubble runs f in fake time with a fresh site.
func bubble(t *testing.T, f func(t *testing.T, g *site), change ...func(*sojourn.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newSite(t, change...)) })
}

// R11: session fixation, at sign-in, step-up and another user's sign-in.
func TestR11Fixation(t *testing.T) {
	g := newSite(t)
	attacker := g.browser()
	attacker.ok("set?k=planted&v=evil")
	attacker.ok("set?k=cart&v=tea")
	victim := attacker.copy()
	for _, path := range []string{"login?user=victim&keep=cart", "login?user=victim", "login?user=other&keep=cart"} {
		attacker.cookie = victim.cookie
		victim.ok(path)
		if victim.cookie == attacker.cookie {
			t.Error("token kept")
		}
		attacker.wants("user", "")
		switch path {
		case "login?user=other&keep=cart":
			victim.wants("names", "") // nothing goes from one user to another
		default:
			victim.wants("names", "cart")
		}
	}
}

// R13: freshness and level; they survive renewals unchanged, and only signing in changes them.
func TestR13FreshAndLevel(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		g.on("strong", func(s *sojourn.Session, r *http.Request) (string, error) {
			return "", s.Login(r.Context(), "ada", sojourn.AtLevel(sojourn.LevelMulti))
		})
		g.on("weak", func(s *sojourn.Session, r *http.Request) (string, error) {
			return "", s.Login(r.Context(), "ada", sojourn.AtLevel(sojourn.LevelSingle))
		})
		page := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		g.mux.Handle("/fresh", g.RequireFresh(5*time.Minute, page))
		g.mux.Handle("/level", g.RequireLevel(sojourn.LevelMulti, page))
		status := func(b *browser, path string, want int) { t.Helper(); g.status(b.get(path), want) }
		b := g.browser()
		status(b, "fresh", 401)
		status(b, "level", 401)
		b.ok("login?user=ada")
		status(b, "level", 401)
		b.ok("strong")
		status(b, "level", 200)
		auth := g.infos("ada")[0].AuthTime
		time.Sleep(5*time.Minute - 1)
		status(b, "fresh", 200)
		time.Sleep(2 * time.Nanosecond)
		status(b, "fresh", 401)
		for range 100 {
			b.ok("renew")
		}
		status(b, "level", 200)
		status(b, "fresh", 401)
		if in := g.infos("ada")[0]; !in.AuthTime.Equal(auth) || in.Level != sojourn.LevelMulti {
			t.Error(in.AuthTime.Sub(auth), in.Level)
		}
		b.ok("login?user=ada") // a plain confirmation does not lower the level unasked
		status(b, "fresh", 200)
		status(b, "level", 200)
		b.ok("weak")
		status(b, "fresh", 200)
		status(b, "level", 401)
	})
}

// R14: the record decides, whatever the cookie or the engine's own expiry say.
func TestR14Idle(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		time.Sleep(30*time.Minute - 1)
		b.wants("peek", "ada")
		time.Sleep(time.Nanosecond)
		b.wants("user", "")
		// A store that never expires anything.
		b.ok("login?user=ada")
		at := time.Now()
		g.store.mutate = func(r *store.Record) { r.Seen = at.Add(-time.Minute) }
		time.Sleep(29*time.Minute - 1)
		b.wants("peek", "ada")
		time.Sleep(time.Nanosecond)
		b.wants("peek", "")
		if g.log.count(sojourn.SessionExpired) != 1 {
			t.Error("no event")
		}
	})
}

// R15: nothing but signing in again extends the absolute life.
func TestR15AbsoluteLifetime(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		start := time.Now()
		g.onLoaded("extend", func(s *sojourn.Session, _ *http.Request) (string, error) {
			if err := s.SetLifetime(13 * time.Hour); !errors.Is(err, sojourn.ErrOptions) {
				t.Error("lifetime extended:", err)
			}
			return "", s.SetIdle(time.Hour)
		})
		paths := []string{"user", "renew", "set?k=a", "append?v=x", "extend", "others"}
		end := start.Add(12 * time.Hour)
		for {
			step := time.Duration(rand.Int64N(int64(25 * time.Minute)))
			if time.Now().Add(step).After(end) {
				break
			}
			time.Sleep(step)
			b.ok(paths[rand.IntN(len(paths))])
			if e := g.infos("ada")[0].Created; !e.Equal(start) {
				t.Fatal("Created moved by", e.Sub(start))
			}
		}
		time.Sleep(time.Until(end) - 1)
		b.wants("user", "ada")
		time.Sleep(time.Nanosecond)
		b.wants("user", "")
		b.ok("login?user=ada")
		time.Sleep(time.Minute)
		b.ok("login?user=ada") // confirmed: a new life
		if in := g.infos("ada")[0]; !in.Created.Equal(time.Now()) {
			t.Error(in.Created)
		}
	})
}

// R15: what two overlapping requests shorten is as short as the shorter.
func TestR15ShortenTwice(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		g.onLoaded("shorten", func(s *sojourn.Session, r *http.Request) (string, error) {
			return "", s.SetLifetime(must(time.ParseDuration(r.FormValue("d"))))
		})
		b := g.signedIn("ada")
		finish := b.copy().start("shorten?d=2h")
		b.ok("shorten?d=1h")
		g.status(finish(), 200)
		time.Sleep(29 * time.Minute)
		b.ok("user")
		time.Sleep(29 * time.Minute)
		b.ok("user")
		time.Sleep(2 * time.Minute)
		b.wants("user", "")
	})
}

// R16
func TestR16Presets(t *testing.T) {
	const h = time.Hour
	for _, c := range []struct {
		level      sojourn.Assurance
		life, idle time.Duration
		why        string
		ok         bool
	}{
		{sojourn.AAL1, 0, 0, "", true}, {sojourn.AAL1, 720 * h, sojourn.Unlimited, "", true}, {sojourn.AAL1, 721 * h, 0, "", false},
		{sojourn.AAL2, 24 * h, h, "", true}, {sojourn.AAL2, 25 * h, 0, "", false}, {sojourn.AAL2, 25 * h, 0, "shifts", true},
		{sojourn.AAL2, 0, h + 1, "", false}, {sojourn.AAL2, 0, h + 1, "shifts", true}, {sojourn.AAL2, sojourn.Unlimited, 0, "", false},
		{sojourn.AAL3, 12 * h, 15 * time.Minute, "", true}, {sojourn.AAL3, 12*h + 1, 0, "shifts", false},
		{sojourn.AAL3, sojourn.Unlimited, 0, "shifts", false}, {sojourn.AAL3, 0, h, "", false}, {sojourn.AAL3, 0, h, "shifts", true},
		{sojourn.AAL3 + 1, 0, 0, "", false}, {-1, 0, 0, "", false},
	} {
		_, err := sojourn.New(memstore.New(nil), &sojourn.Options{Assurance: c.level, Lifetime: c.life, Idle: c.idle, Deviation: c.why})
		if (err == nil) != c.ok || err != nil && !errors.Is(err, sojourn.ErrOptions) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	// What is left at zero is filled in.
	for level, want := range map[sojourn.Assurance][2]time.Duration{0: {12 * h, h / 2}, sojourn.AAL2: {24 * h, h}, sojourn.AAL3: {12 * h, h / 4}} {
		bubble(t, func(t *testing.T, g *site) {
			g.signedIn("ada")
			in := g.infos("ada")[0]
			if idle := in.Expires.Sub(in.Seen); idle != want[1] {
				t.Errorf("level %d: idle %v", level, idle)
			}
		}, func(o *sojourn.Options) { o.Assurance = level })
	}
}

// R17: two parallel requests at the renewal go on under one successor; RenewGrace after that came
// back the old token is refused and reported.
func TestR17RenewalGrace(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		time.Sleep(20 * time.Minute)
		b.ok("user")
		time.Sleep(20 * time.Minute)
		b.ok("user")
		time.Sleep(20 * time.Minute)
		poll := b.copy()
		poll.wants("peek", "ada")
		if poll.cookie != b.cookie {
			t.Error("renewed by a request that only peeks")
		}
		one, two, late, thief := b.copy(), b.copy(), b.copy(), b.copy()
		first, second := one.start("user"), two.start("user")
		w1, w2 := first(), second()
		if w1.Body.String() != "ada" || w2.Body.String() != "ada" || one.cookie == b.cookie || two.cookie == b.cookie {
			t.Error(w1.Code, w2.Code, "no renewal")
		}
		if n := g.sessions("ada"); n != 1 {
			t.Error(n, "successors")
		}
		time.Sleep(29 * time.Second) // conflicts wait a little, too
		late.wants("user", "ada")    // its answer was lost: it gets the successor's token
		late.wants("user", "ada")    // … and comes back with it
		time.Sleep(30 * time.Second)
		thief.copy().wants("user", "ada")
		if g.log.count(sojourn.SessionReuse) != 0 {
			t.Error("reuse reported in the grace")
		}
		time.Sleep(time.Nanosecond)
		thief.wants("user", "")
		if g.log.count(sojourn.SessionReuse) != 1 {
			t.Error("no reuse event")
		}
		one.wants("user", "ada")
		two.wants("user", "ada")
		late.wants("user", "ada")
	})
}

// R18, and the throttle of touches: promise 7.
func TestR18PeekAndTouch(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		g.store.reset()
		for range 30*60 - 1 {
			time.Sleep(time.Second)
			b.wants("peek", "ada")
		}
		if n := g.store.writes(); n != 0 {
			t.Error(n, "writes")
		}
		time.Sleep(time.Second)
		b.wants("peek", "")
		b.ok("login?user=ada")
		g.store.reset()
		for range 30 * 60 {
			time.Sleep(time.Second)
			b.ok("user")
		}
		// TouchEvery is the greater of a minute and Idle/20: 90 s.
		if n, g := g.store.count(opTouch), g.store.count(opGet); n != 20 || g != 1800 {
			t.Error(n, "touches of", g, "reads")
		}
	})
}

// R19: one clock, the store's; a record from the future beyond the bound is an outage, not a
// sign-out.
func TestR19Clocks(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		for skew, want := range map[time.Duration]int{-time.Minute: 200, -time.Minute - 1: 503, 0: 200, time.Hour: 200} {
			g.store.skew = skew
			g.store.mutate = func(r *store.Record) {
				if skew > 0 { // the whole engine is ahead
					r.Created, r.Seen = r.Created.Add(skew), r.Seen.Add(skew)
				}
			}
			w := b.get("peek")
			g.status(w, want)
			g.noCookie(w)
		}
		// Skew extends no life.
		g.store.heal()
		time.Sleep(30 * time.Minute)
		b.wants("user", "")
	})
}

// R13: being remembered is no authentication. Long after the sign-in it says who the user is, at
// level none.
func TestRememberedLevelFades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions := ok(sojourn.New(memstore.New(nil), &sojourn.Options{RenewAfter: sojourn.Unlimited}))
		mux := http.NewServeMux()
		mux.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) {
			if err := sessions.From(r).Login(r.Context(), "ada", sojourn.Remember(10*24*time.Hour), sojourn.AtLevel(sojourn.LevelMulti)); err != nil {
				t.Error(err)
			}
		})
		none := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		mux.Handle("GET /user", sessions.RequireUser(none))
		mux.Handle("GET /level", sessions.RequireLevel(sojourn.LevelSingle, none))
		b := newVisitor(sessions.Handler(mux))
		b.do("POST", "/login")
		for _, tt := range []struct {
			wait   time.Duration
			status int
		}{{12 * time.Hour, http.StatusOK}, {time.Nanosecond, http.StatusUnauthorized}} {
			time.Sleep(tt.wait)
			if user := b.do("GET", "/user").StatusCode; user != http.StatusOK {
				t.Errorf("after %v: RequireUser answers %d", tt.wait, user)
			}
			if level := b.do("GET", "/level").StatusCode; level != tt.status {
				t.Errorf("after %v: RequireLevel answers %d, want %d", tt.wait, level, tt.status)
			}
		}
		b.do("POST", "/login")
		if level := b.do("GET", "/level").StatusCode; level != http.StatusOK {
			t.Errorf("after signing in again: RequireLevel answers %d", level)
		}
	})
}

// R24: ending one user's sessions does not open the door to another's stale sign-in.
func TestRevokeOfAnotherUserKeepsTheGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions := ok(sojourn.New(memstore.New(nil), nil))
		var err error
		b := newVisitor(sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			ok(sessions.RevokeUser(context.Background(), "ada")) // by somebody else
			ok(sessions.RevokeUser(r.Context(), "bob"))
			err = sessions.From(r).Login(r.Context(), "ada")
		})))
		b.do("POST", "/")
		if !errors.Is(err, sojourn.ErrRevoked) {
			t.Errorf("login: %v, want ErrRevoked", err)
		}
	})
}
