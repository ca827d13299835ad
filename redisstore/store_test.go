package redisstore_test

import (
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// servers are the variables that hold the addresses of real servers. Whoever runs the tests without the servers
// command sets them himself.
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
	if u.Scheme == "redis-sentinel" {
		o.Sentinel.MasterSet = strings.Trim(u.Path, "/")
	}
	return o
}

// dial gives a client that the test closes.
func dial(t testing.TB, o rueidis.ClientOption) rueidis.Client {
	t.Helper()
	c, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// open gives a store whose keys no other test has.
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

var kit = &storetest.Options{Networked: true, Tick: time.Millisecond}

func TestStore(t *testing.T) {
	for _, variable := range servers {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			c := dial(t, option(t, variable))
			storetest.Run(t, func(t testing.TB) store.Store { return open(t, c, redisstore.Options{}) }, kit)
		})
	}
}
