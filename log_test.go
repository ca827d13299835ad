package sojourn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// intoBuffer makes slog's default logger write into a buffer for the test, one JSON object a line.
func intoBuffer(t *testing.T) *bytes.Buffer {
	t.Helper()
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &log
}

// unobserved is a manager as a first deployment has it.
func unobserved(t *testing.T, st store.Store, o sojourn.Options) *webRig {
	t.Helper()
	m, err := sojourn.New(st, &o)
	if err != nil {
		t.Fatal(err)
	}
	return &webRig{TB: t, m: m}
}

func (g *webRig) tryLogin(r *http.Request) (w *httptest.ResponseRecorder, err error) {
	w = g.serve(r, func(w http.ResponseWriter, r *http.Request) {
		if err = g.m.From(r).Login(r.Context(), "ada"); err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	})
	return w, err
}

// Without an observer a first deployment over plain HTTP says in the log which option to set.
func TestFirstDeploymentIsLogged(t *testing.T) {
	log := intoBuffer(t)
	g := unobserved(t, memstore.New(nil), sojourn.Options{})
	w := way{peer: "127.0.0.1:1", head: pairs("X-Forwarded-Proto", "https")}
	if out, err := g.tryLogin(w.request("POST", "")); out.Code != 500 || !errors.Is(err, sojourn.ErrInsecure) {
		t.Errorf("%d, %v", out.Code, err)
	}
	for _, want := range []string{"level=WARN", "event=session_insecure", "reason=login", "TrustedProxies", `127.0.0.1/32`} {
		if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), want) {
			t.Errorf("no %q in the one line of the log: %s", want, log)
		}
	}
}

// A browser's own words over plain HTTP are no cross-site request, with a cookie or without: the
// log says what really is wrong.
func TestBrowserOverPlainHTTP(t *testing.T) {
	for _, cookie := range []string{"", "__Host-session=x"} {
		for name, c := range map[string]struct {
			opts   sojourn.Options
			origin string
			tls    bool
			want   sojourn.EventName
		}{
			"nothing in front":                  {sojourn.Options{}, "http://example.com", false, sojourn.InsecureRefused},
			"a proxy's plain side":              {sojourn.Options{TrustedProxies: proxies}, "http://example.com", false, sojourn.InsecureRefused},
			"another site":                      {sojourn.Options{}, "http://evil.example", false, sojourn.CrossSiteRefused},
			"over TLS, from a page that is not": {sojourn.Options{}, "http://example.com", true, sojourn.CrossSiteRefused},
		} {
			g := newWebRig(t, nil, c.opts)
			r := way{peer: "10.0.0.1:1", tls: c.tls, head: pairs("Origin", c.origin, "X-Forwarded-Proto", "http")}.request("POST", cookie)
			r.Header.Del("Sec-Fetch-Site")
			w := g.serve(r, func(http.ResponseWriter, *http.Request) { t.Error("the handler runs") })
			want := map[bool]int{true: 500, false: 403}[c.want == sojourn.InsecureRefused]
			if w.Code != want || len(g.ev) != 1 || g.ev[0].Name != c.want || g.ev[0].Hint == "" {
				t.Errorf("%s, cookie %q: status %d, events %+v", name, cookie, w.Code, g.ev)
			}
		}
	}
}

// A store that fails at a sign-in, or at any other act, is in the log with its cause.
func TestStoreFailuresAreLogged(t *testing.T) {
	cause := fmt.Errorf("%w: redisstore: dial tcp 127.0.0.1:6379: connection refused", store.ErrUnavailable)
	for op, act := range map[string]func(ctx context.Context, m *sojourn.Manager, s *sojourn.Session) error{
		"login":  func(ctx context.Context, _ *sojourn.Manager, s *sojourn.Session) error { return s.Login(ctx, "eve") },
		"logout": func(ctx context.Context, _ *sojourn.Manager, s *sojourn.Session) error { return s.Logout(ctx) },
		"renew":  func(ctx context.Context, _ *sojourn.Manager, s *sojourn.Session) error { return s.Renew(ctx) },
		"revoke": func(ctx context.Context, _ *sojourn.Manager, s *sojourn.Session) error {
			_, err := s.RevokeOthers(ctx)
			return err
		},
		"list": func(ctx context.Context, m *sojourn.Manager, _ *sojourn.Session) error {
			_, err := m.Sessions(ctx, "ada")
			return err
		},
		"commit": func(ctx context.Context, _ *sojourn.Manager, s *sojourn.Session) error {
			if err := rigNote.Set(s, "x"); err != nil {
				return err
			}
			_, err := s.Commit(ctx)
			return err
		},
	} {
		t.Run(op, func(t *testing.T) {
			log := intoBuffer(t)
			st := newFaultStore(memstore.New(nil))
			g := unobserved(t, st, sojourn.Options{})
			r := rigRequest("POST", g.login(""))
			g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
				s, err := g.m.Load(r)
				rigOK(t, err)
				st.setBefore(fail(cause), opCreate, opUpdate, opRotate, opRevoke, opUser, opGet, opDelete)
				if err := act(r.Context(), g.m, s); !errors.Is(err, sojourn.ErrUnavailable) {
					t.Errorf("%v", err)
				}
			})
			line, _, _ := strings.Cut(log.String(), "\n")
			for _, want := range []string{"level=ERROR", "event=session_store_failed", "reason=" + op, "connection refused"} {
				if !strings.Contains(line, want) {
					t.Errorf("no %q in %s", want, log)
				}
			}
			if n := strings.Count(log.String(), "event=session_store_failed"); n != 1 {
				t.Errorf("%d lines for one failure: %s", n, log)
			}
		})
	}
}

// What the program or the request did is not laid at the store's door.
func TestCommitFailuresHaveAnEventOfTheirOwn(t *testing.T) {
	errOurs := errors.New("the cart is full")
	for name, c := range map[string]struct {
		change func(t *testing.T, s *sojourn.Session)
		want   sojourn.EventName
	}{
		"the program's function": {func(t *testing.T, s *sojourn.Session) {
			rigOK(t, rigNumber.Update(s, func(n *int) error {
				if *n > 0 {
					return errOurs
				}
				*n = 2
				return nil
			}))
		}, sojourn.ChangeLost},
		"the session ended": {func(t *testing.T, s *sojourn.Session) { rigOK(t, rigNumber.Set(s, 1)) }, sojourn.ChangeLost},
	} {
		st := newFaultStore(memstore.New(nil))
		g := newWebRig(t, st, sojourn.Options{})
		cookie := g.login("")
		w := g.do(cookie, func(s *sojourn.Session) {
			c.change(t, s)
			if name == "the session ended" {
				rigOK(t, g.m.Revoke(t.Context(), "ada", s.Handle()))
			} else {
				g.do(cookie, func(s *sojourn.Session) { rigOK(t, rigNumber.Set(s, 1)) })
			}
		})
		if w.Code < 400 || g.seen(c.want) != 1 || g.seen(sojourn.StoreFailed) != 0 {
			t.Errorf("%s: status %d, events %+v", name, w.Code, g.ev)
		}
	}
}

// Of events that repeat the log has the first, and later how many there were.
func TestLogIsRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		observe := sojourn.LogEvents(slog.New(slog.NewTextHandler(&log, nil)))
		emit := func(name sojourn.EventName, reason string) {
			observe(t.Context(), sojourn.Event{Name: name, Reason: reason, Time: time.Now()})
		}
		for range 1000 {
			emit(sojourn.StoreFailed, "load")
		}
		emit(sojourn.StoreFailed, "login")
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("%d lines", n)
		}
		time.Sleep(10 * time.Second)
		emit(sojourn.StoreFailed, "load")
		if !strings.HasSuffix(log.String(), "reason=load omitted=999\n") {
			t.Errorf("%s", &log)
		}
		time.Sleep(10 * time.Second)
		log.Reset()
		emit(sojourn.StoreFailed, "load")
		time.Sleep(10*time.Second - 1)
		emit(sojourn.StoreFailed, "load") // too soon, and counted anew
		time.Sleep(time.Nanosecond)
		emit(sojourn.StoreFailed, "load")
		first, then, _ := strings.Cut(log.String(), "\n")
		if !strings.HasSuffix(first, "reason=load") || !strings.HasSuffix(then, "reason=load omitted=1\n") || strings.Count(then, "\n") != 1 {
			t.Errorf("%s", &log)
		}
		log.Reset()
		h := store.Handle{1, 2, 3}
		observe(t.Context(), sojourn.Event{Name: sojourn.SessionReuse, Handle: h, Time: time.Now()})
		observe(t.Context(), sojourn.Event{Name: sojourn.SessionDamaged, Time: time.Now()})
		with, without, _ := strings.Cut(log.String(), "\n")
		if !strings.HasSuffix(with, "event=session_token_reuse session="+h.String()) || !strings.HasSuffix(without, "event=session_damaged\n") {
			t.Errorf("%s", &log)
		}
		log.Reset()
		for i := range 10000 { // reasons that a client chooses
			emit(sojourn.ValueDropped, fmt.Sprint(i))
		}
		if n := strings.Count(log.String(), "\n"); n > 300 {
			t.Errorf("%d lines", n)
		}
		log.Reset()
		for _, name := range []sojourn.EventName{sojourn.SessionCreated, sojourn.SessionRenewed, sojourn.SessionExpired, sojourn.SessionUseAfterExpire} {
			emit(name, "")
		}
		if log.Len() > 0 {
			t.Errorf("what goes as it should is in the log: %s", &log)
		}
	})
}

// Each refusal has an event with its reason and what to change.
func TestRefusalsSayWhatToChange(t *testing.T) {
	o := sojourn.Options{Bearer: &sojourn.BearerOptions{Prefix: "acme_"}}
	probe := newWebRig(t, nil, o)
	bearer := "Bearer " + probe.bearer("ada")
	for _, tt := range []struct {
		name   string
		event  sojourn.EventName
		reason string
		change string
		head   http.Header
		drop   string // a header that the request lacks
	}{
		{"no browser", sojourn.CrossSiteRefused, "cookie", "Sec-Fetch-Site: same-origin", pairs("Cookie", "__Host-session=x"), "Sec-Fetch-Site"},
		{"a proxy that changes the name", sojourn.CrossSiteRefused, "cookie", "proxy_set_header Host", pairs("Cookie", "__Host-session=x", "Origin", "https://shop.example.com"), "Sec-Fetch-Site"},
		{"another site", sojourn.CrossSiteRefused, "cookie", "Options.TrustedOrigins", pairs("Cookie", "__Host-session=x", "Sec-Fetch-Site", "same-site", "Origin", "https://pay.example.com"), ""},
		{"another site, no cookie", sojourn.CrossSiteRefused, "origin", "Options.InsecureCrossSite", pairs("Sec-Fetch-Site", "cross-site", "Origin", "https://pay.example.com"), ""},
		{"two headers", sojourn.SeveralTokens, "", "one token", pairs("Authorization", bearer, "Authorization", bearer), ""},
		{"a cookie that is not ours", sojourn.TokenRefused, "cookie", "same keys", pairs("Cookie", "__Host-session=x"), ""},
		{"a bearer token that is not ours", sojourn.TokenRefused, "bearer", "same keys", pairs("Authorization", "Bearer acme_x"), ""},
	} {
		g := newWebRig(t, nil, o)
		r := rigRequest("POST")
		for name, lines := range tt.head {
			r.Header[name] = lines
		}
		r.Header.Del(tt.drop)
		g.serve(r, func(_ http.ResponseWriter, r *http.Request) { _, _ = g.m.Load(r) })
		if len(g.ev) != 1 || g.ev[0].Name != tt.event || g.ev[0].Reason != tt.reason || !strings.Contains(g.ev[0].Hint, tt.change) {
			t.Errorf("%s: events %+v", tt.name, g.ev)
		}
	}
}

// The log of a store that is not ours shows no password either.
func TestLogShowsNoPassword(t *testing.T) {
	var log bytes.Buffer
	observe := sojourn.LogEvents(slog.New(slog.NewTextHandler(&log, nil)))
	for i, text := range []string{
		"dial postgres://app:hunter2@db:5432/shop: refused", "dial redis://:hunter2@db: refused", "failed: host=db password=hunter2 user=app",
		"failed: Password: hunter2", errDriver.Error(), "redis://a:hunt@er2@db:1/",
	} {
		observe(t.Context(), sojourn.Event{Name: sojourn.StoreFailed, Reason: fmt.Sprint(i), Time: time.Now(), Err: errors.New(text)})
	}
	if strings.Count(log.String(), "\n") != 6 || strings.Contains(log.String(), "hunt") || strings.Contains(log.String(), "er2") || !strings.Contains(log.String(), "@db:5432/shop: refused") {
		t.Errorf("%s", &log)
	}
}

// A form without a valid CSRF token is told of, too: to the operator what is wrong with it, to who
// sent it what to do.
func TestMissingCSRFTokenIsTold(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	h := g.m.Handler(g.m.RequireCSRFToken(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler runs") })))
	mine := g.login("")
	_, token := g.csrf()
	for name, tt := range map[string]struct{ cookie, token, change string }{
		"no token":          {mine, "", "csrf_token, which stands before files and within the first 65536 bytes"},
		"another session's": {mine, token, "another session's"},
		"nobody's":          {"", token, "neither a session nor"},
	} {
		r, w := rigRequest("POST", tt.cookie), httptest.NewRecorder()
		r.Header.Set("X-CSRF-Token", tt.token)
		h.ServeHTTP(w, r)
		last := g.ev[len(g.ev)-1]
		if w.Code != 403 || !strings.Contains(w.Body.String(), "load its page again") {
			t.Errorf("%s: status %d, %s", name, w.Code, w.Body)
		}
		if last.Name != sojourn.CrossSiteRefused || last.Reason != "csrf token" || !strings.Contains(last.Hint, tt.change) || !errors.Is(last.Err, sojourn.ErrCrossSite) {
			t.Errorf("%s: event %+v", name, last)
		}
	}
}
