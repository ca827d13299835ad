package main

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// newTab opens a window whose cookies no other has.
func newTab(t *testing.T) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium(t), chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // opens it, for as long as ctx
		t.Fatal(err)
	}
	return &tab{t, ctx}
}

// post clicks the button of a page at from, which sends a form of one field to a URL, and waits for
// the answer's text.
func (b *tab) post(from, to, field, value, answer string) {
	b.Helper()
	q := url.Values{"to": {to}, "field": {field}, "value": {value}}
	b.run("open "+from, chromedp.Navigate(from+"?"+q.Encode()))
	b.run("send the form", chromedp.Click(chromedp.CSS("button")))
	b.shows("a form from "+from, answer)
}

// shows waits until the page has the text, and no other.
func (b *tab) shows(what, text string) {
	b.Helper()
	b.until(fmt.Sprintf("%s: the answer is %q", what, text), fmt.Sprintf("document.body.innerText.trim() === %q", text))
}

// formPage is a page of anybody's: its form goes where the query says.
func formPage(w http.ResponseWriter, r *http.Request) {
	q := func(name string) string { return html.EscapeString(r.FormValue(name)) }
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<form method="post" action="%s"><input type="hidden" name="%s" value="%s"><button>win a prize</button></form>`,
		q("to"), q("field"), q("value"))
}

// shop signs in by a form of its own, has a route for a payment's return, and one for the answer of
// an identity provider at idp, whose state it checks.
func shop(sessions *sojourn.Manager, idp func() string) http.Handler {
	const state = "__Host-state"
	mux := http.NewServeMux()
	say := func(w http.ResponseWriter, r *http.Request, more string) {
		s, err := sessions.Load(r)
		if err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "user=%s%s", s.User(), more)
	}
	signIn := func(w http.ResponseWriter, r *http.Request, user string) {
		if err := sessions.From(r).Login(r.Context(), user); err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		say(w, r, "")
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { say(w, r, "") })
	mux.HandleFunc("GET /sign-in", formPage)
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) { signIn(w, r, r.FormValue("user")) })
	mux.HandleFunc("POST /payment", func(w http.ResponseWriter, r *http.Request) {
		err := sessions.From(r).Login(r.Context(), r.FormValue("user"))
		say(w, r, fmt.Sprint(" refused=", errors.Is(err, sojourn.ErrCrossSite)))
	})
	mux.HandleFunc("GET /saml", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: state, Value: "asked", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode, MaxAge: 300})
		q := url.Values{"to": {"https://" + r.Host + "/saml"}, "field": {"RelayState"}, "value": {"asked"}}
		http.Redirect(w, r, idp()+"?"+q.Encode(), http.StatusSeeOther)
	})
	mux.HandleFunc("POST /saml", func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie(state); err != nil || c.Value != r.FormValue("RelayState") {
			http.Error(w, "nobody has asked for this sign-in", http.StatusForbidden)
			return
		}
		signIn(w, r, "ada")
	})
	return sessions.Handler(mux)
}

// A form of another site signs nobody in, with or without a cookie, in a real browser; a payment's
// return reads and changes no cookie; an identity provider's form signs in whom the shop has sent.
func TestBrowserForeignForms(t *testing.T) {
	sessions, err := sojourn.New(memstore.New(nil), &sojourn.Options{InsecureCrossSite: map[string]sojourn.CrossSite{
		"POST /payment": sojourn.CrossSiteRead, "POST /saml": sojourn.CrossSiteSignIn,
	}})
	if err != nil {
		t.Fatal(err)
	}
	form := func(string) http.Handler { return http.HandlerFunc(formPage) }
	evil, sister, idp := serve(t, "evil.test", form)+"/", serve(t, "blog.shop.test", form)+"/", serve(t, "idp.test", form)+"/"
	at := serve(t, "shop.test", func(string) http.Handler { return shop(sessions, func() string { return idp }) })
	const refused = "Cross-site request refused."

	b := newTab(t)
	for _, from := range []string{evil, sister} {
		b.post(from, at+"/sign-in", "user", "mallory", refused)
		b.open(at)
		b.shows("without a cookie, after "+from, "user=")
		b.post(from, at+"/payment", "user", "mallory", "user= refused=true")
		b.open(at)
		b.shows("after a payment's return from "+from, "user=")
		b.post(from, at+"/saml", "RelayState", "asked", "nobody has asked for this sign-in")
		b.open(at)
		b.shows("after an answer that nobody has asked for from "+from, "user=")
	}
	b.post(at+"/sign-in", at+"/sign-in", "user", "eve", "user=eve")
	for _, from := range []string{evil, sister} {
		b.post(from, at+"/sign-in", "user", "mallory", refused)
		b.open(at)
		b.shows("with a cookie, after "+from, "user=eve")
	}
	b.post(evil, at+"/payment", "user", "mallory", "user= refused=true") // Lax keeps the cookie back
	b.post(sister, at+"/payment", "user", "mallory", "user=eve refused=true")
	b.open(at)
	b.shows("the session goes on", "user=eve")

	b.run("ask the identity provider", chromedp.Navigate(at+"/saml"))
	b.run("and it answers", chromedp.Click(chromedp.CSS("button")))
	b.shows("the provider's form", "user=ada")
	b.open(at)
	b.shows("and then", "user=ada")
}
