package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/cqlstore"
	"github.com/sojourn-go/sojourn/mysqlstore"
	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/store"
)

// address is the URL of a server, or of several: scheme://user:password@host:port,host:port/path?query.
type address struct {
	*url.URL // with the first host
	hosts    []string
	text     string
}

// parseAddress reads an address. Its errors do not show it: there may be a password in it.
func parseAddress(text string) (a address, err error) {
	scheme, rest, _ := strings.Cut(text, "://")
	end := len(rest)
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		end = i
	}
	list := rest[:end]
	at := strings.LastIndexByte(list, '@') + 1
	a.text, a.hosts = text, strings.Split(list[at:], ",")
	// Package url knows of one host only.
	if a.URL, err = url.Parse(scheme + "://" + list[:at] + a.hosts[0] + rest[end:]); err != nil {
		return address{}, fmt.Errorf("the address of %s is no URL", scheme)
	}
	for _, h := range a.hosts {
		if h == "" {
			return address{}, fmt.Errorf("the address of %s names no host", scheme)
		}
	}
	return a, nil
}

// at gives the hosts with a port for those that name none.
func (a address) at(port string) (hosts []string) {
	for _, h := range a.hosts {
		if _, _, err := net.SplitHostPort(h); err != nil {
			h = net.JoinHostPort(strings.Trim(h, "[]"), port)
		}
		hosts = append(hosts, h)
	}
	return hosts
}

// shown is the address for people: without password, and without the query, which may hold one too.
func (a address) shown() string {
	u := *a.URL
	u.Host, u.RawQuery = strings.Join(a.hosts, ","), ""
	return u.Redacted()
}

// servers connect to the servers that an address's scheme names, and make what tables are missing. Each gives the store and what
// closes its connections.
var servers = map[string]func(ctx context.Context, a address) (store.Store, func() error, error){
	"redis":          toRedis,
	"rediss":         toRedis,
	"redis-cluster":  toRedis,
	"redis-sentinel": toRedis,
	"postgres":       toPostgres,
	"postgresql":     toPostgres,
	"mysql":          toMySQL,
	"mariadb":        toMySQL,
	"cassandra":      toCassandra,
}

// toRedis takes redis://, rediss:// (TLS), redis-cluster://host:port,host:port,… and
// redis-sentinel://host:port,…/name, of Valkey too. A database's number is the path of the first two.
func toRedis(ctx context.Context, a address) (store.Store, func() error, error) {
	o := rueidis.ClientOption{InitAddress: a.at("6379"), Username: a.User.Username()}
	o.Password, _ = a.User.Password()
	path := strings.Trim(a.Path, "/")
	switch a.Scheme {
	case "rediss":
		o.TLSConfig = &tls.Config{ServerName: a.Hostname()}
		fallthrough
	case "redis":
		o.ForceSingleClient = true
		if path != "" {
			n, err := strconv.Atoi(path)
			if err != nil {
				return nil, nil, fmt.Errorf("%q is not the number of a database", path)
			}
			o.SelectDB = n
		}
	case "redis-sentinel":
		o.InitAddress = a.at("26379")
		if o.Sentinel.MasterSet = path; path == "" {
			return nil, nil, errors.New("redis-sentinel://host:port,…/NAME needs the name that the sentinels know the master by")
		}
	}
	client, err := rueidis.NewClient(o)
	if err != nil {
		return nil, nil, err
	}
	closer := func() error { client.Close(); return nil }
	st, err := redisstore.New(client, nil)
	if err != nil {
		return nil, closer, err
	}
	warnings, err := st.Check(ctx)
	for _, w := range warnings {
		slog.WarnContext(ctx, w)
	}
	return st, closer, err
}

func toPostgres(ctx context.Context, a address) (store.Store, func() error, error) {
	pool, err := pgxpool.New(ctx, a.text)
	if err != nil {
		return nil, nil, err
	}
	closer := func() error { pool.Close(); return nil }
	st, err := pgxstore.New(pool, nil)
	if err != nil {
		return nil, closer, err
	}
	return st, closer, st.Migrate(ctx)
}

// toMySQL takes the address of MariaDB too.
func toMySQL(ctx context.Context, a address) (store.Store, func() error, error) {
	st, err := mysqlstore.Open(a.text, nil)
	if err != nil {
		return nil, nil, err
	}
	return st, st.Close, st.Migrate(ctx)
}

// toCassandra takes cassandra://host:port,…/keyspace?replicas=3. The keyspace, sojourn if none is named, is made with
// so many copies (1 if nothing is said: for trying out) if it is not there.
func toCassandra(ctx context.Context, a address) (store.Store, func() error, error) {
	copies := 1
	if n := a.Query().Get("replicas"); n != "" {
		var err error
		if copies, err = strconv.Atoi(n); err != nil {
			return nil, nil, fmt.Errorf("replicas=%q is no number", n)
		}
	}
	cluster := gocql.NewCluster(a.hosts...)
	if _, port, err := net.SplitHostPort(a.Host); err == nil {
		if cluster.Port, err = strconv.Atoi(port); err != nil {
			return nil, nil, fmt.Errorf("%q is no port", port)
		}
	}
	if password, ok := a.User.Password(); ok {
		cluster.Authenticator = gocql.PasswordAuthenticator{Username: a.User.Username(), Password: password}
	}
	cluster.Timeout, cluster.ConnectTimeout = 5*time.Second, 10*time.Second
	session, err := cluster.CreateSession()
	if err != nil {
		return nil, nil, err
	}
	closer := func() error { session.Close(); return nil }
	st, err := cqlstore.New(session, &cqlstore.Options{Keyspace: strings.Trim(a.Path, "/"), ReplicationFactor: copies})
	if err != nil {
		return nil, closer, err
	}
	return st, closer, st.Migrate(ctx)
}
