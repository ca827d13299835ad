package pgxstore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/store"
)

// Open connects by the address; after Close nothing is to be had, and the pool of a program is its
// own.
func TestOpen(t *testing.T) {
	url := server(t, "SOJOURN_POSTGRES")
	s, err := pgxstore.Open(url, &pgxstore.Options{Table: table(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Get(t.Context(), store.Key{}); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Get(t.Context(), store.Key{}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}

	p := pool(t, config(t, url))
	theirs, err := pgxstore.New(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(theirs.Close(), p.Ping(t.Context())); err != nil {
		t.Error(err)
	}
}

// Addresses without a meaning are refused, and no error shows one.
func TestOpenRefuses(t *testing.T) {
	for _, address := range []string{
		"", "mysql://u:topsecret@h/d", "postgres://u:topsecret@h:x/d", "postgres://u:topsecret%zz@h/d", "host=h password=topsecret sslmode=no",
		"postgres://u:topsecret@h/d?pool_max_conns=topsecret",
	} {
		s, err := pgxstore.Open(address, nil)
		if err == nil {
			s.Close()
		}
		if err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := pgxstore.Open("postgres://u@h/d", &pgxstore.Options{Table: "x y"}); err == nil {
		t.Error("a table name that is none is accepted")
	}
	s, err := pgxstore.Open("postgres://u:topsecret@127.0.0.1:1/d", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); !errors.Is(err, store.ErrUnavailable) || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("no server: %v", err)
	}
}
