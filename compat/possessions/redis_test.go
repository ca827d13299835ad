package possessions

import (
	"crypto/rand"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisOptions is the server for tests.
func redisOptions(t testing.TB) redis.Options {
	t.Helper()
	addr := os.Getenv("SOJOURN_REDIS")
	if addr == "" {
		t.Skip("SOJOURN_REDIS is not set: NOT TESTED: RedisStorer")
	}
	opts, err := redis.ParseURL(addr)
	if err != nil {
		t.Fatal(err)
	}
	return *opts
}

// newRedis makes a storer under a prefix of its own, for others use the server too.
func newRedis(t testing.TB, maxAge time.Duration) *RedisStorer {
	t.Helper()
	return redisAt(t, 0, maxAge, "possessions-test-"+rand.Text()+":")
}

func redisAt(t testing.TB, db int, maxAge time.Duration, prefix string) *RedisStorer {
	t.Helper()
	opts := redisOptions(t)
	opts.DB = db
	r, err := newRedisStorer(redis.NewClient(&opts), maxAge, prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// records lists the names of all records of sessions under a prefix.
func redisRecords(t testing.TB, r *RedisStorer, prefix string) []string {
	t.Helper()
	names, err := r.client.Keys(t.Context(), prefix+"*:s:*").Result()
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return names
}

// "Different databases can be used by specifying a different database ID on creation of the
// storer."
func TestRedisDatabases(t *testing.T) {
	prefix := "possessions-test-" + rand.Text() + ":"
	a, b := redisAt(t, 0, time.Hour, prefix), redisAt(t, 1, time.Hour, prefix)
	v := visit(t, NewStorageOverseer(NewCookieOptions(), a))
	v.at("set", "k", "a", "v", "1")
	if len(ids(t, a)) != 1 || len(ids(t, b)) != 0 {
		t.Errorf("%d and %d sessions, want 1 and 0", len(ids(t, a)), len(ids(t, b)))
	}
	// Another process finds the key that seals the cookies in the database.
	other := redisAt(t, 0, time.Hour, prefix)
	if page := record(site(NewStorageOverseer(NewCookieOptions(), other)), request(v), "/get?k=a"); page != "1" {
		t.Errorf("through another process: %q", page)
	}
	d := must(NewDefaultRedisStorer("", "", 0))
	defer d.Close()
	if o := d.client.Options(); o.Addr != "localhost:6379" || o.DB != 0 || o.Password != "" || d.maxAge != 48*time.Hour {
		t.Errorf("defaults: %s, %d, %v", o.Addr, o.DB, d.maxAge)
	}
	e := must(NewDefaultRedisStorer("redis.example:1", "secret", 7))
	defer e.Close()
	if o := e.client.Options(); o.Addr != "redis.example:1" || o.DB != 7 || o.Password != "secret" {
		t.Errorf("%s, %d", o.Addr, o.DB)
	}
	if _, err := NewRedisStorer(redis.Options{}, -1); err == nil {
		t.Error("negative maxAge: no error")
	}
}

// "Redis handles session expiration automatically."
func TestRedisExpires(t *testing.T) {
	prefix := "possessions-test-" + rand.Text() + ":"
	r := redisAt(t, 0, 3*time.Second, prefix)
	v := visit(t, NewStorageOverseer(NewCookieOptions(), r))
	v.at("set", "k", "a", "v", "1")
	timed := 0
	for _, n := range redisRecords(t, r, prefix) {
		if ttl := r.client.PTTL(t.Context(), n).Val(); ttl > 0 && ttl < time.Hour {
			timed++
		}
	}
	if timed != 1 { // and the key that seals cookies stays
		t.Errorf("%d records with a time to live, want 1", timed)
	}
	deadline := time.Now().Add(time.Minute)
	for len(ids(t, r)) > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the session does not expire")
		}
		time.Sleep(100 * time.Millisecond)
	}
	v.want("<none>", "get", "k", "a")

	prefix = "possessions-test-" + rand.Text() + ":"
	forever := redisAt(t, 0, 0, prefix)
	visit(t, NewStorageOverseer(NewCookieOptions(), forever)).at("set", "k", "a", "v", "1")
	for _, n := range redisRecords(t, forever, prefix) {
		if ttl := forever.client.TTL(t.Context(), n).Val(); ttl > 0 && ttl < 100*24*time.Hour {
			t.Errorf("maxAge 0: a time to live of %v", ttl)
		}
	}
}
