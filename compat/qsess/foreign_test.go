package qsess_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
)

// counter is a back-end as a program may have one: its ids are numbers.
type counter struct {
	mu   sync.Mutex
	next uint32
	rows map[string]row
	uid  bool // it needs user ids from the client
	fail error
}

type row struct {
	data, user     []byte
	ends           time.Time
	maxAge, minRef int
}

func (c *counter) key(id, uid []byte) string {
	if c.uid {
		return string(uid) + "/" + string(id)
	}
	return string(id)
}

func (c *counter) Save(id *[]byte, data, user []byte, maxAge, minRefresh int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	if *id == nil {
		c.next++
		*id = binary.LittleEndian.AppendUint32(nil, c.next)
	} else if _, ok := c.rows[c.key(*id, user)]; !ok {
		return qsess.ErrNoSession
	}
	c.rows[c.key(*id, user)] = row{bytes.Clone(data), bytes.Clone(user), time.Now().Add(time.Duration(maxAge) * time.Second), maxAge, minRefresh}
	return nil
}

func (c *counter) Get(id, uid []byte) (data, user []byte, ttl, maxAge, minRefresh int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.rows[c.key(id, uid)]
	if !ok || c.fail != nil {
		if err = c.fail; err == nil {
			err = qsess.ErrNoSession
		}
		return nil, nil, 0, 0, 0, err
	}
	return r.data, r.user, int(time.Until(r.ends).Seconds() + 0.999), r.maxAge, r.minRef, nil
}

func (c *counter) Delete(id, uid []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.rows, c.key(id, uid))
	return c.fail
}

func (c *counter) DeleteByUserID(user []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, r := range c.rows {
		if bytes.Equal(r.user, user) {
			delete(c.rows, k)
		}
	}
	return c.fail
}

func newCounter(t testing.TB, uidToClient bool) (*qsess.Store, *counter) {
	t.Helper()
	be := &counter{rows: map[string]row{}, uid: uidToClient}
	st, err := qsess.NewStore(be, uidToClient, qstest.Key1)
	if err != nil {
		t.Fatal(err)
	}
	return st, be
}

// TestOwnBackEnd: a back-end of the program's own passes the older library's tests, with and
// without user ids in the token.
func TestOwnBackEnd(t *testing.T) {
	for _, uid := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			st, be := newCounter(t, uid)
			if st.BackEnd() != qsess.SessBackEnd(be) {
				t.Error("BackEnd is another")
			}
			qstest.SanityTest(t, st)
			qstest.ExpirationTest(t, st)
			qstest.DeleteByUserIDTest(t, st, true)
			qstest.NoSessDataTest(t, st)
			_, token := save(t, st.NewSession([]byte("ada@example.com")))
			if s, _ := load(t, st, token); string(s.UserID()) != "ada@example.com" {
				t.Errorf("of %q", s.UserID())
			}
			if strings.Contains(token, "ada") {
				t.Error("the token shows the user id")
			}
			for i := range token {
				b := []byte(token)
				b[i] ^= 1
				wantNone(t, st, string(b))
			}
			wantNone(t, st, "AAAA")
		})
	}
}

// TestOwnBackEndTokens is D19 as far as a back-end without a name allows: a token is bound to key,
// AuthType and cookie name. Where all three are the same another back-end's token opens what has
// the same id, as NewStore says.
func TestOwnBackEndTokens(t *testing.T) {
	st, be := newCounter(t, false)
	_, token := save(t, st.NewSession([]byte("ada")))
	other, err := qsess.NewStore(be, false, qstest.Key1)
	if err != nil {
		t.Fatal(err)
	}
	other.AuthType = qsess.TokenAuth
	wantNone(t, other, token)

	second, _ := newCounter(t, false) // whose first id is the same
	second.CookieName = "other"
	save(t, second.NewSession([]byte("eve")))
	wantNone(t, second, token)
	third, err := qsess.NewStore(second.BackEnd(), false, qstest.Key2)
	if err != nil {
		t.Fatal(err)
	}
	wantNone(t, third, token)
	fourth, err := qsess.NewStore(second.BackEnd(), false, qstest.Key1)
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := load(t, fourth, token); string(s.UserID()) != "eve" {
		t.Error("the test compares nothing: the ids differ")
	}

	again, err := qsess.NewStore(be, false, qstest.Key2, qstest.Key1)
	if err != nil {
		t.Fatal(err)
	}
	load(t, again, token)
}

func TestOwnBackEndOutage(t *testing.T) {
	st, be := newCounter(t, false)
	s := st.NewSession([]byte("ada"))
	_, token := save(t, s)
	be.fail = errors.New("connection refused")
	_, _, err := st.GetTokenSession(token)
	w := httptest.NewRecorder()
	for op, err := range map[string]error{"Get": err, "Save": s.Save(w), "new Save": st.NewSession(nil).Save(w), "Delete": s.Delete(w), "DeleteByUserID": s.DeleteByUserID(w)} {
		if !sojourn.IsOutage(err) || errors.Is(err, qsess.ErrNoSession) || !errors.Is(err, be.fail) {
			t.Errorf("%s gave %v", op, err)
		}
	}
	if len(w.Header()) != 0 {
		t.Errorf("the client is told %v", w.Header())
	}
	if st, err = qsess.NewStore(nil, false, qstest.Key1); err != nil {
		t.Fatal(err)
	}
	if err := st.NewSession(nil).Save(w); !errors.Is(err, qsess.ErrConfig) {
		t.Errorf("no back-end: %v", err)
	}
	if st, err := qsess.NewStore(be, false); st != nil || !errors.Is(err, qsess.ErrConfig) {
		t.Errorf("no keys: %v", err)
	}
}

// TestBackEnd: what BackEnd gives of a Store over Sojourn's is a whole back-end; a Store over it
// passes, too.
func TestBackEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		be := newMap(t).BackEnd()
		var id []byte
		for _, data := range []string{"a", "b"} {
			if err := be.Save(&id, []byte(data), []byte("ada"), 100, -1); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			got, user, ttl, maxAge, minRefresh, err := be.Get(id, nil)
			if err != nil || string(got) != data || string(user) != "ada" || ttl != 90 || maxAge != 100 || minRefresh != -1 {
				t.Errorf("got %q, %q, %d, %d, %d, %v", got, user, ttl, maxAge, minRefresh, err)
			}
		}
		for range 2 {
			if err := be.Delete(id, nil); err != nil {
				t.Errorf("Delete: %v", err)
			}
		}
		if _, _, _, _, _, err := be.Get(id, nil); !errors.Is(err, qsess.ErrNoSession) {
			t.Errorf("Get after Delete: %v", err)
		}
		if err := be.Save(&id, nil, []byte("ada"), 100, 0); !errors.Is(err, qsess.ErrNoSession) {
			t.Errorf("Save after Delete: %v", err)
		}
		for _, id := range [][]byte{{}, []byte("x"), []byte("a-b")} { // no session's
			if _, _, _, _, _, err := be.Get(id, nil); !errors.Is(err, qsess.ErrNoSession) {
				t.Errorf("Get of %q: %v", id, err)
			}
			if err := be.Save(&id, nil, nil, 100, 0); !errors.Is(err, qsess.ErrNoSession) {
				t.Errorf("Save of %q: %v", id, err)
			}
			if err := be.Delete(id, nil); err != nil {
				t.Errorf("Delete of %q: %v", id, err)
			}
		}
		if err := be.DeleteByUserID(nil); !errors.Is(err, sojourn.ErrNoUser) {
			t.Errorf("DeleteByUserID of nobody: %v", err)
		}
		st, err := qsess.NewStore(be, false, qstest.Key1)
		if err != nil {
			t.Fatal(err)
		}
		qstest.SanityTest(t, st)
		qstest.DeleteByUserIDTest(t, st, true)
		broken := new(qsess.Store)
		*broken = *newMap(t)
		broken.Encrypt = func(b []byte) ([]byte, error) { return b, nil }
		be = broken.BackEnd()
		_, _, _, _, _, errGet := be.Get(id, nil)
		for _, err := range []error{errGet, be.Save(&id, nil, nil, 1, 1), be.Delete(id, nil), be.DeleteByUserID([]byte("a"))} {
			if !errors.Is(err, qsess.ErrConfig) {
				t.Errorf("got %v, want ErrConfig", err)
			}
		}
	})
}
