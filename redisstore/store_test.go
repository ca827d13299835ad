package redisstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore"
	keyed "github.com/sojourn-go/sojourn/redisstore/internal/record"
	"github.com/sojourn-go/sojourn/redisstore/lua"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// servers are the variables that hold the addresses of real servers. Whoever runs the tests without
// the servers command sets them himself.
var servers = []string{"SOJOURN_REDIS", "SOJOURN_VALKEY", "SOJOURN_REDIS_CLUSTER", "SOJOURN_REDIS_SENTINEL"}

// option reads an address.
func option(t testing.TB, variable string) rueidis.ClientOption {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		t.Skipf("%s is not set: %s was NOT TESTED", variable, t.Name())
	}
	u, err := url.Parse(address)
	if err != nil {
		// net/url takes no list of hosts.
		u = &url.URL{}
		rest := ""
		u.Scheme, rest, _ = strings.Cut(address, "://")
		u.Host, u.Path, _ = strings.Cut(rest, "/")
	}
	o := rueidis.ClientOption{InitAddress: strings.Split(u.Host, ",")}
	switch path := strings.Trim(u.Path, "/"); u.Scheme {
	case "redis-sentinel":
		o.Sentinel.MasterSet = path
	case "redis":
		o.SelectDB, _ = strconv.Atoi(path) // the mutants' runs have one each
	}
	return o
}

// dial returns a client that the test closes.
func dial(t testing.TB, o rueidis.ClientOption) rueidis.Client {
	t.Helper()
	c, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// open returns a store whose keys no other test has.
func open(t testing.TB, c rueidis.Client, opts redisstore.Options) *redisstore.Store {
	t.Helper()
	if opts.Prefix == "" {
		opts.Prefix = "test-" + rand.Text() + ":"
	}
	s, err := redisstore.New(c, &opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// kit has lives long enough for a busy machine. The clauses mostly sleep, so many of them run at
// once.
var kit = &storetest.Options{Networked: true, Tick: time.Millisecond, Unit: 4 * time.Second}

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		flag.Set("test.parallel", "64")
	}
	os.Exit(m.Run())
}

// older takes time from a guard: from the instant that it holds and from its time-to-live. The
// client is not to compute the name of its script, a SHA-1, in FIPS 140-only mode.
func older(c rueidis.Client, prefix string) func(context.Context, string, time.Duration) error {
	age := rueidis.NewLuaScriptNoSha(`
local at, left = tonumber(redis.call('GET', KEYS[1]) or '0'), redis.call('PTTL', KEYS[1]) - ARGV[1]
if left <= 0 then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], string.format('%.0f', at - ARGV[1]), 'PX', left)
return 1`)
	return func(ctx context.Context, user string, by time.Duration) error {
		guard := keyed.TagKey(prefix, store.TagOf(user)) + "g"
		return age.Exec(ctx, c, []string{guard}, []string{strconv.FormatInt(by.Milliseconds(), 10)}).Error()
	}
}

func TestStore(t *testing.T) {
	for _, variable := range servers {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			c, o, kit := dial(t, option(t, variable)), redisstore.Options{Prefix: "test-" + rand.Text() + ":"}, *kit
			kit.Older = older(c, o.Prefix)
			storetest.Run(t, func(t testing.TB) store.Store { return open(t, c, o) }, &kit)
		})
	}
}

// TestCheck asks every master of each kind of server.
func TestCheck(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		warnings, err := open(t, c, redisstore.Options{WaitReplicas: 9}).Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(warnings, "\n"), "WaitReplicas asks for 9") {
			t.Errorf("Check does not say that replicas are missing: %q", warnings)
		}
		for _, w := range warnings {
			if strings.Contains(w, "maxmemory-policy") {
				t.Errorf("the test's server has another policy: %s", w)
			}
		}
	})
}

// TestOptions has arguments without a meaning, and a server that is not there.
func TestOptions(t *testing.T) {
	if _, err := redisstore.New(nil, nil); err == nil {
		t.Error("New without a client")
	}
	if _, err := lua.New(nil, nil); err == nil {
		t.Error("NewWith without a driver")
	}
	d := struct{ lua.Driver }{}
	for what, o := range map[string]redisstore.Options{
		"braces": {Prefix: "a{b"}, "long": {Prefix: strings.Repeat("x", 65)}, "cache": {CacheFor: time.Second}, "short cache": {CacheFor: 1},
		"long cache": {CacheFor: time.Hour}, "replicas": {WaitReplicas: -1}, "timeout": {WaitTimeout: -1},
		"skew": {ClockSkew: -1},
	} {
		if _, err := lua.New(d, &o); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

// TestNoServer asks where nobody listens: surely nothing was written.
func TestNoServer(t *testing.T) {
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:1"}, ForceSingleClient: true})
	if c == nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := open(t, c, redisstore.Options{})
	_, _, get := s.Get(t.Context(), store.Key{})
	_, check := s.Check(t.Context())
	for what, err := range map[string]error{"get": get, "delete": s.Delete(t.Context(), store.Key{}), "check": check} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
