package servers

import (
	"context"
	"fmt"
	"strings"
	"syscall"

	"github.com/sojourn-go/sojourn/servers/internal/probe"
	"github.com/sojourn-go/sojourn/servers/internal/programs"
)

// RedisOptions are options of [Redis], [Valkey] and of each node of their clusters. The zero value
// is a server that loses no acknowledged write to SIGKILL: it appends each to its log with fsync,
// and evicts nothing.
type RedisOptions struct {
	// Port to listen on; 0 takes a free one.
	Port int
	// Config are more lines of the configuration file, such as "maxmemory 10mb"; a later line wins
	// over an earlier one and over ours. nil adds none.
	Config []string
}

// Redis starts one Redis server.
func Redis(ctx context.Context, opts *RedisOptions) (*Server, error) {
	return redis(ctx, "redis", programs.Redis, opts, nil)
}

// Valkey starts one Valkey server.
func Valkey(ctx context.Context, opts *RedisOptions) (*Server, error) {
	return redis(ctx, "valkey", programs.Valkey, opts, nil)
}

// redis starts a server of either kind. The settings come before the caller's.
func redis(ctx context.Context, name string, program programs.Program, opts *RedisOptions, settings []string) (*Server, error) {
	if opts == nil {
		opts = &RedisOptions{}
	}
	return launch(ctx, name, func(ctx context.Context, s *Server) error {
		// A node of a cluster listens on the port 10000 above for the others.
		port, err := s.port(opts.Port, 10000)
		if err != nil {
			return err
		}
		data, err := s.dir.data(nil)
		if err != nil {
			return err
		}
		lines := []string{
			"bind " + localhost, fmt.Sprint("port ", port), "protected-mode no", "daemonize no", "dir " + data,
			`save ""`, "appendonly yes", "appendfsync always", "maxmemory-policy noeviction", "repl-diskless-sync-delay 0",
		}
		lines = append(append(lines, settings...), opts.Config...)
		return s.redisProcess(program, port, lines)
	})
}

func (s *Server) redisProcess(program programs.Program, port int, lines []string, args ...string) error {
	found, err := programs.Find(program)
	if err != nil {
		return err
	}
	// A file and not arguments: failovers rewrite it, and a restart must know who was promoted.
	conf, err := s.dir.file("server.conf", strings.Join(lines, "\n")+"\n")
	if err != nil {
		return err
	}
	s.Addr = join(localhost, port)
	s.URL = "redis://" + s.Addr
	s.proc.command = from(found, append([]string{conf}, args...)...)
	s.proc.ready = func(ctx context.Context) (string, error) { return probe.RedisVersion(ctx, s.Addr) }
	return nil
}

// from makes the command that starts a program with its own arguments.
func from(p programs.Found, args ...string) command {
	return command{argv: append(p.Argv[:len(p.Argv):len(p.Argv)], args...), env: p.Env, stop: syscall.SIGTERM}
}
