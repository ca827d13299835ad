package servers

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/servers/internal/probe"
	"github.com/sojourn-go/sojourn/servers/internal/system"
)

// kinds is every kind of single server, with a write and a read that show whether data stay.
var kinds = []struct {
	name  string
	start func(context.Context) (*Server, error)
	write func(context.Context, *Server) error
	read  func(context.Context, *Server) (string, error)
	want  string
}{
	{
		"redis", func(ctx context.Context) (*Server, error) { return Redis(ctx, nil) },
		func(ctx context.Context, s *Server) error { return redisDo(ctx, s, "SET", "k", "kept") },
		func(ctx context.Context, s *Server) (string, error) { return probe.Redis(ctx, s.Addr, "GET", "k") }, "kept",
	},
	{
		"valkey", func(ctx context.Context) (*Server, error) { return Valkey(ctx, nil) },
		func(ctx context.Context, s *Server) error { return redisDo(ctx, s, "SET", "k", "kept") },
		func(ctx context.Context, s *Server) (string, error) { return probe.Redis(ctx, s.Addr, "GET", "k") }, "kept",
	},
	{
		"postgres", func(ctx context.Context) (*Server, error) { return Postgres(ctx, nil) },
		func(ctx context.Context, s *Server) error {
			_, err := probe.Postgres(ctx, s.Addr, pgUser, database, "CREATE TABLE t AS SELECT 'kept' AS v")
			return err
		},
		func(ctx context.Context, s *Server) (string, error) {
			return probe.Postgres(ctx, s.Addr, pgUser, database, "SELECT v FROM t")
		}, "kept",
	},
	// No statement can be sent to these without a driver; their greeting has to do.
	{
		"mysql", func(ctx context.Context) (*Server, error) { return MySQL(ctx, nil) }, nothing,
		func(ctx context.Context, s *Server) (string, error) { return probe.MySQL(ctx, s.Addr) }, "",
	},
	{
		"mariadb", func(ctx context.Context) (*Server, error) { return MariaDB(ctx, nil) }, nothing,
		func(ctx context.Context, s *Server) (string, error) { return probe.MySQL(ctx, s.Addr) }, "",
	},
}

func nothing(context.Context, *Server) error { return nil }

func redisDo(ctx context.Context, s *Server, args ...string) error {
	_, err := probe.Redis(ctx, s.Addr, args...)
	return err
}

// bound is for a machine under load; nothing here takes so long.
func bound(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestLifeOfEachKind(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			ctx := bound(t)
			s, err := kind.start(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			live(t, ctx, s, kind.write, kind.read, kind.want)
		})
	}
}

// live takes a server through all that a test can do to it.
func live(t *testing.T, ctx context.Context, s *Server, write func(context.Context, *Server) error,
	read func(context.Context, *Server) (string, error), want string,
) {
	t.Helper()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, s.Log())
		}
	}
	check := func() {
		t.Helper()
		if got, err := read(ctx, s); err != nil || want != "" && got != want {
			t.Fatalf("read: %q, %v; want %q", got, err, want)
		}
	}
	if s.Version == "" || s.Took <= 0 || s.URL == "" {
		t.Errorf("version %q, took %v, URL %q", s.Version, s.Took, s.URL)
	}
	must("write", write(ctx, s))
	check()

	must("pause", s.Pause())
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if got, err := read(short, s); err == nil {
		t.Errorf("a paused server answers: %q", got)
	}
	must("resume", s.Resume())
	check()

	first := family(s)
	must("kill", s.Kill())
	gone(t, first)
	if s.PID() != 0 {
		t.Error("a killed server has a PID")
	}
	if err := s.Kill(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("second kill: %v", err)
	}
	if err := s.Pause(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("pause of a killed server: %v", err)
	}
	addr := s.Addr
	must("start", s.Start(ctx))
	check()

	must("pause", s.Pause())
	second := family(s)
	must("stop of a paused server", s.Stop())
	gone(t, second)
	must("second stop", s.Stop())
	must("restart", s.Restart(ctx))
	check()
	if s.Addr != addr {
		t.Errorf("address %s, was %s", s.Addr, addr)
	}
	if err := s.Start(ctx); err == nil {
		t.Error("it started twice")
	}

	last := family(s)
	must("close", s.Close())
	must("second close", s.Close())
	gone(t, last)
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func family(s *Server) []int { return append([]int{s.PID()}, descend(s.PID())...) }

func gone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if state, _ := stat(pid); state != 0 && state != 'Z' {
			t.Errorf("process %d still lives (%c)", pid, state)
		}
	}
}

func TestPgBouncer(t *testing.T) {
	t.Parallel()
	ctx := bound(t)
	pg, err := Postgres(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Close()
	s, err := PgBouncer(ctx, pg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	live(t, ctx, s, nothing, func(ctx context.Context, s *Server) (string, error) {
		return probe.Postgres(ctx, s.Addr, pgUser, database, "SELECT 'through'")
	}, "through")
}

func TestRedisClusterFailsOver(t *testing.T) {
	t.Parallel()
	ctx := bound(t)
	c, err := RedisCluster(ctx, &RedisClusterOptions{NodeTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if len(c.Nodes) != 6 || c.Node(c.Nodes[4].Addr) != c.Nodes[4] || c.Node("127.0.0.1:1") != nil {
		t.Error("nodes cannot be found by address")
	}
	for i, s := range c.Nodes {
		role, err := probe.Redis(ctx, s.Addr, "ROLE")
		if want := "master"; err != nil || strings.HasPrefix(role, want) != (i < 3) {
			t.Errorf("node %d: role %q, %v", i+1, role, err)
		}
	}
	if err := c.Nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	awaitMaster(t, ctx, c.Nodes[3:])
	if err := c.Nodes[0].Start(ctx); err != nil {
		t.Fatal(err)
	}
	closed(t, c)
}

func TestSentinelFailsOver(t *testing.T) {
	t.Parallel()
	ctx := bound(t)
	c, err := RedisSentinel(ctx, &SentinelOptions{DownAfter: time.Second, FailoverTimeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !strings.HasSuffix(c.URL, "/mymaster") || !strings.Contains(c.URL, c.Sentinels[2].Addr) {
		t.Errorf("URL %s", c.URL)
	}
	if err := c.Nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	awaitMaster(t, ctx, c.Nodes[1:])
	// The old master comes back as a replica of the new one, and stays it over a restart.
	if err := c.Nodes[0].Start(ctx); err != nil {
		t.Fatal(err)
	}
	isReplica := func() error {
		role, err := probe.Redis(ctx, c.Nodes[0].Addr, "ROLE")
		if err == nil && !strings.HasPrefix(role, "slave") {
			err = errors.New(role)
		}
		return err
	}
	if err := until(ctx, isReplica); err != nil {
		t.Fatal(err)
	}
	closed(t, c)
}

// awaitMaster waits until one of the servers is a master.
func awaitMaster(t *testing.T, ctx context.Context, list []*Server) {
	t.Helper()
	err := until(ctx, func() error {
		for _, s := range list {
			if role, err := probe.Redis(ctx, s.Addr, "ROLE"); err == nil && strings.HasPrefix(role, "master") {
				return nil
			}
		}
		return errors.New("no new master")
	})
	if err != nil {
		t.Fatal(err)
	}
}

func closed(t *testing.T, c *Cluster) {
	t.Helper()
	var pids []int
	for _, s := range c.all() {
		pids = append(pids, family(s)...)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	gone(t, slices.DeleteFunc(pids, func(pid int) bool { return pid == 0 }))
	for _, s := range c.all() {
		if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the folder is still there: %v", s.Name, err)
		}
	}
}

func TestCassandraCluster(t *testing.T) {
	t.Parallel()
	ctx := bound(t)
	c, err := Cassandra(ctx, &CassandraOptions{Nodes: 2, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Nodes[0].Addr == c.Nodes[1].Addr || c.URL != "cassandra://"+c.Nodes[0].Addr+","+c.Nodes[1].Addr {
		t.Errorf("URL %s", c.URL)
	}
	live(t, ctx, c.Nodes[1], func(ctx context.Context, s *Server) error {
		for _, q := range []string{
			"CREATE KEYSPACE IF NOT EXISTS ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
			"CREATE TABLE IF NOT EXISTS ks.t (k int PRIMARY KEY, v text)", "INSERT INTO ks.t (k, v) VALUES (1, 'kept')",
		} {
			err := until(ctx, func() error { // the nodes may not agree on the schema at once
				_, err := probe.Cassandra(ctx, s.Addr, q)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	}, func(ctx context.Context, s *Server) (got string, err error) {
		// A node that has just come back may not have found the other yet.
		err = until(ctx, func() error {
			rows, err := probe.Cassandra(ctx, s.Addr, "SELECT v FROM ks.t")
			got = strings.Join(rows, ",")
			return err
		})
		return got, err
	}, "kept")
	closed(t, c)
}

func TestFailureShowsTheLog(t *testing.T) {
	t.Parallel()
	s, err := Redis(bound(t), &RedisOptions{Config: []string{"no-such-setting yes"}})
	if err == nil {
		s.Close()
		t.Fatal("a server with a wrong configuration started")
	}
	if !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("the error does not show the server's log: %v", err)
	}
}

func TestSilentServerIsKilled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var pid int
	_, err := launch(ctx, "silent", func(_ context.Context, s *Server) error {
		s.proc.argv = []string{"sleep", "1000"}
		s.proc.ready = func(context.Context) (string, error) {
			pid = s.proc.cmd.Process.Pid
			cancel() // nobody waits for it any longer
			return "", errors.New("silence")
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "silence") {
		t.Errorf("got %v", err)
	}
	if pid == 0 || system.Kill(pid, 0) == nil {
		t.Errorf("process %d was left behind", pid)
	}
}

func TestFoldersOfTheDeadAreSwept(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	mine, err := newFolder("mine")
	if err != nil {
		t.Fatal(err)
	}
	dead, err := newFolder("dead")
	if err != nil {
		t.Fatal(err)
	}
	dead.lock.Close() // as the kernel does when a process is killed
	fresh, err := newFolder("fresh")
	if err != nil {
		t.Fatal(err)
	}
	fresh.lock.Close()
	old := time.Now().Add(-time.Hour)
	for _, f := range []*folder{mine, dead} {
		if err := os.Chtimes(f.path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	sweep()
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*"))
	slices.Sort(left)
	want := []string{fresh.path, mine.path}
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}

// A proxy that is told to forward to nobody still answers for itself, and leaves nothing behind.
func TestProxies(t *testing.T) {
	for name, c := range map[string]struct {
		start  func(context.Context, *ProxyOptions) (*Server, error)
		config string
	}{
		"nginx":   {Nginx, "server { listen 127.0.0.1:PORT; location / { return 204; } }"},
		"haproxy": {HAProxy, "frontend f\n    mode http\n    bind 127.0.0.1:PORT\n    timeout client 10s\n    http-request return status 204\n"},
		"caddy":   {Caddy, "{\n    admin off\n    auto_https off\n}\nhttp://127.0.0.1:PORT {\n    respond 204\n}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := c.start(t.Context(), &ProxyOptions{Config: c.config, Files: map[string]string{"more.txt": "x"}})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(s.Version, "1.") && !strings.HasPrefix(s.Version, "2.") && !strings.HasPrefix(s.Version, "3.") {
				t.Errorf("version %q", s.Version)
			}
			if more, err := os.ReadFile(filepath.Join(s.Dir(), "more.txt")); err != nil || string(more) != "x" {
				t.Errorf("%q, %v", more, err)
			}
			resp, err := http.Get("http://" + s.Addr + "/")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusNoContent {
				t.Errorf("status %d", resp.StatusCode)
			}
			dir := s.Dir()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder is left: %v", err)
			}
		})
	}
}
