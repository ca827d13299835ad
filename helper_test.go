package sojourn_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/internal/meta"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// site is a small web site: a manager over a faultStore, with routes that do one thing each. Its
// routes are named by their first path segment, their arguments are the query.
type site struct {
	testing.TB
	*sojourn.Manager
	store   *faultStore
	mux     *http.ServeMux
	handler http.Handler
	log     *eventLog
	opts    sojourn.Options
	sealed  bool // sessions are in the cookie, and the store has their presence
}

// eventLog keeps what the observer was told.
type eventLog struct {
	mu     sync.Mutex
	events []sojourn.Event
}

func (l *eventLog) observe(_ context.Context, e sojourn.Event) {
	l.mu.Lock()
	l.events = append(l.events, e)
	l.mu.Unlock()
}

func (l *eventLog) count(name sojourn.EventName) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Name == name {
			n++
		}
	}
	return n
}

func newSite(t testing.TB, change ...func(*sojourn.Options)) *site {
	t.Helper()
	return newSiteOf(t, false, change...)
}

// newSiteOf is newSite, of sealed sessions if that is wanted.
func newSiteOf(t testing.TB, sealed bool, change ...func(*sojourn.Options)) *site {
	t.Helper()
	o := sojourn.Options{Keys: must(sojourn.NewKeyRing(sojourn.NewKey()))}
	for _, c := range change {
		c(&o)
	}
	return openSite(t, newFaultStore(memstore.New(nil)), sealed, o)
}

func openSite(t testing.TB, st *faultStore, sealed bool, o sojourn.Options) *site {
	t.Helper()
	g := &site{TB: t, store: st, mux: http.NewServeMux(), log: &eventLog{}, opts: o, sealed: sealed}
	o.Observe = g.log.observe
	if sealed {
		g.Manager = must(sojourn.NewSealed(&sojourn.SealedOptions{Store: st}, &o))
	} else {
		g.Manager = must(sojourn.New(st, &o))
	}
	g.handler = g.Handler(g.mux)
	g.routes()
	return g
}

// opens says what a cookie is good for, to another process that has seen no token yet: a user, a
// visitor's session or, if nothing, "". older says that the cookie is not the session's present
// one.
func (g *site) opens(cookie string) (who string, older bool) {
	g.Helper()
	other := openSite(g.TB, g.store, g.sealed, g.opts)
	b := other.browser()
	b.cookie = cookie
	who = b.ok("who")
	return who, who != "" && b.cookie != cookie
}

const aVisitor = "(visitor)"

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

func (g *site) routes() {
	g.on("none", func(*sojourn.Session, *http.Request) (string, error) { return "", nil })
	g.on("login", func(s *sojourn.Session, r *http.Request) (string, error) {
		var opts []sojourn.LoginOption
		if k := r.FormValue("keep"); k != "" {
			opts = append(opts, sojourn.Keep(slot(k)))
		}
		return "", s.Login(r.Context(), r.FormValue("user"), opts...)
	})
	g.on("logout", func(s *sojourn.Session, r *http.Request) (string, error) { return "", s.Logout(r.Context()) })
	g.on("renew", func(s *sojourn.Session, r *http.Request) (string, error) { return "", s.Renew(r.Context()) })
	g.on("others", func(s *sojourn.Session, r *http.Request) (string, error) {
		_, err := s.RevokeOthers(r.Context())
		return "", err
	})
	g.onLoaded("user", func(s *sojourn.Session, _ *http.Request) (string, error) { return s.User(), nil })
	g.onLoaded("who", func(s *sojourn.Session, _ *http.Request) (string, error) {
		s.Peek()
		if s.Exists() && s.User() == "" {
			return aVisitor, nil
		}
		return s.User(), nil
	})
	g.onLoaded("names", func(s *sojourn.Session, _ *http.Request) (string, error) { return strings.Join(s.Names(), " "), nil })
	g.onLoaded("set", func(s *sojourn.Session, r *http.Request) (string, error) {
		return "", slot(r.FormValue("k")).Set(s, r.FormValue("v"))
	})
	g.onLoaded("get", func(s *sojourn.Session, r *http.Request) (string, error) { return slot(r.FormValue("k")).Get(s), nil })
	g.onLoaded("append", func(s *sojourn.Session, r *http.Request) (string, error) {
		return "", slot("list").Update(s, func(l *string) error { *l += r.FormValue("v"); return nil })
	})
	g.onLoaded("peek", func(s *sojourn.Session, _ *http.Request) (string, error) { s.Peek(); return s.User(), nil })
}

func slot(name string) sojourn.Value[string] { return sojourn.NewValue[string](name) }

// action is a route: what it returns is the page, or is answered as DefaultOnError does.
type action func(s *sojourn.Session, r *http.Request) (string, error)

// gate stops a request between its work and its page.
type gate struct{ reached, release chan struct{} }

type gateKey struct{}

func (g *site) on(name string, f action) {
	g.mux.HandleFunc("/"+name, func(w http.ResponseWriter, r *http.Request) {
		text, err := f(g.From(r), r)
		if gt, ok := r.Context().Value(gateKey{}).(*gate); ok {
			close(gt.reached)
			<-gt.release
		}
		if err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		io.WriteString(w, text)
	})
}

func (g *site) onLoaded(name string, f action) {
	g.on(name, func(_ *sojourn.Session, r *http.Request) (string, error) {
		s, err := g.Load(r)
		if err != nil {
			return "", err
		}
		return f(s, r)
	})
}

// records counts what is live in the store, the tails of ended and renewed sessions aside.
func (g *site) records() (n int) {
	for rec, err := range g.store.Store.All(g.Context()) {
		if err != nil {
			g.Fatal(err)
		}
		if mt, err := meta.DecodeFacts(rec.Meta); err != nil || mt.Tail == nil {
			n++
		}
	}
	return n
}

func (g *site) sessions(user string) int {
	g.Helper()
	n := 0
	for _, err := range g.store.Store.User(g.Context(), user) {
		if err != nil {
			g.Fatal(err)
		}
		n++
	}
	return n
}

// browser keeps the session cookie as a browser does. A copy of it is a thief's, or another tab
// that sent its request before the answer came.
type browser struct {
	g      *site
	cookie string
}

func (g *site) browser() *browser { return &browser{g: g} }

// signedIn is a browser whose user is signed in.
func (g *site) signedIn(user string) *browser {
	g.Helper()
	b := g.browser()
	b.ok("login?user=" + user)
	return b
}

func (b browser) copy() *browser { return &b }

const cookieName = "__Host-session"

func (b *browser) request(ctx context.Context, path string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, "GET", "https://example.com/"+path, nil)
	if b.cookie != "" {
		r.AddCookie(&http.Cookie{Name: cookieName, Value: b.cookie})
	}
	return r
}

// send does a request and takes the cookie that comes back.
func (b *browser) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.g.handler.ServeHTTP(w, r)
	b.take(w)
	return w
}

func (b *browser) take(w *httptest.ResponseRecorder) {
	for _, c := range w.Result().Cookies() {
		if c.Name != cookieName {
			continue
		}
		if b.cookie = c.Value; c.MaxAge < 0 {
			b.cookie = ""
		}
	}
}

func (b *browser) get(path string) *httptest.ResponseRecorder {
	return b.send(b.request(context.Background(), path))
}

// ok is get for requests that must succeed; it returns the page.
func (b *browser) ok(path string) string {
	b.g.Helper()
	w := b.get(path)
	if w.Code != http.StatusOK {
		b.g.Fatalf("GET %s: status %d: %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// wants checks a page.
func (b *browser) wants(path, want string) {
	b.g.Helper()
	if got := b.ok(path); got != want {
		b.g.Errorf("GET %s: %q, want %q", path, got, want)
	}
}

// start begins a request and returns when its handler has done its work and not yet answered. The
// returned function lets it go on and gives the response, whose cookie b takes.
func (b *browser) start(path string) (finish func() *httptest.ResponseRecorder) {
	gt := &gate{make(chan struct{}), make(chan struct{})}
	r := b.request(context.WithValue(context.Background(), gateKey{}, gt), path)
	w, done := httptest.NewRecorder(), make(chan struct{})
	go func() {
		defer close(done)
		b.g.handler.ServeHTTP(w, r)
	}()
	<-gt.reached
	return func() *httptest.ResponseRecorder {
		close(gt.release)
		<-done
		b.take(w)
		return w
	}
}

// status checks a response's status.
func (g *site) status(w *httptest.ResponseRecorder, want int) {
	g.Helper()
	if w.Code != want {
		g.Errorf("status %d, want %d: %s", w.Code, want, w.Body)
	}
}

// noCookie checks that a response leaves the client's cookie alone.
func (g *site) noCookie(w *httptest.ResponseRecorder) {
	g.Helper()
	if c := w.Header()["Set-Cookie"]; c != nil {
		g.Errorf("response has Set-Cookie")
	}
}

// infos is Sessions without error.
func (g *site) infos(user string) []sojourn.Info {
	g.Helper()
	l, err := g.Sessions(g.Context(), user)
	if err != nil {
		g.Fatal(err)
	}
	return l
}

var _ store.Store = (*faultStore)(nil)
