package sojourn_test

import (
	"context"
	"encoding/base64"
	"errors"
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

var noReplayGuard = sojourn.SealedOptions{AcceptReplayUntilExpiry: true}

// R41: each flipped bit, each cut, and the one answer to all.
func TestSealedTampering(t *testing.T) {
	g := newSealedRig(t, noReplayGuard, sojourn.Options{})
	name, text, _ := strings.Cut(g.login(""), "=")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	rigOK(t, err)
	refused := 0
	refuse := func(what, value string) {
		t.Helper()
		refused++
		if got := g.user(name + "=" + value); got != "" || g.seen(sojourn.TokenRefused) != refused {
			t.Fatalf("%s: user %q, %d events for %d tries", what, got, g.seen(sojourn.TokenRefused), refused)
		}
	}
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			refuse("bit flip", base64.RawURLEncoding.EncodeToString(raw))
			raw[i] ^= 1 << bit
		}
	}
	for n := range text {
		refuse("truncation", text[:n])
	}
	for what, v := range map[string]string{
		"legacy": `{"user":"ada"}`, "base64 of plain": base64.RawURLEncoding.EncodeToString([]byte(`{"user":"ada"}`)),
		"none": strings.Repeat("A", len(text)), "padding": text + "==", "count 1": "1." + text, "count 0": "0." + text,
		"signed count": "+2." + text, "leading zero": "02." + text, "count 5": "5." + text, "64 KiB": strings.Repeat("A", 1<<16),
		"quoted": `"` + text + `"`,
	} {
		refuse(what, v)
	}
	if g.user(name+"="+text) != "ada" {
		t.Error("the cookie itself is refused")
	}
}

// R41: what one manager seals, no other opens, whatever they share.
func TestSealedTransplant(t *testing.T) {
	keys := rigKeys(t)
	named := func(name, cookie string) sojourn.Options {
		return sojourn.Options{Keys: keys, Name: name, Cookie: sojourn.CookieOptions{Name: cookie}}
	}
	rigs := map[string]*webRig{
		"plain":        newSealedRig(t, noReplayGuard, named("", "__Host-a")),
		"other cookie": newSealedRig(t, noReplayGuard, named("", "__Host-b")),
		"other name":   newSealedRig(t, noReplayGuard, named("tenant", "__Host-a")),
		"other keys":   newSealedRig(t, noReplayGuard, sojourn.Options{Cookie: sojourn.CookieOptions{Name: "__Host-a"}}),
		"stored":       newWebRig(t, nil, named("", "__Host-a")),
	}
	for from, a := range rigs {
		cookie := a.login("")
		_, value, _ := strings.Cut(cookie, "=")
		for to, b := range rigs {
			name := "__Host-a"
			if to == "other cookie" {
				name = "__Host-b"
			}
			if got := b.user(name + "=" + value); (got == "ada") != (from == to) {
				t.Errorf("%s's cookie at %s: user %q", from, to, got)
			}
		}
	}
}

// xs gives n bytes that stay n bytes.
func xs(n int) string { return strings.Repeat("x", n) }

// R41, R31: chunks open in their order and of one generation only.
func TestSealedChunks(t *testing.T) {
	g := newSealedRig(t, sojourn.SealedOptions{AcceptReplayUntilExpiry: true, Chunks: 4}, sojourn.Options{})
	jar := newPrefixJar()
	set := func(n int) {
		t.Helper()
		w := g.do(jar.header(), func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, xs(n))) })
		if refused := jar.take("example.com", w.Header()); refused != nil {
			t.Fatalf("%d bytes: a browser refuses %q", n, refused)
		}
	}
	read := func(header string) (n int) {
		g.do(header, func(s *sojourn.Session) { n = len(rigNote.Get(s)) })
		return n
	}
	jar.take("example.com", g.do("", func(s *sojourn.Session) { rigOK(t, s.Login(t.Context(), "ada")) }).Header())
	var generations []map[string]string
	for _, tt := range []struct{ bytes, cookies int }{{10, 1}, {7000, 3}, {8000, 3}, {5000, 2}, {3500, 2}, {11000, 4}, {10, 1}, {4000, 2}} {
		set(tt.bytes)
		if got := len(strings.Split(jar.header(), "; ")); got != tt.cookies || read(jar.header()) != tt.bytes {
			t.Errorf("%d bytes: %d cookies, want %d; reads %d", tt.bytes, got, tt.cookies, read(jar.header()))
		}
		one := map[string]string{}
		for c := range strings.SplitSeq(jar.header(), "; ") {
			name, v, _ := strings.Cut(c, "=")
			one[name] = v
		}
		generations = append(generations, one)
	}
	const base = "__Host-session"
	join := func(first, second, third string) string {
		return base + "=" + first + "; " + base + ".1=" + second + "; " + base + ".2=" + third
	}
	a, b := generations[1], generations[2] // three chunks each
	for what, header := range map[string]string{
		"swapped":            join(a[base], a[base+".2"], a[base+".1"]),
		"mixed first":        join(b[base], a[base+".1"], a[base+".2"]),
		"mixed last":         join(a[base], a[base+".1"], b[base+".2"]),
		"missing last":       base + "=" + a[base] + "; " + base + ".1=" + a[base+".1"],
		"missing first":      base + ".1=" + a[base+".1"] + "; " + base + ".2=" + a[base+".2"],
		"a chunk too often":  join(a[base], a[base+".1"], a[base+".2"]) + strings.Repeat("; "+base+".1="+a[base+".1"], 16),
		"count too low":      join("2"+a[base][1:], a[base+".1"], a[base+".2"]),
		"count too high":     join("4"+a[base][1:], a[base+".1"], a[base+".2"]) + "; " + base + ".3=",
		"first chunk's text": join(strings.TrimPrefix(a[base], "3."), a[base+".1"], a[base+".2"]),
	} {
		if n := read(header); n != 0 {
			t.Errorf("%s: read %d bytes", what, n)
		}
	}
	if read(join(a[base], a[base+".1"], a[base+".2"])) != 7000 {
		t.Error("the chunks in order do not open")
	}
	if read(join(a[base], a[base+".1"], a[base+".2"])+"; "+base+".1="+b[base+".1"]) != 7000 {
		t.Error("a chunk that somebody else has planted locks the user out")
	}
	// Sign-out takes all of them, also those that a broken session left.
	for _, header := range []string{join(a[base], a[base+".1"], a[base+".2"]), join("junk", "x", "y")} {
		w := g.do(header, func(s *sojourn.Session) { rigOK(t, s.Logout(t.Context())) })
		if n := len(w.Header()["Set-Cookie"]); n != 3 || strings.Count(strings.Join(w.Header()["Set-Cookie"], ""), "Max-Age=0") != 3 {
			t.Errorf("logout: %q", w.Header()["Set-Cookie"])
		}
	}
	// Two saves in one request: the last one's state is all that is sent.
	r := rigRequest("POST")
	s, err := g.m.Open(t.Context(), r)
	rigOK(t, err)
	w := g.serve(rigRequest("POST"), func(w http.ResponseWriter, _ *http.Request) {
		rigOK(t, s.Login(t.Context(), "ada"))
		rigOK(t, rigNote.Set(s, xs(8000)))
		rigOK(t, s.Save(w))
		rigOK(t, s.Logout(t.Context()))
		rigOK(t, s.Save(w))
	})
	jar = newPrefixJar()
	if jar.take("example.com", w.Header()); jar.header() != "" {
		t.Errorf("after login, save, logout, save: %.200q", jar.header())
	}
}

// R31: the size is checked when a value is set; what does not fit changes and sends nothing.
func TestSealedSize(t *testing.T) {
	for chunks := 1; chunks <= 4; chunks++ {
		g := newSealedRig(t, sojourn.SealedOptions{AcceptReplayUntilExpiry: true, Chunks: chunks}, sojourn.Options{})
		cookie := g.login("")
		fits := 0
		w := g.do(cookie, func(s *sojourn.Session) {
			lo, hi := 1, chunks*4096 // binary search for the first that is refused
			for lo < hi {
				mid := (lo + hi) / 2
				if err := rigNote.Set(s, xs(mid)); err == nil {
					lo = mid + 1
				} else {
					hi = mid
					if !errors.Is(err, sojourn.ErrTooLarge) {
						t.Fatal(err)
					}
				}
			}
			fits = lo - 1
			rigOK(t, rigNote.Set(s, xs(fits)))
			if err := rigNote.Set(s, xs(fits+1)); !errors.Is(err, sojourn.ErrTooLarge) || len(rigNote.Get(s)) != fits {
				t.Errorf("one byte more: %v, then %d bytes", err, len(rigNote.Get(s)))
			}
		})
		if fits < chunks*4096*3/4-600 {
			t.Errorf("%d chunks hold only %d bytes", chunks, fits)
		}
		for _, c := range w.Result().Cookies() {
			if len(c.Name)+len(c.Value) > 4096 {
				t.Errorf("cookie of %d bytes", len(c.Name)+len(c.Value))
			}
		}
		if len(w.Result().Cookies()) != chunks {
			t.Errorf("%d cookies, want %d", len(w.Result().Cookies()), chunks)
		}
		g.do(rigCookies(w), func(s *sojourn.Session) {
			if len(rigNote.Get(s)) != fits {
				t.Errorf("read back %d of %d bytes", len(rigNote.Get(s)), fits)
			}
		})
		// A visitor's data that fit no more beside the user's metadata: the sign-in says so, and
		// sends nothing.
		w = g.do("", func(s *sojourn.Session) {
			rigOK(t, rigNote.Set(s, xs(fits)))
			if err := s.Login(t.Context(), strings.Repeat("u", 255), sojourn.KeepAll()); !errors.Is(err, sojourn.ErrTooLarge) {
				t.Errorf("login: %v", err)
			}
			s.Clear()
		})
		if w.Header()["Set-Cookie"] != nil {
			t.Errorf("sent after a failed sign-in: %.100q", w.Header()["Set-Cookie"])
		}
	}
}

// R46: lengths come in classes.
func TestSealedPadding(t *testing.T) {
	g := newSealedRig(t, noReplayGuard, sojourn.Options{OmitClient: true})
	cookie := g.login("")
	sizes := map[int][]int{}
	for n := 1; n <= 640; n++ {
		w := g.do(cookie, func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, xs(n))) })
		k := len(rigCookies(w))
		sizes[k] = append(sizes[k], n)
	}
	if len(sizes) < 10 || len(sizes) > 12 {
		t.Errorf("%d classes for 640 lengths: %v", len(sizes), sizes)
	}
	for k, ns := range sizes {
		if ns[0] != 1 && ns[len(ns)-1] != 640 && len(ns) < 62 { // a longer length prefix costs a byte
			t.Errorf("class %d holds %d lengths", k, len(ns))
		}
	}
}

// R42: with presence records sealed sessions end like stored ones, and old copies stay dead.
func TestSealedPresence(t *testing.T) {
	for name, end := range map[string]func(g *webRig, cookie string, h store.Handle){
		"logout": func(g *webRig, c string, _ store.Handle) {
			g.do(c, func(s *sojourn.Session) { rigOK(g, s.Logout(g.Context())) })
		},
		"revoke one": func(g *webRig, _ string, h store.Handle) { rigOK(g, g.m.Revoke(g.Context(), "ada", h)) },
		"revoke user": func(g *webRig, _ string, _ store.Handle) {
			n, err := g.m.RevokeUser(g.Context(), "ada")
			if rigOK(g, err); n != 2 {
				g.Errorf("%d ended, want 2", n)
			}
		},
		"except": func(g *webRig, _ string, h store.Handle) {
			l, err := g.m.Sessions(g.Context(), "ada")
			rigOK(g, err)
			for _, in := range l {
				if in.Handle != h {
					_, err = g.m.RevokeUser(g.Context(), "ada", in.Handle)
					rigOK(g, err)
				}
			}
		},
		"renewed": func(g *webRig, c string, _ store.Handle) {
			g.do(c, func(s *sojourn.Session) { rigOK(g, s.Renew(g.Context())) })
		},
		"others": func(g *webRig, c string, _ store.Handle) {
			w := g.do(c, func(s *sojourn.Session) {
				n, err := s.RevokeOthers(g.Context())
				if rigOK(g, err); n != 1 {
					g.Errorf("%d others", n)
				}
			})
			if g.user(rigCookies(w)) != "ada" {
				g.Error("the one that stays does not")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newSealedRig(t, sojourn.SealedOptions{Store: memstore.New(nil)}, sojourn.Options{})
			first, other := g.login(""), g.login("")
			var h store.Handle
			w := g.do(first, func(s *sojourn.Session) { h = s.Handle(); rigOK(t, rigNote.Set(s, "x")) })
			newer := rigCookies(w)
			if g.user(first) != "ada" || g.user(newer) != "ada" {
				t.Fatal("not signed in")
			}
			end(g, newer, h)
			for _, c := range []string{first, newer} {
				if got := g.user(c); got != "" {
					t.Errorf("a copy still signs %q in", got)
				}
			}
			if stays := name != "revoke user" && name != "others"; (g.user(other) == "ada") != stays {
				t.Errorf("the other session: %q, want it to stay: %v", g.user(other), stays)
			}
			w = g.do(newer, func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "resurrected")) })
			if g.user(rigCookies(w)) != "" {
				t.Error("a late write brought the user back")
			}
		})
	}
}

// R26, R14, R15 in sealed mode: listing, limit, idle and absolute life.
func TestSealedLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, so := range []sojourn.SealedOptions{{Store: memstore.New(nil)}, noReplayGuard} {
			o := sojourn.Options{Idle: time.Hour, Lifetime: 3 * time.Hour}
			if so.Store != nil {
				o.MaxSessions = 2
			}
			g := newSealedRig(t, so, o)
			cookies := make([]string, 3)
			for i := range cookies {
				cookies[i] = g.login("")
				time.Sleep(time.Second)
			}
			if so.Store != nil {
				if l, err := g.m.Sessions(t.Context(), "ada"); err != nil || len(l) != 2 || l[0].Agent != "" || g.user(cookies[0]) != "" {
					t.Errorf("limit: %d sessions, %v; the oldest is %q", len(l), err, g.user(cookies[0]))
				}
				if n, _ := so.Store.(*memstore.Store).Usage(); n != 2 {
					t.Errorf("%d presence records", n)
				}
			} else if _, err := g.m.Sessions(t.Context(), "ada"); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("list without a store: %v", err)
			}
			idle, used := cookies[1], cookies[2]
			for i := range 100 {
				time.Sleep(2 * time.Minute)
				if next := rigCookies(g.do(used, nil)); next != "" {
					used = next
				}
				alive := g.user(used) == "ada"
				if at := time.Duration(i+1) * 2 * time.Minute; alive != (at < 3*time.Hour) {
					t.Fatalf("used session alive=%v after %v", alive, at)
				}
				if at := time.Duration(i+1)*2*time.Minute + 2*time.Second; (g.user(idle) == "ada") != (at < time.Hour) {
					t.Fatalf("unused copy: user %q after %v", g.user(idle), at)
				}
				if i == 20 { // idle was peeked at: it must have been touched in presence only
					idle = cookies[1]
				}
			}
		}
	})
}

// R42: no way to get an irrevocable manager without saying so.
func TestSealedConstruction(t *testing.T) {
	keys := rigKeys(t)
	st := memstore.New(nil)
	for _, tt := range []struct {
		name string
		so   *sojourn.SealedOptions
		o    sojourn.Options
		ok   bool
	}{
		{"nil", nil, sojourn.Options{Keys: keys}, false},
		{"neither", &sojourn.SealedOptions{}, sojourn.Options{Keys: keys}, false},
		{"both", &sojourn.SealedOptions{Store: st, AcceptReplayUntilExpiry: true}, sojourn.Options{Keys: keys}, false},
		{"store", &sojourn.SealedOptions{Store: st}, sojourn.Options{Keys: keys}, true},
		{"accepted", &noReplayGuard, sojourn.Options{Keys: keys}, true},
		{"accepted, no keys", &noReplayGuard, sojourn.Options{}, false},
		{"accepted, but a lag is the limit", &noReplayGuard, sojourn.Options{Keys: keys, MaxRevocationLag: time.Hour}, false},
		{"store, no lag", &sojourn.SealedOptions{Store: st}, sojourn.Options{Keys: keys, MaxRevocationLag: time.Second}, true},
		{"bearer", &sojourn.SealedOptions{Store: st}, sojourn.Options{Keys: keys, Bearer: &sojourn.BearerOptions{}}, false},
		{"custom", &sojourn.SealedOptions{Store: st}, sojourn.Options{Keys: keys, Custom: &sojourn.CustomTransport{}}, false},
		{"5 chunks", &sojourn.SealedOptions{Store: st, Chunks: 5}, sojourn.Options{Keys: keys}, false},
		{"-1 chunks", &sojourn.SealedOptions{Store: st, Chunks: -1}, sojourn.Options{Keys: keys}, false},
	} {
		if _, err := sojourn.NewSealed(tt.so, &tt.o); (err == nil) != tt.ok || err != nil && !errors.Is(err, sojourn.ErrOptions) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	m, err := sojourn.NewSealed(&noReplayGuard, &sojourn.Options{Keys: keys})
	rigOK(t, err)
	if m.RevocationLag() != store.MaxLife {
		t.Errorf("lag %v", m.RevocationLag())
	}
}

// R33, R47: duplicates and outages in sealed mode.
func TestSealedDuplicatesAndOutage(t *testing.T) {
	st := &brokenReads{Store: memstore.New(nil)}
	g := newSealedRig(t, sojourn.SealedOptions{Store: st}, sojourn.Options{})
	a, e := g.loginAs("ada", ""), g.loginAs("eve", "")
	for header, want := range map[string]string{a + "; " + e: "", e + "; " + a: "", a + "; " + a: "ada", "__Host-session=x; " + a: "ada"} {
		if got := g.user(header); got != want {
			t.Errorf("%.60q: user %q, want %q", header, got, want)
		}
	}
	st.err = fmt.Errorf("%w: down", store.ErrUnavailable)
	w := g.serve(rigRequest("GET", a), func(w http.ResponseWriter, r *http.Request) {
		if _, err := g.m.Load(r); !errors.Is(err, sojourn.ErrUnavailable) {
			t.Errorf("load: %v", err)
		}
	})
	if w.Header()["Set-Cookie"] != nil {
		t.Errorf("an outage touched the cookie: %q", w.Header()["Set-Cookie"])
	}
}

// A sign-in that fails leaves the visitor's sealed session as it was, also for what follows in the
// request.
func TestSealedFailedSignInKeepsVisitor(t *testing.T) {
	st := &refusing{Store: memstore.New(nil)}
	sessions := ok(sojourn.NewSealed(&sojourn.SealedOptions{Store: st}, &sojourn.Options{Keys: ok(sojourn.NewKeyRing(sojourn.NewKey()))}))
	theme := sojourn.NewValue[string]("theme")
	var got string
	b := newVisitor(sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s := ok(sessions.Load(r))
		if got = theme.Get(s); got == "" {
			st.refuse = true
			if err := s.Login(r.Context(), "ada"); !errors.Is(err, sojourn.ErrLimit) {
				t.Errorf("login: %v, want ErrLimit", err)
			}
			if err := theme.Set(s, "dark"); err != nil {
				t.Error(err)
			}
		}
	})))
	b.do("POST", "/")
	b.do("GET", "/")
	if got != "dark" {
		t.Errorf("theme %q after a failed sign-in, want dark", got)
	}
}

// refusing is a store in which everybody has too many sessions.
type refusing struct {
	store.Store
	refuse bool
}

func (st *refusing) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	if st.refuse {
		return store.Admitted{}, store.ErrLimit
	}
	return st.Store.Create(ctx, rec, adm)
}
