package qstest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/qsess"
)

// BackEnd is what [Run] tests.
type BackEnd struct {
	// Open makes a Store with these keys and nothing else changed on the table, prefix or other
	// place called name. Two Stores with one name share their sessions, as two processes would; a
	// name is letters and digits, and no other test uses it.
	Open func(t testing.TB, name string, keys ...[]byte) *qsess.Store
	// Unshared says that two Stores never share sessions, as in memory.
	Unshared bool
}

// Key1 and Key2 are the keys of the tests, each of 32 bytes.
var (
	Key1 = bytes.Repeat([]byte("newer"), 7)[:32]
	Key2 = bytes.Repeat([]byte("older"), 7)[:32]
)

// A check is one defect of the older library, by its number, re-enacted: it passes where the defect
// is not.
type check struct {
	name string
	run  func(*testing.T, BackEnd, func(...[]byte) *qsess.Store)
}

var checks = []check{
	{"D17 user1 is not user10", wrongUser},
	{"D17 nobody is not everybody", noUser},
	{"D19 a token opens its own Store's sessions only", crossing},
	{"D19 ids cannot be guessed or met again", sequential},
	{"D20 deletions at the same time", deletions},
	{"D20 a refresh keeps what others saved", refresh},
	{"D20 overlapping changes", overlap},
	{"D21 no session survives its user's", survivors},
	{"a sign-in right after all others were ended", signInAgain},
	{"a sign-in between two revocations", signInBetween},
	{"D22 the program's own cipher", ownCipher},
	{"D33 saved twice, and for 90 days", savedTwice},
	{"keys rotate", rotation},
}

// Run runs the four tests of the older library, with noZombies, and re-enacts that library's
// defects.
func Run(t *testing.T, b BackEnd) {
	number := 0
	open := func(t testing.TB) func(...[]byte) *qsess.Store {
		number++
		name := fmt.Sprintf("qstest%d", number)
		return func(keys ...[]byte) *qsess.Store {
			if len(keys) == 0 {
				keys = [][]byte{Key1, Key2}
			}
			return b.Open(t, name, keys...)
		}
	}
	t.Run("SanityTest", func(t *testing.T) { SanityTest(t, open(t)()) })
	t.Run("ExpirationTest", func(t *testing.T) { ExpirationTest(t, open(t)()) })
	t.Run("DeleteByUserIDTest", func(t *testing.T) { DeleteByUserIDTest(t, open(t)(), true) })
	t.Run("NoSessDataTest", func(t *testing.T) { NoSessDataTest(t, open(t)()) })
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(t, b, open(t)) })
	}
}

func alive(t testing.TB, st *qsess.Store, token string) bool {
	t.Helper()
	_, _, err := st.GetTokenSession(token)
	if err != nil && !errors.Is(err, qsess.ErrNoSession) {
		t.Fatalf("GetTokenSession: %v", err)
	}
	return err == nil
}

// start saves a new session and gives its token.
func start(t testing.TB, st *qsess.Store, user string) (*qsess.Session, string) {
	t.Helper()
	s := st.NewSession([]byte(user))
	if err := s.Save(httptest.NewRecorder()); err != nil {
		t.Fatalf("Save: %v", err)
	}
	token, _, err := s.Token()
	if err != nil {
		t.Fatalf("Token: %v", err)
	}
	return s, token
}

func reload(t testing.TB, st *qsess.Store, token string) *qsess.Session {
	t.Helper()
	s, _, err := st.GetTokenSession(token)
	if err != nil {
		t.Fatalf("GetTokenSession: %v", err)
	}
	return s
}

func wrongUser(t *testing.T, _ BackEnd, open func(...[]byte) *qsess.Store) {
	st := open()
	users := []string{"user1", "user10", "user1\x00", "user", "\xff\xfe", strings.Repeat("u", 255)}
	tokens := map[string]string{}
	for _, u := range users {
		_, tokens[u] = start(t, st, u)
	}
	for i, gone := range users {
		if err := st.NewSession([]byte(gone)).DeleteByUserID(nil); err != nil {
			t.Fatalf("DeleteByUserID: %v", err)
		}
		for j, u := range users {
			if got, want := alive(t, st, tokens[u]), j > i; got != want {
				t.Errorf("after %q: session of %q alive: %v, want %v", gone, u, got, want)
			}
		}
	}
}

func noUser(t *testing.T, _ BackEnd, open func(...[]byte) *qsess.Store) {
	st := open()
	_, ada := start(t, st, "ada")
	nobody, visitor := start(t, st, "")
	if err := nobody.DeleteByUserID(httptest.NewRecorder()); !errors.Is(err, sojourn.ErrNoUser) {
		t.Errorf("DeleteByUserID without a user id gave %v, want ErrNoUser", err)
	}
	if !alive(t, st, ada) || !alive(t, st, visitor) {
		t.Error("deleting the sessions of nobody ended some")
	}
}

func crossing(t *testing.T, b BackEnd, open func(...[]byte) *qsess.Store) {
	login, signup := open(), open()
	signup.AuthType = qsess.TokenAuth
	other := open()
	other.CookieName = "other"
	elsewhere := b.Open(t, "qstestelsewhere", Key1, Key2)
	stores := []*qsess.Store{login, signup, other, elsewhere}
	for i, from := range stores {
		_, token := start(t, from, "alice")
		for j, to := range stores {
			if got := alive(t, to, token); got != (i == j) {
				t.Errorf("a token of store %d opens a session of store %d: %v", i, j, got)
			}
		}
	}
}

func sequential(t *testing.T, b BackEnd, open func(...[]byte) *qsess.Store) {
	before := open()
	_, mallory := start(t, before, "mallory")
	if err := before.NewSession([]byte("mallory")).DeleteByUserID(nil); err != nil {
		t.Fatal(err)
	}
	after := open() // restarted, with the same key
	for range 5 {
		start(t, after, "alice")
	}
	if s, _, err := after.GetTokenSession(mallory); err == nil {
		t.Errorf("mallory's token opens a session of %q", s.UserID())
	}
}

func deletions(t *testing.T, _ BackEnd, open func(...[]byte) *qsess.Store) {
	st := open()
	sessions, tokens := make([]*qsess.Session, 8), make([]string, 8)
	for i := range sessions {
		sessions[i], tokens[i] = start(t, st, fmt.Sprint("user", i%2))
	}
	var wg sync.WaitGroup
	for i, s := range sessions {
		token := tokens[i]
		for range 4 {
			wg.Go(func() { _, _, _ = st.GetTokenSession(token) })
		}
		wg.Go(func() {
			if err := s.Delete(httptest.NewRecorder()); err != nil {
				t.Errorf("Delete: %v", err)
			}
		})
		wg.Go(func() {
			if err := st.NewSession([]byte("user1")).DeleteByUserID(nil); err != nil {
				t.Errorf("DeleteByUserID: %v", err)
			}
		})
	}
	wg.Wait()
	for _, token := range tokens {
		if alive(t, st, token) {
			t.Error("a deleted session is alive")
		}
	}
}

func refresh(t *testing.T, _ BackEnd, open func(...[]byte) *qsess.Store) {
	st := open()
	first, token := start(t, st, "ada")
	vars(t, first)["init"], vars(t, first)["more"] = 1, "x"
	if err := first.Save(httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	a, b := reload(t, st, token), reload(t, st, token)
	vars(t, b)["b"] = 1
	if err := b.Save(httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	a.MaxAgeSecs = 1234
	for range 2 {
		if err := a.Save(httptest.NewRecorder()); err != nil { // it only refreshes
			t.Fatal(err)
		}
	}
	got := reload(t, st, token)
	if v := vars(t, got); v["b"] != 1 || v["init"] != 1 || got.MaxAgeSecs != 1234 {
		t.Errorf("after a refresh the session has %v and MaxAgeSecs %d", v, got.MaxAgeSecs)
	}
	vars(t, a)["a"] = 1 // and what it has loaded is still only that
	if err := a.Save(httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	if v := vars(t, reload(t, st, token)); v["a"] != 1 || v["b"] != 1 {
		t.Errorf("after a refresh and a change the session has %v", v)
	}
}

func overlap(t *testing.T, _ BackEnd, open func(...[]byte) *qsess.Store) {
	st := open()
	_, token := start(t, st, "ada")
	const n = 8
	var wg sync.WaitGroup
	for i := range n {
		s := reload(t, st, token)
		vars(t, s)[i] = "kept"
		wg.Go(func() {
			if err := s.Save(httptest.NewRecorder()); err != nil {
				t.Errorf("Save of an overlapping request: %v", err)
			}
		})
	}
	wg.Wait()
	if v := vars(t, reload(t, st, token)); len(v) != n {
		t.Errorf("of %d overlapping changes %d were kept: %v", n, len(v), v)
	}

	st.NewSessData = func() qsess.SessData { return new(opaque) }
	_, token = start(t, st, "ada")
	a, b := reload(t, st, token), reload(t, st, token)
	a.Data.(*opaque).text, b.Data.(*opaque).text = "a", "b"
	if err := a.Save(httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	if err := b.Save(httptest.NewRecorder()); !errors.Is(err, qsess.ErrConflict) {
		t.Errorf("a stale change of opaque data gave %v, want ErrConflict", err)
	}
	if got := reload(t, st, token).Data.(*opaque).text; got != "a" {
		t.Errorf("the data is %q, want what was saved first", got)
	}
}

// opaque is data that cannot merge.
type opaque struct{ text string }

func (o *opaque) Marshal() ([]byte, error)    { return []byte(o.text), nil }
func (o *opaque) Unmarshal(data []byte) error { o.text = string(data); return nil }

// survivors ends all sessions of a user while some are saved again and others are just being made.
func survivors(t *testing.T, _ BackEnd, open func(...[]byte) *qsess.Store) {
	st := open()
	const rounds, each = 5, 8
	sessions := make([]*qsess.Session, rounds*each)
	for i := range sessions {
		user := fmt.Sprint("user", i/each)
		if i%2 == 0 {
			sessions[i], _ = start(t, st, user)
		} else {
			sessions[i] = st.NewSession([]byte(user))
		}
	}
	time.Sleep(time.Second) // the sign-ins began well before: a slow machine shall not make one look newer
	for round := range rounds {
		sessions := sessions[round*each : (round+1)*each]
		var wg sync.WaitGroup
		for i, s := range sessions {
			wg.Go(func() {
				vars(t, s)["i"] = i
				_ = s.Save(httptest.NewRecorder()) // fails, if the revocation came first
			})
		}
		wg.Go(func() {
			if err := st.NewSession(sessions[0].UserID()).DeleteByUserID(nil); err != nil {
				t.Errorf("DeleteByUserID: %v", err)
			}
		})
		wg.Wait()
		for i, s := range sessions {
			if _, _, err := s.Token(); !errors.Is(err, qsess.ErrNoSession) {
				t.Errorf("round %d: session %d survived: %v", round, i, err)
			}
		}
	}
}

// signInAgain is a change of password: it must not be refused as a sign-in from before.
func signInAgain(t *testing.T, _ BackEnd, open func(...[]byte) *qsess.Store) {
	st := open()
	old, token := start(t, st, "ada")
	if err := old.DeleteByUserID(httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	s := st.NewSession([]byte("ada"))
	time.Sleep(10 * time.Millisecond)
	if err := s.Save(httptest.NewRecorder()); err != nil {
		t.Errorf("Save after DeleteByUserID: %v", err)
	}
	if alive(t, st, token) {
		t.Error("the old session is alive")
	}
}

// signInBetween: that a Store has revoked a user's sessions before a sign-in began does not excuse
// it from a revocation since then, by another process.
func signInBetween(t *testing.T, b BackEnd, open func(...[]byte) *qsess.Store) {
	st := open()
	other := st
	if !b.Unshared {
		other = open()
	}
	own := st.NewSession([]byte("ada"))
	if err := own.DeleteByUserID(nil); err != nil {
		t.Fatal(err)
	}
	s := st.NewSession([]byte("ada"))
	time.Sleep(time.Second) // as in survivors
	if err := other.NewSession([]byte("ada")).DeleteByUserID(nil); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*qsess.Session{s, own} {
		if err := s.Save(httptest.NewRecorder()); !errors.Is(err, sojourn.ErrRevoked) {
			t.Errorf("Save after another process's DeleteByUserID gave %v, want ErrRevoked", err)
		}
	}
}

func ownCipher(t *testing.T, _ BackEnd, open func(...[]byte) *qsess.Store) {
	st := open()
	st.Encrypt = func(b []byte) ([]byte, error) { return append([]byte("own:"), flip(b)...), nil }
	st.Decrypt = func(b []byte) ([]byte, error) {
		rest, ok := bytes.CutPrefix(b, []byte("own:"))
		if !ok {
			return nil, errors.New("not of ours")
		}
		return flip(rest), nil
	}
	s := st.NewSession([]byte("ada"))
	if got := get(t, st, save(t, st, s)); string(got.UserID()) != "ada" {
		t.Errorf("with its own cipher the session is of %q", got.UserID())
	}
	token, _, err := s.Token()
	if err != nil {
		t.Fatal(err)
	}
	if alive(t, open(), token) {
		t.Error("the keys open what the program's cipher has sealed")
	}
}

func flip(b []byte) []byte {
	out := bytes.Clone(b)
	for i := range out {
		out[i] ^= 0x5a
	}
	return out
}

func savedTwice(t *testing.T, _ BackEnd, open func(...[]byte) *qsess.Store) {
	st := open()
	const days90 = 90 * 24 * 60 * 60
	s := st.NewSession([]byte("ada"))
	s.MaxAgeSecs = days90
	for range 3 {
		if err := s.Save(httptest.NewRecorder()); err != nil {
			t.Fatalf("Save: %v", err)
		}
	}
	_, ttl, err := s.Token()
	if err != nil || ttl < days90-60 || ttl > days90 {
		t.Errorf("a session of 90 days has %d s to live, want %d (%v)", ttl, days90, err)
	}
}

func rotation(t *testing.T, b BackEnd, open func(...[]byte) *qsess.Store) {
	if b.Unshared {
		t.Log("tested in package qsess, with several Stores over one memory")
		return
	}
	_, token := start(t, open(Key1), "ada")
	if !alive(t, open(Key2, Key1), token) {
		t.Error("an old key among others does not open")
	}
	_, newer := start(t, open(Key2, Key1), "ada")
	if alive(t, open(Key1), newer) || !alive(t, open(Key2), newer) {
		t.Error("it was not the first key that sealed")
	}
	if alive(t, open(Key2), token) {
		t.Error("a key that is gone opens")
	}
}
