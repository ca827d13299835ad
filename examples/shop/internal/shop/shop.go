package shop

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// The session's values.
var (
	cart    = sojourn.NewValue[basket]("cart")
	notices = sojourn.NewFlash[string]("notices")
)

// shop is the whole program. web is the manager of its pages and api the one of bearer tokens. They
// share the store, so a user's browsers and tokens stand in one list. (Where sessions are not
// sealed, one manager could do both; two keep cookies out of the API, and its errors in JSON.)
type shop struct {
	web, api *sojourn.Manager
	store    store.Store
	sealed   bool
	kept     string        // where sessions are, in words
	fresh    time.Duration // how recent a sign-in the account page wants
	ledger   ledger
	overlap  rendezvous
	log      *slog.Logger
}

// newShop makes the shop. Several processes that are one shop share the folder data.
func newShop(b backend, data string, fresh time.Duration, log *slog.Logger) (*shop, error) {
	sh := &shop{store: b.store, sealed: b.sealed, kept: b.kept, fresh: fresh, log: log}
	sh.ledger.path, sh.overlap.dir = filepath.Join(data, "ledger"), filepath.Join(data, "meet")
	var err error
	sh.web, err = b.manager(&sojourn.Options{
		Name:                 "shop",
		Keys:                 b.keys,
		OnError:              sh.fail,
		OnAnonymous:          http.HandlerFunc(toSignIn),
		OnStale:              http.HandlerFunc(toConfirm),
		Observe:              sh.observe,
		InsecureLoopbackHTTP: true, // a demo on this machine; a real shop serves TLS
	})
	if err != nil {
		return nil, err
	}
	sh.api, err = sojourn.New(b.store, &sojourn.Options{
		Name:                 "shop api",
		Keys:                 b.keys,
		Cookie:               sojourn.CookieOptions{Name: "shop-api"}, // not that of the pages, which would be a second token
		Bearer:               &sojourn.BearerOptions{Prefix: "shop_", Realm: "shop", Lifetime: 90 * 24 * time.Hour},
		OnAnonymous:          http.HandlerFunc(noToken),
		Observe:              sh.observe,
		InsecureLoopbackHTTP: true,
	})
	return sh, err
}

// page is a handler that may fail and whose session is loaded.
type page func(http.ResponseWriter, *http.Request, *sojourn.Session) error

// routes is everything that the shop answers.
func (sh *shop) routes() http.Handler {
	pages := http.NewServeMux()
	handle := func(require func(http.Handler) http.Handler, routes map[string]page) {
		for pattern, p := range routes {
			pages.Handle(pattern, require(sh.handler(p)))
		}
	}
	handle(sh.web.RequireLoaded, map[string]page{
		"GET /{$}":          sh.shelf,
		"GET /cart":         sh.showCart,
		"POST /cart/add":    sh.addToCart,
		"POST /cart/remove": sh.removeFromCart,
		"GET /signin":       sh.signInPage,
		"POST /signin":      sh.signIn,
		"POST /signout":     sh.signOut,
		"GET /goodbye":      sh.goodbye,
	})
	handle(sh.web.RequireUser, map[string]page{
		"GET /confirm":             sh.confirmPage,
		"POST /confirm":            sh.confirm,
		"POST /order":              sh.order,
		"GET /devices":             sh.devices,
		"POST /devices/end":        sh.endDevice,
		"POST /devices/end-others": sh.endOtherDevices,
		"POST /devices/token":      sh.issueToken,
		"GET /overlap":             sh.overlapPage,
		"GET /overlap/{side}":      sh.overlapFrame,
		"POST /overlap/{side}":     sh.overlapAdd,
	})
	handle(func(h http.Handler) http.Handler { return sh.web.RequireFresh(sh.fresh, h) }, map[string]page{
		"GET /account":          sh.account,
		"POST /account/address": sh.setAddress,
	})

	mux := http.NewServeMux()
	mux.Handle("/", sh.web.Handler(sh.known(pages)))
	mux.Handle("GET /api/me", sh.api.Handler(sh.api.RequireUser(http.HandlerFunc(sh.me))))
	mux.HandleFunc("/api/", noSuchAPI)
	mux.HandleFunc("GET /style.css", stylesheet) // no session: it may be cached
	return secureHeaders(mux)
}

func (sh *shop) handler(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := p(w, r, sh.web.From(r)); err != nil {
			sh.fail(w, r, err)
		}
	})
}

// secureHeaders forbids what the pages do not need.
func secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// observe logs what happens to sessions. Events hold no secrets.
func (sh *shop) observe(ctx context.Context, e sojourn.Event) {
	level := slog.LevelInfo
	attrs := []slog.Attr{slog.String("user", e.User)}
	if e.Handle != (store.Handle{}) {
		attrs = append(attrs, slog.String("session", e.Handle.String()))
	}
	if e.Reason != "" {
		attrs = append(attrs, slog.String("reason", e.Reason))
	}
	if e.Hint != "" {
		attrs = append(attrs, slog.String("change", e.Hint))
	}
	if e.Err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	sh.log.LogAttrs(ctx, level, string(e.Name), attrs...)
}
