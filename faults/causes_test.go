package faults_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	gomysql "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/mysqlstore"
	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/store"
)

// password is in every address here, and in no error.
const password = "hunter2"

// client opens a store at an address.
type client func(t *testing.T, address string) store.Store

func pgxAt(t *testing.T, address string) store.Store {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), address)
	must(t, err)
	t.Cleanup(pool.Close)
	s, err := pgxstore.New(pool, nil)
	must(t, err)
	return s
}

func mysqlAt(t *testing.T, address string) store.Store {
	t.Helper()
	s, err := mysqlstore.Open(address, nil)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func redisAt(t *testing.T, address string) store.Store {
	t.Helper()
	o, err := rueidis.ParseURL(address)
	must(t, err)
	o.ForceSingleClient, o.DisableCache = true, true
	c, err := rueidis.NewClient(o)
	must(t, err)
	t.Cleanup(c.Close)
	return redisStore(t, c, nil)
}

// caused wants the outage's cause in the text of each operation's error, the client's own error
// within reach, and the password nowhere.
func caused(t *testing.T, s store.Store, want []string, as ...any) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	_, _, get := s.Get(ctx, store.Key{Tag: store.TagOf("nobody")})
	_, create := s.Create(ctx, newRecord(newUser()), store.Admission{})
	for op, err := range map[string]error{"get": get, "create": create} {
		if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrIndeterminate) {
			t.Errorf("%s: %v is no outage", op, err)
			continue
		}
		text := err.Error()
		found := false
		for _, w := range want {
			found = found || strings.Contains(text, w)
		}
		if !found || strings.Contains(text, password) {
			t.Errorf("%s: %q, want one of %q and no password", op, text, want)
		}
		for _, a := range as {
			if !errors.As(err, a) {
				t.Errorf("%s: %q has no %T within", op, text, a)
			}
		}
		t.Logf("%s: %s", op, text)
	}
}

// A server that is gone: connections are refused, and the error says so.
func TestCausesOfAKilledServer(t *testing.T) {
	for name, c := range map[string]struct {
		start func(context.Context) (*servers.Server, error)
		open  client
		user  string
	}{
		"redis": {func(ctx context.Context) (*servers.Server, error) {
			return servers.Redis(ctx, &servers.RedisOptions{Config: []string{"user app on nopass ~* &* +@all"}})
		}, redisAt, "app"},
		"postgres": {func(ctx context.Context) (*servers.Server, error) { return servers.Postgres(ctx, nil) }, pgxAt, "sojourn"},
		"mariadb":  {func(ctx context.Context) (*servers.Server, error) { return servers.MariaDB(ctx, nil) }, mysqlAt, ""},
	} {
		t.Run(name, func(t *testing.T) {
			skip(t, name)
			server, err := c.start(t.Context())
			must(t, err)
			t.Cleanup(func() { must(t, server.Close()) })
			address := server.URL
			if c.user != "" {
				scheme, rest, _ := strings.Cut(address, "://")
				rest = rest[strings.LastIndexByte(rest, '@')+1:]
				address = scheme + "://" + c.user + ":" + password + "@" + rest
			}
			s := c.open(t, address)
			if m, ok := s.(interface{ Migrate(context.Context) error }); ok {
				must(t, m.Migrate(t.Context()))
			}
			healthy(t, s)
			must(t, server.Kill())
			for range 4 { // connections that are open say something else, once
				_, _, _ = s.Get(t.Context(), store.Key{Tag: store.TagOf("nobody")})
			}
			caused(t, s, []string{"connection refused"}, new(syscall.Errno), new(*net.OpError))
		})
	}
}

// A name that nobody has, and a server that speaks no TLS.
func TestCausesOfAWrongAddress(t *testing.T) {
	for name, c := range map[string]struct {
		start func(context.Context) (*servers.Server, error)
		open  client
		// unknown is an address with an unknown host, tls adds to an address that it wants TLS.
		unknown string
		tls     func(address string) string
		refused []string
		as      []any // of an unknown host
	}{
		"postgres": {
			func(ctx context.Context) (*servers.Server, error) { return servers.Postgres(ctx, nil) }, pgxAt,
			"postgres://sojourn:" + password + "@nowhere.invalid/sojourn",
			func(a string) string { return strings.Replace(a, "sslmode=disable", "sslmode=require", 1) },
			[]string{"server refused TLS connection"}, []any{new(*net.DNSError), new(*pgconn.ConnectError)},
		},
		"mariadb": {
			func(ctx context.Context) (*servers.Server, error) { return servers.MariaDB(ctx, nil) }, mysqlAt,
			"mysql://sojourn:" + password + "@nowhere.invalid/sojourn",
			func(a string) string { return a + "?tls=true" },
			[]string{gomysql.ErrNoTLS.Error()}, []any{new(*net.DNSError)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			skip(t, name)
			caused(t, c.open(t, c.unknown), []string{"lookup nowhere.invalid"}, c.as...)
			server, err := c.start(t.Context())
			must(t, err)
			t.Cleanup(func() { must(t, server.Close()) })
			caused(t, c.open(t, c.tls(server.URL)), c.refused)
		})
	}
}
