package mysqlstore_test

import (
	"crypto/fips140"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/mysqlstore"
	"github.com/sojourn-go/sojourn/store"
)

// TestSavedTwice is D33, an older library's MySQL store got wrong: a second save of the same data
// within a second failed, a life of 90 days could not be saved, only the first table was pruned,
// and it needed rights over the whole server.
func TestSavedTwice(t *testing.T) {
	eachServer(t, func(t *testing.T, address string) {
		user, db := unprivileged(t, address)
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		u.User, u.Path = url.UserPassword(user, password()), "/"+db
		stores := [2]*mysqlstore.Store{}
		for i := range stores {
			s, err := mysqlstore.Open(u.String(), &mysqlstore.Options{Table: fmt.Sprint("table", i)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			stores[i] = s
		}

		for i, days := range []time.Duration{90, 400} {
			rec := record("ada")
			rec.Lifetime, rec.Idle = days*24*time.Hour, 0
			if _, err := stores[i].Create(t.Context(), rec, store.Admission{}); err != nil {
				t.Fatal(err)
			}
			for version := range uint64(3) {
				again := rec
				again.Writer[0] = byte(version)
				if err := stores[i].Update(t.Context(), again, version+1); err != nil {
					t.Errorf("save %d of unchanged data: %v", version+1, err)
				}
			}
			got, now, err := stores[i].Get(t.Context(), rec.Key)
			if err != nil || got.Expires().Sub(now) < days*24*time.Hour-time.Minute {
				t.Errorf("after %d days' life was saved: %v, it ends in %v", days, err, got.Expires().Sub(now))
			}
			if _, _, err := stores[1-i].Get(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("another table has the record, too: %v", err)
			}
		}

		for i, s := range stores {
			for range 3 {
				rec := record("eve")
				rec.Lifetime = 50 * time.Millisecond
				if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(60 * time.Millisecond)
			if n, err := s.Sweep(t.Context(), 100); n != 3 || err != nil {
				t.Errorf("table %d: %d swept, %v, want 3", i, n, err)
			}
			if n := len(live(t, s, "ada")); n != 1 {
				t.Errorf("table %d: %d records live after the sweep, want 1", i, n)
			}
		}
	})
}

// password has what an address must escape. In FIPS 140-only mode it is empty; see
// TestPasswordFIPS.
func password() string {
	if fips140.Enforced() {
		return ""
	}
	return "p@ss/w:rd?&"
}

// unprivileged makes a user with the least rights, who has the password, and a database for it.
func unprivileged(t *testing.T, address string) (user, db string) {
	name := tableName()
	exec := func(text string) {
		if _, err := bareDB(t, address).Exec(text); err != nil {
			t.Error(err)
		}
	}
	exec("CREATE DATABASE " + name)
	// For each host: some servers have a nobody at localhost, who comes before a user of all hosts.
	for _, host := range []string{"'%'", "'localhost'", "'127.0.0.1'"} {
		exec("CREATE USER " + name + "@" + host + " IDENTIFIED BY '" + password() + "'")
		exec("GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON " + name + ".* TO " + name + "@" + host)
		t.Cleanup(func() { exec("DROP USER " + name + "@" + host) })
	}
	t.Cleanup(func() { exec("DROP DATABASE " + name) })
	return name, name
}

// TestZones uses one table through connections of far zones: the same instants, and the same
// moment's now.
func TestZones(t *testing.T) {
	eachServer(t, func(t *testing.T, address string) {
		s, table := openWith(t, address, map[string]string{"time_zone": "'-11:00'", "parseTime": "true", "loc": "America/New_York"})
		other, err := mysqlstore.New(dbWith(t, address, map[string]string{"time_zone": "'+12:00'"}), &mysqlstore.Options{Table: table})
		if err != nil {
			t.Fatal(err)
		}
		rec := record("ada")
		if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
			t.Fatal(err)
		}
		a, before, err := s.Get(t.Context(), rec.Key)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Touch(t.Context(), a, 0); err != nil {
			t.Fatal(err)
		}
		b, after, err := other.Get(t.Context(), rec.Key)
		if err != nil || !a.Created.Equal(b.Created) || b.Seen.Before(before) || b.Seen.After(after) || time.Since(after).Abs() > time.Minute {
			t.Errorf("created %v and %v, seen %v between %v and %v, %v", a.Created, b.Created, b.Seen, before, after, err)
		}
	})
}

// TestRefused has servers and connections that cannot do: that is an outage, in words.
func TestRefused(t *testing.T) {
	nobody, err := mysqlstore.Open("mysql://root:topsecret@127.0.0.1:1/none?timeout=1s", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	refused := func(what string, err error, words string) {
		t.Helper()
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrIndeterminate) || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v", what, err)
		}
	}
	rec := record("ada")
	_, _, get := nobody.Get(t.Context(), rec.Key)
	_, create := nobody.Create(t.Context(), rec, store.Admission{})
	refused("get without a server", get, "get")
	refused("create without a server", create, "create")
	refused("delete without a server", nobody.Delete(t.Context(), rec.Key), "delete")
	refused("migrate without a server", nobody.Migrate(t.Context()), "migrate")

	eachServer(t, func(t *testing.T, address string) {
		empty, err := mysqlstore.Open(address, &mysqlstore.Options{Table: tableName()})
		if err != nil {
			t.Fatal(err)
		}
		defer empty.Close()
		_, create := empty.Create(t.Context(), rec, store.Admission{})
		refused("create without tables", create, "call Migrate")
		refused("update without tables", empty.Update(t.Context(), rec, 1), "call Migrate")

		table := tableName()
		manual, err := mysqlstore.New(dbWith(t, address, map[string]string{"autocommit": "0"}), &mysqlstore.Options{Table: table})
		if err != nil {
			t.Fatal(err)
		}
		dropAfter(t, address, table)
		refused("migrate without autocommit", manual.Migrate(t.Context()), "autocommit")
	})
}

// TestCut has connections that the server has closed between two calls: nobody notices.
func TestCut(t *testing.T) {
	eachServer(t, func(t *testing.T, address string) {
		db, err := sql.Open("mysql", bareAddress(t, address))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		table := tableName()
		s, err := mysqlstore.New(db, &mysqlstore.Options{Table: table})
		if err == nil {
			err = s.Migrate(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		dropAfter(t, address, table)
		rec := record("ada")
		if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
			t.Fatal(err)
		}
		for version := range uint64(5) {
			var id int64
			if err := db.QueryRow("SELECT CONNECTION_ID()").Scan(&id); err != nil {
				t.Fatal(err)
			}
			if _, err := bareDB(t, address).Exec(fmt.Sprint("KILL ", id)); err != nil {
				t.Fatal(err)
			}
			gone(t, address, id)
			rec.Writer[0]++
			if err := s.Update(t.Context(), rec, version+1); err != nil {
				t.Errorf("update %d on a closed connection: %v", version+1, err)
			}
		}
	})
}

// gone waits until the server has closed a connection.
func gone(t *testing.T, address string, id int64) {
	db := bareDB(t, address)
	for range 1000 {
		var n int
		if err := db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE id = ?", id).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("a killed connection stays")
}
