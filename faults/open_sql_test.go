package faults_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sojourn-go/sojourn/faults/wire"
	"github.com/sojourn-go/sojourn/mysqlstore"
	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/postgresstore"
	"github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/store"
)

func init() {
	my := func(start func(context.Context, *servers.MySQLOptions) (*servers.Server, error)) func(context.Context) (*machine, error) {
		return func(ctx context.Context) (*machine, error) {
			// With a binary log nobody reads what is not on disk yet, so a kill takes nothing back.
			s, err := start(ctx, &servers.MySQLOptions{BinaryLog: true})
			if err != nil {
				return nil, err
			}
			return &machine{nodes: []*servers.Server{s}, all: s, connect: connectMySQL}, nil
		}
	}
	starts["mariadb"] = my(servers.MariaDB)
	starts["mysql"] = my(servers.MySQL)
	starts["postgres"] = func(ctx context.Context) (*machine, error) {
		s, err := servers.Postgres(ctx, nil)
		if err != nil {
			return nil, err
		}
		return &machine{nodes: []*servers.Server{s}, all: s, connect: connectPgx}, nil
	}
	starts["postgres-sql"] = func(context.Context) (*machine, error) { // the same server by another way
		pg, err := started("postgres")
		if err != nil {
			return nil, err
		}
		return &machine{nodes: pg.nodes, all: nothing{}, connect: connectPgSQL}, nil
	}
	starts["pgbouncer"] = func(ctx context.Context) (*machine, error) {
		pg, err := started("postgres")
		if err != nil {
			return nil, err
		}
		s, err := servers.PgBouncer(ctx, pg.nodes[0], nil)
		if err != nil {
			return nil, err
		}
		return &machine{nodes: []*servers.Server{s}, all: s, connect: connectPgx}, nil
	}
}

// nothing is what a machine has to close that is another's.
type nothing struct{}

func (nothing) Close() error { return nil }

// address is the URL of the machine's server by way of the network.
func (m *machine) address(t testing.TB, n *wire.Network) string {
	t.Helper()
	s := m.nodes[0]
	via, err := n.Through(s.Addr)
	must(t, err)
	return strings.Replace(s.URL, s.Addr, via, 1)
}

func connectMySQL(t testing.TB, m *machine, n *wire.Network) store.Store {
	t.Helper()
	s, err := mysqlstore.Open(m.address(t, n), nil)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// pgxConfig is for the machine's server by way of the network. Behind PgBouncer, statements have no
// names: its version may be too old for them.
func pgxConfig(t testing.TB, m *machine, n *wire.Network) *pgxpool.Config {
	t.Helper()
	c, err := pgxpool.ParseConfig(m.address(t, n))
	must(t, err)
	c.MaxConns = 16
	if m.name == "pgbouncer" {
		c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	return c
}

func connectPgx(t testing.TB, m *machine, n *wire.Network) store.Store {
	t.Helper()
	return pgxStore(t, pgxConfig(t, m, n))
}

func pgxStore(t testing.TB, c *pgxpool.Config) store.Store {
	t.Helper()
	pool, err := pgxpool.NewWithConfig(t.Context(), c)
	must(t, err)
	t.Cleanup(pool.Close)
	s, err := pgxstore.New(pool, nil)
	must(t, err)
	return s
}

func connectPgSQL(t testing.TB, m *machine, n *wire.Network) store.Store {
	t.Helper()
	db := stdlib.OpenDB(*pgxConfig(t, m, n).ConnConfig)
	db.SetMaxOpenConns(16)
	t.Cleanup(func() { db.Close() })
	s, err := postgresstore.New(db, nil)
	must(t, err)
	return s
}
