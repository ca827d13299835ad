package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/faults/law"
	"github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/store"
)

// One node of three dies or stands still under load, and comes back: two agree without it, and
// nothing is lost.
func TestCassandraNode(t *testing.T) {
	for _, f := range []struct {
		what string
		hurt func(*servers.Server) error
		heal func(*servers.Server) error
	}{
		{"SIGKILL of a node, restart", (*servers.Server).Kill, restart},
		{"SIGSTOP of a node, SIGCONT", (*servers.Server).Pause, (*servers.Server).Resume},
	} {
		t.Run(f.what, func(t *testing.T) {
			m := start(t, "cassandra")
			n := network(t)
			var stores []store.Store
			for range nodes {
				stores = append(stores, m.open(t, n))
			}
			third := m.nodes[2] // the first one is the others' seed
			must(t, restart(third))
			out := storm{scenario: f.what, m: m, load: law.Load{Workers: 8, Pause: 10 * time.Millisecond}, timeout: 4 * time.Second, calm: 2 * time.Second, strike: func() {
				must(t, f.hurt(third))
				time.Sleep(4 * time.Second)
				must(t, f.heal(third))
			}}.run(t, stores...)
			out.exact(t)
		})
	}
}

// restart starts a node that does not run. On a busy machine the others may not answer in the time
// that it gives them, and it ends again.
func restart(s *servers.Server) (err error) {
	for range 5 {
		if s.PID() != 0 {
			return nil
		}
		if err = s.Start(context.Background()); err == nil {
			return nil
		}
	}
	return err
}
