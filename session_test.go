package sojourn_test

import (
	"context"
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

// A session's times are in the store's clock, however wrong this machine's is: what is left of it,
// how old its sign-in is, and when a confirmation was.
func TestTimesAreTheStores(t *testing.T) {
	for _, ahead := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			st := newFaultStore(memstore.New(nil))
			g := newWebRig(t, st, sojourn.Options{})
			cookie := g.login("")
			st.skew = ahead
			st.mutate = func(r *store.Record) { r.Created, r.Seen = r.Created.Add(ahead), r.Seen.Add(ahead) }
			time.Sleep(10 * time.Minute)
			g.do(cookie, func(s *sojourn.Session) {
				time.Sleep(time.Second) // of the request counts, too
				const age = 10*time.Minute + time.Second
				if got := s.ExpiresIn(); got != 30*time.Minute-age {
					t.Errorf("%v ahead: %v left", ahead, got)
				}
				if s.Fresh(age-1) || !s.Fresh(age) {
					t.Errorf("%v ahead: not %v old", ahead, age)
				}
				st.seen = nil
				rigOK(t, s.Login(t.Context(), "ada"))
				if got := st.seen[0].Created; !got.Equal(time.Now().Add(ahead)) {
					t.Errorf("%v ahead: confirmed at %v, want %v", ahead, got, time.Now().Add(ahead))
				}
				s.Peek()
			})
		})
	}
}

// What a session's limits can be set to, and what is left of it then.
func TestLimitsOfASession(t *testing.T) {
	const u, h = sojourn.Unlimited, time.Hour
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			opts       sojourn.Options
			idle, life time.Duration // set, if not 0
			want       time.Duration // left; -1 where it is refused
		}{
			{sojourn.Options{}, 0, 0, h / 2}, {sojourn.Options{Idle: u}, 0, 0, 12 * h}, {sojourn.Options{Idle: u, Lifetime: u}, 0, 0, store.MaxLife},
			{sojourn.Options{}, -1, 0, -1}, {sojourn.Options{}, 0, -1, -1}, {sojourn.Options{}, 1, 0, 1}, {sojourn.Options{}, 0, 1, 1},
			{sojourn.Options{}, 12 * h, 0, 12 * h}, {sojourn.Options{}, 12*h + 1, 0, -1}, {sojourn.Options{}, 0, 12*h + 1, -1},
			{sojourn.Options{Lifetime: u}, 100 * h, 0, 100 * h}, {sojourn.Options{Idle: u, Lifetime: u}, 0, 5 * h, 5 * h},
			{sojourn.Options{Idle: u}, 0, 12 * h, 12 * h},
		} {
			g := newWebRig(t, nil, tt.opts)
			g.do("", func(s *sojourn.Session) {
				if s.ExpiresIn() != 0 || s.Fresh(h) {
					t.Errorf("a visitor: %v left, fresh %t", s.ExpiresIn(), s.Fresh(h))
				}
			})
			left := func(cookie string) (d time.Duration) {
				g.do(cookie, func(s *sojourn.Session) { d = s.ExpiresIn(); s.Peek() })
				return d
			}
			cookie := g.login("")
			g.do(cookie, func(s *sojourn.Session) {
				var err error
				if tt.idle != 0 {
					err = s.SetIdle(tt.idle)
				}
				if tt.life != 0 {
					err = s.SetLifetime(tt.life)
				}
				if refused := errors.Is(err, sojourn.ErrOptions); refused != (tt.want < 0) || !refused && err != nil {
					t.Errorf("%v, %v: %v", tt.idle, tt.life, err)
				}
			})
			if got := left(cookie); tt.want >= 0 && got != tt.want {
				t.Errorf("%v, %v: %v left, want %v", tt.idle, tt.life, got, tt.want)
			}
			for name, zero := range map[string]func(*sojourn.Session) error{
				"SetIdle":     func(s *sojourn.Session) error { return s.SetIdle(0) },
				"SetLifetime": func(s *sojourn.Session) error { return s.SetLifetime(0) },
			} {
				g.do("", func(s *sojourn.Session) {
					if err := zero(s); !errors.Is(err, sojourn.ErrOptions) {
						t.Errorf("%s(0): %v", name, err)
					}
				})
			}
		}
	})
}

// Without Assurance a bearer token has the level of its sign-in for as long as it lives; a
// visitor's session is never fresh.
func TestLevelOfABearerToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newWebRig(t, nil, sojourn.Options{Bearer: &sojourn.BearerOptions{Lifetime: 30 * longTime}})
		r := rigRequest("POST")
		r.Header.Set("Authorization", "Bearer "+g.bearer("ada"))
		time.Sleep(29 * longTime)
		g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
			s, err := g.m.Load(r)
			if err != nil || s.Level() != sojourn.LevelSingle || s.Fresh(28*longTime) {
				t.Errorf("level %d, %v", s.Level(), err)
			}
		})
		visitor := rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "x")) }))
		g.do(visitor, func(s *sojourn.Session) {
			if s.Fresh(time.Hour) || s.Level() != 0 {
				t.Errorf("a visitor has level %d, fresh %t", s.Level(), s.Fresh(time.Hour))
			}
			if got := fmt.Sprintf("%v %+v %s %d", s, s, s, s); got != strings.TrimSpace(strings.Repeat("[session] ", 4)) {
				t.Errorf("it prints as %q", got)
			}
		})
	})
}

// A client that has hung up does not keep what happened to its session from the observer.
func TestEventsAfterHangingUp(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	r := rigRequest("POST", g.login(""))
	g.told()
	ctx, hangUp := context.WithCancel(t.Context())
	g.serve(r.WithContext(ctx), func(_ http.ResponseWriter, r *http.Request) {
		s, err := g.m.Load(r)
		rigOK(t, err)
		hangUp()
		rigOK(t, s.Logout(r.Context()))
	})
	if got := g.told(); got != "expired logout ada #" {
		t.Errorf("events %q", got)
	}
}

// Where the changes of a request fail when they run again, none of them counts, and what is set
// after that does.
func TestFailedReplayDropsAll(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	runs := 0
	w := g.do(g.login(""), func(s *sojourn.Session) {
		rigOK(t, rigNote.Set(s, "dropped"))
		rigOK(t, rigNumber.Update(s, func(n *int) error {
			*n = 7
			if runs++; runs > 1 {
				return errors.New("only once")
			}
			return nil
		}))
		if s.Login(t.Context(), "ada") == nil {
			t.Error("the confirmation succeeds")
		}
		if got := s.Names(); len(got) > 0 {
			t.Errorf("values %q are left", got)
		}
		rigOK(t, slot("after").Set(s, "x"))
	})
	g.do(rigCookies(w), func(s *sojourn.Session) {
		if got := s.Names(); w.Code != 200 || len(got) != 1 || got[0] != "after" {
			t.Errorf("status %d, afterwards %q", w.Code, got)
		}
	})
}

// A value that is absent is no value that does not decode.
func TestAbsentValue(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{OnDecodeError: sojourn.RefuseValue})
	g.do("", func(s *sojourn.Session) {
		if x, ok := rigNumber.Take(s); ok || x != 0 {
			t.Errorf("take: %d, %t", x, ok)
		}
		if _, err := rigNumber.Lookup(s); !errors.Is(err, sojourn.ErrNoValue) {
			t.Errorf("lookup: %v", err)
		}
		rigOK(t, rigNumber.Update(s, func(n *int) error { *n += 3; return nil }))
		if got := rigNumber.Get(s); got != 3 {
			t.Errorf("updated from nothing: %d", got)
		}
	})
}

// A value that does not decode reads as absent where nothing else is said: an Update begins from
// zero, and each time is told. What replaces its bytes is decoded alone.
func TestValueThatDoesNotDecode(t *testing.T) {
	type thing struct {
		A string
		B int
	}
	old, now := sojourn.NewValue[map[string]string]("v"), sojourn.NewValue[thing]("v")
	for name, hook := range map[string]func(context.Context, string, []byte, error) ([]byte, error){
		"absent": nil, "replaced": func(context.Context, string, []byte, error) ([]byte, error) { return []byte(`{"B":1}`), nil },
	} {
		g := newWebRig(t, nil, sojourn.Options{OnDecodeError: hook})
		cookie := rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, old.Set(s, map[string]string{"A": "old", "B": "no number"})) }))
		g.told()
		g.do(cookie, func(s *sojourn.Session) {
			want, told := thing{}, "value_dropped v #"
			if hook != nil {
				want, told = thing{B: 1}, ""
			}
			if got := now.Get(s); got != want {
				t.Errorf("%s: reads %+v, want %+v", name, got, want)
			}
			if got := g.told(); got != told {
				t.Errorf("%s: events %q, want %q", name, got, told)
			}
			rigOK(t, now.Update(s, func(x *thing) error { x.B += 5; return nil }))
			if got := now.Get(s); got != (thing{B: want.B + 5}) {
				t.Errorf("%s: updated to %+v", name, got)
			}
		})
	}
}

// Bad input: what does not encode, or is too large, is refused by the value's name, and the session
// stays as it is.
func TestValueThatDoesNotEncode(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	odd := sojourn.NewValue[func()]("odd")
	g.do("", func(s *sojourn.Session) {
		for name, err := range map[string]error{
			"set": odd.Set(s, func() {}), "update": odd.Update(s, func(*func()) error { return nil }),
		} {
			if err == nil || !strings.Contains(err.Error(), "odd") || odd.Has(s) {
				t.Errorf("%s: %v", name, err)
			}
		}
		err := rigNote.Update(s, func(x *string) error { *x = xs(1 << 20); return nil })
		if !errors.Is(err, sojourn.ErrTooLarge) || rigNote.Has(s) {
			t.Errorf("update to what is too large: %v", err)
		}
	})
}

// nothing is a codec of which a value's bytes are none.
type nothing struct{}

func (nothing) Append(dst []byte, _ any) ([]byte, error) { return dst, nil }
func (nothing) Decode([]byte, any) error                 { return nil }

// Of two overlapping requests one takes the value, also one without bytes.
func TestTakeOfAnEmptyValue(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{Codec: nothing{}})
	v := sojourn.NewValue[struct{}]("v")
	cookie := rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, v.Set(s, struct{}{})); rigOK(t, slot("other").Set(s, "")) }))
	take := func(s *sojourn.Session) {
		if _, ok := v.Take(s); !ok {
			t.Error("nothing to take")
		}
	}
	w := g.do(cookie, func(s *sojourn.Session) {
		take(s)
		g.do(cookie, take)
	})
	if w.Code != http.StatusConflict {
		t.Errorf("status %d", w.Code)
	}
}

// What looks like a token says what it came in, and a manager does not look where it has none.
func TestWhereTokensAreLookedFor(t *testing.T) {
	custom := &sojourn.CustomTransport{Receive: func(r *http.Request) string { return r.Header.Get("X-Session") }, Send: noSend, Delete: noDelete}
	for _, tt := range []struct {
		name  string
		opts  sojourn.Options
		plain bool
		head  http.Header
		want  string
		err   error
	}{
		{"custom, none", sojourn.Options{Custom: custom}, false, nil, "", nil},
		{"custom, junk", sojourn.Options{Custom: custom}, false, pairs("X-Session", "junk"), "token_refused custom", nil},
		{"custom, none, plain HTTP", sojourn.Options{Custom: custom}, true, nil, "", nil},
		{"custom, plain HTTP", sojourn.Options{Custom: custom}, true, pairs("X-Session", "junk"), "insecure custom !", nil},
		{"cookie, plain HTTP", sojourn.Options{}, true, pairs("Cookie", cookieName+"=junk"), "insecure cookie !", nil},
		{"bearer, plain HTTP", sojourn.Options{Bearer: &sojourn.BearerOptions{}}, true, pairs("Authorization", "Bearer junk"), "insecure bearer !", nil},
		{"bearer, junk", sojourn.Options{Bearer: &sojourn.BearerOptions{}}, false, pairs("Authorization", "Bearer junk"), "token_refused bearer", nil},
		{"no bearer tokens", sojourn.Options{}, false, pairs("Authorization", "Bearer junk", "Authorization", "Bearer junk"), "", nil},
		{"two headers without prefix", sojourn.Options{Bearer: &sojourn.BearerOptions{}}, false,
			pairs("Authorization", "Basic eDp5", "Authorization", "Basic eDp5"), "several_tokens !", sojourn.ErrAmbiguous},
		{"two headers, a prefix", sojourn.Options{Bearer: &sojourn.BearerOptions{Prefix: "acme_"}}, false,
			pairs("Authorization", "Basic eDp5", "Authorization", "Basic eDp5"), "", nil},
	} {
		g := newWebRig(t, nil, tt.opts)
		r := way{peer: "192.0.2.1:1", tls: !tt.plain, head: tt.head}.request("GET", "")
		g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
			if _, err := g.m.Load(r); !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("%s: %v", tt.name, err)
			}
		})
		if got := g.told(); got != tt.want {
			t.Errorf("%s: events %q, want %q", tt.name, got, tt.want)
		}
	}
}

// One token that comes several times is read once.
func TestRepeatedCookieIsReadOnce(t *testing.T) {
	st := newFaultStore(memstore.New(nil))
	g := newWebRig(t, st, sojourn.Options{})
	a, b := g.login(""), g.login("")
	g.do(b, func(s *sojourn.Session) { rigOK(t, s.Logout(t.Context())) })
	st.reset()
	g.serve(rigRequest("GET", a, b, b, a, b), func(_ http.ResponseWriter, r *http.Request) {
		if s, err := g.m.Load(r); err != nil || s.User() != "ada" {
			t.Errorf("load: %v", err)
		}
		if n := st.count(opGet); n != 2 {
			t.Errorf("%d reads of two tokens", n)
		}
	})
}

// Origins are compared with their ports, of which browsers leave out the usual ones.
func TestOriginPorts(t *testing.T) {
	for _, tt := range []struct {
		origin, host string
		plain        bool
		want         int
	}{
		{"https://example.com", "example.com", false, 200}, {"https://example.com", "example.com:443", false, 200},
		{"https://example.com:443", "example.com", false, 200}, {"https://example.com", "example.com:80", false, 403},
		{"https://example.com:8443", "example.com", false, 403}, {"http://example.com", "example.com", false, 403},
		{"null", "example.com", false, 403}, {"https://", "example.com", false, 403}, {"https://:443", "example.com", false, 403},
		{"http://localhost", "localhost:80", true, 200}, {"http://localhost:80", "localhost", true, 200},
		{"http://localhost", "localhost:443", true, 403}, {"http://localhost:443", "localhost", true, 403},
		{"ftp://localhost", "localhost", true, 403}, {"null", "localhost", true, 403},
	} {
		g := newWebRig(t, nil, sojourn.Options{InsecureLoopbackHTTP: tt.plain})
		r := way{peer: "127.0.0.1:1", host: tt.host, tls: !tt.plain, head: pairs("Origin", tt.origin)}.request("POST", "")
		r.Header.Del("Sec-Fetch-Site")
		if w := g.serve(r, func(http.ResponseWriter, *http.Request) {}); w.Code != tt.want {
			t.Errorf("%s at %s: %d, want %d", tt.origin, tt.host, w.Code, tt.want)
		}
	}
}

// fat is a Sealer that needs more room than a KeyRing, and fails when it is told to.
type fat struct {
	*sojourn.KeyRing
	err *error
}

const fatMore = 300

func (f fat) Seal(dst, plain, ad []byte) ([]byte, error) {
	if *f.err != nil {
		return nil, *f.err
	}
	dst, err := f.KeyRing.Seal(dst, plain, ad)
	return append(dst, make([]byte, fatMore)...), err
}

func (f fat) Open(dst, sealed, ad []byte) ([]byte, error) {
	return f.KeyRing.Open(dst, sealed[:max(0, len(sealed)-fatMore)], ad)
}

// A sealed session that its Sealer cannot seal, or makes too long for its cookie, is not sent.
func TestSealedByAnotherSealer(t *testing.T) {
	errKeys := errors.New("the vault is closed")
	for name, tt := range map[string]struct {
		data int
		fail error
		want error
	}{"well": {100, nil, nil}, "too long": {2600, nil, sojourn.ErrTooLarge}, "closed": {100, errKeys, errKeys}} {
		var failing error
		g := newSealedRig(t, noReplayGuard, sojourn.Options{Keys: fat{rigKeys(t), &failing}})
		w := g.do("", func(s *sojourn.Session) {
			failing = tt.fail
			rigOK(t, rigNote.Set(s, xs(tt.data)))
			if _, err := s.Commit(t.Context()); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%s: %v", name, err)
			}
			failing = nil
		})
		n := 0
		if c := rigCookies(w); c != "" {
			g.do(c, func(s *sojourn.Session) { n = len(rigNote.Get(s)) })
		}
		if (n == tt.data) != (tt.want == nil) {
			t.Errorf("%s: the client has %d bytes", name, n)
		}
	}
}

// A sealed session has one spelling, whatever its length; and it needs no options but a store.
func TestSealedSpelling(t *testing.T) {
	g := newSealedRig(t, noReplayGuard, sojourn.Options{})
	for n := 0; n < 640; n += 64 {
		cookie := rigCookies(g.do("", func(s *sojourn.Session) {
			rigOK(t, rigNote.Set(s, xs(n)))
			rigOK(t, s.Login(t.Context(), "ada", sojourn.KeepAll()))
		}))
		for _, more := range []string{"!", "A", "=", "!!!!", "A!"} {
			if got := g.user(cookie + more); got != "" {
				t.Errorf("%d bytes and %q: opens for %q", n, more, got)
			}
		}
		if g.user(cookie) != "ada" {
			t.Errorf("%d bytes: does not open", n)
		}
	}
	if _, err := sojourn.NewSealed(&sojourn.SealedOptions{Store: memstore.New(nil)}, nil); err != nil {
		t.Errorf("without options: %v", err)
	}
	custom := &sojourn.CustomTransport{Receive: noReceive, Send: noSend, Delete: noDelete}
	if _, err := sojourn.NewSealed(&noReplayGuard, &sojourn.Options{Custom: custom, Keys: rigKeys(t)}); !errors.Is(err, sojourn.ErrOptions) {
		t.Errorf("with a custom transport: %v", err)
	}
}

// A sealed session's token is made anew with each write, and never for its age.
func TestSealedIsNotRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newSiteOf(t, true)
		b := g.signedIn("ada")
		for range 30 {
			time.Sleep(10 * time.Minute)
			b.wants("user", "ada")
		}
		if n := g.store.count(opRotate); n != 0 || g.log.count(sojourn.SessionRenewed) != 0 {
			t.Errorf("%d rotations", n)
		}
	})
}
