package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/servers/internal/system"
)

// How long a server may take to answer where the caller's context says nothing shorter, and to end
// in good order. Both are bounds for a machine under load, not times to expect.
const (
	startWithin = 5 * time.Minute
	stopWithin  = 30 * time.Second
)

// A Server is one process of a server, over all its starts: address and data stay. Its methods may
// be called from several goroutines.
type Server struct {
	Name    string        // what it is, such as "redis" or "cassandra 2"
	Addr    string        // host and port
	URL     string        // as the variables of the tests have it; "" for one that only a cluster's URL names
	Version string        // as the running server told it
	Took    time.Duration // from the first start to the first answer

	proc    process
	again   int // how often a start is tried again that ends without an answer
	dir     *folder
	release []func() // ports and addresses that were claimed

	closing sync.Once
}

// PID is the id of the server's process, 0 when none runs.
func (s *Server) PID() int { return s.proc.pid() }

// Kill ends the server and its children with SIGKILL and returns when they are gone. The data stay.
// It fails when the server does not run.
func (s *Server) Kill() error {
	s.proc.mu.Lock()
	defer s.proc.mu.Unlock()
	if !s.proc.alive() {
		return s.fail("kill", os.ErrProcessDone)
	}
	s.proc.kill()
	return nil
}

// Pause stops the server and its children with SIGSTOP: connections stay open and nothing is
// answered.
func (s *Server) Pause() error { return s.fail("pause", s.proc.signal(system.Pause)) }

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.fail("resume", s.proc.signal(system.Resume)) }

// Stop ends the server in good order, paused or not. One that has not ended after 30 seconds is
// killed, which is an error. It does nothing when the server does not run. The data stay.
func (s *Server) Stop() error { return s.fail("stop", s.proc.quit(stopWithin)) }

// Start starts a server that was stopped or killed, at the same address with the same data, and
// returns when it answers.
func (s *Server) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	version, err := s.proc.start(ctx)
	for range s.again {
		if errors.Is(err, errEnded) && ctx.Err() == nil {
			version, err = s.proc.start(ctx)
		}
	}
	if err != nil {
		return s.fail("start", err)
	}
	if s.Version == "" {
		s.Version = version
	}
	return nil
}

// Restart is Stop and Start.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Ask asks the server for its version, as the constructors do to see it ready.
func (s *Server) Ask(ctx context.Context) error {
	_, err := s.proc.ready(ctx)
	return s.fail("ask", err)
}

// Log is the end of the server's log.
func (s *Server) Log() string { return s.proc.tail() }

// Dir is the folder with the server's data, configuration and log.
func (s *Server) Dir() string { return s.dir.path }

// Close kills the server, removes its data and gives its address back. Calling it again does
// nothing.
func (s *Server) Close() error {
	var err error
	s.closing.Do(func() {
		if kill := s.Kill(); !errors.Is(kill, os.ErrProcessDone) {
			err = kill
		}
		err = errors.Join(err, s.dir.remove())
		for _, release := range s.release {
			release()
		}
	})
	return err
}

func (s *Server) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("servers: %s: %s: %w", s.Name, op, err)
}

// A Cluster is several servers that belong together.
type Cluster struct {
	Name    string        // what it is
	URL     string        // as the variables of the tests have it
	Version string        // of the first node
	Took    time.Duration // from the first start until the whole was ready
	Nodes   []*Server     // those that hold data
	// Sentinels watch the nodes of a Sentinel trio; nil elsewhere.
	Sentinels []*Server
}

// Node returns the server with the address (host and port), nil when the cluster has none.
func (c *Cluster) Node(addr string) *Server {
	for _, s := range c.all() {
		if s.Addr == addr {
			return s
		}
	}
	return nil
}

// Addrs are the addresses of the nodes, or of the sentinels where there are any: those that a
// client is given.
func (c *Cluster) Addrs() []string {
	list := c.Nodes
	if c.Sentinels != nil {
		list = c.Sentinels
	}
	var addrs []string
	for _, s := range list {
		addrs = append(addrs, s.Addr)
	}
	return addrs
}

// Close closes every server of the cluster.
func (c *Cluster) Close() error {
	var err error
	for _, s := range c.all() {
		err = errors.Join(err, s.Close())
	}
	return err
}

func (c *Cluster) all() []*Server { return append(c.Nodes[:len(c.Nodes):len(c.Nodes)], c.Sentinels...) }

// assemble takes down what was started of a cluster when the rest failed.
func (c *Cluster) assemble(began time.Time, err error) (*Cluster, error) {
	if err != nil {
		return nil, errors.Join(fmt.Errorf("servers: %s: %w", c.Name, err), c.Close())
	}
	c.Version = c.Nodes[0].Version
	c.Took = time.Since(began)
	return c, nil
}

// launch makes a folder, prepares the server in it, and starts it. What prepare claims is given
// back when anything fails.
func launch(ctx context.Context, name string, prepare func(ctx context.Context, s *Server) error) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	began := time.Now()
	s := &Server{Name: name}
	var err error
	if s.dir, err = newFolder(strings.ReplaceAll(name, " ", "")); err != nil {
		return nil, s.fail("folder", err)
	}
	s.proc.logfile = filepath.Join(s.dir.path, "log")
	if err := prepare(ctx, s); err != nil {
		return nil, errors.Join(s.fail("prepare", err), s.Close())
	}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Took = time.Since(began)
	return s, nil
}
