package sojourn_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// Bad input: what a sign-in asks for has bounds, and one that is refused does nothing.
func TestLoginOptions(t *testing.T) {
	const day = 24 * time.Hour
	ada := strings.Repeat("a", store.MaxUser)
	for _, tt := range []struct {
		name string
		user string
		opt  sojourn.LoginOption
		want error
	}{
		{"nobody", "", nil, sojourn.ErrNoUser},
		{"longest user", ada, nil, nil},
		{"user too long", ada + "a", nil, store.ErrInvalid},
		{"remember nothing", "ada", sojourn.Remember(0), sojourn.ErrOptions},
		{"remember less", "ada", sojourn.Remember(-1), sojourn.ErrOptions},
		{"remember shortest", "ada", sojourn.Remember(1), nil},
		{"remember longest", "ada", sojourn.Remember(10 * day), nil},
		{"remember too long", "ada", sojourn.Remember(10*day + 1), sojourn.ErrOptions},
		{"began later", "ada", sojourn.Began(-1), sojourn.ErrOptions},
		{"began now", "ada", sojourn.Began(0), nil},
		{"longest label", "ada", sojourn.Label(strings.Repeat("l", 64)), nil},
		{"label too long", "ada", sojourn.Label(strings.Repeat("l", 65)), sojourn.ErrOptions},
	} {
		st := newFaultStore(memstore.New(nil))
		g := newWebRig(t, st, sojourn.Options{MaxRemember: 10 * day})
		var opts []sojourn.LoginOption
		if tt.opt != nil {
			opts = append(opts, tt.opt)
		}
		w := g.do("", func(s *sojourn.Session) {
			if err := s.Login(t.Context(), tt.user, opts...); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
		})
		if in := rigCookies(w) != ""; in != (tt.want == nil) || tt.want != nil && st.count() != 0 {
			t.Errorf("%s: cookie %t, %d calls of the store", tt.name, in, st.count())
		}
	}
}

// A confirmation with Remember is remembered for as long as that says; without, for as long as the
// session was. Its limits are those of a sign-in, whatever the session's were.
func TestConfirmationStartsAnew(t *testing.T) {
	const day = 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		g := newWebRig(t, nil, sojourn.Options{})
		left := func(cookie string) (d time.Duration) {
			g.do(cookie, func(s *sojourn.Session) { d = s.ExpiresIn() })
			return d
		}
		cookie := g.login("", sojourn.Remember(10*day))
		time.Sleep(day)
		for _, tt := range []struct {
			opts []sojourn.LoginOption
			want time.Duration
		}{{nil, 10 * day}, {[]sojourn.LoginOption{sojourn.Remember(5 * day)}, 5 * day}, {nil, 5 * day}} {
			if cookie = g.login(cookie, tt.opts...); left(cookie) != tt.want {
				t.Errorf("confirmed with %d options: %v left, want %v", len(tt.opts), left(cookie), tt.want)
			}
		}

		cookie = g.login("")
		g.do(cookie, func(s *sojourn.Session) { rigOK(t, s.SetIdle(time.Minute)) })
		w := g.do(cookie, func(s *sojourn.Session) {
			rigOK(t, rigNote.Set(s, "kept"))
			rigOK(t, s.Login(t.Context(), "ada"))
			if got := s.ExpiresIn(); got != 30*time.Minute || rigNote.Get(s) != "kept" {
				t.Errorf("in the request: %v left, note %q", got, rigNote.Get(s))
			}
		})
		g.do(rigCookies(w), func(s *sojourn.Session) {
			if got := s.ExpiresIn(); got != 30*time.Minute || rigNote.Get(s) != "kept" {
				t.Errorf("after it: %v left, note %q", got, rigNote.Get(s))
			}
		})
	})
}

// A confirmation does the request's changes again; what they say to that, Login returns.
func TestConfirmationReplays(t *testing.T) {
	errTwice := errors.New("only once")
	g := newWebRig(t, nil, sojourn.Options{})
	runs := 0
	w := g.do(g.login(""), func(s *sojourn.Session) {
		rigOK(t, rigNumber.Update(s, func(*int) error {
			if runs++; runs > 1 {
				return errTwice
			}
			return nil
		}))
		if err := s.Login(t.Context(), "ada"); !errors.Is(err, errTwice) {
			t.Errorf("login: %v, want %v", err, errTwice)
		}
	})
	if got := g.user(rigCookies(w)); got != "ada" {
		t.Errorf("the token that went with it is %q's", got)
	}
}

// A request whose token has just been replaced or confirmed elsewhere signs in anew, unless it has
// or wants values of the session from before: those went with the other.
func TestSignInWithReplacedToken(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before string // who is signed in
		next   string // who has signed in with its token since
		user   string
		keep   bool
		change bool
		want   error
		left   int // sessions of next
	}{
		{"after another's sign-in", "", "ada", "bob", false, false, nil, 1},
		{"keeping", "", "ada", "bob", true, false, sojourn.ErrConflict, 1},
		{"with a change", "", "ada", "bob", false, true, sojourn.ErrConflict, 1},
		{"after a confirmation", "ada", "ada", "bob", false, false, nil, 0},
		{"after a confirmation, the same user", "ada", "ada", "ada", false, false, sojourn.ErrConflict, 1},
	} {
		g := newWebRig(t, nil, sojourn.Options{})
		old := ""
		if tt.before == "" {
			old = rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "tea")) }))
		} else {
			old = g.loginAs(tt.before, "")
		}
		g.loginAs(tt.next, old)
		var opts []sojourn.LoginOption
		if tt.keep {
			opts = append(opts, sojourn.Keep(rigNote))
		}
		g.do(old, func(s *sojourn.Session) {
			if tt.change {
				rigOK(t, rigNumber.Set(s, 1))
			}
			err := s.Login(t.Context(), tt.user, opts...)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
			if err != nil {
				s.Discard()
			}
		})
		if l, err := g.m.Sessions(t.Context(), tt.next); err != nil || len(l) != tt.left {
			t.Errorf("%s: %d sessions of %s are left, %v, want %d", tt.name, len(l), tt.next, err, tt.left)
		}
	}
}

// A session that ended with the request's changes is no ground to sign in on: they are lost, and
// the caller is told.
func TestSignInAfterEndWithChange(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	g.do(g.login(""), func(s *sojourn.Session) {
		_, err := g.m.RevokeUser(t.Context(), "ada")
		rigOK(t, err)
		if err := s.Renew(t.Context()); !errors.Is(err, sojourn.ErrEnded) {
			t.Errorf("renew: %v", err)
		}
		rigOK(t, rigNote.Set(s, "x"))
		if err := s.Login(t.Context(), "bob"); !errors.Is(err, sojourn.ErrEnded) {
			t.Errorf("login with a change: %v, want ErrEnded", err)
		}
		s.Discard()
		rigOK(t, s.Login(t.Context(), "bob"))
	})
}

// Keep keeps what there is, and nothing else.
func TestKeepWhatThereIs(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	visitor := func() string {
		return rigCookies(g.do("", func(s *sojourn.Session) {
			rigOK(t, rigNote.Set(s, "tea"))
			rigOK(t, rigNumber.Set(s, 7))
		}))
	}
	for name, tt := range map[string]struct {
		opts []sojourn.LoginOption
		want []string
	}{
		"none": {nil, nil}, "one": {[]sojourn.LoginOption{sojourn.Keep(rigNote)}, []string{"note"}},
		"absent": {[]sojourn.LoginOption{sojourn.Keep(slot("absent"))}, nil},
		"all":    {[]sojourn.LoginOption{sojourn.KeepAll()}, []string{"note", "number"}},
	} {
		g.do(g.login(visitor(), tt.opts...), func(s *sojourn.Session) {
			if got := s.Names(); !slices.Equal(got, tt.want) {
				t.Errorf("%s: %q, want %q", name, got, tt.want)
			}
		})
		// Nothing of one user's goes to another.
		g.do(g.loginAs("bob", g.login(visitor(), sojourn.KeepAll()), tt.opts...), func(s *sojourn.Session) {
			if got := s.Names(); len(got) > 0 {
				t.Errorf("%s: another user gets %q", name, got)
			}
		})
	}
}

// What another request adds to a value that goes over, while the sign-in is under way, goes over
// too; the request sees it. If it cannot be written the sign-in fails, and the visitor's session
// stays.
func TestKeepWhatIsAddedMeanwhile(t *testing.T) {
	for _, tt := range []struct {
		name string
		then func(g *webRig, st *faultStore)
		want error
	}{
		{"well", func(*webRig, *faultStore) {}, nil},
		{"revoked meanwhile", func(g *webRig, _ *faultStore) {
			_, err := g.m.RevokeUser(g.Context(), "ada")
			rigOK(g, err)
		}, sojourn.ErrRevoked},
		{"the store fails", func(_ *webRig, st *faultStore) { st.setBefore(fail(store.ErrUnavailable), opUpdate) }, sojourn.ErrUnavailable},
	} {
		st := newFaultStore(memstore.New(nil))
		g := newWebRig(t, st, sojourn.Options{})
		cookie := rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "tea")) }))
		st.setBefore(once(func() {
			g.do(cookie, func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "tea and milk")) })
			tt.then(g, st)
		}), opRotate)
		w := g.do(cookie, func(s *sojourn.Session) {
			err := s.Login(t.Context(), "ada", sojourn.Keep(rigNote))
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
			if got := rigNote.Get(s); err == nil && got != "tea and milk" {
				t.Errorf("%s: in the request the note is %q", tt.name, got)
			}
			st.heal()
		})
		if in := rigCookies(w); tt.want != nil {
			if l, err := g.m.Sessions(t.Context(), "ada"); len(l) != 0 || err != nil || strings.Contains(in, cookieName) {
				t.Errorf("%s: %d sessions, %v, cookie %q", tt.name, len(l), err, in)
			}
		} else {
			cookie = in
		}
		g.do(cookie, func(s *sojourn.Session) {
			if got := rigNote.Get(s); got != "tea and milk" || s.User() == "ada" != (tt.want == nil) {
				t.Errorf("%s: afterwards %q's note is %q", tt.name, s.User(), got)
			}
		})
	}
}

// A sign-in that cannot read the request's session, or make the new one, fails and changes nothing:
// not even of two sessions whose tokens came, unless a limit needs room.
func TestSignInMeetsAnOutage(t *testing.T) {
	st := newFaultStore(memstore.New(nil))
	g := newWebRig(t, st, sojourn.Options{})
	one, two := g.login(""), g.loginAs("eve", "")
	for op, cookies := range map[string][]string{opGet: {one}, opCreate: {one, two}} {
		st.setBefore(fail(store.ErrUnavailable), op)
		w := g.serve(rigRequest("POST", cookies...), func(_ http.ResponseWriter, r *http.Request) {
			if err := g.m.From(r).Login(r.Context(), "bob"); !errors.Is(err, sojourn.ErrUnavailable) {
				t.Errorf("%s fails: %v", op, err)
			}
		})
		st.heal()
		if c := rigCookies(w); c != "" {
			t.Errorf("%s fails: cookie %q", op, c)
		}
		if a, b := g.user(one), g.user(two); a != "ada" || b != "eve" {
			t.Errorf("%s fails: the sessions are now %q's and %q's", op, a, b)
		}
	}
	if n := g.seen(sojourn.SessionLimit); n > 0 {
		t.Errorf("an outage is told as a limit")
	}
}

// A value that was set to what the store has is no change, and can be set again.
func TestSetAgainAfterCommit(t *testing.T) {
	for name, tt := range map[string]struct {
		act  func(s *sojourn.Session) error
		want string
	}{
		"set":    {func(s *sojourn.Session) error { return rigNote.Set(s, "new") }, "new"},
		"delete": {func(s *sojourn.Session) error { rigNote.Delete(s); return nil }, ""},
		"clear":  {func(s *sojourn.Session) error { s.Clear(); return nil }, ""},
	} {
		g := newWebRig(t, nil, sojourn.Options{})
		cookie := rigCookies(g.do("", func(s *sojourn.Session) {
			rigOK(t, rigNote.Set(s, "old"))
			rigOK(t, rigNumber.Set(s, 1))
		}))
		g.do(cookie, func(s *sojourn.Session) {
			rigOK(t, rigNote.Set(s, "old"))
			_, err := s.Commit(t.Context())
			rigOK(t, err)
			s.Names()
			rigOK(t, tt.act(s))
		})
		g.do(cookie, func(s *sojourn.Session) {
			if got := rigNote.Get(s); got != tt.want {
				t.Errorf("%s: the note is %q, want %q", name, got, tt.want)
			}
		})
	}
}

// The level of a sign-in without limits stays, and one that has lapsed costs no further writes.
func TestLevelUnderAssurance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := func(g *webRig, cookie string) (l sojourn.Level) {
			g.do(cookie, func(s *sojourn.Session) { l = s.Level() })
			return l
		}
		g := newWebRig(t, nil, sojourn.Options{Assurance: sojourn.AAL1, Idle: sojourn.Unlimited})
		cookie := g.login("")
		time.Sleep(24 * time.Hour)
		if got := level(g, cookie); got != sojourn.LevelSingle {
			t.Errorf("AAL1 without idle limit: level %d after a day", got)
		}
		st := newFaultStore(memstore.New(nil))
		g = newWebRig(t, st, sojourn.Options{Assurance: sojourn.AAL3, MaxRemember: 24 * time.Hour, Deviation: "a kiosk", RenewAfter: sojourn.Unlimited})
		cookie = g.login("", sojourn.Remember(24*time.Hour))
		for i := range 3 {
			time.Sleep(time.Hour)
			st.reset()
			if got, n := level(g, cookie), st.count(opUpdate); got != 0 || (n == 1) != (i == 0) {
				t.Errorf("idle for the %d. time: level %d, %d updates", i+1, got, n)
			}
		}
		if got := level(newWebRig(t, nil, sojourn.Options{Assurance: sojourn.AAL3}), ""); got != 0 {
			t.Errorf("a visitor has level %d", got)
		}
	})
}

// client is kept as of the renewal, where the token was issued to.
func TestRenewalKeepsItsOwnClient(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	r := rigRequest("POST", g.login(""))
	r.RemoteAddr = "198.51.100.7:1"
	r.Header.Set("User-Agent", "another")
	g.serve(r, func(_ http.ResponseWriter, r *http.Request) { rigOK(t, g.m.From(r).Renew(r.Context())) })
	if l, err := g.m.Sessions(t.Context(), "ada"); err != nil || len(l) != 1 || l[0].Network != "198.51.100.0/24" || l[0].Agent != "another" {
		t.Errorf("%+v, %v", l, err)
	}
}

// A change after a renewal of the same request is one write more, and no read.
func TestChangeAfterRenewal(t *testing.T) {
	st := newFaultStore(memstore.New(nil))
	g := newWebRig(t, st, sojourn.Options{})
	g.do(g.login(""), func(s *sojourn.Session) {
		rigOK(t, s.Renew(t.Context()))
		rigOK(t, rigNote.Set(s, "x"))
		st.reset()
		_, err := s.Commit(t.Context())
		rigOK(t, err)
		if n, u := st.count(), st.count(opUpdate); n-st.count(opGet) != 1 || u != 1 || st.count(opGet) > 1 {
			t.Errorf("%d calls, %d updates", n, u)
		}
	})
}
