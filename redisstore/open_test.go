package redisstore_test

import (
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/store"
)

// Open connects to each kind of server by its address; after Close nothing is to be had.
func TestOpen(t *testing.T) {
	for _, variable := range servers {
		t.Run(variable, func(t *testing.T) {
			option(t, variable) // or the test is skipped
			s, err := redisstore.Open(os.Getenv(variable), &redisstore.Options{Prefix: "test-" + rand.Text() + ":"})
			if err != nil {
				t.Fatal(err)
			}
			rec := store.Record{User: "ada", Key: store.Key{Tag: store.TagOf("ada"), ID: store.ID{1}}, Lifetime: time.Minute, Writer: store.Writer{1}}
			if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
				t.Error(err)
			}
			if _, err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
			if fails := s.Traits().Skew > 0; fails != (variable == "SOJOURN_REDIS_CLUSTER" || variable == "SOJOURN_REDIS_SENTINEL") {
				t.Errorf("another server may take over: %v", fails)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if variable == "SOJOURN_REDIS_CLUSTER" {
				return // rueidis's client of a cluster connects again
			}
			if _, _, err := s.Get(t.Context(), rec.Key); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

// A client that the program has made stays open.
func TestCloseOfNew(t *testing.T) {
	s := open(t, dial(t, option(t, "SOJOURN_REDIS")), redisstore.Options{})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Get(t.Context(), store.Key{ID: store.ID{1}}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after Close: %v", err)
	}
}

// Addresses without a meaning are refused, and no error shows one.
func TestOpenRefuses(t *testing.T) {
	for _, address := range []string{
		"", "localhost:6379", "http://u:topsecret@127.0.0.1:1", "redis://u:topsecret@127.0.0.1:1/many", "redis://u:topsecret@127.0.0.1:1/-1",
		"redis://u:topsecret@127.0.0.1:1,127.0.0.1:2", "redis://u:topsecret@127.0.0.1:1?db=1", "redis-sentinel://u:topsecret@127.0.0.1:1",
		"redis-cluster://u:topsecret@127.0.0.1:1/0",
	} {
		s, err := redisstore.Open(address, nil)
		if err == nil {
			s.Close()
		}
		if err == nil || strings.Contains(err.Error(), "topsecret") || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{"redis://u:topsecret@127.0.0.1:1", "rediss://u:topsecret@127.0.0.1:1/3", "redis-cluster://u:topsecret@127.0.0.1:1"} {
		if _, err := redisstore.Open(address, nil); !errors.Is(err, store.ErrUnavailable) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
