package shop

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn"
)

// rememberFor is how long "keep me signed in" keeps.
const rememberFor = 30 * 24 * time.Hour

// entry is the data of the sign-in and the confirmation page.
type entry struct {
	Next     string // where to go afterwards
	User     string
	Wrong    bool
	Accounts []account
}

// toSignIn sends a visitor who needs to be somebody to the sign-in page, and back afterwards.
func toSignIn(w http.ResponseWriter, r *http.Request) { toForm(w, r, "/signin") }

// toConfirm asks a user whose sign-in is too old for the password again.
func toConfirm(w http.ResponseWriter, r *http.Request) { toForm(w, r, "/confirm") }

func toForm(w http.ResponseWriter, r *http.Request, form string) {
	next := r.URL.Path
	if r.Method != http.MethodGet {
		next = path.Dir(next) // the form's page: what was sent is lost
	}
	http.Redirect(w, r, form+"?next="+url.QueryEscape(next), http.StatusSeeOther)
}

// local accepts paths of this shop only, so that no link sends anybody elsewhere.
func local(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

func (sh *shop) signInPage(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	return sh.render(w, r, s, "signin.html", "Sign in", entry{Next: local(r.FormValue("next")), Accounts: accounts})
}

func (sh *shop) signIn(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	user, next := r.PostFormValue("user"), local(r.PostFormValue("next"))
	if !checkPassword(user, r.PostFormValue("password")) {
		return sh.render(w, r, s, "signin.html", "Sign in", entry{Next: next, User: user, Wrong: true, Accounts: accounts})
	}
	// What a visitor has put into the cart stays there; nothing else is carried over.
	opts := []sojourn.LoginOption{sojourn.Keep(cart)}
	if r.PostFormValue("remember") != "" {
		opts = append(opts, sojourn.Remember(rememberFor))
	}
	if err := s.Login(r.Context(), user, opts...); err != nil {
		return err
	}
	if err := notices.Add(s, "Welcome, "+user+"."); err != nil {
		return err
	}
	return back(w, r, next)
}

func (sh *shop) signOut(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	if err := s.Logout(r.Context()); err != nil {
		return err // the user is still signed in and has to know
	}
	return back(w, r, "/goodbye")
}

func (sh *shop) goodbye(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	return sh.render(w, r, s, "goodbye.html", "Goodbye", nil)
}

func (sh *shop) confirmPage(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	return sh.render(w, r, s, "confirm.html", "Is it you?", entry{Next: local(r.FormValue("next")), User: s.User()})
}

// confirm signs the session's own user in once more, which makes the sign-in fresh and keeps the
// cart.
func (sh *shop) confirm(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	next := local(r.PostFormValue("next"))
	if !checkPassword(s.User(), r.PostFormValue("password")) {
		return sh.render(w, r, s, "confirm.html", "Is it you?", entry{Next: next, User: s.User(), Wrong: true})
	}
	if err := s.Login(r.Context(), s.User()); err != nil {
		return err
	}
	return back(w, r, next)
}

func (sh *shop) account(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	address, orders, err := sh.ledger.of(s.User())
	if err != nil {
		return err
	}
	return sh.render(w, r, s, "account.html", "Your account", struct {
		Address string
		Orders  []purchase
		Fresh   string
	}{address, orders, strings.TrimPrefix(inWords(sh.fresh), "1 ")})
}

func (sh *shop) setAddress(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	if err := sh.ledger.setAddress(s.User(), strings.TrimSpace(r.PostFormValue("address"))); err != nil {
		return err
	}
	if err := notices.Add(s, "Your delivery address is saved."); err != nil {
		return err
	}
	return back(w, r, "/account")
}
