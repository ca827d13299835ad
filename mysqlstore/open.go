package mysqlstore

import (
	"context"
	"crypto/fips140"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Open makes a Store for the database at address, which is a URL
// (mysql://user:password@host:port/database, with the driver's parameters after a question mark) or
// the driver's own form of address. It does not connect yet: call Migrate before anything else, and
// Close at the end. Its connections work at READ COMMITTED, where sign-ins of different users do
// not hinder each other. In FIPS 140-only mode they refuse the passwords of mysql_native_password,
// which are scrambled by SHA-1. It fails if the address cannot be read or an option has no meaning;
// the error does not show the address.
func Open(address string, opts *Options) (*Store, error) {
	conns := 32
	if opts != nil && opts.Conns != 0 {
		conns = opts.Conns
	}
	if conns < 0 {
		return nil, errors.New("mysqlstore: Options.Conns is negative")
	}
	cfg, err := parse(address)
	if err != nil {
		return nil, err
	}
	cfg.Logger = new(mysql.NopLogger) // what goes wrong is in the errors
	if fips140.Enforced() && cfg.Passwd != "" {
		cfg.AllowNativePasswords = false // the driver would panic: their scramble is SHA-1
	}
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, errors.New("mysqlstore: open: the driver refuses the address's parameters")
	}
	db := sql.OpenDB(connector{c})
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(3 * time.Minute) // servers and what lies between close idle ones
	s, err := newStore(db, opts, db.Close)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
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
	// The driver's form has no escapes but in the name of the database, so the rest is set and not
	// spelled.
	cfg, err := mysql.ParseDSN("/?" + u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: the driver refuses its parameters", bad)
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
