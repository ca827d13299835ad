package cqlstore_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/cqlstore"
	"github.com/sojourn-go/sojourn/store"
)

// Open connects by the address, which may name the keyspace; after Close nothing is to be had, and
// the session of a program is its own.
func TestOpen(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		variable := "SOJOURN_" + strings.ToUpper(t.Name()[strings.LastIndex(t.Name(), "/")+1:])
		s, err := cqlstore.Open(strings.TrimSuffix(os.Getenv(variable), "/")+"/"+db.keyspace+"?replicas=1", &cqlstore.Options{Keyspace: "another"})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(s.Schema(), "IF NOT EXISTS "+db.keyspace+" ") || !strings.Contains(s.Schema(), "'replication_factor': 1") {
			t.Errorf("schema %s", s.Schema())
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

		theirs, err := cqlstore.New(db.session, &cqlstore.Options{Keyspace: db.keyspace})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(theirs.Close(), db.session.Query("SELECT key FROM system.local").Exec()); err != nil {
			t.Error(err)
		}
	})
}

// Addresses without a meaning are refused, and no error shows one.
func TestOpenRefuses(t *testing.T) {
	for _, address := range []string{
		"", "127.0.0.1:1", "redis://u:topsecret@127.0.0.1:1", "cassandra://u:topsecret@127.0.0.1:1?replicas=few", "cassandra://u:topsecret@127.0.0.1:1?replicas=-1",
		"cassandra://u:topsecret@127.0.0.1:1?tls=topsecret", "cassandra://u:topsecret@127.0.0.1:1/No", "cassandra://u:topsecret@,",
	} {
		s, err := cqlstore.Open(address, nil)
		if err == nil {
			s.Close()
		}
		if err == nil || strings.Contains(err.Error(), "topsecret") || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := cqlstore.Open("cassandra://u:topsecret@127.0.0.1:1", nil); !errors.Is(err, store.ErrUnavailable) || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("no server: %v", err)
	}
}
