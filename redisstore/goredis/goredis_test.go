package goredis_test

import (
	"crypto/rand"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sojourn-go/sojourn/redisstore/goredis"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// dial returns a client to the server whose address is in the variable; the test closes it.
func dial(t testing.TB, variable string) redis.UniversalClient {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		t.Skipf("%s is not set: %s was NOT TESTED", variable, t.Name())
	}
	scheme, rest, _ := strings.Cut(address, "://")
	hosts, name, _ := strings.Cut(rest, "/")
	o := &redis.UniversalOptions{Addrs: strings.Split(hosts, ","), IsClusterMode: scheme == "redis-cluster"}
	if scheme == "redis-sentinel" {
		o.MasterName = name
	}
	c := redis.NewUniversalClient(o)
	t.Cleanup(func() { c.Close() })
	return c
}

func open(t testing.TB, c redis.UniversalClient, opts goredis.Options) *goredis.Store {
	t.Helper()
	opts.Prefix = "test-" + rand.Text() + ":"
	s, err := goredis.New(c, &opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		flag.Set("test.parallel", "64") // the kit's clauses mostly sleep
	}
	os.Exit(m.Run())
}

func TestStore(t *testing.T) {
	for _, variable := range []string{"SOJOURN_REDIS", "SOJOURN_REDIS_CLUSTER", "SOJOURN_REDIS_SENTINEL"} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			c := dial(t, variable)
			storetest.Run(t, func(t testing.TB) store.Store { return open(t, c, goredis.Options{}) },
				&storetest.Options{Networked: true, Tick: time.Millisecond, Unit: 4 * time.Second})
		})
	}
}

// TestWait ends sessions on servers with replicas, and asks for more than there are.
func TestWait(t *testing.T) {
	for _, variable := range []string{"SOJOURN_REDIS_CLUSTER", "SOJOURN_REDIS_SENTINEL"} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			c := dial(t, variable)
			st := open(t, c, goredis.Options{WaitReplicas: 1, WaitTimeout: 30 * time.Second})
			if r, err := st.Revoke(t.Context(), "somebody", store.Selection{}); err != nil || r.N != 0 {
				t.Errorf("revoke: %d, %v", r.N, err)
			}
			if err := st.Delete(t.Context(), store.Key{}); err != nil {
				t.Errorf("delete: %v", err)
			}
			st = open(t, c, goredis.Options{WaitReplicas: 9, WaitTimeout: 50 * time.Millisecond})
			if err := st.Delete(t.Context(), store.Key{}); !errors.Is(err, store.ErrIndeterminate) || !strings.Contains(err.Error(), "of 9 replicas") {
				t.Errorf("delete that waits for more replicas than there are: %v", err)
			}
		})
	}
}

// TestCheck asks every master.
func TestCheck(t *testing.T) {
	for _, variable := range []string{"SOJOURN_REDIS", "SOJOURN_REDIS_CLUSTER"} {
		t.Run(variable, func(t *testing.T) {
			if _, err := open(t, dial(t, variable), goredis.Options{}).Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRefused has clients and options that would not do what the store promises.
func TestRefused(t *testing.T) {
	one, cluster := &redis.Options{Addr: "127.0.0.1:1"}, &redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}, RouteRandomly: true}
	replicas, ring, client := redis.NewClusterClient(cluster), redis.NewRing(&redis.RingOptions{}), redis.NewClient(one)
	for _, c := range []redis.UniversalClient{replicas, ring, client} {
		t.Cleanup(func() { c.Close() })
	}
	for what, err := range map[string]error{
		"replicas":   second(goredis.New(replicas, nil)),
		"ring":       second(goredis.New(ring, nil)),
		"nothing":    second(goredis.New(nil, nil)),
		"no client":  second(goredis.New((*redis.Client)(nil), nil)),
		"no cluster": second(goredis.New((*redis.ClusterClient)(nil), nil)),
		"cache":      second(goredis.New(client, &goredis.Options{CacheFor: time.Second})),
	} {
		if err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	// Nobody listens there, so nothing can have been written.
	st, err := goredis.New(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Delete(t.Context(), store.Key{}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("delete without a server: %v", err)
	}
}

func second(_ *goredis.Store, err error) error { return err }

// TestClockSkew has a default where another server's clock may come to count.
func TestClockSkew(t *testing.T) {
	for variable, skewed := range map[string]bool{"SOJOURN_REDIS": false, "SOJOURN_REDIS_CLUSTER": true, "SOJOURN_REDIS_SENTINEL": true} {
		t.Run(variable, func(t *testing.T) {
			st := open(t, dial(t, variable), goredis.Options{})
			began := time.Now()
			if _, err := st.Revoke(t.Context(), "somebody", store.Selection{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
			r := store.Record{User: "somebody", Lifetime: time.Hour, Key: store.Key{Tag: store.TagOf("somebody")}}
			rand.Read(r.Writer[:])
			_, err := st.Create(t.Context(), r, store.Admission{Began: time.Now().Add(-time.Millisecond)})
			if refused := errors.Is(err, store.ErrRevoked); refused != skewed && time.Since(began) < time.Second || err != nil && !refused {
				t.Errorf("create just after a revoke: %v; want it refused: %v", err, skewed)
			}
		})
	}
}
