// Package mysqlstore keeps sessions in MySQL 8 and 9 or MariaDB 10.11 and later: [sqlstore] with the driver
// github.com/go-sql-driver/mysql.
//
//	st, err := mysqlstore.Open("mysql://user:password@db.example.com/shop", nil)
//	...
//	defer st.Close()
//	err = st.Migrate(ctx)
//	...
//	sessions, err := sojourn.New(st, &sojourn.Options{Keys: keys})
//
// A program that has a *sql.DB already gives it to [New]. Everything that the store promises stands in package
// sqlstore.
package mysqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sojourn-go/sojourn/sqlstore"
	"github.com/sojourn-go/sojourn/store"
)

// Options tunes a [Store]. The zero Options is good.
type Options struct {
	// Table is the name of the table; see [sqlstore.Options].
	Table string
	// Conns is how many connections there are at most. Zero means 32. It
	// counts for [Open] only.
	Conns int
	// Wait is for how long a write that others stand in the way of is tried again. Zero means 5 s.
	Wait time.Duration
	// Lanes is how many statements of Get are under way before calls share one; see [sqlstore.Options].
	Lanes int
}

// Store is a [sqlstore.Store] with connections of its own. Make it with [Open].
type Store struct {
	*sqlstore.Store
	db *sql.DB
}

var _ store.Store = (*Store)(nil)

// Open makes a Store for the database at address, which is a URL (mysql://user:password@host:port/database, with
// the driver's parameters after a question mark) or the driver's own form of address. It does not
// connect yet: call Migrate before anything else, and Close at the end.
// Its connections work at READ COMMITTED, where sign-ins of different users do not hinder each other. It fails if the
// address cannot be read; the error does not show it.
func Open(address string, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Conns < 0 {
		return nil, errors.New("mysqlstore: Options.Conns is negative")
	}
	if o.Conns == 0 {
		o.Conns = 32
	}
	cfg, err := parse(address)
	if err != nil {
		return nil, err
	}
	cfg.Logger = new(mysql.NopLogger) // what goes wrong is in the errors
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, errors.New("mysqlstore: open: the driver refuses the address's parameters")
	}
	db := sql.OpenDB(connector{c})
	db.SetMaxOpenConns(o.Conns)
	db.SetMaxIdleConns(o.Conns)
	db.SetConnMaxIdleTime(3 * time.Minute) // servers and what lies between close idle ones
	st, err := New(db, &o)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Store{st, db}, nil
}

// New makes a store on db, which the caller opened with github.com/go-sql-driver/mysql, in whatever way, and will
// close. It opens nothing and creates nothing.
func New(db *sql.DB, opts *Options) (*sqlstore.Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	return sqlstore.New(db, sqlstore.MySQL(), &sqlstore.Options{Table: o.Table, Wait: o.Wait, Lanes: o.Lanes, ErrorCode: ErrorCode})
}

// Close closes the connections. No method may be called after it.
func (s *Store) Close() error { return s.db.Close() }

// ErrorCode is [sqlstore.Options.ErrorCode] for this driver: the server's error number, or "".
func ErrorCode(err error) string {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return strconv.Itoa(int(e.Number))
	}
	return ""
}

// parse reads an address of either form.
func parse(address string) (*mysql.Config, error) {
	bad := errors.New("mysqlstore: open: the address is not like mysql://user:password@host:port/database")
	if !strings.Contains(address, "://") {
		cfg, err := mysql.ParseDSN(address)
		if err != nil || cfg.DBName == "" {
			return nil, bad // the driver's text may quote the password
		}
		return cfg, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "mysql" && u.Scheme != "mariadb" || u.Hostname() == "" || len(u.Path) < 2 || u.Fragment != "" {
		return nil, bad
	}
	// The driver's form has no escapes but in the name of the database, so the rest is set and not spelled.
	cfg, err := mysql.ParseDSN("/?" + u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: its parameters are refused", bad)
	}
	port := u.Port()
	if port == "" {
		port = "3306"
	}
	cfg.Net, cfg.Addr, cfg.DBName = "tcp", net.JoinHostPort(u.Hostname(), port), u.Path[1:]
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	return cfg, nil
}

// connector sets what each connection of ours begins with.
type connector struct{ driver.Connector }

// Connect implements [driver.Connector].
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	// As a statement, since the variable's name differs between the servers.
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", nil); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
