package qsess_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/store"
)

// FuzzVarMap: stored bytes never harm, and what they mean survives being stored again.
func FuzzVarMap(f *testing.F) {
	for _, m := range []map[any]any{nil, {}, {"n": 7}, {3: "three", "a": account{"Ada"}, true: []byte("x")}, {"list": []string{"a"}, 1.5: uint8(1)}} {
		f.Add(encode(f, m))
	}
	f.Add([]byte(nil))
	f.Add([]byte("nonsense"))
	f.Add(unhashable(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, again := new(qsess.VarMap), new(qsess.VarMap)
		if m.Unmarshal(b) != nil {
			return
		}
		stored, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Unmarshal(stored); err != nil || len(again.Vars) != len(m.Vars) {
			t.Fatalf("%v became %v, %v", m.Vars, again.Vars, err)
		}
		_ = m.Merge(b, stored)
		_ = m.Merge(nil, b)
	})
}

// hashable and unhashed are the same to gob, but only one can be a key.
type (
	hashable struct{ Name string }
	unhashed struct {
		Name string
		List []int
	}
)

func init() { gob.Register(hashable{}); gob.Register(unhashed{}) }

// unhashable encodes a map with a key that no Go map can have.
func unhashable(t testing.TB) []byte {
	b := encode(t, map[any]any{hashable{"Ada"}: 1})
	if !bytes.Contains(b, []byte("qsess_test.hashable")) {
		t.Fatal("gob names types otherwise")
	}
	return bytes.ReplaceAll(b, []byte("hashable"), []byte("unhashed"))
}

// FuzzToken: no token or cookie harms, and none that a Store has not given opens a session.
func FuzzToken(f *testing.F) {
	st := newMap(f)
	own := newMap(f)
	own.Encrypt = func(b []byte) ([]byte, error) { return b, nil } // the program's own cipher may let anything through
	own.Decrypt = own.Encrypt
	back, _ := newCounter(f, true)
	_, token := save(f, st.NewSession([]byte("ada")))
	for _, s := range []string{"", "-", "a-b", token, token[1:], token + "=", token + "\n", strings.Repeat("A", 124), strings.Repeat("_", 2000), "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, st := range []*qsess.Store{st, own, back} {
			if _, _, err := st.GetTokenSession(text); text != token && !errors.Is(err, qsess.ErrNoSession) {
				t.Errorf("token %q: %v", text, err)
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.Header["Cookie"] = []string{"qsess_session=" + text, text}
			r.Header["Authorization"] = []string{text}
			for _, auth := range []qsess.AuthTypeEnum{qsess.CookieAuth, qsess.TokenAuth} {
				st := *st
				st.AuthType = auth
				if _, _, err := st.GetSession(nil, r); !strings.Contains(text, token) && !errors.Is(err, qsess.ErrNoSession) {
					t.Errorf("%v %q: %v", auth, text, err)
				}
			}
		}
	})
}

// FuzzNames: cookie names, domains, paths, user ids and keys of data may be anything: they are
// refused, or come back.
func FuzzNames(f *testing.F) {
	f.Add("qsess_session", "", "/", []byte("ada"), "note", "text")
	f.Add("a-b", "example.com", "/a-b", []byte("\x00"), "", "")
	f.Add("", "-", "", []byte(nil), "-", "\xff")
	f.Add("__Host-id", "a b", ";", bytes.Repeat([]byte("u"), store.MaxUser+1), "\x00", strings.Repeat("x", 1000))
	f.Fuzz(func(t *testing.T, name, domain, path string, user []byte, k, v string) {
		st := newMap(t)
		st.CookieName, st.CookieDomain, st.CookiePath = name, domain, path
		s := st.NewSession(user)
		vars(s)[k] = v
		w := httptest.NewRecorder()
		err := s.Save(w)
		if err != nil {
			if !errors.Is(err, qsess.ErrConfig) && !errors.Is(err, store.ErrInvalid) && !errors.Is(err, sojourn.ErrTooLarge) || len(w.Header()) > 0 {
				t.Errorf("Save: %v, %v", err, w.Header())
			}
			return
		}
		got := cookies(w)
		if len(got) != 1 || got[0].Name != name {
			t.Fatalf("the cookie is %v", w.Header())
		}
		back, _, err := st.GetSession(nil, withCookies(&http.Cookie{Name: name, Value: got[0].Value}))
		if err != nil || !bytes.Equal(back.UserID(), user) || vars(back)[k] != v {
			t.Fatalf("came back as %v, %v", back, err)
		}
		if err := back.DeleteByUserID(w); (err == nil) != (len(user) > 0) {
			t.Errorf("DeleteByUserID: %v", err)
		}
		if err := back.Delete(w); err != nil {
			t.Errorf("Delete: %v", err)
		}
	})
}
