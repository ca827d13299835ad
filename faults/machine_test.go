package faults_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/faults/host"
	"github.com/sojourn-go/sojourn/faults/wire"
	"github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/store"
)

// A machine is an engine that runs: one server or several.
type machine struct {
	name    string
	nodes   []*servers.Server
	hosts   []*host.Process            // in place of nodes: of an engine that lives in a program
	cluster *servers.Cluster           // that they form, or nil
	all     interface{ Close() error } // takes the servers down
	// connect returns a store whose connections go through the network.
	connect func(t testing.TB, m *machine, n *wire.Network) store.Store

	migrate sync.Once
	failed  error
}

// starts says how to start each engine. Every one is started once, when a test first asks for it.
var starts = map[string]func(context.Context) (*machine, error){}

var running struct {
	sync.Mutex
	machines map[string]*machine
	errs     map[string]error
}

// start returns the engine's machine, which all tests share. Whoever breaks it repairs it.
func start(t testing.TB, name string) *machine {
	t.Helper()
	skip(t, name)
	running.Lock()
	defer running.Unlock()
	m, err := started(name)
	if err != nil {
		t.Fatalf("%s cannot be had (SKIP=%s goes without): %v", name, name, err)
	}
	return m
}

// needs are the servers, by the names that the command servers has for them, without which a
// machine cannot be.
var needs = map[string][]string{"postgres-sql": {"postgres"}, "pgbouncer": {"postgres"}, "cassandra": {"cassandra-cluster"}}

// skip skips what the user goes without.
func skip(t testing.TB, name string) {
	t.Helper()
	without := strings.FieldsFunc(os.Getenv("SKIP"), func(r rune) bool { return r == ',' || r == ' ' })
	for _, server := range append(needs[name], name) {
		for _, w := range without { // "redis" means Sentinel and Cluster, too
			if server == w || strings.HasPrefix(server, w+"-") {
				t.Skipf("SOJOURN_%s is not set, for SKIP names %s: NOT TESTED: the faults of %s",
					strings.ToUpper(strings.ReplaceAll(w, "-", "_")), w, name)
			}
		}
	}
}

// started is start while the lock is held.
func started(name string) (*machine, error) {
	if running.machines == nil {
		running.machines, running.errs = map[string]*machine{}, map[string]error{}
	}
	if running.machines[name] == nil && running.errs[name] == nil {
		ctx, stop := context.WithTimeout(context.Background(), 5*time.Minute)
		defer stop()
		m, err := starts[name](ctx)
		if err == nil {
			m.name = name
		}
		running.machines[name], running.errs[name] = m, err
	}
	return running.machines[name], running.errs[name]
}

func closeMachines() {
	for name, m := range running.machines {
		if m == nil {
			continue
		}
		if err := m.all.Close(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		}
	}
}

// network returns a network that the test closes.
func network(t testing.TB) *wire.Network {
	n := wire.New()
	t.Cleanup(func() { n.Close() })
	return n
}

// open returns a store of the machine, with connections of its own.
func (m *machine) open(t testing.TB, n *wire.Network) store.Store {
	t.Helper()
	s := m.connect(t, m, n)
	m.migrate.Do(func() {
		if s, ok := s.(interface{ Migrate(context.Context) error }); ok {
			m.failed = migrate(t.Context(), s)
		}
	})
	if m.failed != nil {
		t.Fatalf("%s: migrate: %v", m.name, m.failed)
	}
	return s
}

// migrate waits for a busy machine: the store's own limits are those of the faults.
func migrate(ctx context.Context, s interface{ Migrate(context.Context) error }) error {
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) {
		err := s.Migrate(ctx)
		if !errors.Is(err, store.ErrUnavailable) || time.Now().After(end) {
			return err
		}
	}
}

// healthy waits until the store answers.
func healthy(t testing.TB, s store.Store) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	for {
		one, stop := context.WithTimeout(ctx, 2*time.Second)
		_, _, err := s.Get(one, store.Key{Tag: store.TagOf("nobody")})
		stop()
		if errors.Is(err, store.ErrNotFound) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the store does not answer: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
