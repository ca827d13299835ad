package qsess_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
)

// newFaulty is a Store in memory whose failures and calls a test controls.
func newFaulty(t testing.TB) (*qsess.Store, *sojourntest.Faulty) {
	t.Helper()
	f := &sojourntest.Faulty{Store: memstore.New(nil)}
	st, err := qsess.NewStoreOver(f, qstest.Key1)
	if err != nil {
		t.Fatal(err)
	}
	return st, f
}

func save(t testing.TB, s *qsess.Session) (*http.Cookie, string) {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Save(w); err != nil {
		t.Fatalf("Save: %v", err)
	}
	token, _, err := s.Token()
	if err != nil {
		t.Fatalf("Token: %v", err)
	}
	if c := w.Result().Cookies(); len(c) == 1 {
		return c[0], token
	}
	return nil, token
}

func load(t testing.TB, st *qsess.Store, token string) (*qsess.Session, int) {
	t.Helper()
	s, ttl, err := st.GetTokenSession(token)
	if err != nil {
		t.Fatalf("GetTokenSession: %v", err)
	}
	return s, ttl
}

func wantNone(t testing.TB, st *qsess.Store, token string) {
	t.Helper()
	if s, ttl, err := st.GetTokenSession(token); !errors.Is(err, qsess.ErrNoSession) || s != nil || ttl != 0 {
		t.Errorf("got %v, %d, %v, want ErrNoSession", s, ttl, err)
	}
}

func vars(s *qsess.Session) map[any]any { return s.Data.(*qsess.VarMap).Vars }

func TestDefaults(t *testing.T) {
	st := newMap(t)
	const want = "cookie 86400 3600 qsess_session '' / false true 1"
	format := func(a ...any) string { return fmt.Sprintf("%v %v %v %v '%v' %v %v %v %d", a...) }
	if got := format(st.AuthType, st.MaxAgeSecs, st.MinRefreshSecs, st.CookieName, st.CookieDomain, st.CookiePath, st.CookieSecure, st.CookieHTTPOnly, st.CookieSameSite); got != want {
		t.Errorf("a new Store has %s, want %s", got, want)
	}
	if got := format(qsess.DefaultAuthType, qsess.DefaultMaxAgeSecs, qsess.DefaultMinRefreshSecs, qsess.DefaultCookieName, qsess.DefaultCookieDomain,
		qsess.DefaultCookiePath, qsess.DefaultCookieSecure, qsess.DefaultCookieHTTPOnly, qsess.DefaultCookieSameSite); got != want {
		t.Errorf("the constants are %s, want %s", got, want)
	}
	if _, ok := st.NewSessData().(*qsess.VarMap); !ok {
		t.Error("the default data is no VarMap")
	}
	if st.PruneInterval != nil || st.PruneKill != nil {
		t.Error("a map has a pruner, which nobody would end")
	}
}

func TestAuthType(t *testing.T) {
	for text, want := range map[string]qsess.AuthTypeEnum{"cookie": qsess.CookieAuth, "token": qsess.TokenAuth, "TOKEN": qsess.TokenAuth, "Cookie": qsess.CookieAuth} {
		got, err := qsess.ParseAuthType(text)
		if err != nil || got != want || got.String() != strings.ToLower(text) {
			t.Errorf("ParseAuthType(%q) = %v, %v", text, got, err)
		}
	}
	if _, err := qsess.ParseAuthType("carrier pigeon"); !errors.Is(err, qsess.ErrConfig) {
		t.Errorf("got %v, want ErrConfig", err)
	}
	st := newMap(t)
	st.AuthType = 7
	if err := st.NewSession(nil).Save(httptest.NewRecorder()); !errors.Is(err, qsess.ErrConfig) {
		t.Errorf("Save with AuthType 7 gave %v", err)
	}
	if _, _, err := st.GetSession(nil, httptest.NewRequest("GET", "/", nil)); !errors.Is(err, qsess.ErrConfig) {
		t.Errorf("GetSession with AuthType 7 gave %v", err)
	}
}

// TestLife: a session slides, by being saved and by nothing else, and its time to live is told.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMap(t)
		st.MaxAgeSecs, st.MinRefreshSecs = 100, 7
		s := st.NewSession([]byte("ada"))
		if s.MaxAgeSecs != 100 || s.MinRefreshSecs != 7 {
			t.Errorf("a new session has %d, %d", s.MaxAgeSecs, s.MinRefreshSecs)
		}
		_, token := save(t, s)
		long := st.NewSession([]byte("ada"))
		long.MaxAgeSecs, long.MinRefreshSecs = 3600, -1 // keep me signed in
		_, longToken := save(t, long)
		for range 3 {
			time.Sleep(60 * time.Second)
			_, ttl := load(t, st, token)
			if ttl != 40 {
				t.Errorf("after 60 s of 100 it has %d s to live", ttl)
			}
			save(t, s)
			if _, ttl := load(t, st, token); ttl != 100 {
				t.Errorf("saved again it has %d s to live", ttl)
			}
		}
		time.Sleep(50 * time.Second)
		load(t, st, token) // reading refreshes nothing
		time.Sleep(50 * time.Second)
		wantNone(t, st, token)
		if err := s.Save(httptest.NewRecorder()); !errors.Is(err, qsess.ErrNoSession) {
			t.Errorf("saving an expired session gave %v", err)
		}
		wantNone(t, st, token)
		if got, _ := load(t, st, longToken); got.MaxAgeSecs != 3600 || got.MinRefreshSecs != -1 {
			t.Errorf("its own MaxAgeSecs and MinRefreshSecs came back as %d, %d", got.MaxAgeSecs, got.MinRefreshSecs)
		}
		for _, bad := range []int{0, -1} {
			s := st.NewSession(nil)
			s.MaxAgeSecs = bad
			if err := s.Save(httptest.NewRecorder()); !errors.Is(err, qsess.ErrConfig) {
				t.Errorf("MaxAgeSecs %d: %v", bad, err)
			}
		}
	})
}

// TestCosts: a refresh writes no data, a GetSession writes nothing, a new session is one write.
func TestCosts(t *testing.T) {
	st, f := newFaulty(t)
	s := st.NewSession([]byte("ada"))
	vars(s)["a"], vars(s)["b"], vars(s)["c"] = 1, 2, 3 // gob writes them in any order
	if err := s.Save(httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	if n := f.Calls(); n != 1 {
		t.Errorf("a new session took %d calls of the store", n)
	}
	_, token := save(t, s)
	for range 10 {
		got, _ := load(t, st, token)
		save(t, got)
	}
	if n := f.Calls(sojourntest.OpUpdate); n != 0 {
		t.Errorf("refreshes made %d updates", n)
	}
	if n := f.Calls(sojourntest.OpTouch); n != 11 {
		t.Errorf("11 refreshes made %d touches", n)
	}
	before := f.Calls()
	wantNone(t, st, token[:len(token)-2]+"AA")
	wantNone(t, st, "forged")
	wantNone(t, st, "")
	if n := f.Calls() - before; n != 0 {
		t.Errorf("forged tokens made %d calls of the store", n)
	}
}

// TestNewIsNowhere: until it is saved, a session is not kept.
func TestNewIsNowhere(t *testing.T) {
	st, f := newFaulty(t)
	s := st.NewSession(nil)
	if _, _, err := s.Token(); !errors.Is(err, qsess.ErrNoSession) {
		t.Errorf("Token before Save gave %v", err)
	}
	if s.UserID() == nil || len(s.UserID()) != 0 {
		t.Errorf("UserID is %v", s.UserID())
	}
	if err := s.Delete(httptest.NewRecorder()); err != nil {
		t.Errorf("Delete before Save gave %v", err)
	}
	if f.Calls() != 0 {
		t.Errorf("%d calls of the store", f.Calls())
	}
	large := st.NewSession(nil)
	vars(large)["x"] = make([]byte, store.MaxData)
	if err := large.Save(httptest.NewRecorder()); !errors.Is(err, sojourn.ErrTooLarge) {
		t.Errorf("a MiB and more gave %v", err)
	}
	if f.Calls() != 0 {
		t.Errorf("%d calls of the store for too much data", f.Calls())
	}
	id := []byte("ada")
	s = st.NewSession(id)
	id[0] = 'x'
	if _, token := save(t, s); true {
		if got, _ := load(t, st, token); string(got.UserID()) != "ada" {
			t.Errorf("the user id is %q: it was the caller's slice", got.UserID())
		}
	}
	if err := st.NewSession(make([]byte, store.MaxUser+1)).Save(httptest.NewRecorder()); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a user id that is too long gave %v", err)
	}
}

// TestServerSide: what the client carries does not grow with the data, is opaque base64, and opens
// for nobody who changed it.
func TestServerSide(t *testing.T) {
	st := newMap(t)
	s := st.NewSession([]byte("ada@example.com"))
	_, small := save(t, s)
	vars(s)["big"] = strings.Repeat("x", 10000)
	_, big := save(t, s)
	if len(small) != len(big) || strings.Trim(big, "-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" || strings.Contains(big, "ada") {
		t.Errorf("tokens are %q and %q", small, big)
	}
	for i := range big {
		b := []byte(big)
		b[i] ^= 1
		wantNone(t, st, string(b))
	}
	if out := fmt.Sprintf("%v %+v %#v", *s, *s, s); strings.Contains(out, big) {
		t.Error("printing a session shows its token")
	}
	if got, _ := load(t, st, big); len(vars(got)["big"].(string)) != 10000 {
		t.Error("the data is not in the server")
	}
}

func TestSessionSaved(t *testing.T) {
	st := newMap(t)
	var users []string
	fail := error(nil)
	st.SessionSaved = func(user []byte, at time.Time) error {
		if d := time.Since(at); d < 0 || d > time.Minute {
			t.Errorf("the time is %v ago", d)
		}
		users = append(users, string(user))
		return fail
	}
	_, token := save(t, st.NewSession([]byte("ada")))
	s, _ := load(t, st, token)
	save(t, s)
	if !slices.Equal(users, []string{"ada", "ada"}) {
		t.Errorf("SessionSaved was called for %q", users)
	}
	fail = errors.New("no disk")
	vars(s)["x"] = 1
	if err := s.Save(httptest.NewRecorder()); !errors.Is(err, fail) {
		t.Errorf("Save gave %v", err)
	}
	if s, _ := load(t, st, token); vars(s)["x"] != 1 {
		t.Error("the session was not saved")
	}
}

// TestRevokeThenSignIn: DeleteByUserID on a new session ends the others, and it can be saved after
// that, and so can one made after it.
func TestRevokeThenSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMap(t)
		_, old := save(t, st.NewSession([]byte("ada")))
		before := st.NewSession([]byte("ada"))
		time.Sleep(100 * time.Millisecond)
		s := st.NewSession([]byte("ada"))
		w := httptest.NewRecorder()
		if err := s.DeleteByUserID(w); err != nil {
			t.Fatal(err)
		}
		if len(w.Header()) != 0 {
			t.Errorf("the client of a session that was never saved is told %v", w.Header())
		}
		wantNone(t, st, old)
		time.Sleep(100 * time.Millisecond)
		save(t, s)
		save(t, st.NewSession([]byte("ada")))
		if err := before.Save(w); !errors.Is(err, sojourn.ErrRevoked) {
			t.Errorf("a sign-in from before the revocation gave %v", err)
		}
		if len(w.Header()) != 0 {
			t.Errorf("a client whose sign-in was refused is told %v", w.Header())
		}
		if err := s.DeleteByUserID(w); err != nil || len(cookies(w)) != 1 || cookies(w)[0].MaxAge >= 0 {
			t.Errorf("DeleteByUserID on a saved session gave %v and told the client %v", err, w.Header())
		}
		if err := s.Save(w); !errors.Is(err, qsess.ErrNoSession) {
			t.Errorf("saving it again gave %v", err)
		}
	})
}

// ending is a store in which a session is ended at the worst moment: just before its touch.
type ending struct {
	store.Store
	revoke bool
}

func (e *ending) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	if e.revoke {
		if _, err := e.Revoke(ctx, rec.User, store.Selection{}); err != nil {
			return err
		}
	}
	return e.Store.Touch(ctx, rec, every)
}

// TestRefreshMeetsRevocation: a refresh of a session that is ended meanwhile fails, and the client
// is not told that it lives.
func TestRefreshMeetsRevocation(t *testing.T) {
	kept := &ending{Store: memstore.New(nil)}
	st, err := qsess.NewStoreOver(kept, qstest.Key1)
	if err != nil {
		t.Fatal(err)
	}
	s := st.NewSession([]byte("ada"))
	_, token := save(t, s)
	time.Sleep(time.Millisecond)
	kept.revoke = true
	w := httptest.NewRecorder()
	if err := s.Save(w); !errors.Is(err, qsess.ErrNoSession) || len(w.Header()) != 0 {
		t.Errorf("Save gave %v and told the client %v, want ErrNoSession", err, w.Header())
	}
	wantNone(t, st, token)
}

// TestOutage is D23 on the map, with each call failing.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range []error{store.ErrUnavailable, store.ErrIndeterminate} {
			st, f := newFaulty(t)
			s := st.NewSession([]byte("ada"))
			cookie, token := save(t, s)
			r := httptest.NewRequest("GET", "/", nil)
			r.AddCookie(cookie)
			w := httptest.NewRecorder()
			f.Fail(kind)
			_, _, errGet := st.GetSession(w, r)
			_, _, errToken := s.Token()
			vars(s)["x"] = 1
			for op, err := range map[string]error{
				"GetSession": errGet, "Token": errToken, "Save": s.Save(w), "new Save": st.NewSession(nil).Save(w),
				"Delete": s.Delete(w), "DeleteByUserID": s.DeleteByUserID(w),
			} {
				if !sojourn.IsOutage(err) || errors.Is(err, qsess.ErrNoSession) {
					t.Errorf("%s in an outage gave %v", op, err)
				}
				if strings.Contains(fmt.Sprint(err), token) || strings.Contains(fmt.Sprint(err), "ada") {
					t.Errorf("%s tells too much: %v", op, err)
				}
			}
			if len(w.Header()) != 0 {
				t.Errorf("in an outage the client is told %v", w.Header())
			}
			f.Heal()
			time.Sleep(2 * time.Second) // the manager leaves a broken store alone for a second
			if _, _, err := st.GetSession(w, r); err != nil {
				t.Errorf("after the outage: %v", err)
			}
			// A database that reads and does not write: the sign-out fails, and the user is still
			// signed in.
			for _, user := range []string{"ada", ""} {
				s := st.NewSession([]byte(user))
				_, token := save(t, s)
				f.Fail(kind, sojourntest.OpRevoke, sojourntest.OpRotate, sojourntest.OpDelete, sojourntest.OpUpdate)
				if err := s.Delete(w); !sojourn.IsOutage(err) || len(w.Header()) != 0 {
					t.Errorf("Delete gave %v and told the client %v", err, w.Header())
				}
				f.Heal()
				time.Sleep(2 * time.Second)
				load(t, st, token)
			}
			f.Fail(kind, sojourntest.OpTouch)
			got, _ := load(t, st, token)
			if err := got.Save(w); !sojourn.IsOutage(err) {
				t.Errorf("a refresh that was not written gave %v", err)
			}
			if len(w.Header()) != 0 {
				t.Errorf("after a refresh that failed the client is told %v", w.Header())
			}
		}
	})
}

// TestChangedType: data that does not decode any more is told apart from no session.
func TestChangedType(t *testing.T) {
	st := newMap(t)
	_, token := save(t, st.NewSession([]byte("ada")))
	st.NewSessData = func() qsess.SessData { return new(picky) }
	if _, _, err := st.GetTokenSession(token); !errors.Is(err, sojourn.ErrDecode) || errors.Is(err, qsess.ErrNoSession) {
		t.Errorf("got %v, want ErrDecode", err)
	}
	s := st.NewSession(nil)
	s.Data.(*picky).refuse = true
	if err := s.Save(httptest.NewRecorder()); !errors.Is(err, errPicky) {
		t.Errorf("Save of data that does not encode gave %v", err)
	}
	st.NewSessData = nil // and who wants no data does not destroy it
	s, _ = load(t, st, token)
	save(t, s)
	st.NewSessData = func() qsess.SessData { return &qsess.VarMap{} }
	if s, _ := load(t, st, token); vars(s) == nil {
		t.Error("a refresh without data lost the data")
	}
}

var errPicky = errors.New("picky")

type picky struct{ refuse bool }

func (p *picky) Marshal() ([]byte, error) {
	if p.refuse {
		return nil, errPicky
	}
	return nil, nil
}
func (p *picky) Unmarshal([]byte) error { return errPicky }

// skewed is a store whose nodes' clocks may differ by a second: as Cassandra, it refuses what may
// have begun before a revocation.
type skewed struct {
	store.Store
	revoked map[string]time.Time
}

func (s *skewed) Traits() store.Traits { return store.Traits{Volatile: true, Skew: time.Second} }

func (s *skewed) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	r, err := s.Store.Revoke(ctx, user, sel)
	if err == nil && len(sel.Only) == 0 {
		s.revoked[user] = r.At
	}
	return r, err
}

func (s *skewed) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	at := s.revoked[rec.User]
	if rec.User != "" && at.After(adm.Known) && !at.Before(time.Now().Add(-adm.Age()-time.Second)) {
		return store.Admitted{}, store.ErrRevoked
	}
	return s.Store.Create(ctx, rec, adm)
}

// TestStaySignedIn is a change of password on such a store: the user stays signed in, and others do
// not.
func TestStaySignedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep := &skewed{memstore.New(nil), map[string]time.Time{}}
		var stores [2]*qsess.Store // two processes
		for i := range stores {
			var err error
			if stores[i], err = qsess.NewStoreOver(keep, qstest.Key1); err != nil {
				t.Fatal(err)
			}
		}
		st, other := stores[0], stores[1]
		_, old := save(t, st.NewSession([]byte("ada")))
		began := st.NewSession([]byte("ada"))
		time.Sleep(time.Millisecond)
		s, _ := load(t, st, old)
		if err := s.DeleteByUserID(httptest.NewRecorder()); err != nil {
			t.Fatal(err)
		}
		late := st.NewSession([]byte("ada"))
		_, token := save(t, st.NewSession([]byte("ada")))
		load(t, st, token)
		wantNone(t, st, old)
		if err := began.Save(httptest.NewRecorder()); !errors.Is(err, sojourn.ErrRevoked) {
			t.Errorf("a sign-in from before: %v", err)
		}
		if err := other.NewSession([]byte("ada")).DeleteByUserID(httptest.NewRecorder()); err != nil {
			t.Fatal(err)
		}
		wantNone(t, st, token)
		if err := late.Save(httptest.NewRecorder()); !errors.Is(err, sojourn.ErrRevoked) {
			t.Errorf("a sign-in from before the other's revocation: %v", err)
		}
	})
}
