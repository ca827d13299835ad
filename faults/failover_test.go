package faults_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/faults/law"
	"github.com/sojourn-go/sojourn/faults/site"
	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/store"
)

// window is how long before a failure Redis may have acknowledged what a failover loses: its
// replicas lag by less than that, on a machine whose cores are busy.
const window = time.Second

// A master dies or stands still under load and a replica takes over. Replication is not waited for,
// so what was acknowledged just before may be lost, and what was ended just before may live again;
// what was acknowledged earlier may not.
func TestFailover(t *testing.T) {
	for _, name := range []string{"redis-sentinel", "redis-cluster"} {
		for _, f := range []struct {
			what string
			wait bool // for all replicas of a master, before an end is acknowledged
			hurt func(*servers.Server) error
		}{
			{"master SIGKILL, failover", false, (*servers.Server).Kill},
			{"master SIGKILL, failover, WAIT", true, (*servers.Server).Kill},
			{"master SIGSTOP, failover", false, (*servers.Server).Pause},
		} {
			t.Run(name+"/"+f.what, func(t *testing.T) {
				m := start(t, name)
				failover(t, m, f.what, f.wait, f.hurt)
			})
		}
	}
}

func failover(t *testing.T, m *machine, what string, wait bool, hurt func(*servers.Server) error) {
	n := network(t)
	o := &redisstore.Options{}
	if wait {
		o.WaitReplicas = (len(m.nodes) - masters(m)) / masters(m)
	}
	var stores []store.Store
	for range nodes {
		stores = append(stores, redisStore(t, redisClient(t, m, n, nil), o))
	}
	steady(t, m)
	old := master(t, m)
	s := storm{scenario: what, m: m, log: law.NewLog()}
	var from, till time.Duration
	hung := false
	s.strike = func() {
		from = s.log.Now()
		must(t, hurt(old))
		eventually(t, "another master", func() bool { return succeeded(m, old) })
		if hung = old.PID() != 0; hung {
			must(t, old.Resume()) // it takes itself for a master, and accepts writes, until it is told
			eventually(t, "the old master is told", func() bool { return strings.Contains(ask(old, "INFO", "replication"), "role:slave") })
		}
		time.Sleep(500 * time.Millisecond)
		till = s.log.Now()
	}
	s.settle = func() store.Store {
		if old.PID() == 0 {
			must(t, old.Start(t.Context()))
		}
		steady(t, m)
		return m.open(t, n)
	}
	out := s.run(t, stores...)
	if hung {
		// For a while there were two masters, and a session that was begun at one was not to be
		// found at the other.
		told := len(out.site.Breaches)
		out.site.Breaches = slices.DeleteFunc(out.site.Breaches, func(b string) bool { return b == site.ToldSignedOut })
		t.Logf("%d visitors were told to be signed out, and were not", told-len(out.site.Breaches))
	}
	out.polite(t)
	out.hurt(t)
	for _, b := range out.Breaches {
		if !strings.Contains(b, "are listed") || out.Lost+out.Resurrected == 0 {
			t.Error(b)
		}
	}
	if out.Since > 0 && (out.Since < from-window || out.Since > till) {
		t.Errorf("what was acknowledged %v after the start is lost; the failover took from %v to %v", out.Since, from, till)
	}
	if back := out.Resurrected + out.site.Resurrected; wait && back > 0 {
		t.Errorf("%d sessions live whose end every replica had", back)
	}
}

// master returns a node that is a master now, and has a replica.
func master(t *testing.T, m *machine) *servers.Server {
	t.Helper()
	for _, s := range m.nodes {
		if info := ask(s, "INFO", "replication"); strings.Contains(info, "role:master") && !strings.Contains(info, "connected_slaves:0") {
			return s
		}
	}
	t.Fatal("no node is a master")
	return nil
}

// succeeded reports whether others than old have taken over all that it had.
func succeeded(m *machine, old *servers.Server) bool {
	found := 0
	for _, s := range m.nodes {
		if s != old && strings.Contains(ask(s, "INFO", "replication"), "role:master") {
			found++
		}
	}
	return found == masters(m)
}

// masters is how many masters the machine has.
func masters(m *machine) int {
	if m.cluster.Sentinels != nil {
		return 1
	}
	return 3
}

// steady waits until the machine has all its masters and every replica follows one.
func steady(t *testing.T, m *machine) {
	t.Helper()
	eventually(t, "a whole cluster", func() bool {
		found := 0
		for _, s := range m.nodes {
			info := ask(s, "INFO", "replication")
			if strings.Contains(info, "role:master") {
				found++
			} else if !strings.Contains(info, "master_link_status:up") {
				return false
			}
			if m.cluster.Sentinels == nil && !strings.Contains(ask(s, "CLUSTER", "INFO"), "cluster_state:ok") {
				return false
			}
		}
		return found == masters(m)
	})
}

// ask sends one command to a Redis server, on a connection of its own, and gives the answer's text;
// "" if there is none within a second.
func ask(s *servers.Server, args ...string) string { return strings.Join(askAll(s, args...), "\n") }

// askAll is ask for a list.
func askAll(s *servers.Server, args ...string) []string {
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return nil
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprintf(c, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(c, "$%d\r\n%s\r\n", len(a), a)
	}
	return answer(bufio.NewReader(c))
}

// answer reads one answer of the protocol.
func answer(r *bufio.Reader) (parts []string) {
	line, err := r.ReadString('\n')
	if err != nil || len(line) < 3 {
		return nil
	}
	text, n := line[1:len(line)-2], 0
	fmt.Sscan(text, &n)
	switch line[0] {
	case '$':
		b := make([]byte, max(0, n)+2)
		if _, err := io.ReadFull(r, b); err != nil || n < 0 {
			return nil
		}
		return []string{string(b[:n])}
	case '*':
		for range n {
			parts = append(parts, answer(r)...)
		}
		return parts
	}
	return []string{text}
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never came: " + what)
		}
	}
}
