package servers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"github.com/sojourn-go/sojourn/servers/internal/probe"
	"github.com/sojourn-go/sojourn/servers/internal/programs"
)

const (
	database = "sojourn" // on every SQL server
	pgUser   = "sojourn"
)

// PostgresOptions are options of [Postgres]. The zero value is a server that syncs each commit.
type PostgresOptions struct {
	// Port to listen on; 0 takes a free one.
	Port int
	// Config are settings such as "deadlock_timeout=100ms"; nil adds none.
	Config []string
}

// Postgres starts a PostgreSQL server with the user and the database that its URL names. The user
// is a superuser without a password.
func Postgres(ctx context.Context, opts *PostgresOptions) (*Server, error) {
	if opts == nil {
		opts = &PostgresOptions{}
	}
	s, err := launch(ctx, "postgres", func(ctx context.Context, s *Server) error {
		initdb, err1 := programs.Find(programs.Initdb)
		program, err2 := programs.Find(programs.Postgres)
		user, err3 := unprivileged("postgres", "nobody")
		port, err4 := s.port(opts.Port, 0)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			return err
		}
		data, err := s.dir.data(user)
		if err != nil {
			return err
		}
		create := from(initdb, "-D", data, "-U", pgUser, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
		create.user = user
		if err := create.run(ctx); err != nil {
			return err
		}
		args := []string{"-D", data, "-p", strconv.Itoa(port)}
		for _, setting := range append([]string{
			"listen_addresses=" + localhost, "unix_socket_directories=", "max_connections=300", "shared_buffers=64MB",
		}, opts.Config...) {
			args = append(args, "-c", setting)
		}
		s.Addr = join(localhost, port)
		s.URL = "postgres://" + pgUser + "@" + s.Addr + "/" + database + "?sslmode=disable"
		s.proc.command = from(program, args...)
		s.proc.user = user
		s.proc.stop = syscall.SIGINT // SIGTERM would wait for its clients
		s.proc.ready = func(ctx context.Context) (string, error) {
			return probe.PostgresVersion(ctx, s.Addr, pgUser, "postgres")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := probe.Postgres(ctx, s.Addr, pgUser, "postgres", "CREATE DATABASE "+database); err != nil {
		return nil, errors.Join(s.fail("create the database", err), s.Close())
	}
	// "15.18 (Debian 15.18-0+deb12u1)"
	s.Version, _, _ = strings.Cut(s.Version, " ")
	return s, nil
}

// PgBouncerOptions are options of [PgBouncer]. The zero value pools by transaction.
type PgBouncerOptions struct {
	// Port to listen on; 0 takes a free one.
	Port int
	// Config are more lines of the section [pgbouncer], such as "default_pool_size = 5"; a later
	// line wins over an earlier one and over ours. nil adds none.
	Config []string
}

// PgBouncer starts PgBouncer in transaction mode in front of a server that [Postgres] started.
// Whoever connects, the connections behind it are those of the one user.
func PgBouncer(ctx context.Context, postgres *Server, opts *PgBouncerOptions) (*Server, error) {
	if opts == nil {
		opts = &PgBouncerOptions{}
	}
	s, err := launch(ctx, "pgbouncer", func(ctx context.Context, s *Server) error {
		program, err1 := programs.Find(programs.PgBouncer)
		user, err2 := unprivileged("postgres", "nobody")
		port, err3 := s.port(opts.Port, 0)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		host, pgPort, _ := strings.Cut(postgres.Addr, ":")
		lines := append([]string{
			"[databases]", fmt.Sprintf("* = host=%s port=%s user=%s", host, pgPort, pgUser),
			"[pgbouncer]", "listen_addr = " + localhost, fmt.Sprint("listen_port = ", port), "unix_socket_dir =",
			"auth_type = any", "pool_mode = transaction", "max_client_conn = 1000", "default_pool_size = 40",
			"ignore_startup_parameters = extra_float_digits", "admin_users = " + pgUser,
		}, opts.Config...)
		conf, err := s.dir.file("pgbouncer.ini", strings.Join(lines, "\n")+"\n")
		if err != nil {
			return err
		}
		s.Addr = join(localhost, port)
		s.URL = strings.Replace(postgres.URL, postgres.Addr, s.Addr, 1)
		s.proc.command = from(program, conf)
		s.proc.user = user
		s.proc.stop = syscall.SIGKILL // it has no data, and newer ones wait for their clients
		s.proc.ready = func(ctx context.Context) (string, error) {
			// Its own answer, and one from behind it.
			version, err1 := probe.Postgres(ctx, s.Addr, pgUser, "pgbouncer", "SHOW VERSION")
			_, err2 := probe.PostgresVersion(ctx, s.Addr, pgUser, database)
			return strings.TrimPrefix(version, "PgBouncer "), errors.Join(err1, err2)
		}
		return nil
	})
	return s, err
}
