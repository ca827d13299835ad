package servers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/servers/internal/probe"
	"github.com/sojourn-go/sojourn/servers/internal/programs"
)

// RedisClusterOptions are options of [RedisCluster]. The zero value is good for tests that kill
// nothing.
type RedisClusterOptions struct {
	// NodeTimeout is how long a node may be silent before the others replace it; 0 means 5 seconds.
	// Below a second, a loaded machine sees failovers that nobody asked for.
	NodeTimeout time.Duration
	// Config are more lines of each node's configuration; nil adds none.
	Config []string
}

// RedisCluster starts a cluster of three masters (the first three nodes, before any failover) with
// a replica each.
func RedisCluster(ctx context.Context, opts *RedisClusterOptions) (*Cluster, error) {
	if opts == nil {
		opts = &RedisClusterOptions{}
	}
	timeout := opts.NodeTimeout
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	began := time.Now()
	c := &Cluster{Name: "redis-cluster"}
	var err error
	c.Nodes, err = together(6, func(i int) (*Server, error) {
		return redis(ctx, fmt.Sprint("redis-cluster ", i+1), programs.Redis, &RedisOptions{Config: opts.Config}, []string{
			"cluster-enabled yes", "cluster-config-file nodes.conf", fmt.Sprint("cluster-node-timeout ", timeout.Milliseconds()),
			"cluster-replica-validity-factor 0", // however long a replica was cut off, it may take over
		})
	})
	if err == nil {
		err = c.meet(ctx)
	}
	c.URL = "redis-cluster://" + strings.Join(c.Addrs(), ",")
	return c.assemble(began, err)
}

// meet joins the nodes into one cluster and waits until all agree and every replica has its master.
func (c *Cluster) meet(ctx context.Context) error {
	cli, err := programs.Find(programs.RedisCLI)
	if err != nil {
		return err
	}
	args := append([]string{"--cluster", "create"}, c.Addrs()...)
	create := from(cli, append(args, "--cluster-replicas", "1", "--cluster-yes")...)
	if err := create.run(ctx); err != nil {
		return err
	}
	for _, s := range c.Nodes {
		err := until(ctx, func() error {
			info, err := probe.Redis(ctx, s.Addr, "CLUSTER", "INFO")
			if err != nil {
				return err
			}
			for _, want := range []string{"cluster_state:ok", "cluster_slots_ok:16384", "cluster_known_nodes:6", "cluster_size:3"} {
				if !strings.Contains(info, want+"\r\n") {
					return errors.New(s.Name + ": not yet " + want)
				}
			}
			return replicates(ctx, s.Addr)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// replicates fails while the server is a replica without its master's data.
func replicates(ctx context.Context, addr string) error {
	info, err := probe.Redis(ctx, addr, "INFO", "replication")
	if err != nil {
		return err
	}
	if strings.Contains(info, "role:slave") && !strings.Contains(info, "master_link_status:up") {
		return errors.New("replica without its master")
	}
	return nil
}

// SentinelOptions are options of [RedisSentinel]. The zero value is good for tests that kill
// nothing.
type SentinelOptions struct {
	// DownAfter is how long a master may be silent before the sentinels replace it; 0 means 5
	// seconds.
	DownAfter time.Duration
	// FailoverTimeout bounds each step of a failover and delays the next try; 0 means 10 seconds.
	FailoverTimeout time.Duration
	// Config are more lines of each Redis server's configuration; nil adds none.
	Config []string
}

// RedisSentinel starts a master (the first node, before any failover) with two replicas, and three
// sentinels that watch it under the name mymaster.
func RedisSentinel(ctx context.Context, opts *SentinelOptions) (*Cluster, error) {
	o := SentinelOptions{}
	if opts != nil {
		o = *opts
	}
	if o.DownAfter == 0 {
		o.DownAfter = 5 * time.Second
	}
	if o.FailoverTimeout == 0 {
		o.FailoverTimeout = 10 * time.Second
	}
	began := time.Now()
	c := &Cluster{Name: "redis-sentinel"}
	err := c.watched(ctx, &o)
	c.URL = "redis-sentinel://" + strings.Join(c.Addrs(), ",") + "/mymaster"
	return c.assemble(began, err)
}

func (c *Cluster) watched(ctx context.Context, o *SentinelOptions) error {
	node := func(i int, settings ...string) (*Server, error) {
		return redis(ctx, fmt.Sprint("redis-sentinel node ", i), programs.Redis, &RedisOptions{Config: o.Config}, settings)
	}
	master, err := node(1)
	if err != nil {
		return err
	}
	c.Nodes = []*Server{master}
	host, port, _ := strings.Cut(master.Addr, ":")
	replicas, err := together(2, func(i int) (*Server, error) { return node(i+2, "replicaof "+host+" "+port) })
	c.Nodes = append(c.Nodes, replicas...)
	for _, s := range replicas {
		if err == nil {
			err = until(ctx, func() error { return replicates(ctx, s.Addr) })
		}
	}
	if err != nil {
		return err
	}
	c.Sentinels, err = together(3, func(i int) (*Server, error) { return sentinel(ctx, i+1, host+" "+port, o) })
	if err != nil {
		return err
	}
	for _, s := range c.Sentinels {
		err := until(ctx, func() error {
			answer, err := probe.Redis(ctx, s.Addr, "SENTINEL", "CKQUORUM", "mymaster")
			if err == nil && !strings.HasPrefix(answer, "OK 3 usable Sentinels") {
				err = errors.New(answer)
			}
			if err != nil {
				return err
			}
			master, err := probe.Redis(ctx, s.Addr, "SENTINEL", "MASTER", "mymaster")
			if err == nil && !strings.Contains(master, "num-slaves\n2\n") {
				err = errors.New(s.Name + ": has not found both replicas")
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func sentinel(ctx context.Context, i int, master string, o *SentinelOptions) (*Server, error) {
	return launch(ctx, fmt.Sprint("sentinel ", i), func(ctx context.Context, s *Server) error {
		port, err := s.freePort(0)
		if err != nil {
			return err
		}
		return s.redisProcess(programs.Redis, port, []string{
			"bind " + localhost, fmt.Sprint("port ", port), "protected-mode no", "daemonize no", "dir " + s.dir.path,
			"sentinel monitor mymaster " + master + " 2",
			fmt.Sprint("sentinel down-after-milliseconds mymaster ", o.DownAfter.Milliseconds()),
			fmt.Sprint("sentinel failover-timeout mymaster ", o.FailoverTimeout.Milliseconds()),
		}, "--sentinel")
	})
}

// together starts n servers at once and returns those that came up, with the error of the others.
func together(n int, start func(i int) (*Server, error)) ([]*Server, error) {
	all, errs := make([]*Server, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { all[i], errs[i] = start(i) })
	}
	wg.Wait()
	all = slices.DeleteFunc(all, func(s *Server) bool { return s == nil })
	return all, errors.Join(errs...)
}

// until asks again and again until there is no error or the time is over.
func until(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (the last: %w)", ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
