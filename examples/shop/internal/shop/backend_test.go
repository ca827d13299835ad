package shop

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/sojourntest"
)

// addresses are the variables that name the test servers.
var addresses = []string{
	"SOJOURN_REDIS", "SOJOURN_VALKEY", "SOJOURN_REDIS_CLUSTER", "SOJOURN_REDIS_SENTINEL",
	"SOJOURN_POSTGRES", "SOJOURN_MYSQL", "SOJOURN_MARIADB", "SOJOURN_CASSANDRA", "SOJOURN_CASSANDRA_CLUSTER",
}

// everywhere runs a test on each store that outlives the shop, on servers as well.
func everywhere(t *testing.T, test func(t *testing.T, where string)) {
	for _, kind := range files() {
		t.Run(kind, func(t *testing.T) {
			test(t, kind+":"+filepath.Join(t.TempDir(), "shop-data", "sessions"))
		})
	}
	for _, variable := range addresses {
		t.Run(variable, func(t *testing.T) { test(t, server(t, variable)) })
	}
}

// server gives the address of a test server.
func server(t *testing.T, variable string) string {
	t.Helper()
	where := os.Getenv(variable)
	if where == "" {
		t.Skipf("%s is not set: the shop is NOT TESTED there", variable)
	}
	return where
}

// forget ends the sessions that another run may have left on a server. It ends each by its name:
// after RevokeUser, a cluster with several clocks refuses sign-ins for as long as these may differ.
func forget(t *testing.T, sh *shop) {
	t.Helper()
	for _, a := range accounts {
		list, err := sh.web.Sessions(t.Context(), a.ID)
		for _, s := range list {
			if err == nil {
				err = sh.web.Revoke(t.Context(), a.ID, s.Handle)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A sign-in, and a sign-out, survive a restart of the program.
func TestRestart(t *testing.T) {
	everywhere(t, func(t *testing.T, where string) {
		data := t.TempDir()
		var b backend
		var sh *shop
		var routes http.Handler
		open := func() {
			var err error
			if b, err = all.open(t.Context(), where, data); err != nil {
				t.Fatal(err)
			}
			sh = newTestShop(t, b)
			routes = sh.routes()
		}
		closeIt := func() {
			if err := b.close(); err != nil {
				t.Fatal(err)
			}
		}
		open()
		forget(t, sh)
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { routes.ServeHTTP(w, r) })
		signIn := url.Values{"user": {"ada"}, "password": {"bernoulli"}, "next": {"/"}}
		stays, leaves := sojourntest.NewClient(t, handler), sojourntest.NewClient(t, handler)
		stays.PostForm("/signin", signIn)
		stays.PostForm("/cart/add", url.Values{"product": {"tea"}})
		leaves.PostForm("/signin", signIn)
		leaves.PostForm("/signout", nil)
		closeIt()

		open()
		defer closeIt()
		s := stays.Session(sh.web)
		if s.User() != "ada" || cart.Get(s).count() != 1 {
			t.Errorf("after the restart: user %q with %d in the cart", s.User(), cart.Get(s).count())
		}
		if user := leaves.Session(sh.web).User(); user != "" {
			t.Errorf("the restart signed %q in again", user)
		}
		list, err := sh.web.Sessions(t.Context(), "ada")
		if err != nil || len(list) != 1 {
			t.Errorf("%d sessions listed, %v", len(list), err)
		}
	})
}

// What is already open, or makes no sense, is refused with words.
func TestOpenBackend(t *testing.T) {
	for where, want := range map[string]string{
		"": "sqlite:FILE", "disk": "sqlite:FILE", "disk:": "sqlite:FILE", "floppy:a": "sqlite:FILE", "sqlite:": "sqlite:FILE",
		"mongodb://u:secret@h": "cassandra, mariadb", "redis:localhost": "sqlite:FILE", "postgres://u:secret@": "is not like",
		"redis://u:secret@localhost:x": "is not like", "redis://u:secret@localhost/many": `"many" is not the number`,
		"redis-sentinel://u:secret@localhost:1": "NAME", "cassandra://u:secret@localhost:1?replicas=few": "no number",
	} {
		_, err := all.open(t.Context(), where, t.TempDir())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("--store %q: %v, want %q and no password", where, err, want)
		}
	}
	for _, kind := range []string{"leveldb", "pebble"} {
		where := kind + ":" + filepath.Join(t.TempDir(), "sessions")
		b, err := all.open(t.Context(), where, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if second, err := all.open(t.Context(), where, t.TempDir()); err == nil {
			t.Errorf("%s was opened twice", where)
			t.Error(second.close())
		}
		if err := b.close(); err != nil {
			t.Error(err)
		}
	}
}

// Servers that cannot be reached are named without their passwords.
func TestNoServer(t *testing.T) {
	for _, where := range []string{
		"redis://u:secret@127.0.0.1:1/0", "postgres://u:secret@127.0.0.1:1/x", "postgres://127.0.0.1:1/x?user=u&password=secret",
		"mysql://u:secret@127.0.0.1:1/x", "mariadb://u:secret@127.0.0.1:1/x", "cassandra://u:secret@127.0.0.1:1/x",
	} {
		_, err := all.open(t.Context(), where, t.TempDir())
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("%s: %v", where, err)
		}
	}
}

// Two processes with other keys on one store find out, on every store.
func TestOtherKeysAreFound(t *testing.T) {
	everywhere(t, func(t *testing.T, where string) {
		b, err := all.open(t.Context(), where, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := b.close(); err != nil {
				t.Error(err)
			}
		})
		name := rand.Text() // nobody else's, also where another run has used the store
		process := func() *sojourn.Manager {
			keys, err := sojourn.NewKeyRing(sojourn.NewKey())
			if err != nil {
				t.Fatal(err)
			}
			m, err := sojourn.New(b.store, &sojourn.Options{Name: name, Keys: keys})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		one, two := process(), process()
		for range 2 {
			if err := one.CheckKeys(t.Context()); err != nil {
				t.Errorf("alone: %v", err)
			}
		}
		for who, m := range map[string]*sojourn.Manager{"the second": two, "the first": one} {
			if who == "the first" {
				_ = two.CheckKeys(t.Context()) // it has said that it is there
			}
			if err := m.CheckKeys(t.Context()); !errors.Is(err, sojourn.ErrKeys) {
				t.Errorf("%s: %v", who, err)
			}
		}
	})
}
