package sojourn_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

var rigNote = sojourn.NewValue[string]("note")

// R27, R28, R40: what the names promise and what the attributes say must agree.
func TestCookieNameAttributeMatrix(t *testing.T) {
	type attr struct {
		label string
		opts  sojourn.CookieOptions
		plain bool
	}
	attrs := []attr{
		{"none", sojourn.CookieOptions{}, false},
		{"domain", sojourn.CookieOptions{Domain: "example.com"}, false},
		{"path", sojourn.CookieOptions{Path: "/app"}, false},
		{"insecure name", sojourn.CookieOptions{InsecureName: true}, false},
		{"plain", sojourn.CookieOptions{}, true},
	}
	// For each name: does it build with each of attrs?
	for name, want := range map[string][5]bool{
		"":                                   {true, true, true, true, true},
		"__Host-sid":                         {true, false, false, true, false},
		"__Host-Http-sid":                    {true, false, false, true, false},
		"__Secure-sid":                       {true, true, true, true, false},
		"__Http-sid":                         {true, true, true, true, false},
		"sid":                                {false, false, false, true, true},
		"__host-sid":                         {},
		"__HOST-sid":                         {},
		"__hOst-Http-sid":                    {},
		"__secure-sid":                       {},
		"__SECURE-sid":                       {},
		"__http-sid":                         {},
		"__Host_sid":                         {false, false, false, true, true}, // no prefix
		"\u2000__Host-sid":                   {},
		" __Host-sid":                        {},
		"__Host-s;d":                         {},
		"__Host-s d":                         {},
		"__Host-s=d":                         {},
		"__Host-s\r\nX: y":                   {},
		"__Host-s\x00":                       {},
		"__Host-s,d":                         {},
		"__Host-\"sid\"":                     {},
		"__Host-sid\u00e9":                   {},
		strings.Repeat("n", 9):               {false, false, false, true, true},
		"__Host-" + strings.Repeat("n", 122): {},
	} {
		for i, a := range attrs {
			c := a.opts
			c.Name = name
			m, err := sojourn.New(memstore.New(nil), &sojourn.Options{Cookie: c, InsecureLoopbackHTTP: a.plain})
			if (err == nil) != want[i] {
				t.Errorf("name %q with %s: %v", name, a.label, err)
				continue
			}
			if err != nil {
				if !errors.Is(err, sojourn.ErrOptions) || !strings.Contains(err.Error(), "Cookie") {
					t.Errorf("name %q with %s: error does not name the option: %v", name, a.label, err)
				}
				continue
			}
			checkSetCookie(t, m, c, a.plain)
		}
	}
}

// checkSetCookie sends one cookie and holds it against the options and a browser's rules.
func checkSetCookie(t *testing.T, m *sojourn.Manager, want sojourn.CookieOptions, plain bool) {
	t.Helper()
	g := &webRig{TB: t, m: m}
	r := rigRequest("POST")
	if plain {
		r = httptest.NewRequest("POST", "http://localhost/", nil)
		r.RemoteAddr = "127.0.0.1:1"
	}
	w := g.serve(r, func(_ http.ResponseWriter, r *http.Request) { rigOK(t, m.From(r).Login(r.Context(), "ada")) })
	cs := w.Result().Cookies()
	if len(cs) != 1 {
		t.Fatalf("%d cookies: %q", len(cs), w.Header()["Set-Cookie"])
	}
	c := cs[0]
	if !c.HttpOnly || c.Secure == plain || c.SameSite == 0 || c.SameSite == http.SameSiteDefaultMode || c.Domain != want.Domain || c.MaxAge != 0 {
		t.Errorf("attributes of %+v: %q", want, w.Header()["Set-Cookie"])
	}
	if refused := newPrefixJar().take("example.com", w.Header()); len(refused) > 0 && !plain {
		t.Errorf("a browser refuses %q", refused)
	}
}

// R28, R40
func TestCookieSameSitePartitioned(t *testing.T) {
	for _, tt := range []struct {
		c  sojourn.CookieOptions
		ok bool
	}{
		{sojourn.CookieOptions{SameSite: http.SameSiteStrictMode}, true},
		{sojourn.CookieOptions{SameSite: http.SameSiteDefaultMode}, true},
		{sojourn.CookieOptions{SameSite: http.SameSiteNoneMode}, false},
		{sojourn.CookieOptions{SameSite: http.SameSiteNoneMode, InsecureSameSiteNone: "embedded by partners"}, true},
		{sojourn.CookieOptions{SameSite: 99}, false}, // net/http would leave the attribute out
		{sojourn.CookieOptions{SameSite: -1}, false},
		{sojourn.CookieOptions{Partitioned: true}, false},
		{sojourn.CookieOptions{Partitioned: true, SameSite: http.SameSiteStrictMode}, false},
		{sojourn.CookieOptions{Partitioned: true, SameSite: http.SameSiteNoneMode, InsecureSameSiteNone: "x"}, true},
	} {
		m, err := sojourn.New(memstore.New(nil), &sojourn.Options{Cookie: tt.c})
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, sojourn.ErrOptions) {
			t.Errorf("%+v: %v", tt.c, err)
		}
		if err == nil {
			checkSetCookie(t, m, tt.c, false)
		}
	}
	_, err := sojourn.New(memstore.New(nil), &sojourn.Options{InsecureLoopbackHTTP: true,
		Cookie: sojourn.CookieOptions{SameSite: http.SameSiteNoneMode, InsecureSameSiteNone: "x"}})
	if err == nil {
		t.Error("SameSite None without TLS was accepted")
	}
}

// R27: received names are compared byte for byte, and nothing is unquoted.
func TestCookieReceivedNames(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	tok := strings.TrimPrefix(g.login(""), "__Host-session=")
	for header, want := range map[string]string{
		"__Host-session=" + tok:                               "ada",
		"a=b;__Host-session=" + tok:                           "ada",
		"a=b; \t__Host-session=" + tok + " ":                  "ada",
		"; ;;__Host-session=" + tok + ";":                     "ada",
		"\u2000__Host-session=" + tok:                         "",
		"\u00a0__Host-session=" + tok:                         "",
		"\u3000__Host-session=" + tok:                         "",
		"\v__Host-session=" + tok:                             "",
		"__HOST-session=" + tok:                               "",
		"__host-session=" + tok:                               "",
		"__Host-Session=" + tok:                               "",
		"__Host-session =" + tok:                              "",
		"__Host-session\u2000=" + tok:                         "",
		"__Host-session.1=" + tok:                             "",
		"session=" + tok:                                      "",
		"=__Host-session=" + tok:                              "",
		"x__Host-session=" + tok:                              "",
		`__Host-session="` + tok + `"`:                        "",
		`$Version=1; __Host-session="` + tok + `"; $Path="/"`: "",
		`$Version="1", __Host-session=` + tok:                 "",
		"__Host-session=" + tok + ", x=y":                     "",
		"__Host-session= " + tok:                              "",
		"__Host-session=" + tok + "=":                         "",
		"__Host-session=" + tok[:40] + "\r\n" + tok[40:]:      "",
		"__Host-session=" + strings.ToUpper(tok):              "",
	} {
		if got := g.user(header); got != want {
			t.Errorf("%q: user %q, want %q", header, got, want)
		}
	}
}

// R29: a removal that a browser obeys, for every shape of cookie.
func TestCookieRemoval(t *testing.T) {
	for _, c := range []sojourn.CookieOptions{
		{},
		{Name: "__Host-Http-s"},
		{Domain: "example.com"},
		{Path: "/app", SameSite: http.SameSiteStrictMode},
		{Domain: "example.com", Path: "/x", Name: "__Http-s"},
		{SameSite: http.SameSiteNoneMode, InsecureSameSiteNone: "embedded", Partitioned: true, Persistent: true},
		{Name: "sid", InsecureName: true},
	} {
		g := newWebRig(t, nil, sojourn.Options{Cookie: c})
		b := newPrefixJar()
		w := g.do("", func(s *sojourn.Session) { rigOK(t, s.Login(t.Context(), "ada")) })
		if refused := b.take("example.com", w.Header()); refused != nil || g.user(b.header()) != "ada" {
			t.Errorf("%+v: login refused %q, sends %q", c, refused, b.header())
		}
		w = g.do(b.header(), func(s *sojourn.Session) { rigOK(t, s.Logout(t.Context())) })
		if refused := b.take("example.com", w.Header()); refused != nil || b.header() != "" {
			t.Errorf("%+v: after logout, refused %q, the browser still has %q", c, refused, b.header())
		}
	}
}

// R30: a whole second is a cookie's resolution; the deadline is kept to it.
func TestCookieMaxAge(t *testing.T) {
	const day = 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			opts     sojourn.Options
			remember time.Duration
			age      time.Duration // of the session when the token is sent again
			want     int
		}{
			{sojourn.Options{}, 0, 0, 0},
			{sojourn.Options{}, 7 * day, 0, 7 * 86400},
			{sojourn.Options{}, 7 * day, 3*day + 30*time.Minute, 4*86400 - 1800},
			{sojourn.Options{}, time.Minute, 59*time.Second + 500*time.Millisecond, 1},
			{sojourn.Options{MaxRemember: 400 * day}, 400 * day, 0, 400 * 86400},
			{sojourn.Options{Cookie: sojourn.CookieOptions{Persistent: true}}, 0, 10 * time.Minute, 43200 - 600},
			{sojourn.Options{Lifetime: sojourn.Unlimited, Cookie: sojourn.CookieOptions{Persistent: true}}, 0, 0, 400 * 86400},
			{sojourn.Options{Lifetime: 20 * 365 * day, Cookie: sojourn.CookieOptions{Persistent: true}}, 0, 0, 400 * 86400},
		} {
			g := newWebRig(t, nil, tt.opts)
			var opts []sojourn.LoginOption
			if tt.remember > 0 {
				opts = append(opts, sojourn.Remember(tt.remember))
			}
			var w *httptest.ResponseRecorder
			w = g.do("", func(s *sojourn.Session) { rigOK(t, s.Login(t.Context(), "ada", opts...)) })
			if tt.age > 0 {
				time.Sleep(tt.age)
				w = g.do(rigCookies(w), func(s *sojourn.Session) { rigOK(t, s.Renew(t.Context())) })
			}
			if got := w.Result().Cookies()[0].MaxAge; got != tt.want {
				t.Errorf("%v after %v: Max-Age %d, want %d", tt.remember, tt.age, got, tt.want)
			}
		}
	})
	for _, d := range []time.Duration{401 * day, 20 * 365 * day} {
		if _, err := sojourn.New(memstore.New(nil), &sojourn.Options{MaxRemember: d}); !errors.Is(err, sojourn.ErrOptions) {
			t.Errorf("MaxRemember %v: %v", d, err)
		}
	}
}

// R32: whatever is done in whatever order, one cookie of a name, and the last state.
func TestCookieOnePerName(t *testing.T) {
	acts := map[string]func(*testing.T, *sojourn.Session){
		"put":    func(t *testing.T, s *sojourn.Session) { rigOK(t, rigNote.Set(s, "x")) },
		"renew":  func(t *testing.T, s *sojourn.Session) { rigOK(t, s.Renew(t.Context())) },
		"logout": func(t *testing.T, s *sojourn.Session) { rigOK(t, s.Logout(t.Context())) },
		"login":  func(t *testing.T, s *sojourn.Session) { rigOK(t, s.Login(t.Context(), "bob")) },
	}
	for _, order := range permutations([]string{"put", "renew", "logout", "login"}) {
		for n := 1; n <= len(order); n++ {
			for _, twice := range []string{"", "__Host-session=junk"} {
				name := strings.Join(order[:n], "+") + twice
				g := newWebRig(t, nil, sojourn.Options{})
				w := g.do(strings.Trim(g.login("")+"; "+twice, "; "), func(s *sojourn.Session) {
					for _, act := range order[:n] {
						acts[act](t, s)
					}
				})
				lines := w.Header()["Set-Cookie"]
				if len(lines) > 1 {
					t.Errorf("%s: %q", name, lines)
					continue
				}
				want := "ada"
				for _, act := range order[:n] {
					if act == "login" {
						want = "bob"
					} else if act == "logout" {
						want = ""
					}
				}
				if len(lines) == 1 {
					if got := g.user(rigCookies(w)); got != want {
						t.Errorf("%s: the cookie signs %q in, want %q", name, got, want)
					}
				} else if want != "ada" {
					t.Errorf("%s: no cookie", name)
				}
			}
		}
	}
}

func permutations(in []string) (out [][]string) {
	if len(in) <= 1 {
		return [][]string{in}
	}
	for i := range in {
		rest := append(append([]string{}, in[:i]...), in[i+1:]...)
		for _, p := range permutations(rest) {
			out = append(out, append([]string{in[i]}, p...))
		}
	}
	return out
}

// R33: neither the first nor the last of several cookies wins by its place. Of two live sessions
// neither counts, and both cookies are taken away.
func TestCookieDuplicates(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	victim, attacker := g.loginAs("ada", ""), g.loginAs("eve", "")
	other := newWebRig(t, nil, sojourn.Options{}).loginAs("eve", "") // another site's keys
	quoted := func(c string) string { n, v, _ := strings.Cut(c, "="); return n + `="` + v + `"` }
	for _, tt := range []struct {
		headers []string
		want    string
		reissue bool
	}{
		{[]string{victim + "; " + attacker}, "", true},
		{[]string{attacker + "; " + victim}, "", true},
		{[]string{attacker, victim}, "", true},
		{[]string{victim, attacker}, "", true},
		{[]string{victim, "a=b", victim + "; " + attacker}, "", true},
		{[]string{quoted(attacker) + "; " + victim}, "ada", true},
		{[]string{victim, quoted(attacker)}, "ada", true},
		{[]string{other + "; " + victim}, "ada", true},
		{[]string{victim + "; " + other}, "ada", true},
		{[]string{victim, "__Host-session="}, "ada", true},
		{[]string{victim + "; " + victim}, "ada", true},
		{[]string{strings.Repeat(other+"; ", 15) + victim}, "ada", true},
		{[]string{strings.Repeat(other+"; ", 16) + victim}, "", true}, // too many to look at
		{[]string{other, other}, "", false},
	} {
		before := g.seen(sojourn.SeveralTokens)
		var got string
		w := g.serve(rigRequest("GET", tt.headers...), func(_ http.ResponseWriter, r *http.Request) {
			s, err := g.m.Load(r)
			rigOK(t, err)
			got = s.User()
		})
		if got != tt.want || g.seen(sojourn.SeveralTokens) != before+1 {
			t.Errorf("%q: user %q, want %q; %d events", tt.headers, got, tt.want, g.seen(sojourn.SeveralTokens)-before)
		}
		if (len(w.Header()["Set-Cookie"]) == 1) != tt.reissue {
			t.Errorf("%q: set %q, want reissue %v", tt.headers, w.Header()["Set-Cookie"], tt.reissue)
		} else if tt.reissue && g.user(rigCookies(w)) != tt.want {
			t.Errorf("%q: set %q, which is not %q's", tt.headers, w.Header()["Set-Cookie"], tt.want)
		}
	}
}

// R31: the cookie's limit is the browsers'.
func TestCookieSizeLimits(t *testing.T) {
	for n, want := range map[int]bool{128: true, 129: false} {
		_, err := sojourn.New(memstore.New(nil), &sojourn.Options{Cookie: sojourn.CookieOptions{Name: "__Host-" + strings.Repeat("n", n-7)}})
		if (err == nil) != want {
			t.Errorf("name of %d bytes: %v", n, err)
		}
	}
	for n, want := range map[int]bool{1024: true, 1025: false} {
		_, err := sojourn.New(memstore.New(nil), &sojourn.Options{Cookie: sojourn.CookieOptions{Path: "/" + strings.Repeat("p", n-1)}})
		if (err == nil) != want {
			t.Errorf("path of %d bytes: %v", n, err)
		}
	}
}

// Bad input: a request with more cookies, or more header, than anybody sends.
func TestCookieFlood(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	c := g.login("")
	var many []string
	for i := range 3100 { // net/http's own parser gives up at 3000
		many = append(many, fmt.Sprintf("c%d=v", i))
	}
	if got := g.user(strings.Join(many, "; ") + "; " + c); got != "ada" {
		t.Errorf("behind 3100 cookies: user %q", got)
	}
	if got := g.user("junk=" + strings.Repeat("x", 64<<10) + "; " + c); got != "ada" {
		t.Errorf("behind 64 KiB: user %q", got)
	}
	if got := g.user(strings.Repeat("__Host-session=x; ", 3000) + c); got != "" {
		t.Errorf("behind 3000 of our name: user %q", got)
	}
	if got := g.user("__Host-session=" + strings.Repeat("A", 64<<10)); got != "" {
		t.Errorf("64 KiB of token: user %q", got)
	}
}

// R32: also across several saves in one response; other cookies of the response stay.
func TestCookieOnePerNameAcrossSaves(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	w := g.serve(rigRequest("POST"), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "other=1")
		w.Header().Add("Set-Cookie", "__Host-session2=1")
		s := g.m.From(r)
		rigOK(t, s.Login(r.Context(), "ada"))
		rigOK(t, s.Save(w))
		rigOK(t, s.Renew(r.Context()))
		rigOK(t, s.Save(w))
		rigOK(t, s.Login(r.Context(), "bob"))
	})
	names := ""
	for _, c := range w.Result().Cookies() {
		names += c.Name + " "
	}
	if names != "other __Host-session2 __Host-session " || g.user(rigCookies(w)) != "bob" {
		t.Errorf("cookies %s; user %q", names, g.user(rigCookies(w)))
	}
}

// Of a request with more cookies than are looked at nobody can tell whose it is. A sign-in and a
// sign-out end what they find, and the response removes the cookie.
func TestTooManyCookies(t *testing.T) {
	for name, act := range map[string]func(*sojourn.Session) error{
		"login":  func(s *sojourn.Session) error { return s.Login(t.Context(), "bob") },
		"logout": func(s *sojourn.Session) error { return s.Logout(t.Context()) },
	} {
		g := newWebRig(t, nil, sojourn.Options{})
		cookie := g.login("")
		w := g.do(cookie+strings.Repeat("; __Host-session=junk", 16), func(s *sojourn.Session) {
			if s.User() != "" {
				t.Errorf("%s: the request is %q's", name, s.User())
			}
			rigOK(t, act(s))
		})
		if n := len(must(g.m.Sessions(t.Context(), "ada"))); n != 0 || len(w.Header()["Set-Cookie"]) != 1 {
			t.Errorf("%s: %d sessions of hers are left; %q", name, n, w.Header()["Set-Cookie"])
		}
	}
}

// So it is where the genuine one is behind as many as are looked at: the response takes them away,
// and the next sign-in works.
func TestTooManyCookiesBeforeIt(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	cookie, junk := g.login(""), strings.Repeat("__Host-session=junk; ", 16)
	for _, cookies := range []string{junk + cookie, cookie + strings.TrimSuffix("; "+junk, "; ")} {
		w := g.do(cookies, func(s *sojourn.Session) {
			if s.User() != "" {
				t.Errorf("the request is %q's", s.User())
			}
		})
		if set := w.Result().Cookies(); len(set) != 1 || set[0].MaxAge >= 0 {
			t.Errorf("%d bytes of cookies: the response sets %q", len(cookies), set)
		}
	}
}
