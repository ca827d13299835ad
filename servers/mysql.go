package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sojourn-go/sojourn/servers/internal/probe"
	"github.com/sojourn-go/sojourn/servers/internal/programs"
)

// MySQLOptions are options of [MySQL] and [MariaDB]. The zero value is a server that syncs each
// commit and keeps no binary log.
type MySQLOptions struct {
	// Port to listen on; 0 takes a free one.
	Port int
	// BinaryLog keeps a binary log that is synced at each commit, as MySQL does unless told
	// otherwise. Without it InnoDB shows a commit to others before it is on disk, so that a kill
	// may take back what somebody has read.
	BinaryLog bool
	// Args are more arguments such as "--innodb-lock-wait-timeout=1"; nil adds none.
	Args []string
}

// initSQL runs at each start, before the server answers.
const initSQL = `CREATE USER IF NOT EXISTS root@'127.0.0.1';
GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
CREATE DATABASE IF NOT EXISTS ` + database + `;
`

// MySQL starts a MySQL server, with the database that its URL names and root without a password.
func MySQL(ctx context.Context, opts *MySQLOptions) (*Server, error) {
	return launch(ctx, "mysql", func(ctx context.Context, s *Server) error {
		program, err := programs.Find(programs.MySQL)
		if err != nil {
			return err
		}
		usr := filepath.Join(program.Root, "usr")
		common := asRoot("--no-defaults", "--basedir="+usr, "--datadir="+filepath.Join(s.dir.path, "data"), "--mysqlx=OFF",
			"--secure-file-priv=", "--innodb-buffer-pool-size=64M", "--innodb-redo-log-capacity=32M")
		create := from(program, append(common, "--initialize-insecure", "--skip-log-bin")...)
		if err := create.run(ctx); err != nil {
			return err
		}
		return s.mysqlProcess(program, opts, append(common, "--pid-file="+filepath.Join(s.dir.path, "pid"), "--performance-schema=OFF"))
	})
}

// MariaDB starts a MariaDB server, with the database that its URL names and root without a
// password.
func MariaDB(ctx context.Context, opts *MySQLOptions) (*Server, error) {
	s, err := launch(ctx, "mariadb", func(ctx context.Context, s *Server) error {
		installer, err := programs.Find(programs.MariaDBCreate)
		if err != nil {
			return err
		}
		program, err := programs.Find(programs.MariaDB)
		if err != nil {
			return err
		}
		usr := filepath.Join(program.Root, "usr")
		common := asRoot("--no-defaults", "--basedir="+usr, "--datadir="+filepath.Join(s.dir.path, "data"))
		create := from(installer, append(common, "--auth-root-authentication-method=normal", "--skip-test-db")...)
		if err := create.run(ctx); err != nil {
			return err
		}
		return s.mysqlProcess(program, opts, append(common, "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M",
			"--lc-messages-dir="+filepath.Join(usr, "share/mysql")))
	})
	if err != nil {
		return nil, err
	}
	// "5.5.5-10.11.14-MariaDB-0+deb12u2", where 5.5.5 is for clients older than MariaDB.
	s.Version, _, _ = strings.Cut(strings.TrimPrefix(s.Version, "5.5.5-"), "-")
	return s, nil
}

// asRoot adds what both demand of root: to say that it is meant.
func asRoot(args ...string) []string {
	if os.Geteuid() == 0 {
		return append(args, "--user=root")
	}
	return args
}

func (s *Server) mysqlProcess(program programs.Found, opts *MySQLOptions, args []string) error {
	if opts == nil {
		opts = &MySQLOptions{}
	}
	port, err := s.port(opts.Port, 0)
	if err != nil {
		return err
	}
	init, err := s.dir.file("init.sql", initSQL)
	if err != nil {
		return err
	}
	args = append(args, "--bind-address="+localhost, fmt.Sprint("--port=", port), "--socket="+filepath.Join(s.dir.path, "socket"),
		"--init-file="+init, "--skip-name-resolve", "--max-connections=400")
	if opts.BinaryLog {
		args = append(args, "--log-bin=binlog", "--sync-binlog=1", "--server-id=1")
	} else {
		args = append(args, "--skip-log-bin")
	}
	s.Addr = join(localhost, port)
	s.URL = "mysql://root@" + s.Addr + "/" + database
	s.proc.command = from(program, append(args, opts.Args...)...)
	s.proc.ready = func(ctx context.Context) (string, error) { return probe.MySQL(ctx, s.Addr) }
	return nil
}
