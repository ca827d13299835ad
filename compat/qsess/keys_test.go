package qsess_test

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
	"github.com/sojourn-go/sojourn/diskstore"
)

func TestKeys(t *testing.T) {
	for name, keys := range map[string][][]byte{
		"short": {[]byte("short")}, "none of it": {nil}, "long": {make([]byte, 33)}, "second": {qstest.Key1, []byte("x")},
	} {
		if st, err := qsess.NewMapStore(keys...); st != nil || !errors.Is(err, qsess.ErrConfig) {
			t.Errorf("%s: got %v, %v", name, st, err)
		}
	}
	for name, keys := range map[string][][]byte{
		"text": {[]byte("encryption-key------------------")}, "one byte": {make([]byte, 32)}, "twice the same": {qstest.Key1, qstest.Key1}, "none": nil,
	} {
		st, err := qsess.NewMapStore(keys...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, token := save(t, st.NewSession([]byte("ada")))
		load(t, st, token)
	}
	disk, err := diskstore.New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err := qsess.NewStoreOver(disk) // it survives a restart, so it needs keys
	if err != nil {
		t.Fatal(err)
	}
	if err := st.NewSession(nil).Save(httptest.NewRecorder()); !errors.Is(err, qsess.ErrConfig) {
		t.Errorf("a disk without keys: %v", err)
	}
	if _, err := qsess.NewStoreOver(nil, qstest.Key1); !errors.Is(err, qsess.ErrConfig) {
		t.Errorf("without a store: %v", err)
	}
	if err := new(qsess.Store).NewSession(nil).Save(httptest.NewRecorder()); !errors.Is(err, qsess.ErrConfig) {
		t.Errorf("a zero Store: %v", err)
	}
}

// TestHooks: a matching pair round-trips (P22: Decrypt used to get another text), and needs no keys.
func TestHooks(t *testing.T) {
	disk, err := diskstore.New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err := qsess.NewStoreOver(disk)
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
	other, err := qsess.NewStoreOver(disk)
	if err != nil {
		t.Fatal(err)
	}
	other.Encrypt, other.Decrypt, other.CookieName = st.Encrypt, st.Decrypt, "other"
	wantNone(t, other, token)
}
