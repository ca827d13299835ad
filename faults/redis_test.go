package faults_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/faults/law"
	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/store"
)

// The scripts vanish again and again under load: nobody notices.
func TestScriptsFlushed(t *testing.T) {
	for _, name := range []string{"redis", "valkey"} {
		t.Run(name, func(t *testing.T) {
			m := start(t, name)
			flushed := 0
			s := storm{scenario: "SCRIPT FLUSH every 10 ms", m: m, calm: 200 * time.Millisecond}
			s.timeout = 30 * time.Second // no outage is meant here, however busy the machine
			s.strike = func() {
				for range 100 {
					if ask(m.nodes[0], "SCRIPT", "FLUSH") == "OK" {
						flushed++
					}
					time.Sleep(10 * time.Millisecond)
				}
			}
			out := s.run(t, m.stores(t)...)
			if flushed < 10 {
				t.Errorf("flushed %d times: the run proves nothing", flushed)
			}
			out.exact(t)
			if out.Unavailable+out.Indeterminate+out.site.Refused > 0 {
				t.Error("somebody noticed")
			}
		})
	}
}

// The slot of a busy user moves between two masters, back and forth, under load: MOVED, ASK and,
// where a script's keys are here and there, TRYAGAIN.
func TestSlotMoves(t *testing.T) {
	m := start(t, "redis-cluster")
	steady(t, m)
	user := newUser()
	s := storm{scenario: "slot moves under load", m: m, load: law.Load{Names: []string{user}}, calm: 500 * time.Millisecond}
	moves := 0
	s.strike = func() {
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); moves++ {
			moveSlot(t, m, user)
		}
	}
	stores := m.stores(t)
	told := 0
	for _, n := range m.nodes {
		told -= redirects(n)
	}
	out := s.run(t, stores...)
	for _, n := range m.nodes {
		told += redirects(n)
	}
	out.exact(t)
	t.Logf("%d moves, %d redirections and refusals", moves, told)
	if moves < 2 || told < 10 {
		t.Errorf("%d moves, %d redirections: the run proves nothing", moves, told)
	}
}

// redirects is how often the node answered MOVED, ASK or TRYAGAIN.
func redirects(s *servers.Server) (n int) {
	for _, line := range strings.Split(ask(s, "INFO", "errorstats"), "\r\n") {
		for _, kind := range []string{"MOVED", "ASK", "TRYAGAIN"} {
			if text, ok := strings.CutPrefix(line, "errorstat_"+kind+":count="); ok {
				var k int
				fmt.Sscan(text, &k)
				n += k
			}
		}
	}
	return n
}

// moveSlot moves the slot of a user's keys to another master, key by key.
func moveSlot(t *testing.T, m *machine, user string) {
	t.Helper()
	tag := store.TagOf(user)
	slot := ask(m.nodes[0], "CLUSTER", "KEYSLOT", base64.RawURLEncoding.EncodeToString(tag[:]))
	ids := map[string]*servers.Server{}
	var from, to string
	for _, s := range m.nodes {
		if !strings.Contains(ask(s, "INFO", "replication"), "role:master") {
			continue
		}
		id := ask(s, "CLUSTER", "MYID")
		ids[id] = s
		if owns(s, slot) {
			from = id
		} else {
			to = id
		}
	}
	if from == "" || to == "" {
		t.Fatal("nobody has the slot")
	}
	ok := func(s *servers.Server, args ...string) {
		if got := ask(s, args...); got != "OK" && got != "NOKEY" {
			t.Fatalf("%s: %q", strings.Join(args, " "), got)
		}
	}
	ok(ids[to], "CLUSTER", "SETSLOT", slot, "IMPORTING", from)
	ok(ids[from], "CLUSTER", "SETSLOT", slot, "MIGRATING", to)
	host, port, _ := strings.Cut(ids[to].Addr, ":")
	for {
		keys := askAll(ids[from], "CLUSTER", "GETKEYSINSLOT", slot, "2")
		if len(keys) == 0 {
			break
		}
		ok(ids[from], append([]string{"MIGRATE", host, port, "", "0", "1000", "KEYS"}, keys...)...)
		time.Sleep(10 * time.Millisecond) // half here, half there
	}
	ok(ids[to], "CLUSTER", "SETSLOT", slot, "NODE", to)
	ok(ids[from], "CLUSTER", "SETSLOT", slot, "NODE", to)
}

// owns reports whether the node answers for the slot.
func owns(s *servers.Server, slot string) bool {
	var n int
	fmt.Sscan(slot, &n)
	for _, line := range strings.Split(ask(s, "CLUSTER", "NODES"), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 8 || !strings.Contains(fields[2], "myself") {
			continue
		}
		for _, r := range fields[8:] {
			from, to, isRange := strings.Cut(r, "-")
			var a, b int
			if _, err := fmt.Sscan(from, &a); err != nil {
				continue // one that is on its way
			}
			if b = a; isRange {
				fmt.Sscan(to, &b)
			}
			if a <= n && n <= b {
				return true
			}
		}
	}
	return false
}

// A replica refuses writes, which are then surely not applied.
func TestReadOnlyReplica(t *testing.T) {
	m := start(t, "redis-sentinel")
	steady(t, m)
	rec, other := pair(t, m.open(t, network(t)))
	for _, replica := range m.nodes {
		if !strings.Contains(ask(replica, "INFO", "replication"), "role:slave") {
			continue
		}
		alone := &machine{name: "replica", nodes: []*servers.Server{replica}}
		s := connectRedis(t, alone, network(t))
		eventually(t, "the replica has the session", func() bool { _, _, err := s.Get(t.Context(), rec.Key); return err == nil })
		for _, a := range acts(rec, other) {
			ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
			if err := a.do(ctx, s); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s on a replica: %v", a.name, err)
			}
			stop()
		}
		read(t, s, rec.Key)
	}
}

// A server without memory takes no more sessions, and still reads and ends those that it has.
func TestOutOfMemory(t *testing.T) {
	server, err := servers.Redis(t.Context(), &servers.RedisOptions{Config: []string{"maxmemory 6mb", "maxmemory-policy noeviction"}})
	must(t, err)
	t.Cleanup(func() { server.Close() })
	m := &machine{name: "redis", nodes: []*servers.Server{server}}
	s := connectRedis(t, m, network(t))
	user := newUser()
	var kept []store.Record
	r := row{scenario: "out of memory", engine: "redis"}
	for {
		rec := newRecord(user)
		if len(kept)%2 == 0 {
			rec = newRecord(newUser())
		}
		rec.Data = make([]byte, 20_000)
		r.acts++
		if _, err = s.Create(t.Context(), rec, store.Admission{}); err != nil {
			break
		}
		r.acked++
		kept = append(kept, rec)
		if len(kept) > 2000 {
			t.Fatal("it never fills")
		}
	}
	if !errors.Is(err, store.ErrFull) {
		t.Errorf("create without memory: %v", err)
	}
	for _, rec := range kept {
		if _, _, err := s.Get(t.Context(), rec.Key); err != nil {
			r.lost++
			t.Errorf("get: %v", err)
		}
	}
	must(t, s.Touch(t.Context(), kept[0], 0))
	must(t, s.Delete(t.Context(), kept[0].Key))
	if r, err := s.Revoke(t.Context(), user, store.Selection{}); err != nil || r.N != len(kept)/2 {
		t.Errorf("revoke ended %d of %d: %v", r.N, len(kept)/2, err)
	}
	if _, err := s.Create(t.Context(), newRecord(newUser()), store.Admission{}); err != nil {
		t.Errorf("create after there is room: %v", err)
	}
	report(r)
}

// P13: a session that was revoked on another node is not served from this node's cache for longer
// than the store says; not when the server hangs either.
func TestCachedReads(t *testing.T) {
	const keep = 2 * time.Second
	m := start(t, "redis")
	n := network(t)
	direct := m.open(t, network(t))
	client := redisClient(t, m, n, func(o *rueidis.ClientOption) { o.DisableCache = false })
	s := redisStore(t, client, &redisstore.Options{CacheFor: keep})
	lag := s.Traits().Lag
	if lag > keep+time.Second {
		t.Errorf("lag %v", lag)
	}
	// served returns how long after now a read could begin that still served the session.
	served := func(rec store.Record) (last time.Duration) {
		for from := time.Now(); ; time.Sleep(100 * time.Microsecond) {
			begins := time.Since(from)
			ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
			_, _, err := s.Get(ctx, rec.Key)
			stop()
			if err != nil || begins > lag+10*time.Second {
				return last
			}
			last = begins
		}
	}
	prepare := func() store.Record {
		rec, _ := pair(t, direct)
		for range 3 {
			read(t, s, rec.Key)
		}
		trips := n.Turns()
		read(t, s, rec.Key)
		if n.Turns() != trips {
			t.Error("the read was not cached")
		}
		return rec
	}

	rec := prepare()
	if _, err := direct.Revoke(t.Context(), rec.User, store.Selection{}); err != nil {
		t.Fatal(err)
	}
	usual := served(rec)
	report(row{scenario: "revoked, cached elsewhere", engine: "redis", acts: 1, acked: 1, note: fmt.Sprintf("served for %v, at most %v", usual.Round(100*time.Microsecond), lag)})
	if usual > lag {
		t.Errorf("a revoked session was served for %v, at most %v", usual, lag)
	}

	// The connection stalls: the server's word of the change does not come.
	rec = prepare()
	n.Stall()
	if _, err := direct.Revoke(t.Context(), rec.User, store.Selection{}); err != nil {
		t.Fatal(err)
	}
	cut := served(rec)
	n.Flow()
	report(row{scenario: "revoked, cached behind a stalled connection", engine: "redis", acts: 1, acked: 1, note: fmt.Sprintf("served for %v, at most %v", cut.Round(time.Millisecond), lag)})
	if cut > lag {
		t.Errorf("a revoked session was served for %v, at most %v", cut, lag)
	}

	// The server stands still: nobody can revoke, and nobody is served for ever.
	healthy(t, s)
	rec = prepare()
	must(t, m.nodes[0].Pause())
	hung := served(rec)
	must(t, m.nodes[0].Resume())
	report(row{scenario: "cached, server stopped", engine: "redis", acts: 1, note: fmt.Sprintf("served for %v, at most %v", hung.Round(time.Millisecond), lag)})
	if hung > lag {
		t.Errorf("a session was served for %v by a stopped server, at most %v", hung, lag)
	}
}
