package mysqlstore_test

import (
	"database/sql"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/mysqlstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// settings are parameters of connections on which nothing may depend, with a level of isolation
// each, and the servers that they are tried on: each takes a kit's time.
var settings = []struct {
	name   string
	on     string
	params map[string]string
}{
	{"odd", "MariaDB MySQL", map[string]string{
		"parseTime": "true", "loc": "Asia/Tokyo", "time_zone": "'-11:30'", "clientFoundRows": "true", "interpolateParams": "true",
		"multiStatements": "true", "isolation": "REPEATABLE-READ",
		"sql_mode": "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE,NO_UNSIGNED_SUBTRACTION," +
			"STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY,IGNORE_SPACE'",
	}},
	{"lax", "MariaDB", map[string]string{"sql_mode": "''", "time_zone": "'+13:00'", "collation": "latin1_swedish_ci", "isolation": "READ-COMMITTED"}},
	{"strictest", "MySQL", map[string]string{"isolation": "SERIALIZABLE", "sql_mode": "'TRADITIONAL'"}},
}

// odder is a mode that MariaDB alone has.
const odder = "SIMULTANEOUS_ASSIGNMENT"

// openWith makes a store with New on connections with parameters.
func openWith(t testing.TB, address string, params map[string]string) (*mysqlstore.Store, string) {
	db := dbWith(t, address, params)
	table := tableName()
	s, err := mysqlstore.New(db, &mysqlstore.Options{Table: table})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	dropAfter(t, address, table)
	return s, table
}

func dbWith(t testing.TB, address string, params map[string]string) *sql.DB {
	mariaDB := strings.Contains(version(t, address), "MariaDB")
	v := url.Values{}
	for name, value := range params {
		switch {
		case name == "isolation" && mariaDB:
			v.Set("tx_isolation", "'"+value+"'")
		case name == "isolation":
			v.Set("transaction_isolation", "'"+value+"'")
		case name == "sql_mode" && mariaDB && strings.Contains(value, "ANSI_QUOTES"):
			v.Set(name, strings.TrimSuffix(value, "'")+","+odder+"'")
		default:
			v.Set(name, value)
		}
	}
	db, err := sql.Open("mysql", bareAddress(t, address)+v.Encode())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(32)
	db.SetMaxIdleConns(32)
	return db
}

func version(t testing.TB, address string) (v string) {
	if err := bareDB(t, address).QueryRow("SELECT VERSION()").Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestSettings is the kit once more, under settings that programs may have and at three levels of
// isolation.
func TestSettings(t *testing.T) {
	eachServer(t, func(t *testing.T, address string) {
		for _, c := range settings {
			if !strings.Contains(c.on, path.Base(t.Name())) {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				s, _ := openWith(t, address, c.params)
				storetest.Run(t, func(testing.TB) store.Store { return s },
					&storetest.Options{Tick: time.Microsecond, Networked: true, Unit: unit})
			})
		}
	})
}
