package qsess_test

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
	"github.com/sojourn-go/sojourn/diskstore"
	"github.com/sojourn-go/sojourn/memstore"
)

func TestKeys(t *testing.T) {
	for name, keys := range map[string][][]byte{
		"none": nil, "short": {[]byte("short")}, "none of it": {nil}, "long": {make([]byte, 33)}, "second": {qstest.Key1, []byte("x")},
	} {
		if st, err := qsess.NewMapStore(keys...); st != nil || !errors.Is(err, qsess.ErrConfig) {
			t.Errorf("%s: got %v, %v", name, st, err)
		}
	}
	for name, keys := range map[string][][]byte{
		"text": {[]byte("thirty-two letters, and no more.")}, "one byte": {make([]byte, 32)}, "twice the same": {qstest.Key1, qstest.Key1},
	} {
		st, err := qsess.NewMapStore(keys...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, token := save(t, st.NewSession([]byte("ada")))
		load(t, st, token)
	}
	if _, err := qsess.NewStoreOver(nil, qstest.Key1); !errors.Is(err, qsess.ErrConfig) {
		t.Errorf("without a store: %v", err)
	}
	if err := new(qsess.Store).NewSession(nil).Save(httptest.NewRecorder()); !errors.Is(err, qsess.ErrConfig) {
		t.Errorf("a zero Store: %v", err)
	}
}

// TestOneTable: two Stores with TokenAuth in one table are one, and a user's sessions end in the
// whole table, whatever carries them.
func TestOneTable(t *testing.T) {
	kept := memstore.New(nil)
	open := func(auth qsess.AuthTypeEnum) *qsess.Store {
		st, err := qsess.NewStoreOver(kept, qstest.Key1)
		if err != nil {
			t.Fatal(err)
		}
		st.AuthType = auth
		return st
	}
	a, b, web := open(qsess.TokenAuth), open(qsess.TokenAuth), open(qsess.CookieAuth)
	_, token := save(t, a.NewSession([]byte("ada")))
	_, cookie := save(t, web.NewSession([]byte("ada")))
	load(t, b, token)
	wantNone(t, web, token)
	wantNone(t, b, cookie)
	if err := b.NewSession([]byte("ada")).DeleteByUserID(nil); err != nil {
		t.Fatal(err)
	}
	wantNone(t, a, token)
	wantNone(t, web, cookie)
}

// TestHooks: a matching pair round-trips (D22: Decrypt used to get another text), and the keys do
// not count.
func TestHooks(t *testing.T) {
	disk, err := diskstore.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err := qsess.NewStoreOver(disk, qstest.Key1)
	if err != nil {
		t.Fatal(err)
	}
	st.Encrypt = func(b []byte) ([]byte, error) { return append([]byte{1, 2, 3}, b...), nil }
	if err := st.NewSession(nil).Save(httptest.NewRecorder()); !errors.Is(err, qsess.ErrConfig) {
		t.Errorf("Encrypt without Decrypt: %v", err)
	}
	st.Decrypt = func(b []byte) ([]byte, error) {
		rest, ok := bytes.CutPrefix(b, []byte{1, 2, 3})
		if !ok {
			return nil, errors.New("of somebody else")
		}
		return rest, nil
	}
	_, token := save(t, st.NewSession([]byte("ada")))
	load(t, st, token)

	// The same cipher in another Store opens its own only, although it knows nothing of Stores.
	other, err := qsess.NewStoreOver(disk, qstest.Key1)
	if err != nil {
		t.Fatal(err)
	}
	other.Encrypt, other.Decrypt, other.CookieName = st.Encrypt, st.Decrypt, "other"
	wantNone(t, other, token)
	same, err := qsess.NewStoreOver(disk, qstest.Key2) // another key, which means nothing
	if err != nil {
		t.Fatal(err)
	}
	same.Encrypt, same.Decrypt = st.Encrypt, st.Decrypt
	load(t, same, token)
}
