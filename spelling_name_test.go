package sojourn_test

// Cookies under a former name.

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

const month = 30 * 24 * time.Hour

// Renaming a cookie, here to __Host-, keeps people signed in, and the ages of their sessions.
func TestFormerName(t *testing.T) {
	for mode, sealed := range sealedModes() {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rs := newReleases(t, sealed)
				before := rs.release(sojourn.CookieOptions{Name: "sid", InsecureName: true, Domain: "example.com"})
				rs.login(before, "ada", sojourn.Remember(month))
				rs.visit(before, func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "kept")) })
				created := time.Now()
				time.Sleep(10 * 24 * time.Hour)
				stolen := rs.jar.header()
				after := rs.release(sojourn.CookieOptions{Former: []sojourn.FormerCookie{
					{Name: "sid", Domain: "example.com", Until: time.Now().Add(month)},
				}})
				w := rs.visit(after, func(s *sojourn.Session) {
					if s.User() != "ada" || rigNote.Get(s) != "kept" || !s.Info().Created.Equal(created) {
						t.Errorf("user %q, note %q, made %v", s.User(), rigNote.Get(s), s.Info().Created)
					}
				})
				var got *http.Cookie
				for _, c := range w.Result().Cookies() {
					if c.Name == "__Host-session" {
						got = c
					}
				}
				if got == nil || got.MaxAge != 20*24*3600 {
					t.Errorf("cookies %v", w.Result().Cookies())
				}
				rs.wants(after, "ada", 1)
				if rs.sealed == nil || !rs.sealed.AcceptReplayUntilExpiry {
					time.Sleep(time.Minute)
					if user := after.user(stolen); user != "" {
						t.Errorf("the former token still signs %q in", user)
					}
				}
				rs.visit(after, func(s *sojourn.Session) {
					if rigNote.Get(s) != "kept" || !s.Info().Created.Equal(created) {
						t.Errorf("note %q, made %v", rigNote.Get(s), s.Info().Created)
					}
					rigOK(t, s.Logout(t.Context()))
				})
				rs.wants(after, "", 0)
			})
		})
	}
}

// A visitor's session is renamed, too, and so is one that only peeks; two requests at once get one
// successor.
func TestFormerNameOfOthers(t *testing.T) {
	renamed := sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "__Host-old", Until: time.Now().Add(month)}}}
	rs := newReleases(t, nil)
	before, after := rs.release(sojourn.CookieOptions{Name: "__Host-old"}), rs.release(renamed)
	rs.visit(before, func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "visitor's")) })
	rs.visit(after, func(s *sojourn.Session) { s.Peek() })
	rs.visit(after, func(s *sojourn.Session) {
		if rigNote.Get(s) != "visitor's" {
			t.Errorf("note %q", rigNote.Get(s))
		}
	})
	if h := rs.jar.header(); len(rs.jar.cookies) != 1 || !strings.HasPrefix(h, "__Host-session=") {
		t.Errorf("cookies %q", h)
	}
	rs.jar = newPrefixJar()
	rs.login(before, "ada")
	old := rs.jar.header()
	renewals := after.seen(sojourn.SessionRenewed)
	first, second := after.do(old, func(s *sojourn.Session) {
		_, err := s.Commit(t.Context())
		rigOK(t, err)
		rigOK(t, rigNote.Set(s, "again"))
	}), after.do(old, nil)
	if n := after.seen(sojourn.SessionRenewed) - renewals; n != 1 {
		t.Errorf("%d renewals", n)
	}
	for _, w := range []*httptest.ResponseRecorder{first, second} {
		if user := after.user(rigCookies(w)); user != "ada" || strings.Contains(rigCookies(w), "old") {
			t.Errorf("user %q, cookies %q", user, rigCookies(w))
		}
	}
	if n := len(must(after.m.Sessions(t.Context(), "ada"))); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// Where the renewal fails the request goes on, under the former name; no token goes out that was
// not renewed.
func TestFormerNameNotRenewed(t *testing.T) {
	rs := newReleases(t, nil)
	before := rs.release(sojourn.CookieOptions{Name: "__Host-old"})
	after := rs.release(sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "__Host-old", Until: time.Now().Add(month)}}})
	rs.login(before, "ada")
	rs.store.setBefore(fail(store.ErrUnavailable), opRotate)
	for _, cookies := range []string{rs.jar.header(), rs.jar.header() + "; " + rs.jar.header()} {
		w := after.do(cookies, func(s *sojourn.Session) {
			if s.User() != "ada" {
				t.Errorf("user %q", s.User())
			}
		})
		if w.Header()["Set-Cookie"] != nil {
			t.Errorf("set %q", w.Header()["Set-Cookie"])
		}
	}
	rs.store.heal()
	rs.wants(after, "ada", 1)
}

// R45: a former name counts until its end, and only where no cookie of the present name came.
func TestFormerNameEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs := newReleases(t, nil)
		before := rs.release(sojourn.CookieOptions{Name: "sid", InsecureName: true})
		after := rs.release(sojourn.CookieOptions{Former: []sojourn.FormerCookie{
			{Name: "sid", Until: time.Now().Add(10 * time.Minute)}, {Name: "sid", Domain: "example.com", Until: time.Now().Add(20 * time.Minute)},
		}})
		mallory, eve := before.loginAs("mallory", ""), before.loginAs("eve", "")
		rs.login(after, "ada")
		present := rs.jar.header()
		dead := after.loginAs("ada", "")
		after.do(dead, func(s *sojourn.Session) { rigOK(t, s.Logout(t.Context())) })
		for name, tt := range map[string]struct{ cookies, want string }{
			"beside ours":         {mallory + "; " + present, "ada"},
			"beside a dead one":   {mallory + "; " + dead, ""},
			"beside junk":         {mallory + "; __Host-session=junk", ""},
			"two":                 {mallory + "; " + eve, ""},
			"as the present name": {strings.Replace(mallory, "sid=", "__Host-session=", 1), ""},
			"ours as the former":  {strings.Replace(present, "__Host-session=", "sid=", 1), ""},
			"another name":        {strings.Replace(mallory, "sid=", "id=", 1), ""},
		} {
			if user := after.user(tt.cookies); user != tt.want {
				t.Errorf("%s: user %q, want %q", name, user, tt.want)
			}
		}
		// Unsafe requests that bring it must say where they come from.
		r := rigRequest("POST", mallory)
		r.Header.Del("Sec-Fetch-Site")
		if w := after.serve(r, func(http.ResponseWriter, *http.Request) {}); w.Code != 403 {
			t.Errorf("without Origin: %d", w.Code)
		}
		time.Sleep(20*time.Minute - 1)
		w := after.do(mallory, func(s *sojourn.Session) {
			if s.User() != "mallory" {
				t.Errorf("before the end: user %q", s.User())
			}
		})
		if len(w.Header()["Set-Cookie"]) != 3 {
			t.Errorf("before the end: set %q", w.Header()["Set-Cookie"])
		}
		time.Sleep(time.Nanosecond)
		if user := after.user(eve); user != "" {
			t.Errorf("after the end: user %q", user)
		}
		if c := after.login(""); strings.Contains(c, "sid") {
			t.Errorf("a sign-in sends %q", c)
		}
		out := after.do(present, func(s *sojourn.Session) { rigOK(t, s.Logout(t.Context())) })
		if len(out.Header()["Set-Cookie"]) != 3 {
			t.Errorf("a sign-out after the end: set %q", out.Header()["Set-Cookie"])
		}
	})
}

func TestFormerCookieOptions(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	for name, tt := range map[string]struct {
		c  sojourn.CookieOptions
		ok bool
	}{
		"domain":            {sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "s", Domain: "example.com", Until: soon}}}, true},
		"ended":             {sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "s", Until: time.Unix(1, 0)}}}, true},
		"present":           {sojourn.CookieOptions{Former: []sojourn.FormerCookie{{}}}, false},
		"present, spelled":  {sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "__Host-session", Path: "/"}}}, false},
		"no end":            {sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "s"}}}, false},
		"end of the name":   {sojourn.CookieOptions{Name: "__Secure-s", Former: []sojourn.FormerCookie{{Path: "/a", Until: soon}}}, false},
		"too far":           {sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "s", Until: time.Now().Add(401 * 24 * time.Hour)}}}, false},
		"no name":           {sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "a b", Until: soon}}}, false},
		"no path":           {sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "s", Path: "a", Until: soon}}}, false},
		"no domain":         {sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "s", Domain: "a b", Until: soon}}}, false},
		"__Host- of domain": {sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "__Host-s", Domain: "example.com", Until: soon}}}, false},
		"__Host- elsewhere": {sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "__Host-s", Path: "/a", Until: soon}}}, false},
		"a chunk's name":    {sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "__Host-session.1", Until: soon}}}, false},
		"its chunk's name":  {sojourn.CookieOptions{Name: "__Host-s.csrf", Former: []sojourn.FormerCookie{{Name: "__Host-s", Until: soon}}}, false},
		"many": {sojourn.CookieOptions{Name: "__Secure-s", Former: []sojourn.FormerCookie{
			{Path: "/1"}, {Path: "/2"}, {Path: "/3"}, {Path: "/4"}, {Path: "/5"}, {Path: "/6"}, {Path: "/7"}, {Path: "/8"}, {Path: "/9"},
		}}, false},
	} {
		_, err := sojourn.New(memstore.New(nil), &sojourn.Options{Cookie: tt.c})
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, sojourn.ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A former cookie is one that a browser sends by itself: beside it a bearer token does not make a
// request one that needs no word of where it comes from. After the name's end it is as any other.
func TestFormerNameBesideBearer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newWebRig(t, nil, sojourn.Options{Bearer: &sojourn.BearerOptions{}, Cookie: sojourn.CookieOptions{Former: []sojourn.FormerCookie{
			{Name: "sid", Until: time.Now().Add(20 * time.Minute)}, {Name: "sid", Domain: "example.com", Until: time.Now().Add(10 * time.Minute)},
		}}})
		token := g.bearer("ada")
		code := func(cookie string) int {
			r := rigRequest("POST", cookie)
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Authorization", "Bearer "+token)
			return g.serve(r, func(http.ResponseWriter, *http.Request) {}).Code
		}
		if with, without := code("sid=x"), code("id=x"); with != 403 || without != 200 {
			t.Errorf("with a former cookie %d, with another one %d", with, without)
		}
		time.Sleep(20*time.Minute - 1) // the later of two ends counts, whichever is named first
		if with := code("sid=x"); with != 403 {
			t.Errorf("just before the end: %d", with)
		}
		time.Sleep(time.Nanosecond)
		if with := code("sid=x"); with != 200 {
			t.Errorf("after the end: %d", with)
		}
	})
}

// What New completes is not written into its caller's list.
func TestFormerCookiesAreCopied(t *testing.T) {
	former := []sojourn.FormerCookie{{Domain: "example.com"}}
	o := sojourn.Options{Cookie: sojourn.CookieOptions{Name: "__Secure-s", Former: former}}
	must(sojourn.New(memstore.New(nil), &o))
	if former[0] != (sojourn.FormerCookie{Domain: "example.com"}) {
		t.Errorf("the caller's list has %+v", former[0])
	}
}

// A partitioned cookie is a secure one, also where the present one is for plain HTTP.
func TestFormerPartitioned(t *testing.T) {
	must(sojourn.New(memstore.New(nil), &sojourn.Options{InsecureLoopbackHTTP: true, Cookie: sojourn.CookieOptions{
		Former: []sojourn.FormerCookie{{Name: "s", Partitioned: true, Until: time.Now().Add(time.Hour)}},
	}}))
}

// A name that is named twice, of two domains, is read once. Beside a stored session its ".1" is the
// program's own cookie, and stays.
func TestFormerNameTwice(t *testing.T) {
	until := time.Now().Add(time.Hour)
	keys, st := &breakable{Sealer: rigKeys(t)}, memstore.New(nil)
	before := newWebRig(t, st, sojourn.Options{Keys: keys, Cookie: sojourn.CookieOptions{Name: "sid", InsecureName: true}})
	after := newWebRig(t, st, sojourn.Options{Keys: keys, Cookie: sojourn.CookieOptions{Former: []sojourn.FormerCookie{
		{Name: "sid", Until: until}, {Name: "sid", Domain: "example.com", Until: until},
	}}})
	cookie := before.login("")
	keys.opened = 0
	w := after.serve(rigRequest("GET", cookie+"; sid.1=own"), func(_ http.ResponseWriter, r *http.Request) {
		if s := must(after.m.Load(r)); s.User() != "ada" || keys.opened != 1 {
			t.Errorf("user %q, %d texts opened", s.User(), keys.opened)
		}
	})
	for _, line := range w.Header()["Set-Cookie"] {
		if strings.HasPrefix(line, "sid.1=") {
			t.Errorf("the program's own cookie is removed: %q", line)
		}
	}
}

// What a Sealer gives back beside an error is no session, under whatever name it came.
func TestCookiesOfABadSealer(t *testing.T) {
	for mode, sealed := range sealedModes() {
		t.Run(mode, func(t *testing.T) {
			keys := &breakable{Sealer: rigKeys(t)}
			st := memstore.New(nil)
			rig := func(c sojourn.CookieOptions) *webRig {
				if sealed == nil {
					return newWebRig(t, st, sojourn.Options{Keys: keys, Cookie: c})
				}
				so := *sealed
				if !so.AcceptReplayUntilExpiry {
					so.Store = st
				}
				return newSealedRig(t, so, sojourn.Options{Keys: keys, Cookie: c})
			}
			before := rig(sojourn.CookieOptions{Name: "sid", InsecureName: true})
			after := rig(sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "sid", Until: time.Now().Add(time.Hour)}}})
			former, present := before.login(""), after.login("")
			keys.broken = true
			for name, cookie := range map[string]string{"former": former, "present": present} {
				after.serve(rigRequest("GET", cookie), func(_ http.ResponseWriter, r *http.Request) {
					if s, err := after.m.Load(r); err == nil && s.User() != "" {
						t.Errorf("%s: the cookie signs %q in", name, s.User())
					}
				})
			}
		})
	}
}
