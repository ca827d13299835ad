package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/servers/internal/progress"
)

// A running server or cluster.
type running struct {
	name, variable     string
	version, addr, url string
	took               time.Duration
}

// A kind of server that the command brings up.
type kind struct {
	name     string
	variable string // that names its URL to the tests
	start    func(f *fleet, ctx context.Context) (*running, error)
}

// kinds is all of them. The slowest come first, for they decide when the rest may be used.
var kinds = []kind{
	{"cassandra-cluster", "SOJOURN_CASSANDRA_CLUSTER", func(f *fleet, ctx context.Context) (*running, error) {
		return f.cluster(servers.Cassandra(ctx, &servers.CassandraOptions{Nodes: 3, Durable: true, Config: patient}))
	}},
	{"cassandra", "SOJOURN_CASSANDRA", func(f *fleet, ctx context.Context) (*running, error) {
		return f.cluster(servers.Cassandra(ctx, &servers.CassandraOptions{Config: patient}))
	}},
	{"mysql", "SOJOURN_MYSQL", func(f *fleet, ctx context.Context) (*running, error) {
		return f.server(servers.MySQL(ctx, nil))
	}},
	{"mariadb", "SOJOURN_MARIADB", func(f *fleet, ctx context.Context) (*running, error) {
		return f.server(servers.MariaDB(ctx, nil))
	}},
	{"postgres", "SOJOURN_POSTGRES", func(f *fleet, ctx context.Context) (*running, error) {
		pg, err := f.postgres(ctx)
		if err != nil {
			return nil, err
		}
		return about(pg), nil
	}},
	{"pgbouncer", "SOJOURN_PGBOUNCER", func(f *fleet, ctx context.Context) (*running, error) {
		pg, err := f.postgres(ctx)
		if err != nil {
			return nil, err
		}
		return f.server(servers.PgBouncer(ctx, pg, nil))
	}},
	{"redis-cluster", "SOJOURN_REDIS_CLUSTER", func(f *fleet, ctx context.Context) (*running, error) {
		return f.cluster(servers.RedisCluster(ctx, nil))
	}},
	{"redis-sentinel", "SOJOURN_REDIS_SENTINEL", func(f *fleet, ctx context.Context) (*running, error) {
		return f.cluster(servers.RedisSentinel(ctx, nil))
	}},
	{"redis", "SOJOURN_REDIS", func(f *fleet, ctx context.Context) (*running, error) {
		return f.server(servers.Redis(ctx, nil))
	}},
	{"valkey", "SOJOURN_VALKEY", func(f *fleet, ctx context.Context) (*running, error) {
		return f.server(servers.Valkey(ctx, nil))
	}},
}

// patient are settings of Cassandra for a busy machine: no test of the fleet is about a node that
// is slow, and after its usual 2 s the outcome of a write would be unknown.
var patient = []string{
	"write_request_timeout: 20s", "read_request_timeout: 20s", "range_request_timeout: 20s", "cas_contention_timeout: 20s", "request_timeout: 20s",
}

// selected picks the kinds that are wanted. A name also stands for the variants of its kind:
// "redis" for "redis-cluster" and "redis-sentinel" too. What stands behind PgBouncer is PostgreSQL,
// so who skips that skips both.
func selected(only, skip string) (wanted, skipped []kind, err error) {
	onlyNames, skipNames := names(only), names(skip)
	for _, n := range slices.Concat(onlyNames, skipNames) {
		if !slices.ContainsFunc(kinds, func(k kind) bool { return k.is(n) }) {
			return nil, nil, fmt.Errorf("no server is called %q; there are %s", n, allNames())
		}
	}
	for _, k := range kinds {
		switch {
		case slices.ContainsFunc(skipNames, k.is), k.name == "pgbouncer" && slices.Contains(skipNames, "postgres"):
			skipped = append(skipped, k)
		case only == "" || slices.ContainsFunc(onlyNames, k.is):
			wanted = append(wanted, k)
		}
	}
	return wanted, skipped, nil
}

func (k kind) is(name string) bool { return k.name == name || strings.HasPrefix(k.name, name+"-") }

func names(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func allNames() string {
	var all []string
	for _, k := range kinds {
		all = append(all, k.name)
	}
	return strings.Join(all, ", ")
}

// split separates the kinds whose addresses the environment gives from those to bring up.
func split(wanted []kind) (given []*running, start []kind) {
	for _, k := range wanted {
		if url := os.Getenv(k.variable); url != "" {
			given = append(given, &running{name: k.name, variable: k.variable, version: "(given)", addr: url, url: url})
			continue
		}
		start = append(start, k)
	}
	return given, start
}

// A fleet is all that this run brings up.
type fleet struct {
	postgres func(context.Context) (*servers.Server, error)

	mu      sync.Mutex
	closers []interface{ Close() error }
}

func newFleet() *fleet {
	f := &fleet{}
	var once sync.Once
	var pg *servers.Server
	var err error
	f.postgres = func(ctx context.Context) (*servers.Server, error) {
		once.Do(func() {
			if pg, err = servers.Postgres(ctx, nil); err == nil {
				f.keep(pg)
			}
		})
		return pg, err
	}
	return f
}

func (f *fleet) keep(c interface{ Close() error }) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closers = append(f.closers, c)
}

func (f *fleet) server(s *servers.Server, err error) (*running, error) {
	if err != nil {
		return nil, err
	}
	f.keep(s)
	return about(s), nil
}

func about(s *servers.Server) *running {
	return &running{version: s.Version, addr: s.Addr, url: s.URL, took: s.Took}
}

func (f *fleet) cluster(c *servers.Cluster, err error) (*running, error) {
	if err != nil {
		return nil, err
	}
	f.keep(c)
	addrs := c.Addrs()
	addr := addrs[0]
	if more := len(addrs) - 1; more > 0 {
		addr += fmt.Sprintf(" and %d more", more)
	}
	return &running{version: c.Version, addr: addr, url: c.URL, took: c.Took}, nil
}

// up brings the kinds up side by side. When one fails the others are given up.
func (f *fleet) up(ctx context.Context, board *progress.Board, list []kind) ([]*running, error) {
	parent := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all, errs := make([]*running, len(list)), make([]error, len(list))
	var wg sync.WaitGroup
	for i, k := range list {
		wg.Go(func() {
			t := board.Task(k.name, "starting")
			start := k.start
			if byDocker(ctx, k) {
				start = func(f *fleet, ctx context.Context) (*running, error) { return f.inDocker(ctx, k.name) }
			}
			r, err := start(f, ctx)
			if err != nil {
				t.End("", err)
				if ctx.Err() == nil { // not only given up because of another
					errs[i] = err
				}
				cancel()
				return
			}
			t.End("answers, version "+r.version, nil)
			r.name, r.variable = k.name, k.variable
			all[i] = r
		})
	}
	wg.Wait()
	return all, errors.Join(append(errs, parent.Err())...)
}

// close takes everything down.
func (f *fleet) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	errs := make([]error, len(f.closers))
	var wg sync.WaitGroup
	for i, c := range f.closers {
		wg.Go(func() { errs[i] = c.Close() })
	}
	wg.Wait()
	f.closers = nil
	return errors.Join(errs...)
}
