package faults_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/faults/wire"
	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/store"
)

// nodeTimeout is how long a master of Redis may be silent before it is replaced.
const nodeTimeout = 1500 * time.Millisecond

func init() {
	one := func(start func(context.Context, *servers.RedisOptions) (*servers.Server, error)) func(context.Context) (*machine, error) {
		return func(ctx context.Context) (*machine, error) {
			s, err := start(ctx, nil)
			if err != nil {
				return nil, err
			}
			return &machine{nodes: []*servers.Server{s}, all: s, connect: connectRedis}, nil
		}
	}
	starts["redis"] = one(servers.Redis)
	starts["valkey"] = one(servers.Valkey)
	starts["redis-sentinel"] = func(ctx context.Context) (*machine, error) {
		c, err := servers.RedisSentinel(ctx, &servers.SentinelOptions{DownAfter: nodeTimeout, FailoverTimeout: 3 * time.Second})
		if err != nil {
			return nil, err
		}
		return &machine{nodes: c.Nodes, cluster: c, all: c, connect: connectRedis}, nil
	}
	starts["redis-cluster"] = func(ctx context.Context) (*machine, error) {
		c, err := servers.RedisCluster(ctx, &servers.RedisClusterOptions{NodeTimeout: nodeTimeout})
		if err != nil {
			return nil, err
		}
		return &machine{nodes: c.Nodes, cluster: c, all: c, connect: connectRedis}, nil
	}
}

func connectRedis(t testing.TB, m *machine, n *wire.Network) store.Store {
	t.Helper()
	return redisStore(t, redisClient(t, m, n, nil), nil)
}

func redisStore(t testing.TB, c rueidis.Client, o *redisstore.Options) *redisstore.Store {
	t.Helper()
	s, err := redisstore.New(c, o)
	must(t, err)
	return s
}

// redisClient connects to the machine through the network.
func redisClient(t testing.TB, m *machine, n *wire.Network, set func(*rueidis.ClientOption)) rueidis.Client {
	t.Helper()
	o := rueidis.ClientOption{
		DialCtxFn: func(ctx context.Context, addr string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return n.Dial(ctx, "tcp", addr)
		},
		DisableCache: true,
	}
	for _, s := range m.nodes {
		o.InitAddress = append(o.InitAddress, s.Addr)
	}
	if m.cluster != nil {
		o.InitAddress = m.cluster.Addrs()
		if m.cluster.Sentinels != nil {
			o.Sentinel.MasterSet = "mymaster"
		}
	}
	if set != nil {
		set(&o)
	}
	c, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatalf("%s: connect: %v", m.name, err)
	}
	t.Cleanup(c.Close)
	return c
}
