package faults_test

import (
	"context"
	"net"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/sojourn-go/sojourn/cqlstore"
	"github.com/sojourn-go/sojourn/faults/wire"
	"github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/store"
)

func init() {
	starts["cassandra"] = func(ctx context.Context) (*machine, error) {
		c, err := servers.Cassandra(ctx, &servers.CassandraOptions{Nodes: 3, Durable: true})
		if err != nil {
			return nil, err
		}
		return &machine{nodes: c.Nodes, cluster: c, all: c, connect: connectCQL}, nil
	}
}

func connectCQL(t testing.TB, m *machine, n *wire.Network) store.Store {
	t.Helper()
	return cqlStore(t, m, n, 3*time.Second)
}

func cqlStore(t testing.TB, m *machine, n *wire.Network, timeout time.Duration) store.Store {
	t.Helper()
	var hosts []string
	for _, a := range m.cluster.Addrs() {
		host, _, err := net.SplitHostPort(a)
		must(t, err)
		hosts = append(hosts, host)
	}
	c := gocql.NewCluster(hosts...)
	c.Timeout, c.ConnectTimeout = timeout, timeout
	c.Dialer = dialer{n}
	c.ReconnectInterval = time.Second
	c.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
	c.Logger = gocql.NewLogger(gocql.LogLevelNone)
	session, err := c.CreateSession()
	if err != nil {
		t.Fatal("cassandra: connect:", err)
	}
	t.Cleanup(func() {
		if err := cqlstore.Close(session); err != nil {
			t.Log(err) // the driver's, while it connects anew
		}
	})
	s, err := cqlstore.New(session, &cqlstore.Options{ReplicationFactor: 3, Consistency: cqlstore.Quorum, ClockSkew: 200 * time.Millisecond})
	must(t, err)
	return s
}

// dialer lets the driver dial through the network.
type dialer struct{ *wire.Network }

func (d dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return d.Dial(ctx, network, addr)
}
